"""What was found of a person, a line each, and what is to become of it."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec

from parvis.kernel.time import Instant


class Place(StrEnum):
    """Where something lies, in the order in which it is told."""

    ACCOUNT = "account"
    KEY = "key"
    OBJECT = "object"
    VALUE = "value"
    PAST = "past"
    SUBSCRIPTION = "subscription"
    REGISTRATION = "registration"
    REFUSED_FRAME = "refused-frame"
    FRAME = "frame"
    UNDELIVERED = "undelivered"
    COMMAND = "command"
    RECORD = "record"
    JOB = "job"
    FILE = "file"
    AUDIT = "audit"


class Fate(StrEnum):
    """What an erasure makes of it. PERHAPS is found by a name alone: it may be somebody else's."""

    GOES = "goes"
    PERHAPS = "perhaps"
    STAYS_PROOF = "stays-proof"
    STAYS_DUTY = "stays-duty"
    STAYS_A_WHILE = "stays-a-while"
    BY_HAND = "by-hand"


STAYS: Final = (Fate.STAYS_PROOF, Fate.STAYS_DUTY, Fate.STAYS_A_WHILE, Fate.BY_HAND)


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """`id` is the entity's, or what the thing is known by in its place; `by` are the kinds of identifier that it was
    found by. `content` is what is told to the person, as JSON.

    A value is one of the present where `seq` is 0. `of_person`: the whole entity is theirs.
    """

    place: Place
    id: str
    fate: Fate = Fate.GOES
    by: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    attribute: str = ""
    dataset: str = ""
    seq: int = 0
    at: Instant | None = None
    is_classed: bool = False
    of_person: bool = False
    is_deleted: bool = False
    content: Any = None

    @property
    def is_theirs(self) -> bool:
        """Whether it is given to the person."""
        return self.fate is not Fate.PERHAPS


class Count(msgspec.Struct, frozen=True):
    place: Place
    fate: Fate
    count: int


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Found)


def line_of(found: Found) -> bytes:
    return _ENCODER.encode(found) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[Found]:
    return map(_DECODER.decode, lines)


def counted(found: Iterable[Found]) -> tuple[Count, ...]:
    counts: dict[tuple[Place, Fate], int] = {}
    for one in found:
        counts[one.place, one.fate] = counts.get((one.place, one.fate), 0) + 1
    order = list(Place)
    return tuple(
        Count(place, fate, count) for (place, fate), count in sorted(counts.items(), key=lambda o: order.index(o[0][0]))
    )
