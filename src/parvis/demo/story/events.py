"""What an event is once its place and time are known, and what a device feels of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from parvis.demo.nature.chance import Bools, Floats, Times


class EventKind(StrEnum):
    LEAK = "leak"
    BURST = "burst"
    BREAKDOWN = "breakdown"
    VALVE_SHUT = "valve shut"
    FLAT_BATTERY = "flat battery"
    RADIO_LOSS = "radio loss"
    STORM = "storm"
    CABLE_THEFT = "cable theft"
    BLACKOUT = "blackout"
    OVERFILL = "overfill"
    MARKET = "market"
    FESTIVAL = "festival"
    FEED_DOWN = "feed down"


class Course(StrEnum):
    """How strong it is between its begin and its end: at once, growing all along, or swelling and going."""

    STEP = "step"
    GROWING = "growing"
    SWELL = "swell"


@dataclass(frozen=True, slots=True)
class Event:
    """`reaches` are the names of all that it concerns: entities, "pipe:C00012", "commune:penhervan" (see Place.names);
    within `radius_m` of (x, y) it concerns everybody. `strength` is in the unit of its kind: l/s of a leak, a factor of
    crowds, a share of batteries or containers. `look` is the entity that shows it best.
    """

    id: str
    kind: EventKind
    begins_s: float
    ends_s: float
    strength: float
    course: Course
    title: Mapping[str, str]
    tells: Mapping[str, str]
    reaches: frozenset[str] = frozenset()
    x: float = 0.0
    y: float = 0.0
    radius_m: float = 0.0
    look: str = ""
    is_triggered: bool = False

    def share(self, times: Times) -> Floats:
        """0..1: how much of its strength it has."""
        lasts = max(self.ends_s - self.begins_s, 1.0)
        passed = (times - self.begins_s) / lasts
        within = (passed >= 0) & (passed < 1)
        match self.course:
            case Course.STEP:
                shape = np.ones(len(times))
            case Course.GROWING:
                shape = np.clip(passed, 0, 1)
            case Course.SWELL:
                shape = np.sin(np.pi * np.clip(passed, 0, 1)) ** 2
        found: Floats = np.where(within, shape, 0.0)
        return found

    def lost_s(self, times: Times) -> Floats:
        """Seconds at full strength until then: the integral of `share`."""
        lasts = max(self.ends_s - self.begins_s, 1.0)
        passed = np.clip((times - self.begins_s) / lasts, 0, 1)
        match self.course:
            case Course.STEP:
                whole = passed
            case Course.GROWING:
                whole = passed**2 / 2
            case Course.SWELL:
                whole = passed / 2 - np.sin(2 * np.pi * passed) / (4 * np.pi)
        found: Floats = whole * lasts
        return found


class Place(NamedTuple):
    """What an event may find something by: `names` as Event.reaches has them, and where it stands."""

    names: frozenset[str]
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Effects:
    """On something at a place, over times. `heard` is False while nothing of it gets through; `powered` while its
    electricity is out; `working` while it is broken. `battery` multiplies what its battery shows, `fill` is added to a
    container, `crowd` multiplies people and cars, `leak_l_per_s` and `leaked_l` (since ever) run out there.
    """

    heard: Bools
    powered: Bools
    working: Bools
    battery: Floats
    fill: Floats
    crowd: Floats
    leak_l_per_s: Floats
    leaked_l: Floats
