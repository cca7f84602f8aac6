"""What people do through the week, as hourly weights, and what adds up from it."""

from dataclasses import dataclass

import numpy as np

from parvis.demo.nature.calendar import Moments, moments
from parvis.demo.nature.chance import Floats, Ints, Times, chance

DAY_ZERO = 19_723
"""2024-01-01, from which meters count."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Hourly weights of a working day and of a day off, in the mean about 1; `holiday` times that in school breaks."""

    working: tuple[float, ...]
    weekend: tuple[float, ...]
    holiday: float = 1.0

    def weight(self, at: Moments) -> Floats:
        weights = np.array([self.working, self.weekend])
        index = np.minimum(at.hour.astype(np.int64), 23)
        share = at.hour - index
        row = at.is_off.astype(np.int64)
        smooth = weights[row, index] * (1 - share) + weights[row, (index + 1) % 24] * share
        found: Floats = np.where(at.holiday, smooth * self.holiday, smooth)
        return found

    def until(self, at: Moments) -> Floats:
        """The part of a mean day that is over at that hour of this one: 1 in the evening of a mean day."""
        sums = np.array([np.concatenate(([0.0], np.cumsum(row))) / 24 for row in (self.working, self.weekend)])
        index = np.minimum(at.hour.astype(np.int64), 23)
        row = at.is_off.astype(np.int64)
        within = sums[row, index] + (at.hour - index) * (sums[row, index + 1] - sums[row, index])
        found: Floats = np.where(at.holiday, within * self.holiday, within)
        return found


def hours(text: str) -> tuple[float, ...]:
    """The weights of 24 hours, from midnight on."""
    return tuple(map(float, text.split()))


HOUSEHOLD_WATER = Habit(
    hours(
        "0.22 0.14 0.1 0.09 0.14 0.5 1.5 2.3 1.7 1.1 0.95 1.05 1.35 1.15 0.8 0.75 0.9 1.25 1.75 2.0 1.6 1.15 0.8 0.45"
    ),
    hours("0.3 0.18 0.12 0.1 0.11 0.2 0.5 1.1 1.9 2.2 2.0 1.7 1.6 1.25 1.0 0.95 1.0 1.2 1.6 1.75 1.4 1.05 0.8 0.5"),
)
PUBLIC_WATER = Habit(
    hours("0.06 0.05 0.05 0.05 0.06 0.2 0.7 1.6 2.4 2.2 2.3 2.3 2.6 2.0 1.9 1.8 1.6 1.3 0.8 0.5 0.3 0.15 0.1 0.08"),
    hours(
        "0.06 0.05 0.05 0.05 0.05 0.06 0.1 0.2 0.35 0.5 0.5 0.45 0.4 0.4 0.45 0.5 0.45 0.3 0.2 0.15 0.1 0.08 0.07 0.06"
    ),
    holiday=0.45,
)
TRAFFIC = Habit(
    hours("0.1 0.06 0.05 0.06 0.14 0.45 1.1 2.1 2.3 1.4 1.15 1.25 1.6 1.45 1.2 1.35 1.9 2.5 2.0 1.2 0.75 0.5 0.35 0.2"),
    hours("0.22 0.15 0.1 0.07 0.08 0.15 0.3 0.55 0.95 1.5 1.85 1.8 1.35 1.3 1.6 1.75 1.7 1.6 1.35 1.0 0.7 0.5 0.4 0.3"),
    holiday=0.88,
)
CYCLING = Habit(
    hours("0.04 0.02 0.02 0.02 0.06 0.3 1.1 2.6 3.0 1.2 0.8 0.9 1.3 1.2 0.9 1.1 2.1 3.1 2.1 1.0 0.5 0.3 0.2 0.1"),
    hours("0.08 0.05 0.03 0.02 0.02 0.08 0.2 0.5 1.1 2.0 2.6 2.4 1.4 1.3 2.1 2.6 2.5 2.0 1.3 0.8 0.5 0.3 0.2 0.12"),
    holiday=0.8,
)
WALKING = Habit(
    hours("0.05 0.03 0.02 0.02 0.03 0.1 0.4 1.1 1.6 1.5 1.7 1.9 2.2 1.6 1.4 1.6 2.0 2.3 1.9 1.2 0.7 0.4 0.2 0.1"),
    hours("0.15 0.1 0.05 0.03 0.03 0.05 0.15 0.5 1.2 2.1 2.7 2.8 1.8 1.4 1.9 2.2 2.2 1.9 1.4 0.9 0.7 0.5 0.3 0.2"),
    holiday=1.25,
)
WASTE = Habit(
    hours("0.05 0.02 0.01 0.01 0.02 0.1 0.4 0.9 1.3 1.5 1.6 1.5 1.3 1.2 1.3 1.5 1.8 2.1 2.0 1.6 1.0 0.6 0.3 0.15"),
    hours("0.1 0.05 0.02 0.01 0.01 0.05 0.2 0.6 1.3 2.2 2.8 2.6 1.9 1.5 1.8 2.2 2.4 2.2 1.7 1.2 0.8 0.5 0.3 0.2"),
)
OFFICE = Habit(
    hours("0.3 0.3 0.3 0.3 0.3 0.35 0.6 1.2 1.9 2.1 2.1 2.0 1.7 1.7 2.0 2.0 1.9 1.5 0.9 0.5 0.4 0.35 0.3 0.3"),
    hours("0.3 0.3 0.3 0.3 0.3 0.3 0.3 0.3 0.35 0.4 0.4 0.4 0.4 0.4 0.4 0.4 0.35 0.3 0.3 0.3 0.3 0.3 0.3 0.3"),
    holiday=0.75,
)


class Tally:
    """The running sum of a habit since DAY_ZERO, in mean days; each day is larger or smaller by chance. Never falls."""

    def __init__(self, habit: Habit, seed: int, key: int, spread: float) -> None:
        self._habit, self._seed, self._key, self._spread = habit, seed, key, spread
        self._at_midnight = np.zeros(1)

    def at(self, times: Times) -> Floats:
        at = moments(times)
        found: Floats = self._midnight(at.day) + self._factor(at.day) * self._habit.until(at)
        return found

    def between(self, since: Times, until: Times) -> Floats:
        found: Floats = self.at(until) - self.at(since)
        return found

    def _midnight(self, days: Ints) -> Floats:
        places = np.maximum(days - DAY_ZERO, 0)
        if len(places) and int(places.max()) >= len(self._at_midnight):
            self._extend(int(places.max()) + 1)
        found: Floats = self._at_midnight[places]
        return found

    def _extend(self, length: int) -> None:
        days = np.arange(DAY_ZERO, DAY_ZERO + length, dtype=np.int64)
        evening = _evenings(days)
        whole = self._habit.until(evening) * self._factor(days)
        self._at_midnight = np.concatenate(([0.0], np.cumsum(whole)))

    def _factor(self, days: Ints) -> Floats:
        found: Floats = 1 + self._spread * (2 * chance(self._seed, self._key, days) - 1)
        return found


def _evenings(days: Ints) -> Moments:
    """The end of each day, of which noon says what it is."""
    noon = moments(days.astype(np.float64) * 86_400 + 43_200)
    return Moments(days, np.full(len(days), 24.0), noon.weekday, noon.weekend, noon.holiday, noon.bank_holiday)
