"""What people do through the week, as hourly weights, and what adds up from it."""

from dataclasses import dataclass
from itertools import accumulate

from parvis.demo.clockwork import chance, day_and_hour, is_weekend

DAY_ZERO = 19_723
"""2024-01-01, from which meters count."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Hourly weights of a working day and of a weekend day; each mean is near 1."""

    working: tuple[float, ...]
    weekend: tuple[float, ...]

    def weight(self, time_s: float) -> float:
        day, hour = day_and_hour(time_s)
        weights = self.weekend if is_weekend(day) else self.working
        index = int(hour)
        share = hour - index
        return weights[index] * (1 - share) + weights[(index + 1) % 24] * share


HOUSEHOLD_WATER = Habit(
    (0.22, 0.14, 0.1, 0.09, 0.14, 0.5, 1.5, 2.3, 1.7, 1.1, 0.95, 1.05, 1.35, 1.15, 0.8, 0.75, 0.9, 1.25, 1.75, 2.0,
     1.6, 1.15, 0.8, 0.45),
    (0.3, 0.18, 0.12, 0.1, 0.11, 0.2, 0.5, 1.1, 1.9, 2.2, 2.0, 1.7, 1.6, 1.25, 1.0, 0.95, 1.0, 1.2, 1.6, 1.75, 1.4,
     1.05, 0.8, 0.5),
)  # fmt: skip
PUBLIC_WATER = Habit(
    (0.06, 0.05, 0.05, 0.05, 0.06, 0.2, 0.7, 1.6, 2.4, 2.2, 2.3, 2.3, 2.6, 2.0, 1.9, 1.8, 1.6, 1.3, 0.8, 0.5, 0.3,
     0.15, 0.1, 0.08),
    (0.06, 0.05, 0.05, 0.05, 0.05, 0.06, 0.1, 0.2, 0.35, 0.5, 0.5, 0.45, 0.4, 0.4, 0.45, 0.5, 0.45, 0.3, 0.2, 0.15,
     0.1, 0.08, 0.07, 0.06),
)  # fmt: skip
TRAFFIC = Habit(
    (0.1, 0.06, 0.05, 0.06, 0.14, 0.45, 1.1, 2.1, 2.3, 1.4, 1.15, 1.25, 1.6, 1.45, 1.2, 1.35, 1.9, 2.5, 2.0, 1.2, 0.75,
     0.5, 0.35, 0.2),
    (0.22, 0.15, 0.1, 0.07, 0.08, 0.15, 0.3, 0.55, 0.95, 1.5, 1.85, 1.8, 1.35, 1.3, 1.6, 1.75, 1.7, 1.6, 1.35, 1.0, 0.7,
     0.5, 0.4, 0.3),
)  # fmt: skip
WASTE = Habit(
    (0.05, 0.02, 0.01, 0.01, 0.02, 0.1, 0.4, 0.9, 1.3, 1.5, 1.6, 1.5, 1.3, 1.2, 1.3, 1.5, 1.8, 2.1, 2.0, 1.6, 1.0, 0.6,
     0.3, 0.15),
    (0.1, 0.05, 0.02, 0.01, 0.01, 0.05, 0.2, 0.6, 1.3, 2.2, 2.8, 2.6, 1.9, 1.5, 1.8, 2.2, 2.4, 2.2, 1.7, 1.2, 0.8, 0.5,
     0.3, 0.2),
)  # fmt: skip


class Tally:
    """The running sum of a habit, each day larger or smaller by chance; never falls (unit: mean days)."""

    def __init__(self, habit: Habit, seed: int, key: int, spread: float) -> None:
        self._habit, self._seed, self._key, self._spread = habit, seed, key, spread
        self._at_midnight = [0.0]
        self._working = (0.0, *accumulate(weight / 24 for weight in habit.working))
        self._weekend = (0.0, *accumulate(weight / 24 for weight in habit.weekend))

    def at(self, time_s: float) -> float:
        day, hour = day_and_hour(time_s)
        so_far = self._day_shape(day)
        index = int(hour)
        within = so_far[index] + (hour - index) * (so_far[index + 1] - so_far[index])
        return self._midnight(day) + self._factor(day) * within

    def _midnight(self, day: int) -> float:
        while len(self._at_midnight) <= day - DAY_ZERO:
            last = DAY_ZERO + len(self._at_midnight) - 1
            self._at_midnight.append(self._at_midnight[-1] + self._factor(last) * self._day_shape(last)[24])
        return self._at_midnight[max(0, day - DAY_ZERO)]

    def _factor(self, day: int) -> float:
        return 1 + self._spread * (2 * chance(self._seed, self._key, day) - 1)

    def _day_shape(self, day: int) -> tuple[float, ...]:
        return self._weekend if is_weekend(day) else self._working


@dataclass(frozen=True, slots=True)
class Timetable:
    """Hours at which a room is in use, on which weekdays (Monday is 0), and by how many at most."""

    sessions: tuple[tuple[float, float], ...]
    weekdays: frozenset[int]
    people: int

    def of_day(self, day: int) -> tuple[tuple[float, float], ...]:
        return self.sessions if (day + 3) % 7 in self.weekdays else ()


_SCHOOL_DAYS, _WEEK, _SHOP, _EVERY = (frozenset(days) for days in ({0, 1, 3, 4}, range(5), range(1, 6), range(7)))
TIMETABLES = {
    "school": Timetable(((8.6, 10.25), (10.5, 12.0), (13.5, 15.0), (15.25, 16.5)), _SCHOOL_DAYS, 25),
    "school:Cantine": Timetable(((11.9, 13.4),), _SCHOOL_DAYS, 90),
    "college": Timetable(((8.2, 10.1), (10.3, 12.2), (13.6, 15.5), (15.7, 17.2)), _WEEK, 27),
    "college:Réfectoire": Timetable(((11.6, 13.6),), _WEEK, 140),
    "townhall": Timetable(((8.75, 12.25), (13.5, 17.5)), _WEEK, 6),
    "townhall:Salle du conseil": Timetable(((18.5, 21.5),), frozenset({1}), 38),
    "library": Timetable(((10.0, 12.5), (14.0, 18.5)), _SHOP, 28),
    "offices": Timetable(((8.4, 12.4), (13.6, 17.8)), _WEEK, 18),
    "community_hall": Timetable(((18.0, 22.5),), frozenset({2, 4, 5}), 70),
    "care_home": Timetable(((8.0, 10.0), (11.5, 14.0), (15.5, 20.0)), _EVERY, 22),
    "hospital": Timetable(((7.5, 21.5),), _EVERY, 20),
}


def timetable(place: str) -> Timetable:
    """For `kind:room`, the room's own timetable, else its kind's."""
    return TIMETABLES.get(place) or TIMETABLES[place.partition(":")[0]]
