"""Seconds to reckon a year of switching programs, in energy, money and carbon, for 34 000 light points.

As many as the control room of Dijon has, of four kinds of lamp and under three programs. Beside
it the times of civil twilight of a year for as many places as France has communes.
"""

import random
import time
from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.harness.report import Figure, tell
from parvis.domains.lighting.model.inventory import Lamp, Place
from parvis.domains.lighting.model.program import CIVIL_DEG, Dimming, Extinction, Program
from parvis.domains.lighting.rules.consumption import Load, Rates, find_year
from parvis.domains.lighting.rules.nights import list_days
from parvis.domains.lighting.rules.twilight import Ephemeris

POINTS, COMMUNES, AT_ONCE = 34_000, 35_000, 500
TIMES = 5
PARIS = ZoneInfo("Europe/Paris")
YEAR = date(2027, 1, 1), date(2027, 12, 31)
LAMPS = (Lamp(36, is_dimmable=True), Lamp(54, is_dimmable=True), Lamp(100), Lamp(150))
PROGRAMS = {
    one.name: one
    for one in (
        Program("all night"),
        Program("dimmed", dimmings=(Dimming(22 * 60, 6 * 60, 0.5), Dimming(0, 5 * 60, 0.3, 1.0, 0.1))),
        Program("ordered", extinctions=(Extinction("AR-1", date(2026, 9, 1), 1380, 300, None, frozenset({4, 5})),)),
    )
}


def main() -> list[Figure]:
    town = lamps_of_a_town(random.Random(8))
    year_s = sorted(seconds_of(lambda: find_year(town, PROGRAMS, Rates(0.2, 0.05), *YEAR, PARIS)) for _ in range(TIMES))
    return [
        Figure(
            "a year of programs for 34 000 light points, median", year_s[TIMES // 2], "s", 2, smaller_is_better=True
        ),
        Figure("evenings and mornings of a year at 35 000 places", seconds_of(evenings_and_mornings), "s", None),
    ]


def lamps_of_a_town(source: random.Random) -> list[Load]:
    names = list(PROGRAMS)
    return [
        Load(source.choice(LAMPS), Place(source.uniform(47.2, 47.4), source.uniform(4.85, 5.2)), source.choice(names))
        for _ in range(POINTS)
    ]


def evenings_and_mornings() -> None:
    source = np.random.default_rng(8)
    days = list_days(*YEAR)
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    for _ in range(0, COMMUNES, AT_ONCE):
        latitudes, longitudes = source.uniform(41.3, 51.1, AT_ONCE), source.uniform(-5, 9.6, AT_ONCE)
        ephemeris.find_evenings(latitudes, longitudes, days, CIVIL_DEG)
        ephemeris.find_mornings(latitudes, longitudes, days, CIVIL_DEG)


def seconds_of(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    tell(*main())
