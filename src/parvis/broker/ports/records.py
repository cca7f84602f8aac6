"""What a tenant's parts of the platform have noted beside its entities, seen as documents: to be looked through for
one person, and dropped."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class Records(Enum):
    """By their table."""

    REFUSED_FRAMES = "refusal"
    FRAMES = "frame"
    UNDELIVERED = "dead_letter"
    COMMANDS = "command"
    JOBS = "job"
    SHELF = "shelf"


DROPPED = (Records.REFUSED_FRAMES, Records.FRAMES, Records.UNDELIVERED)
"""What can be dropped one by one: they are copies of what came, or of what was to be told."""


class Record(NamedTuple):
    """`box` is that of a record of the shelf. `document` is JSON, or whatever its owner has put there; `more` is what
    stands beside it."""

    key: str
    document: bytes
    more: str = ""
    box: str = ""


class RecordStore(Protocol):
    async def drop(self, tenant: str, kind: Records, keys: Sequence[str]) -> int:
        """Of a kind in DROPPED; how many there were."""
        ...
