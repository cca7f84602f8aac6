"""Where the files lie: a folder, or a bucket of S3-compatible storage. A file appears whole or not at all."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from parvis.broker.ports.archive import ArchiveFileGone
from parvis.kernel.durable import sync
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.time import SECOND, Instant
from parvis.stores.archive.scratch import scratch_folder, sweep

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CHUNK_BYTES = 1 << 20
SCRATCH = ".scratch"
SYNCED_AT_ONCE = 8
"""Disks take several at once; a thread that waits for one costs nothing."""


class ArchiveUnreachable(ParvisError):
    """The storage of the archive cannot be read or written just now."""

    type_uri = PARVIS_ERRORS + "archive-unreachable"
    title = "The archive cannot be reached"
    status = 503
    retry_after_s = 30


class StoredFile(msgspec.Struct, frozen=True):
    path: str
    bytes: int
    modified: Instant


class Storage(Protocol):
    """Paths are relative, with "/" between folders. Every call but `locate` may raise ArchiveUnreachable."""

    @property
    def file_system(self) -> "AbstractFileSystem | None":
        """What DuckDB reads through; None where it opens the files itself."""
        ...

    def locate(self, path: str) -> str:
        """The name under which DuckDB opens a file."""
        ...

    def scratch(self) -> contextlib.AbstractContextManager[Path]:
        """A local folder for what is being made; it goes with the block."""
        ...

    def sweep_scratch(self) -> int:
        """Delete the folders that processes left when they died; how many."""
        ...

    def publish(self, made: Path, path: str) -> None:
        """From now on the file is at `path`, durably."""
        ...

    def publish_all(self, files: Sequence[tuple[Path, str]]) -> None:
        """As each by itself, and quicker."""
        ...

    def find_size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """In pieces. Raises ArchiveFileGone."""
        ...

    def delete(self, path: str) -> None:
        """Nothing where there is no such file."""
        ...

    def list(self, folder: str = "") -> Iterator[StoredFile]:
        """The files at any depth of a folder, in no order."""
        ...


def open_storage(url: str, data_dir: Path) -> Storage:
    """Empty: the folder `archive` of the data directory. `s3://BUCKET/PREFIX`, or the path of another folder.

    Raises:
        InvalidSettings: the address cannot be used, or the extra `s3` is not installed.
    """
    if not url.startswith("s3://"):
        return FolderStorage(data_dir / url if url else data_dir / "archive")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise InvalidSettings("archive.url: s3:// is to be followed by the name of a bucket")
    try:
        s3 = import_module("parvis.stores.archive.s3")
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"archive.url: {error.name} is missing; install parvis[s3]") from error
    storage: Storage = s3.BucketStorage(bucket, prefix.strip("/"), data_dir / "archive" / SCRATCH)
    return storage


def checksum(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def read_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


class FolderStorage:
    """A folder of the local file system."""

    file_system = None

    def __init__(self, root: Path) -> None:
        self.root = root

    def locate(self, path: str) -> str:
        return str(self.root / path)

    def scratch(self) -> contextlib.AbstractContextManager[Path]:
        """On the same file system, so that publishing is a rename."""
        return reachable_scratch(self.root / SCRATCH)

    def sweep_scratch(self) -> int:
        return sweep(self.root / SCRATCH)

    def publish(self, made: Path, path: str) -> None:
        self.publish_all([(made, path)])

    def publish_all(self, files: Sequence[tuple[Path, str]]) -> None:
        targets = [(made, self.root / path) for made, path in files]
        with _unreachable(), ThreadPoolExecutor(min(SYNCED_AT_ONCE, max(1, len(files)))) as pool:
            list(pool.map(sync, [made for made, _ in targets]))
            parents = {target.parent for _, target in targets}
            list(pool.map(sync, {folder for parent in sorted(parents) for folder in _make_folders(parent)}))
            for made, target in targets:
                made.rename(target)
            list(pool.map(sync, parents))

    def find_size(self, path: str) -> int | None:
        try:
            with _unreachable():
                return (self.root / path).stat().st_size
        except ArchiveFileGone:
            return None

    def read(self, path: str) -> Iterator[bytes]:
        with _unreachable():
            yield from read_file(self.root / path)

    def delete(self, path: str) -> None:
        """The folders that it leaves empty go too."""
        target = self.root / path
        with _unreachable():
            target.unlink(missing_ok=True)
        for folder in target.relative_to(self.root).parents:
            with contextlib.suppress(OSError):
                if folder != Path():
                    (self.root / folder).rmdir()

    def list(self, folder: str = "") -> Iterator[StoredFile]:
        start = self.root / folder
        for parent, folders, names in os.walk(start, onerror=_unless_gone):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    told = path.relative_to(self.root).as_posix()
                    yield StoredFile(told, status.st_size, int(status.st_mtime * SECOND))


@contextlib.contextmanager
def reachable_scratch(parent: Path) -> Iterator[Path]:
    """Raises ArchiveUnreachable where the folder cannot be made; what happens in the block is not its matter."""
    with contextlib.ExitStack() as stack:
        with _unreachable():
            made = stack.enter_context(scratch_folder(parent))
        yield made


def _make_folders(folder: Path) -> list[Path]:
    """Make it; the folders whose list of names has changed."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [one.parent for one in missing]


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise ArchiveUnreachable(f"The archive's folder cannot be listed: {error.strerror}.")


@contextlib.contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveFileGone(f"The archive's file {error.filename} is not there.") from error
    except OSError as error:
        raise ArchiveUnreachable(f"The archive's folder cannot be used: {error.strerror}.") from error
