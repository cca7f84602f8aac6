"""Nights in Dijon: what a program says, told as spans."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.domains.lighting.model.inventory import Place
from parvis.domains.lighting.model.program import NOON, SUNSET_DEG, Dimming, Edge, Event, Extinction, Program
from parvis.domains.lighting.rules.nights import Span, find_nights, list_days, list_spans
from parvis.domains.lighting.rules.twilight import Ephemeris
from parvis.kernel.time import HOUR, MINUTE, from_datetime, to_datetime

PARIS = ZoneInfo("Europe/Paris")
DIJON = Place(47.32, 5.04)
TUESDAY = date(2027, 1, 12)


def shown(spans: list[Span]) -> list[str]:
    return [
        f"{to_datetime(one.begin).astimezone(PARIS):%H:%M}-{to_datetime(one.end).astimezone(PARIS):%H:%M} {one.level:g}"
        for one in spans
    ]


def in_dijon(program: Program, night: date = TUESDAY) -> list[str]:
    return shown(list_spans(program, night, DIJON, PARIS))


def test_lamps_burn_from_civil_dusk_to_civil_dawn() -> None:
    assert in_dijon(Program("all night")) == ["17:47-07:48 1"]


def test_an_offset_shortens_the_night_at_the_end_that_it_is_given_to() -> None:
    assert in_dijon(Program("late", Edge(later_min=10), Edge(later_min=-20))) == ["17:57-07:28 1"]


def test_sunset_is_another_edge() -> None:
    assert in_dijon(Program("sunset", Edge(SUNSET_DEG), Edge(SUNSET_DEG))) == ["17:12-08:23 1"]


def test_lamps_are_dimmed_over_midnight() -> None:
    program = Program("dimmed", dimmings=(Dimming(22 * 60, 6 * 60, 0.5),))
    assert in_dijon(program) == ["17:47-22:00 1", "22:00-06:00 0.5", "06:00-07:48 1"]


def test_part_of_the_night_is_dark() -> None:
    assert in_dijon(Program("part", dimmings=(Dimming(23 * 60, 6 * 60, 0),))) == ["17:47-23:00 1", "06:00-07:48 1"]


def test_a_dimming_that_the_sun_has_ended_is_not_told() -> None:
    program = Program("summer", dimmings=(Dimming(22 * 60, 6 * 60, 0.5),))
    assert in_dijon(program, date(2027, 6, 21)) == ["22:20-05:03 0.5"]


def test_an_order_holds_in_its_nights_alone() -> None:
    order = Extinction("AR-2027-3", TUESDAY, 23 * 60, 5 * 60, date(2027, 2, 1), frozenset({4, 5}))
    program = Program("ordered", extinctions=(order,))
    dark = ["17:47-23:00 1", "05:00-07:48 1"]
    assert in_dijon(program) == dark
    assert len(in_dijon(program, TUESDAY - timedelta(days=1))) == 1
    assert len(in_dijon(program, date(2027, 1, 15))) == 1, "a Friday"
    assert len(in_dijon(program, date(2027, 2, 1))) == 2
    assert len(in_dijon(program, date(2027, 2, 2))) == 1


def test_a_match_goes_before_an_order_and_an_order_before_a_dimming() -> None:
    until_two = from_datetime(datetime(2027, 1, 13, 2, tzinfo=PARIS))
    program = Program(
        "match",
        dimmings=(Dimming(22 * 60, 6 * 60, 0.5),),
        extinctions=(Extinction("AR-1", TUESDAY, 23 * 60, 5 * 60),),
        events=(Event("cup", until_two - 4 * HOUR - 30 * MINUTE, until_two),),
    )
    assert in_dijon(program) == ["17:47-02:00 1", "05:00-06:00 0.5", "06:00-07:48 1"]


def test_a_match_in_the_afternoon_lights_nothing_before_dusk() -> None:
    at = from_datetime(datetime(2027, 1, 12, 15, tzinfo=PARIS))
    assert in_dijon(Program("match", events=(Event("cup", at, at + 2 * HOUR),))) == ["17:47-07:48 1"]


def test_presence_is_told_where_it_is_watched_for() -> None:
    program = Program("boost", dimmings=(Dimming(23 * 60, 5 * 60, 0.0, 0.8, 0.1),))
    assert [one.presence_level for one in list_spans(program, TUESDAY, DIJON, PARIS)] == [None, 0.8, None]


@pytest.mark.parametrize(("night", "hours"), [(date(2027, 3, 27), 3), (date(2027, 10, 30), 5), (TUESDAY, 4)])
def test_dark_hours_by_the_clock_are_one_less_in_march_and_one_more_in_october(night: date, hours: int) -> None:
    program = Program("part", dimmings=(Dimming(1 * 60, 5 * 60, 0),))
    before, after = list_spans(program, night, DIJON, PARIS)
    assert (after.begin - before.end) == hours * HOUR


minutes = st.integers(0, 1439)
levels = st.sampled_from([0.0, 0.3, 0.5, 1.0])
dimmings = st.builds(Dimming, minutes, minutes, levels)
orders = st.builds(
    Extinction, st.just("AR"), st.dates(date(2027, 1, 1), date(2027, 12, 31)), minutes, minutes,
    except_weekdays=st.frozensets(st.integers(0, 6)),
)  # fmt: skip
events = st.builds(
    lambda at, long: Event("event", at, at + long, 0.9),
    st.integers(from_datetime(datetime(2027, 1, 1, tzinfo=UTC)), from_datetime(datetime(2027, 12, 31, tzinfo=UTC))),
    st.integers(0, 30 * HOUR),
)
programs = st.builds(
    Program, st.just("any"), st.builds(Edge, st.sampled_from([-6.0, -0.8333]), st.integers(-60, 60)),
    dimmings=st.lists(dimmings, max_size=3).map(tuple), extinctions=st.lists(orders, max_size=2).map(tuple),
    events=st.lists(events, max_size=2).map(tuple),
)  # fmt: skip


def level_at(program: Program, night: date, at: datetime) -> float:
    """By the words of the model, one moment at a time."""

    def shows(begin: int, end: int) -> bool:
        first, last = (
            datetime.combine(night + timedelta(days=minute < NOON), datetime.min.time(), PARIS)
            + timedelta(minutes=minute)
            for minute in (begin, end)
        )
        return first.astimezone(UTC) <= at < last.astimezone(UTC)

    level = 1.0
    for dimming in program.dimmings:
        level = dimming.level if shows(dimming.begin, dimming.end) else level
    for order in program.extinctions:
        if shows(order.begin, order.end) and order.first <= night and night.weekday() not in order.except_weekdays:
            level = 0.0
    for event in program.events:
        level = event.level if event.begin <= from_datetime(at) < event.end else level
    return level


@settings(max_examples=60, deadline=None)
@given(programs, st.dates(date(2027, 1, 1), date(2027, 12, 30)), st.floats(0, 1))
def test_at_any_moment_of_the_night_the_spans_say_what_the_program_says(
    program: Program, night: date, share: float
) -> None:
    whole = Program("whole", program.dusk, program.dawn)
    (dark,) = list_spans(whole, night, DIJON, PARIS)
    at = to_datetime(dark.begin + round(share * (dark.end - dark.begin - 1)))
    spans = list_spans(program, night, DIJON, PARIS)
    told = next((one.level for one in spans if to_datetime(one.begin) <= at < to_datetime(one.end)), 0.0)
    assert told == level_at(program, night, at)
    assert all(one.end <= after.begin for one, after in pairwise(spans))
    assert all(dark.begin <= one.begin < one.end <= dark.end for one in spans)


@settings(max_examples=20, deadline=None)
@given(programs)
def test_the_stretches_of_a_year_fill_its_nights(program: Program) -> None:
    days = list_days(date(2027, 1, 1), date(2027, 12, 31))
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    places = [DIJON, Place(50.95, 1.85)]
    nights = find_nights(program, places, days, PARIS, ephemeris)
    whole = find_nights(Program("whole", program.dusk, program.dawn), places, days, PARIS, ephemeris)
    assert (np.diff(nights.edges_s) >= 0).all()
    assert np.allclose(nights.hours.sum(axis=-1), whole.hours.sum(axis=-1))
