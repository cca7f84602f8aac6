"""Reads a bundle that anybody may have made: nothing of it is believed before it was looked at, and nothing is written
under a name that it gives."""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from parvis.backup.bundle.manifest import (
    LARGEST_MANIFEST_BYTES,
    MANIFEST,
    MOST_FILES,
    SUMS,
    BundleFile,
    BundleUnusable,
    Manifest,
    is_allowed,
    read_manifest,
)

CHUNK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 32 << 20
MOST_SQUEEZED = 300
"""Times; what is squeezed more holds nothing but repetition: a bomb."""
_SMALL_BYTES = 1 << 20
"""Files up to here may be squeezed as they like."""
_TAKEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Container(Protocol):
    def sizes(self) -> dict[str, int]:
        """Of every file that is there. Raises BundleUnusable."""
        ...

    def open(self, path: str) -> IO[bytes]: ...

    def close(self) -> None: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def sizes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for place in self._path.rglob("*"):
            about = place.lstat()
            name = place.relative_to(self._path).as_posix()
            if stat.S_ISDIR(about.st_mode):
                continue
            if not stat.S_ISREG(about.st_mode):
                raise BundleUnusable(f"{name[:120]!r} is no plain file: links have no place in a bundle.")
            found[name] = about.st_size
            if len(found) > MOST_FILES + 2:
                raise BundleUnusable(f"The folder has more than {MOST_FILES} files.")
        return found

    def open(self, path: str) -> IO[bytes]:
        return (self._path / path).open("rb")

    def close(self) -> None:
        pass


class _Zip:
    def __init__(self, path: Path) -> None:
        self._bytes = path.stat().st_size
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError) as fault:
            raise BundleUnusable(f"{path.name} is no ZIP file that can be read: {fault}.") from fault

    def sizes(self) -> dict[str, int]:
        members = [one for one in self._zip.infolist() if not one.is_dir()]
        if len(members) > MOST_FILES + 2:
            raise BundleUnusable(f"The file has more than {MOST_FILES} members.")
        if sum(one.compress_size for one in members) > self._bytes:
            raise BundleUnusable("Members of the file share their content: it is made to fill the disk.")
        found: dict[str, int] = {}
        for one in members:
            self._check(one)
            if one.filename in found:
                raise BundleUnusable(f"{one.filename[:120]!r} is there twice.")
            found[one.filename] = one.file_size
        return found

    def open(self, path: str) -> IO[bytes]:
        return self._zip.open(path)

    def close(self) -> None:
        self._zip.close()

    def _check(self, one: zipfile.ZipInfo) -> None:
        name = f"{one.filename[:120]!r}"
        if one.flag_bits & 0x1 or one.compress_type not in _TAKEN:
            raise BundleUnusable(f"{name} is encrypted, or squeezed in a way that is not taken.")
        kind = stat.S_IFMT(one.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BundleUnusable(f"{name} is no plain file: links have no place in a bundle.")
        if one.file_size > _SMALL_BYTES and one.file_size > MOST_SQUEEZED * max(1, one.compress_size):
            raise BundleUnusable(f"{name} is squeezed more than {MOST_SQUEEZED} to 1: it would fill the disk.")


class Bundle:
    def __init__(self, container: _Container) -> None:
        self._container = container
        sizes = container.sizes()
        for name in sizes:
            if name != MANIFEST and not is_allowed(name):
                raise BundleUnusable(f"{name[:120]!r} has no place in a bundle.")
        self.manifest = self._read_manifest(sizes)
        self._check_sizes(sizes)

    def verify(self, tell: Callable[[BundleFile], object] = lambda _file: None) -> None:
        """Every byte. Raises BundleUnusable."""
        for one in self.manifest.files:
            tell(one)
            for _ in self.pieces(one):
                pass

    def pieces(self, file: BundleFile) -> Iterator[bytes]:
        """At the end the whole is compared. Raises BundleUnusable."""
        digest, left = hashlib.sha256(), file.bytes
        with self._opened(file) as source:
            while left and (piece := source.read(min(CHUNK_BYTES, left))):
                left -= len(piece)
                digest.update(piece)
                yield piece
            if left or source.read(1) or digest.hexdigest() != file.sha256:
                raise BundleUnusable(f"{file.path} is not what {MANIFEST} says: it was changed, or it broke off.")

    def lines(self, path: str) -> Iterator[bytes]:
        """Without their ends; none where there is no such file. Raises BundleUnusable."""
        file = self.manifest.find(path)
        rest = b""
        for piece in self.pieces(file) if file is not None else ():
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > LONGEST_LINE_BYTES:
                raise BundleUnusable(f"A line of {path} has more than {LONGEST_LINE_BYTES >> 20} MiB.")
            yield from whole
        if rest:
            yield rest

    def bring(self, file: BundleFile, target: Path) -> None:
        """A copy of it under a name of our own. Raises BundleUnusable."""
        with target.open("wb") as copy:
            for piece in self.pieces(file):
                copy.write(piece)

    @contextmanager
    def _opened(self, file: BundleFile) -> Iterator[IO[bytes]]:
        try:
            with self._container.open(file.path) as source:
                yield source
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, FileNotFoundError, NotImplementedError) as fault:
            raise BundleUnusable(f"{file.path} cannot be read: {fault}.") from fault

    def _read_manifest(self, sizes: dict[str, int]) -> Manifest:
        size = sizes.get(MANIFEST)
        if size is None:
            raise BundleUnusable(f"There is no {MANIFEST}: this is no bundle of Parvis.")
        if size > LARGEST_MANIFEST_BYTES:
            raise BundleUnusable(f"{MANIFEST} is larger than any bundle's.")
        with self._opened(BundleFile(MANIFEST, size, "")) as source:
            return read_manifest(source.read(LARGEST_MANIFEST_BYTES + 1))

    def _check_sizes(self, sizes: dict[str, int]) -> None:
        told = {one.path: one.bytes for one in self.manifest.files}
        there = {name: size for name, size in sizes.items() if name not in (MANIFEST, SUMS)}
        if unknown := sorted(there.keys() - told.keys()):
            raise BundleUnusable(f"{MANIFEST} does not know {unknown[0]!r}.")
        for name, size in told.items():
            if there.get(name) is None:
                raise BundleUnusable(f"{name} is missing.")
            if there[name] != size:
                raise BundleUnusable(f"{name} has {there[name]} bytes, and not {size}.")


@contextmanager
def opened_bundle(path: Path) -> Iterator[Bundle]:
    """Raises BundleUnusable."""
    if not path.exists():
        raise BundleUnusable(f"There is no {path}.")
    container: _Container = _Folder(path) if path.is_dir() else _Zip(path)
    try:
        yield Bundle(container)
    finally:
        with suppress(OSError):
            container.close()
