"""Nature is a pure function of (seed, time, story), and its parts fit together."""

from datetime import UTC, datetime

import numpy as np
import pytest

pytest.importorskip("pvlib")

from parvis.demo import clockwork
from parvis.demo.nature import chance
from parvis.demo.nature.calendar import local_midnight_s, moments
from parvis.demo.nature.energy import Running
from parvis.demo.nature.habits import HOUSEHOLD_WATER, TRAFFIC, Tally
from parvis.demo.nature.nature import Nature
from parvis.demo.nature.sun import on_plane_w_per_m2, panel_power_kw
from parvis.demo.story.events import Course, Event, EventKind, Place
from parvis.demo.story.story import Story

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp()
DAY = 86_400.0
HOURS = np.arange(NOW - 90 * DAY, NOW, 3600.0)
STORM = Event("storm", EventKind.STORM, NOW - 10 * DAY, NOW - 9 * DAY, 1.0, Course.SWELL, {}, {})
NOWHERE = Place(frozenset())


@pytest.fixture(scope="module")
def calm() -> Nature:
    return Nature(7, Story(NOW))


@pytest.fixture(scope="module")
def stormy() -> Nature:
    return Nature(7, Story(NOW, [STORM]))


def test_arrays_draw_the_chances_of_the_clockwork() -> None:
    for key, step in ((3, 0), (123_456_789, -5), (2**31, 99_999)):
        assert chance.one_chance(7, key, step) == clockwork.chance(7, key, step)
    assert chance.drift(7, 3, np.array([NOW]), 900)[0] == pytest.approx(clockwork.drift(7, 3, NOW, 900))


def test_counts_have_the_mean_that_is_asked_for() -> None:
    steps = np.arange(4000)
    for mean in (0.4, 6.0, 25.0, 300.0):
        assert chance.poisson(7, 1, steps, np.full(4000, mean)).mean() == pytest.approx(mean, rel=0.05)


def test_the_calendar_knows_clocks_weekends_and_holidays() -> None:
    def at(*when: int) -> np.ndarray:
        return np.array([datetime(*when, tzinfo=UTC).timestamp()])  # type: ignore[misc,arg-type]

    assert moments(at(2026, 7, 14, 10)).hour[0] == 12.0
    assert moments(at(2026, 12, 1, 10)).hour[0] == 11.0
    assert moments(at(2026, 10, 25, 0, 30)).hour[0] == 2.5
    assert moments(at(2026, 10, 25, 1, 30)).hour[0] == 2.5
    assert moments(at(2026, 7, 14, 10)).bank_holiday[0]
    assert moments(at(2026, 4, 6, 10)).bank_holiday[0], "Easter Monday"
    assert moments(at(2026, 8, 3, 10)).holiday[0]
    assert not moments(at(2026, 11, 23, 10)).holiday[0]
    assert moments(np.array([local_midnight_s(20_600)])).hour[0] == 0.0


def test_one_instant_and_ninety_days_tell_the_same(calm: Nature) -> None:
    """A backfill and the live play meet without a seam."""
    whole = calm.weather.at(HOURS)
    for place in (0, 777, len(HOURS) - 1):
        one = Nature(7, Story(NOW)).weather.at(HOURS[place : place + 1])
        assert one.temperature_c[0] == whole.temperature_c[place]
        assert one.falls.global_w_per_m2[0] == whole.falls.global_w_per_m2[place]
    assert (Nature(8, Story(NOW)).weather.at(HOURS).temperature_c != whole.temperature_c).any()


def test_a_storm_is_wind_rain_low_pressure_and_a_full_river(calm: Nature, stormy: Nature) -> None:
    peak = np.array([NOW - 9.5 * DAY])
    before, within = calm.weather.at(peak), stormy.weather.at(peak)

    assert within.wind_m_per_s[0] > before.wind_m_per_s[0] + 15
    assert within.pressure_hpa[0] < before.pressure_hpa[0] - 20
    assert within.rain_mm_per_h[0] > before.rain_mm_per_h[0] + 2
    later = peak + 12 * 3600
    assert stormy.weather.river_m(later, 0.5)[0] > calm.weather.river_m(later, 0.5)[0] + 0.3
    assert stormy.weather.tide_m(peak)[0] > calm.weather.tide_m(peak)[0] + 0.3
    ago = np.array([NOW - 20 * DAY])
    assert stormy.weather.at(ago).wind_m_per_s == calm.weather.at(ago).wind_m_per_s


def test_rain_keeps_bikes_at_home(calm: Nature) -> None:
    rain = calm.weather.at(HOURS).rain_mm_per_h
    bikes = calm.traffic.bikes_per_h(HOURS, 30, 5, NOWHERE)
    busy = (moments(HOURS).hour > 8) & (moments(HOURS).hour < 19)

    assert bikes[busy & (rain > 2)].mean() < 0.5 * bikes[busy & (rain == 0)].mean()


def test_a_market_draws_people_to_its_square_and_nowhere_else() -> None:
    market = Event("m", EventKind.MARKET, NOW - 3600, NOW + 3600, 4.0, Course.STEP, {}, {}, x=10, y=10, radius_m=200)
    nature, quiet = Nature(7, Story(NOW, [market])), Nature(7, Story(NOW))
    at = np.array([NOW])
    square, away = Place(frozenset(), 50, 50), Place(frozenset(), 5000, 0)

    walkers = nature.traffic.walkers_per_h
    assert walkers(at, 100, 5, square) == pytest.approx(4 * quiet.traffic.walkers_per_h(at, 100, 5, square))
    assert walkers(at, 100, 5, away) == quiet.traffic.walkers_per_h(at, 100, 5, away)


def test_the_panels_follow_the_sun(calm: Nature) -> None:
    air = calm.weather.at(HOURS)
    power = panel_power_kw(on_plane_w_per_m2(air.sun, air.falls, 25, 180), air.temperature_c, air.wind_m_per_s, 30)

    assert power[air.sun.elevation_deg < -1].max() == 0
    assert 15 < power.max() <= 27
    assert air.sun.is_dark[moments(HOURS).hour < 5].all()


def test_cold_raises_heat_and_schools_rest_on_sundays(calm: Nature) -> None:
    heat = calm.buildings.heat_kw(HOURS, "school", 2000, 3)
    cold = calm.weather.at(HOURS).temperature_c
    at = moments(HOURS)
    used = (at.hour > 8) & (at.hour < 16) & ~at.is_off & ~at.holiday & (at.weekday != 2)

    assert heat[used & (cold < 9)].mean() > 1.5 * heat[used & (cold > 15)].mean()
    people = calm.rooms.people(HOURS, "school", 3)
    assert people[at.weekday == 6].max() == 0
    assert people[at.holiday].max() == 0
    air = calm.rooms.climate(HOURS, "school", 3)
    assert air.co2_ppm[used].mean() > 700 > air.co2_ppm[at.is_off].max()


def test_meters_never_run_backwards(calm: Nature) -> None:
    water = Tally(HOUSEHOLD_WATER, 7, 1, 0.4)
    energy = Running(lambda times: calm.buildings.electricity_kw(times, "house", 110, 4), calm.meters_count_from_s)
    minutes = np.arange(NOW - 3 * DAY, NOW, 60.0)

    for total in (water.at(minutes), energy.at(minutes)):
        assert (np.diff(total) >= 0).all()
    assert water.between(np.array([NOW - 70 * DAY]), np.array([NOW]))[0] == pytest.approx(70, rel=0.1)
    assert Running(lambda times: np.full(len(times), 2.0), NOW).at(np.array([NOW + 7200]))[0] == pytest.approx(4)


def test_the_roads_are_fullest_when_people_go_to_work_and_home() -> None:
    working = moments(np.arange(NOW - 4 * DAY, NOW - 3 * DAY, 900.0))
    weights = TRAFFIC.weight(working)

    assert working.hour[weights.argmax()] in (8.0, 17.0)
    assert weights.mean() == pytest.approx(1, abs=0.15)
