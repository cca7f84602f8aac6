"""How many entities are in which state, and what their numbers come to: told by the store without reading each one."""

from enum import IntEnum

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.query.areas import Area
from parvis.broker.query.tree import TypeSelection
from parvis.kernel.reach import Reach
from parvis.kernel.time import Instant


class Grade(IntEnum):
    """Ordered by how much attention it asks for."""

    GOOD = 0
    SILENT = 1
    WARN = 2
    BAD = 3


class Yardstick(msgspec.Struct, frozen=True):
    """How the default instance of an attribute is judged.

    `warn` and `bad` are reached at or above their value, or below it where `is_low_bad`; texts of `warn_words` are to
    be warned of. What was seen last before `silent_before` is silent, unless it is bad. `alarm` names an attribute that
    makes it bad wherever it is true or no 0. Of a share of one, `is_share`, whole per cent are judged. What would be
    good is to be warned of where it is less than `least` or more than `most`: no measurement at all.
    """

    attribute: Iri
    warn: float | None = None
    bad: float | None = None
    is_low_bad: bool = False
    is_share: bool = False
    alarm: Iri | None = None
    warn_words: tuple[str, ...] = ()
    silent_before: Instant | None = None
    least: float | None = None
    most: float | None = None


class ByArea(msgspec.Struct, frozen=True):
    """By the areas in which the middle of the GeoProperty `location` is: in each of them, "" where in none."""

    location: Iri
    areas: tuple[Area, ...]


class ByWord(msgspec.Struct, frozen=True):
    """By the text of `attribute`, or the object of the relationship: each of a list, "" where there is none."""

    attribute: Iri


class TallyQuery(msgspec.Struct, frozen=True):
    """Of the entities of `types`: each by the first of `yardsticks` whose attribute it has.

    `unmeasured` is the grade of what has none of these; without yardsticks all are good. An entity's place is the
    addressLocality of its `address`, else its first scope; `place`: only those there. Not `by_place`: all places are
    told as one, "". `zones` stand in for places there. `since`: moments of which each is to be told how many were
    measured then or later. `told_silent` names an attribute that says by true or false whether the entity is silent:
    where there is one, it is believed, whatever the age.
    """

    types: TypeSelection
    address: Iri
    yardsticks: tuple[Yardstick, ...] = ()
    unmeasured: Grade = Grade.SILENT
    by_place: bool = False
    place: str = ""
    zones: ByArea | ByWord | None = None
    within: Reach = None
    since: tuple[Instant, ...] = ()
    told_silent: Iri | None = None


class Tallied(msgspec.Struct, frozen=True):
    """Of the entities of one place (or zone), grade and unit. `numbers` of them have a number, which add up to `total`.

    `low`, `high`, `newest` (when the last one was seen) and `measured` (likewise, of those that say when they were) are
    None where there is none. `since` goes with that of the query.
    """

    place: str
    grade: Grade
    entities: int
    numbers: int
    total: float
    low: float | None
    high: float | None
    newest: Instant | None
    unit_code: str
    measured: Instant | None = None
    since: tuple[int, ...] = ()
