"""What was found of a person, a line each, and what is to become of it."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

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
    def is_named_by_erasure(self) -> bool:
        """The past of an object that goes as a whole goes with it."""
        return self.fate is Fate.GOES and not (self.place is Place.PAST and self.of_person)

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


class Counts:
    """How much there is, by place and fate."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Place, Fate], int] = {}
        self._of_place: dict[Place, int] = {}
        self.total = 0

    def add(self, found: Found) -> int:
        """How many there are in its place by now."""
        self.total += 1
        self._counts[found.place, found.fate] = self._counts.get((found.place, found.fate), 0) + 1
        self._of_place[found.place] = self._of_place.get(found.place, 0) + 1
        return self._of_place[found.place]

    @property
    def told(self) -> tuple[Count, ...]:
        """In the order of places."""
        order = list(Place)
        ordered = sorted(self._counts.items(), key=lambda one: order.index(one[0][0]))
        return tuple(Count(place, fate, count) for (place, fate), count in ordered)


def still_there(counts: Iterable[Count]) -> int:
    """What an erasure would take away."""
    return sum(one.count for one in counts if one.fate is Fate.GOES)
