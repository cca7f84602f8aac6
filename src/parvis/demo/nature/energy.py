"""What buildings take: heat against the cold outside the hours of the day, electricity with use and darkness."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parvis.demo.nature.calendar import Moments, moments
from parvis.demo.nature.chance import Floats, Times, drift, one_chance
from parvis.demo.nature.habits import HOUSEHOLD_WATER, OFFICE
from parvis.demo.nature.rooms import timetable
from parvis.demo.nature.weather import Weather

S_PER_HOUR = 3600
BLOCK_H = 24 * 30
INERTIA_H = (1, 4, 9)


@dataclass(frozen=True, slots=True)
class Fabric:
    """Of a square metre of floor: what it loses (W/K), what stays on and what use adds (W)."""

    loss_w_per_k: float
    base_w: float
    used_w: float
    lamps_w: float


FABRICS = {
    "school": Fabric(1.9, 0.8, 5.5, 4.0), "college": Fabric(1.7, 1.0, 6.5, 4.0), "townhall": Fabric(2.1, 1.5, 8.0, 4.0),
    "library": Fabric(1.6, 1.2, 7.0, 6.0), "offices": Fabric(1.4, 2.0, 9.0, 4.0), "pool": Fabric(4.6, 22.0, 18.0, 6.0),
    "community_hall": Fabric(2.4, 0.6, 9.0, 6.0), "care_home": Fabric(1.5, 4.5, 6.0, 3.0),
    "hospital": Fabric(1.8, 11.0, 9.0, 3.0), "house": Fabric(1.6, 1.1, 3.2, 1.2),
}  # fmt: skip
OTHERS = Fabric(1.7, 1.5, 6.0, 3.0)


def fabric(use: str) -> Fabric:
    return FABRICS.get(use.partition(":")[0], OTHERS)


class Buildings:
    def __init__(self, seed: int, weather: Weather) -> None:
        self._seed, self._weather = seed, weather

    def heat_kw(self, times: Times, use: str, floor_m2: float, key: int) -> Floats:
        """What its heating gives: the loss against outdoors, slow walls, less what sun and people bring."""
        wanted = _wanted_c(use, moments(times))
        outside = self._felt_c(times)
        loss = fabric(use).loss_w_per_k * (0.85 + 0.3 * one_chance(self._seed, key, 21))
        gains = 3.0 + 9.0 * self._weather.at(times).sunshine
        watts = np.maximum(loss * (wanted - outside) - gains, 0.0)
        return floor_m2 * watts / 1000 * (1 + 0.06 * drift(self._seed, key + 22, times, 5400))

    def _felt_c(self, times: Times) -> Floats:
        total = np.zeros(len(times))
        for hours in INERTIA_H:
            total += self._weather.at(times - hours * S_PER_HOUR).temperature_c
        return total / len(INERTIA_H)

    def electricity_kw(self, times: Times, use: str, floor_m2: float, key: int) -> Floats:
        built, at = fabric(use), moments(times)
        busy = _busy(use, at)
        dark = self._weather.at(times).sunshine < 0.15
        watts = built.base_w + busy * (built.used_w + built.lamps_w * dark)
        watts *= 1 + 0.12 * drift(self._seed, key + 23, times, 2700)
        return floor_m2 * watts / 1000


def _wanted_c(use: str, at: Moments) -> Floats:
    """Comfort from two hours before the first session to the last; at home in the morning and from the afternoon on."""
    if use == "house":
        return np.where((at.hour > 6) & (at.hour < 22.5), 19.5, 17.0)
    table = timetable(use)
    first, last = table.sessions[0][0], table.sessions[-1][1]
    used = table.is_open(at) & (at.hour > first - 2) & (at.hour < last)
    return np.where(used, 20.5, 16.0)


def _busy(use: str, at: Moments) -> Floats:
    if use == "house":
        return HOUSEHOLD_WATER.weight(at)
    if use.partition(":")[0] in ("hospital", "care_home", "pool"):
        return 0.35 + 0.65 * np.clip(np.sin(np.pi * (at.hour - 5) / 18), 0, 1)
    table = timetable(use)
    first, last = table.sessions[0][0], table.sessions[-1][1]
    used = table.is_open(at) & (at.hour > first - 0.7) & (at.hour < last + 0.5)
    return np.where(used, np.minimum(OFFICE.weight(at), 1.5) * 0.75, 0.03)


class Running:
    """What a power (kW at times) adds up to since `origin_s`, in kWh: never falls where the power does not."""

    def __init__(self, power_kw: Callable[[Times], Floats], origin_s: float) -> None:
        self._power_kw, self._origin_s = power_kw, origin_s
        self._sums = np.zeros(1)
        self._last_kw = 0.0

    def at(self, times: Times) -> Floats:
        """By the hour, straight between the hours."""
        hours = np.maximum((times - self._origin_s) / S_PER_HOUR, 0.0)
        while len(hours) and len(self._sums) <= int(hours.max()) + 1:
            self._extend()
        index = hours.astype(np.int64)
        found: Floats = self._sums[index] + (hours - index) * (self._sums[index + 1] - self._sums[index])
        return found

    def _extend(self) -> None:
        first = len(self._sums) - 1
        grid: Times = self._origin_s + (np.arange(first, first + BLOCK_H, dtype=np.float64) + 0.5) * S_PER_HOUR
        self._sums = np.concatenate((self._sums, self._sums[-1] + np.cumsum(self._power_kw(grid))))
