"""What a program draws in a year: energy, money, carbon."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from parvis.domains.lighting.model.inventory import Lamp, Place
from parvis.domains.lighting.model.program import Program
from parvis.domains.lighting.rules.nights import Nights, find_nights, list_days
from parvis.domains.lighting.rules.sun import Floats
from parvis.domains.lighting.rules.twilight import Ephemeris

CELL_DEG = 0.01
"""Lamps of one cell switch with its middle: the sun is there within three seconds of theirs."""
_AT_ONCE = 128


class Load(NamedTuple):
    """A lamp at a place, under the program of its group."""

    lamp: Lamp
    place: Place
    program: str


class Rates(msgspec.Struct, frozen=True):
    """What a kilowatt hour costs and weighs: the territory says it, from its contract and its carbon report."""

    eur_per_kwh: float
    kgco2_per_kwh: float


class Year(msgspec.Struct, frozen=True):
    """`lit_hours` is the mean of the lamps, at whatever level."""

    kwh: float
    eur: float
    kgco2: float
    lit_hours: float


class HoursAtLevel(NamedTuple):
    """By place and level."""

    levels: Floats
    hours: Floats


def find_hours(program: Program, places: Sequence[Place], first: date, last: date, zone: tzinfo) -> HoursAtLevel:
    """How long the lamps at each place burn at each level, dark nights apart, expected presence counted in."""
    days = list_days(first, last)
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    parts = [
        _hours_by_level(find_nights(program, places[at : at + _AT_ONCE], days, zone, ephemeris))
        for at in range(0, len(places), _AT_ONCE)
    ]
    levels = np.unique(np.concatenate([part.levels for part in parts]))
    hours = np.zeros((len(places), len(levels)))
    for number, part in enumerate(parts):
        rows = slice(number * _AT_ONCE, (number + 1) * _AT_ONCE)
        hours[rows, np.searchsorted(levels, part.levels)] = part.hours
    return HoursAtLevel(levels, hours)


def find_year(
    loads: Sequence[Load], programs: Mapping[str, Program], rates: Rates, first: date, last: date, zone: tzinfo
) -> dict[str, Year]:
    """By program, over the nights from `first` to `last`. Raises KeyError where a load's program is not there."""
    by_program: dict[str, list[Load]] = defaultdict(list)
    for load in loads:
        by_program[load.program].append(load)
    return {
        name: _year(own, find_hours(programs[name], cells, first, last, zone), rows, rates)
        for name, own in by_program.items()
        for cells, rows in [_cells([load.place for load in own])]
    }


def _hours_by_level(nights: Nights) -> HoursAtLevel:
    met = nights.hours * nights.presence_shares
    levels = np.unique(np.concatenate([nights.levels.ravel(), nights.presence_levels[met > 0]]))
    hours = np.stack([
        np.sum((nights.hours - met) * (nights.levels == level) + met * (nights.presence_levels == level), axis=(1, 2))
        for level in levels
    ], axis=1)  # fmt: skip
    return HoursAtLevel(levels, hours)


def _cells(places: Sequence[Place]) -> tuple[list[Place], npt.NDArray[np.intp]]:
    rounded = np.round(np.array(places, dtype=np.float64) / CELL_DEG)
    cells, rows = np.unique(rounded, axis=0, return_inverse=True)
    return [Place(*one) for one in (cells * CELL_DEG).tolist()], rows.reshape(-1)


def _year(loads: Sequence[Load], burnt: HoursAtLevel, rows: npt.NDArray[np.intp], rates: Rates) -> Year:
    lamps = list(dict.fromkeys(load.lamp for load in loads))
    number_of = {lamp: number for number, lamp in enumerate(lamps)}
    kinds = np.array([number_of[load.lamp] for load in loads], dtype=np.intp)
    power_w = np.array([[lamp.power_at_w(level) for level in burnt.levels.tolist()] for lamp in lamps])
    hours = burnt.hours[rows]
    kwh = float(np.sum(hours * power_w[kinds]) / 1000)
    lit = float(np.sum(hours[:, burnt.levels > 0]) / len(loads))
    return Year(kwh, kwh * rates.eur_per_kwh, kwh * rates.kgco2_per_kwh, lit)
