"""Writes a bundle, file after file; it appears under its name once it is whole."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

import msgspec

from parvis import __version__
from parvis.backup.bundle.manifest import (
    FORMAT,
    MANIFEST,
    SUMS,
    VERSION,
    BundleFile,
    BundleUnusable,
    Manifest,
    content_of,
)

CHUNK_BYTES = 1 << 20
PART = ".part"
_SQUEEZED_ALREADY = (".parquet",)
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The times of files are no part of what was exported."""
_READABLE_BY_OWNER = 0o600


class _Container(Protocol):
    def open(self, path: str) -> "IO[bytes]": ...

    def end(self) -> None: ...

    def drop(self) -> None: ...


class _Folder:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + PART)
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir(parents=True, mode=0o700)

    def open(self, path: str) -> IO[bytes]:
        place = self._part / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place.open("wb")

    def end(self) -> None:
        if self._target.exists():
            self._target.rmdir()
        self._part.rename(self._target)

    def drop(self) -> None:
        shutil.rmtree(self._part, ignore_errors=True)


class _Zip:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + PART)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, _READABLE_BY_OWNER), "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", allowZip64=True)

    def open(self, path: str) -> IO[bytes]:
        about = zipfile.ZipInfo(path, _EPOCH)
        squeezed = not path.endswith(_SQUEEZED_ALREADY)
        about.compress_type = zipfile.ZIP_DEFLATED if squeezed else zipfile.ZIP_STORED
        about.external_attr = _READABLE_BY_OWNER << 16
        return self._zip.open(about, "w", force_zip64=True)

    def end(self) -> None:
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._target)

    def drop(self) -> None:
        with suppress(OSError, ValueError):  # a full disk takes no list of members either
            self._zip.close()
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


class BundleWriter:
    def __init__(self, container: _Container) -> None:
        self._container = container
        self.files: list[BundleFile] = []

    def add(self, path: str, pieces: Iterable[bytes], rows: int | None = None) -> BundleFile:
        """`rows` None: as many as pieces."""
        digest, size, count = hashlib.sha256(), 0, 0
        with self._container.open(path) as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
                count += 1
        added = BundleFile(path, size, digest.hexdigest(), count if rows is None else rows)
        self.files.append(added)
        return added

    def add_file(self, path: str, source: Path, rows: int = 0) -> BundleFile:
        with source.open("rb") as file:
            return self.add(path, iter(lambda: file.read(CHUNK_BYTES), b""), rows)

    def end(self, manifest: Manifest) -> None:
        with self._container.open(MANIFEST) as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")

    def add_sums(self) -> None:
        """For those who have `sha256sum` and nothing of Parvis."""
        lines = [f"{one.sha256}  {one.path}\n".encode() for one in self.files]
        with self._container.open(SUMS) as file:
            file.writelines(lines)


def manifest_of(
    tenant: str, made_at: str, files: Iterable[BundleFile], counts: dict[str, int], numbers: tuple[int, int],
    left_out: tuple[str, ...],
) -> Manifest:  # fmt: skip
    ordered = tuple(sorted(files, key=lambda one: one.path))
    made_by = f"Parvis {__version__}"
    return Manifest(
        FORMAT, VERSION, tenant, made_at, made_by, content_of(ordered), ordered, counts, *numbers, left_out
    )  # fmt: skip


@contextmanager
def writing_bundle(target: Path) -> Iterator[BundleWriter]:
    """A folder that is empty or not there yet, or a new file. Raises BundleUnusable."""
    is_file = target.suffix.lower() == ".zip"
    if target.is_file() or (target.exists() and (is_file or any(target.iterdir()))):
        raise BundleUnusable(f"{target} is there already: name a new file, or an empty folder.")
    container: _Container = _Zip(target) if is_file else _Folder(target)
    try:
        yield BundleWriter(container)
        container.end()
    except BaseException:
        container.drop()
        raise
