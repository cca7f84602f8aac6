"""Small records that a part of the platform keeps over a restart, in boxes it names: an MQTT session, for instance."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol


class Box(NamedTuple):
    tenant: str
    name: str


class Place(NamedTuple):
    box: Box
    key: bytes


class Shelf(Protocol):
    async def change(self, emptied: Collection[Box], puts: Mapping[Place, bytes], drops: Collection[Place]) -> None:
        """All of it in one transaction, in this order; of a tenant that does not exist nothing is kept.

        Raises:
            Overloaded: nothing of it is done; it may be tried again.
        """
        ...

    async def read(self, box: Box) -> dict[bytes, bytes]:
        """In the order of keys."""
        ...

    async def read_all(self, name: str) -> dict[Place, bytes]:
        """Those in the boxes of this name of all tenants, in order."""
        ...
