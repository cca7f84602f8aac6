"""Who is in a public building's rooms by timetable, what air they breathe and how warm it is."""

from dataclasses import dataclass

import numpy as np

from parvis.demo.nature.calendar import Moments, moments
from parvis.demo.nature.chance import Bools, Floats, Times, chance, drift, one_chance
from parvis.demo.nature.weather import Weather

PPM_PER_HEAD, OUTDOORS_PPM = 38.0, 425.0
SETBACK_C, COMFORT_C = 17.2, 20.5
SESSIONS_A_DAY = 8


@dataclass(frozen=True, slots=True)
class Timetable:
    """Hours at which a room is in use, on which weekdays (Monday is 0), and by how many at most."""

    sessions: tuple[tuple[float, float], ...]
    weekdays: frozenset[int]
    people: int
    closes_in_holidays: bool = False
    closes_on_bank_holidays: bool = True

    def is_open(self, at: Moments) -> Bools:
        on = np.isin(at.weekday, sorted(self.weekdays))
        if self.closes_in_holidays:
            on &= ~at.holiday
        if self.closes_on_bank_holidays:
            on &= ~at.bank_holiday
        return on


_SCHOOL_DAYS, _WEEK, _SHOP, _EVERY = (frozenset(days) for days in ({0, 1, 3, 4}, range(5), range(1, 6), range(7)))
TIMETABLES = {
    "school": Timetable(((8.6, 10.25), (10.5, 12.0), (13.5, 15.0), (15.25, 16.5)), _SCHOOL_DAYS, 25, True),
    "school:Cantine": Timetable(((11.9, 13.4),), _SCHOOL_DAYS, 90, True),
    "college": Timetable(((8.2, 10.1), (10.3, 12.2), (13.6, 15.5), (15.7, 17.2)), _WEEK, 27, True),
    "college:Réfectoire": Timetable(((11.6, 13.6),), _WEEK, 140, True),
    "townhall": Timetable(((8.75, 12.25), (13.5, 17.5)), _WEEK, 6),
    "townhall:Salle du conseil": Timetable(((18.5, 21.5),), frozenset({1}), 38),
    "library": Timetable(((10.0, 12.5), (14.0, 18.5)), _SHOP, 28),
    "offices": Timetable(((8.4, 12.4), (13.6, 17.8)), _WEEK, 18),
    "pool": Timetable(((9.0, 12.0), (14.0, 20.0)), _EVERY, 60),
    "community_hall": Timetable(((18.0, 22.5),), frozenset({2, 4, 5}), 70),
    "care_home": Timetable(((8.0, 10.0), (11.5, 14.0), (15.5, 20.0)), _EVERY, 22, False, False),
    "hospital": Timetable(((7.5, 21.5),), _EVERY, 20, False, False),
}


def timetable(use: str) -> Timetable:
    """For `kind:room`, the room's own timetable, else its kind's; offices' for others."""
    return TIMETABLES.get(use) or TIMETABLES.get(use.partition(":")[0], TIMETABLES["offices"])


@dataclass(frozen=True, slots=True)
class RoomClimate:
    temperature_c: Floats
    humidity_percent: Floats
    co2_ppm: Floats
    illuminance_lx: Floats
    people: Floats


class Rooms:
    def __init__(self, seed: int, weather: Weather) -> None:
        self._seed, self._weather = seed, weather

    def climate(self, times: Times, use: str, key: int) -> RoomClimate:
        table, at, air = timetable(use), moments(times), self._weather.at(times)
        sunny = one_chance(self._seed, key, 4)
        people = self.people(times, use, key)
        heated = _heated_c(table, at)
        inside = np.maximum(heated, 0.75 * air.temperature_c + 5.5) + 2.4 * air.sunshine * sunny + 0.025 * people
        lit = 320 * ((people > 0) & (air.sunshine < 0.45))
        return RoomClimate(
            temperature_c=inside + 0.25 * drift(self._seed, key, times, 2400),
            humidity_percent=np.clip(46 + 0.16 * people + 0.2 * (air.humidity_percent - 75), 25, 75),
            co2_ppm=OUTDOORS_PPM + self._stale_air_ppm(table, at, key) + 9 * drift(self._seed, key + 4, times, 600),
            illuminance_lx=lit + 2600 * air.sunshine * (0.15 + 0.5 * sunny),
            people=people,
        )

    def people(self, times: Times, use: str, key: int) -> Floats:
        table, at = timetable(use), moments(times)
        is_open = table.is_open(at)
        found = np.zeros(len(times))
        for session, (begin, end) in enumerate(table.sessions):
            now = is_open & (begin <= at.hour) & (at.hour < end)
            found = np.where(now, self._attendance(table, at, session, key), found)
        return found

    def _attendance(self, table: Timetable, at: Moments, session: int, key: int) -> Floats:
        share = 0.55 + 0.45 * chance(self._seed, key + 3, at.day * SESSIONS_A_DAY + session)
        return np.rint(table.people * share)

    def _stale_air_ppm(self, table: Timetable, at: Moments, key: int) -> Floats:
        """Carbon dioxide above outdoors: nears a level set by the people present, falls away when they leave."""
        change_min = 35 + 50 * one_chance(self._seed, key, 5)

        def kept(hours: Floats) -> Floats:
            found: Floats = np.exp(-np.maximum(hours, 0) * 60 / change_min)
            return found

        is_open = table.is_open(at)
        excess, clock = np.zeros(len(at.hour)), np.zeros(len(at.hour))
        for session, (begin, end) in enumerate(table.sessions):
            begun = is_open & (at.hour > begin)
            until = np.minimum(at.hour, end)
            level = PPM_PER_HEAD * self._attendance(table, at, session, key) ** 0.92
            nearer = level + (excess * kept(begin - clock) - level) * kept(until - begin)
            excess, clock = np.where(begun, nearer, excess), np.where(begun, until, clock)
        found: Floats = excess * kept(at.hour - clock)
        return found


def _heated_c(table: Timetable, at: Moments) -> Floats:
    """Warmed up before the first session, left to cool after the last."""
    first, last = table.sessions[0][0], table.sessions[-1][1]
    is_open = table.is_open(at)
    over = ~is_open | (at.hour > last)
    since = np.where(is_open, at.hour - last, at.hour + 6)
    cooling = SETBACK_C + (COMFORT_C - SETBACK_C) * np.exp(-np.maximum(since, 0) / 7)
    warming = COMFORT_C - 2.2 * np.clip((first - at.hour) / 2.5, 0, 1)
    found: Floats = np.where(over, cooling, warming)
    return found
