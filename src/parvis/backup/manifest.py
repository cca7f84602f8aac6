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
    """`added_bytes` came to the disk with it. `left_out` says what an installation has that is kept elsewhere, in
    words."""

    id: str
    at: Instant
    version: str
    files: tuple[FileCopy, ...]
    left_out: tuple[str, ...] = ()
    added_bytes: int = 0
    is_first: bool = False

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class Drill(msgspec.Struct, frozen=True):
    """How it went when a backup was brought back beside. `fault` says why it could not be used; empty: it is sound."""

    at: Instant
    seconds: float
    counts: dict[str, int] = {}
    audit_digest: str = ""
    fault: str = ""
