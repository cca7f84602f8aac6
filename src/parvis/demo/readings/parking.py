"""Who parks where: single bays, where one stay follows the other, and car parks, which count."""

from collections.abc import Callable, Mapping

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Bools, Floats, Times, chance, drift, one_chance
from parvis.demo.nature.habits import Habit, hours
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

_CENTRE = Habit(
    hours(
        "0.22 0.2 0.19 0.19 0.2 0.22 0.26 0.34 0.48 0.62 0.72 0.74 "
        "0.6 0.56 0.62 0.66 0.71 0.75 0.65 0.5 0.4 0.34 0.29 0.24"
    ),
    hours(
        "0.27 0.24 0.22 0.21 0.21 0.22 0.23 0.26 0.36 0.55 0.68 0.69 "
        "0.5 0.38 0.42 0.48 0.51 0.47 0.42 0.39 0.38 0.36 0.33 0.29"
    ),
)
_COMMUTERS = Habit(
    hours(
        "0.16 0.15 0.15 0.15 0.17 0.24 0.42 0.68 0.84 0.88 0.89 0.89 "
        "0.88 0.87 0.86 0.84 0.78 0.64 0.46 0.34 0.27 0.23 0.2 0.17"
    ),
    hours(
        "0.22 0.21 0.2 0.2 0.2 0.21 0.23 0.26 0.3 0.34 0.37 0.39 "
        "0.4 0.41 0.42 0.43 0.42 0.39 0.34 0.31 0.29 0.27 0.25 0.23"
    ),
    holiday=0.72,
)
_HOSPITAL = Habit(
    hours(
        "0.3 0.28 0.27 0.27 0.29 0.34 0.46 0.6 0.74 0.83 0.87 0.86 "
        "0.8 0.84 0.89 0.88 0.82 0.7 0.6 0.54 0.46 0.4 0.35 0.32"
    ),
    hours(
        "0.3 0.28 0.27 0.27 0.28 0.3 0.34 0.37 0.4 0.43 0.47 0.49 "
        "0.47 0.55 0.63 0.66 0.62 0.54 0.46 0.42 0.39 0.36 0.33 0.31"
    ),
)
_OFFICE_HOURS = Habit(
    hours(
        "0.2 0.19 0.18 0.18 0.18 0.19 0.22 0.32 0.54 0.68 0.74 0.72 "
        "0.55 0.58 0.69 0.7 0.64 0.48 0.36 0.32 0.29 0.26 0.23 0.21"
    ),
    hours(
        "0.22 0.21 0.2 0.2 0.2 0.2 0.2 0.22 0.26 0.31 0.36 0.37 "
        "0.31 0.28 0.29 0.31 0.32 0.31 0.3 0.29 0.28 0.27 0.25 0.23"
    ),
    holiday=0.85,
)
_SHOPS = Habit(
    hours(
        "0.02 0.02 0.02 0.02 0.02 0.03 0.05 0.1 0.22 0.4 0.52 0.55 "
        "0.48 0.42 0.46 0.52 0.6 0.66 0.58 0.36 0.14 0.05 0.03 0.02"
    ),
    hours(
        "0.02 0.02 0.02 0.02 0.02 0.02 0.03 0.06 0.18 0.42 0.62 0.64 "
        "0.48 0.36 0.48 0.58 0.6 0.5 0.34 0.18 0.08 0.04 0.03 0.02"
    ),
)
_SPORTS = Habit(
    hours(
        "0.03 0.02 0.02 0.02 0.02 0.03 0.06 0.14 0.26 0.34 0.38 0.4 "
        "0.46 0.36 0.34 0.38 0.48 0.64 0.74 0.66 0.42 0.2 0.08 0.04"
    ),
    hours(
        "0.03 0.02 0.02 0.02 0.02 0.02 0.04 0.08 0.22 0.44 0.6 0.62 "
        "0.42 0.36 0.54 0.66 0.62 0.48 0.28 0.16 0.1 0.06 0.04 0.03"
    ),
    holiday=0.9,
)
_OUTINGS = Habit(
    hours(
        "0.03 0.02 0.02 0.02 0.02 0.03 0.05 0.08 0.12 0.18 0.26 0.32 "
        "0.3 0.34 0.42 0.46 0.44 0.4 0.32 0.24 0.17 0.11 0.07 0.04"
    ),
    hours(
        "0.04 0.03 0.02 0.02 0.02 0.03 0.05 0.08 0.14 0.26 0.42 0.5 "
        "0.46 0.54 0.7 0.78 0.74 0.62 0.46 0.32 0.22 0.14 0.09 0.06"
    ),
    holiday=1.15,
)
_EMPTY_MEADOW = Habit(hours("0.14 " * 24), hours("0.14 " * 24))
SHARES: Mapping[str, Habit] = {
    "market": _CENTRE,
    "quay": _CENTRE,
    "harbour_office": _CENTRE,
    "hospital": _HOSPITAL,
    "townhall": _OFFICE_HOURS,
    "station": _COMMUTERS,
    "shopping": _SHOPS,
    "swimming_pool": _SPORTS,
    "sports": _SPORTS,
    "beach": _OUTINGS,
    "campsite": _OUTINGS,
    "viewpoint": _OUTINGS,
    "festival": _EMPTY_MEADOW,
    "tourist_office": _CENTRE,
}
"""In parts of all places."""
IN_WINTER: Mapping[str, float] = {
    "beach": 0.25, "campsite": 0.12, "viewpoint": 0.45, "quay": 0.6, "harbour_office": 0.6, "tourist_office": 0.55
}  # fmt: skip
"""Where people come for the sea and the sun: what a winter's day is of a summer's."""
SUN_SHARE = 0.3
"""What sunshine adds at car parks there. Each bay's stays have times of their own, and the sky of each takes long."""
MIDSUMMER_DAY, DAYS_A_YEAR, S_PER_DAY = 205, 365.2425, 86_400
MOST, MOST_CROWD = 0.97, 2.0
LOOKED_BACK = 24
"""Stays: a bay that has been as it is for longer says so much."""
FAULT_SHARE, FAULT_S = 0.0015, 7200
Wanted = Callable[[Times], Floats]


def _wanted(device: Device, scene: Scene) -> Wanted:
    """The part of all places that people want: by hour and day, by season where they come for that."""
    habit = SHARES.get(device.place, _CENTRE)
    seed, row = scene.seed, key_of(f"{device.commune}/{device.place}")
    liked = 0.9 + 0.2 * one_chance(seed, row, 1)

    def wanted(times: Times) -> Floats:
        at = moments(times)
        share = liked * habit.weight(at) * (0.92 + 0.16 * chance(seed, row + 3, at.day))
        if device.place in IN_WINTER:
            share = share * _season(times, IN_WINTER[device.place])
        return share

    return wanted


def _season(times: Times, in_winter: float) -> Floats:
    summer = 0.5 + 0.5 * np.cos(2 * np.pi * (times / S_PER_DAY - MIDSUMMER_DAY) / DAYS_A_YEAR)
    found: Floats = in_winter + (1 - in_winter) * summer
    return found


def bay(device: Device, scene: Scene) -> Read:
    seed, key = scene.seed, key_of(device.hardware_id)
    stay_s = (14 + 46 * one_chance(seed, key, 6)) * 60
    wanted_at = _wanted(device, scene)

    def taken(stays: Floats, crowd: Floats) -> Bools:
        wanted = np.minimum(wanted_at((stays.ravel() + 0.5) * stay_s).reshape(stays.shape) * crowd, MOST)
        found: Bools = chance(seed, key, stays.ravel().astype(np.int64)).reshape(stays.shape) < wanted
        return found

    def read(times: Times, effects: Effects) -> Columns:
        stays = np.floor(times / stay_s)
        around = taken(stays[:, None] - np.arange(LOOKED_BACK), np.minimum(effects.crowd, MOST_CROWD)[:, None])
        now = around[:, 0]
        same = np.cumprod(around == now[:, None], axis=1).sum(axis=1)
        begun = (stays - same + 1) * stay_s
        fault = chance(seed, key + 5, np.floor(times / FAULT_S).astype(np.int64)) < FAULT_SHARE
        air = scene.nature.weather.at(times)
        return {
            "state": np.where(fault, "unknown", np.where(now, "occupied", "free")).astype(object),
            "minutes_since_change": np.floor((times - begun) / 60),
            "temperature_c": np.rint(air.temperature_c + 3 * air.sunshine),
        }

    return read


def car_park(device: Device, scene: Scene) -> Read:
    """`weight` is how many cars it holds."""
    seed, key = scene.seed, key_of(device.hardware_id)
    places = max(device.weight, 1.0)
    wanted_at = _wanted(device, scene)

    def read(times: Times, effects: Effects) -> Columns:
        sun = scene.nature.weather.at(times).sunshine if device.place in IN_WINTER else 0.0
        share = wanted_at(times) * (1 + SUN_SHARE * sun) * effects.crowd * (1 + 0.06 * drift(seed, key, times, 2400))
        taken = np.rint(places * np.clip(share, 0.01, 1))
        return {
            "occupied": taken,
            "available": places - taken,
            "occupancy": np.round(taken / places, 3),
            "state": np.where(taken >= places, "full", "open").astype(object),
        }

    return read
