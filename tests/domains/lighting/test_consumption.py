"""A year of a lamp: what a program saves, in kilowatt hours that can be checked by hand."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from parvis.domains.lighting.model.inventory import Lamp, Place
from parvis.domains.lighting.model.program import CIVIL_DEG, Dimming, Program
from parvis.domains.lighting.rules.consumption import CELL_DEG, Load, Rates, find_hours, find_year
from parvis.domains.lighting.rules.nights import list_days
from parvis.domains.lighting.rules.twilight import Ephemeris

PARIS = ZoneInfo("Europe/Paris")
DIJON = Place(47.32, 5.04)
YEAR = date(2027, 1, 1), date(2027, 12, 31)
RATES = Rates(eur_per_kwh=0.20, kgco2_per_kwh=0.05)
ALL_NIGHT = Program("all night")
PART_NIGHT = Program("part night", dimmings=(Dimming(23 * 60, 5 * 60, 0),))
DIMMED = Program("dimmed", dimmings=(Dimming(23 * 60, 5 * 60, 0.5),))
LED, SODIUM = Lamp(40, is_dimmable=True), Lamp(115)


def kwh(lamp: Lamp, program: Program) -> float:
    return find_year([Load(lamp, DIJON, program.name)], {program.name: program}, RATES, *YEAR, PARIS)[program.name].kwh


def test_lamps_of_dijon_burn_less_than_half_of_the_year_by_two_twilights_a_day() -> None:
    """8760 h / 2, less 33 to 39 minutes of twilight at either end, less what refraction gives the day (8 minutes)."""
    told = find_year([Load(LED, DIJON, "all night")], {"all night": ALL_NIGHT}, RATES, *YEAR, PARIS)["all night"]
    assert told.lit_hours == pytest.approx(4380 - 365 * (2 * 36 + 8) / 60, abs=30)
    assert told.kwh == pytest.approx(told.lit_hours * 0.040)
    assert told.eur == pytest.approx(told.kwh * 0.20)
    assert told.kgco2 == pytest.approx(told.kwh * 0.05)


def test_six_dark_hours_a_night_save_six_hours_a_night() -> None:
    """Each of the 365 nights is dark from 23:00 to 5:00 in Dijon; the clock gives and takes one hour."""
    assert kwh(SODIUM, ALL_NIGHT) - kwh(SODIUM, PART_NIGHT) == pytest.approx(365 * 6 * 0.115)


def test_half_the_light_saves_half_the_power_of_a_lamp_that_can_be_dimmed_and_none_of_another() -> None:
    assert kwh(LED, ALL_NIGHT) - kwh(LED, DIMMED) == pytest.approx(365 * 6 * 0.040 / 2)
    assert kwh(SODIUM, DIMMED) == pytest.approx(kwh(SODIUM, ALL_NIGHT))


def test_presence_costs_its_share_of_the_difference() -> None:
    watched = Program("watched", dimmings=(Dimming(23 * 60, 5 * 60, 0.2, 1.0, 0.25),))
    quiet = Program("quiet", dimmings=(Dimming(23 * 60, 5 * 60, 0.2),))
    assert kwh(LED, watched) - kwh(LED, quiet) == pytest.approx(365 * 6 * 0.040 * 0.8 * 0.25)


def test_what_a_driver_draws_in_its_sleep_is_counted_while_its_lamp_is_off_in_the_night() -> None:
    sleepy = Lamp(40, is_dimmable=True, standby_w=1)
    assert kwh(sleepy, PART_NIGHT) - kwh(LED, PART_NIGHT) == pytest.approx(365 * 6 * 0.001)


def test_a_dimmed_driver_keeps_the_share_that_dimming_does_not_save() -> None:
    lossy = Lamp(40, is_dimmable=True, fixed_share=0.1)
    assert lossy.power_at_w(0.5) == pytest.approx(22)
    assert lossy.power_at_w(1) == 40


def test_programs_are_told_apart() -> None:
    loads = [Load(LED, DIJON, "all night"), Load(SODIUM, DIJON, "part night"), Load(LED, DIJON, "part night")]
    told = find_year(loads, {one.name: one for one in (ALL_NIGHT, PART_NIGHT)}, RATES, *YEAR, PARIS)
    assert told["all night"].kwh == pytest.approx(kwh(LED, ALL_NIGHT))
    assert told["part night"].kwh == pytest.approx(kwh(LED, PART_NIGHT) + kwh(SODIUM, PART_NIGHT))


def test_many_places_are_reckoned_as_each_alone() -> None:
    places = [Place(42 + 0.05 * row, -4 + 0.07 * row) for row in range(150)]
    together = find_hours(DIMMED, places, *YEAR, PARIS)
    for row in (0, 77, 149):
        alone = find_hours(DIMMED, places[row : row + 1], *YEAR, PARIS)
        assert np.array_equal(alone.levels, together.levels)
        assert np.allclose(alone.hours[0], together.hours[row])


def test_a_lamp_switches_with_its_cell_within_three_seconds() -> None:
    """In the north, where twilight is slow, at midsummer, at the corner of a cell."""
    days = list_days(*YEAR)
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    half = CELL_DEG / 2
    middle, corner = (np.array([51.08, 51.08 + half]), np.array([2.52, 2.52 + half]))
    switched = ephemeris.find_evenings(middle, corner, days, CIVIL_DEG)
    assert np.abs(switched[0] - switched[1]).max() < 3
