"""What a switching group does with its nights."""

from datetime import date
from typing import Annotated

import msgspec

from parvis.kernel.time import Instant

Level = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""Of the light flux: 0 is dark, 1 all of it."""
MinuteOfDay = Annotated[int, msgspec.Meta(ge=0, lt=1440)]
"""Of the clock on the wall. From 12:00 on it is the evening's, before it the morning's after."""
NOON = 720
SUNSET_DEG, CIVIL_DEG, NAUTICAL_DEG = -0.8333, -6.0, -12.0
"""Where the middle of the sun stands."""


class Edge(msgspec.Struct, frozen=True):
    """Where the night begins or ends: the sun at an elevation, and so many minutes later."""

    elevation_deg: Annotated[float, msgspec.Meta(ge=-18, le=5)] = CIVIL_DEG
    later_min: Annotated[float, msgspec.Meta(ge=-180, le=180)] = 0.0


class Dimming(msgspec.Struct, frozen=True):
    """From `begin` to `end` every night; level 0 is part-night switching.

    Where somebody passes it is lit at `presence_level`, which is expected for `presence_share` of the time.
    """

    begin: MinuteOfDay
    end: MinuteOfDay
    level: Level
    presence_level: Level = 0.0
    presence_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Extinction(msgspec.Struct, frozen=True):
    """A mayor's order (`reference`): dark from `begin` to `end`, from the night of `first` to that of `last`.

    Nights that begin on one of `except_weekdays` (0 is Monday) or `except_nights` are lit as on any other day.
    """

    reference: Annotated[str, msgspec.Meta(min_length=1)]
    first: date
    begin: MinuteOfDay
    end: MinuteOfDay
    last: date | None = None
    except_weekdays: frozenset[Annotated[int, msgspec.Meta(ge=0, le=6)]] = frozenset()
    except_nights: frozenset[date] = frozenset()


class Event(msgspec.Struct, frozen=True):
    """A match, a market, an accident: this level meanwhile, whatever else is said. By daylight it lights nothing."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    begin: Instant
    end: Instant
    level: Level = 1.0


class Program(msgspec.Struct, frozen=True):
    """An event goes before an extinction, an extinction before a dimming; of two of a kind the later one holds."""

    name: str
    dusk: Edge = Edge()
    dawn: Edge = Edge()
    dimmings: tuple[Dimming, ...] = ()
    extinctions: tuple[Extinction, ...] = ()
    events: tuple[Event, ...] = ()
