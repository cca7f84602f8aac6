"""What a backup holds."""

import msgspec

from parvis.kernel.time import Instant


class FileCopy(msgspec.Struct, frozen=True):
    """`path` is below the data directory, with "/" between folders. `digest` is the SHA-256 of the whole file."""

    path: str
    bytes: int
    digest: str
    mode: int
    pieces: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True):
    """`left_out` says what an installation has that is kept elsewhere, in words."""

    id: str
    at: Instant
    version: str
    files: tuple[FileCopy, ...]
    left_out: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)
