"""Small records that a part of the platform keeps over a restart, in boxes it names: MQTT sessions, for instance."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

LONGEST_KEY_BYTES = 64


class Box(NamedTuple):
    tenant: str
    name: str


class Place(NamedTuple):
    """A record's place, or, as a prefix, that of all records whose keys begin so."""

    box: Box
    key: bytes


class Shelf(Protocol):
    async def change(self, emptied: Collection[Place], puts: Mapping[Place, bytes], drops: Collection[Place]) -> None:
        """All of it in one transaction, in this order; of a tenant that does not exist nothing is kept.

        Raises:
            Overloaded: nothing of it is done; it may be tried again.
        """
        ...

    async def read(self, prefix: Place) -> dict[bytes, bytes]:
        """In the order of keys."""
        ...

    async def read_all(self, name: str) -> dict[Place, bytes]:
        """Those in the boxes of this name of all tenants, in order."""
        ...


def end_of(prefix: bytes) -> bytes:
    """Keys that begin with `prefix` are below it."""
    stem = prefix.rstrip(b"\xff")
    if not stem:
        return b"\xff" * (LONGEST_KEY_BYTES + 1)
    return stem[:-1] + bytes([stem[-1] + 1])
