"""Findings: each begins at its bound, keeps its `since`, and ends only at a milder one."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from parvis.fleet.health.battery import last_day, since_renewal
from parvis.fleet.health.coverage import HeardDevice, coverage
from parvis.fleet.health.findings import (
    DeviceFacts,
    DeviceState,
    Finding,
    FindingKind,
    examine,
    read_findings,
    state_of,
    write_findings,
)
from parvis.fleet.health.quality import Quality, differs, rate, read_qualities
from parvis.fleet.model.vitals import SeriesStatistics, Statistics
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from tests.fleet.conftest import NOON

GOOD = Statistics(technology="lorawan", last_at=NOON, frames=100, due=100, interval_s=600, gateways=2)
QUARTER_HOURLY = DeviceFacts(now=NOON, last_reported_at=NOON, interval_s=900, statistics=GOOD)


@dataclass
class Watched:
    """One device over time, as it is looked at again and again."""

    findings: tuple[Finding, ...] = field(default=())

    def look(self, facts: DeviceFacts) -> list[str]:
        self.findings = examine(facts, self.findings)
        return [one.kind.value for one in self.findings]


def test_nothing_is_wrong_with_a_good_device() -> None:
    assert examine(QUARTER_HOURLY) == ()
    assert state_of(()) is DeviceState.OK


def test_of_a_device_that_was_never_heard_nothing_is_known() -> None:
    assert examine(DeviceFacts(now=NOON)) == ()


def test_a_device_is_silent_after_three_intervals_until_it_is_heard_again() -> None:
    device = Watched()
    assert device.look(replace(QUARTER_HOURLY, now=NOON + 45 * MINUTE)) == []
    assert device.look(replace(QUARTER_HOURLY, now=NOON + 51 * MINUTE)) == ["silent"]
    (silent,) = device.findings
    assert silent.since == NOON + 15 * MINUTE
    assert state_of(device.findings) is DeviceState.SILENT
    late = replace(QUARTER_HOURLY, last_reported_at=NOON + 60 * MINUTE)
    assert device.look(replace(late, now=NOON + 100 * MINUTE)) == ["silent"]
    assert device.findings[0].since == silent.since
    assert device.look(replace(late, now=NOON + 80 * MINUTE)) == []


def test_a_battery_is_low_by_its_level_and_stays_so_until_it_is_clearly_fuller() -> None:
    device = Watched()
    levels = [0.21, 0.2, 0.23, 0.26]
    assert [device.look(replace(QUARTER_HOURLY, battery_level=level)) for level in levels] == [
        [], ["lowBattery"], ["lowBattery"], [],
    ]  # fmt: skip


def test_a_battery_is_low_where_its_last_day_is_near() -> None:
    facts = replace(QUARTER_HOURLY, battery_level=0.4, battery_last_day=NOON + 20 * DAY)
    (low,) = examine(facts)
    assert low.kind is FindingKind.LOW_BATTERY
    assert low.figures == {"level": 0.4, "last_day": "2026-10-11"}
    assert examine(replace(facts, battery_last_day=NOON + 40 * DAY)) == ()


def test_minus_one_is_no_battery_level() -> None:
    assert examine(replace(QUARTER_HOURLY, battery_level=-1.0)) == ()


def with_statistics(**facts: object) -> DeviceFacts:
    return replace(QUARTER_HOURLY, statistics=replace(GOOD, **facts))


@pytest.mark.parametrize(
    ("statistics", "kind"),
    [
        ({"lost": 50}, "badRadio"),
        ({"spreading_factor": 12, "snr_db": -18.5}, "badRadio"),
        ({"technology": "cellular", "rssi_dbm": -115}, "badRadio"),
        ({"clock_offset_s": -400}, "clockDrift"),
        ({"is_clock_unset": True}, "clockDrift"),
        ({"foreign": 3, "foreign_at": NOON}, "duplicateKey"),
        (
            {"series": {"t": SeriesStatistics(impossible=2, impossible_at=NOON, impossible_value=850)}},
            "impossibleValue",
        ),
    ],
)
def test_what_frames_tell_is_found(statistics: dict[str, object], kind: str) -> None:
    (finding,) = examine(with_statistics(**statistics))
    assert finding.kind.value == kind
    assert finding.reason
    assert state_of([finding]) is DeviceState.WARNING


@pytest.mark.parametrize(
    "statistics",
    [
        {"lost": 30},
        {"frames": 5, "lost": 5},
        {"spreading_factor": 12, "snr_db": -14},
        {"technology": "lorawan", "rssi_dbm": -125},
        {"clock_offset_s": 200},
        {"foreign": 2, "foreign_at": NOON},
        {"foreign": 9, "foreign_at": NOON - 2 * DAY},
        {"series": {"t": SeriesStatistics(impossible=1, impossible_at=NOON)}},
        {"series": {"t": SeriesStatistics(impossible=9, impossible_at=NOON - 2 * DAY)}},
    ],
)
def test_what_frames_tell_is_not_found_too_soon(statistics: dict[str, object]) -> None:
    assert examine(with_statistics(**statistics)) == ()


def test_loss_that_wavers_about_its_bound_is_one_finding() -> None:
    device = Watched()
    wavering = [20, 44, 40, 42, 30, 43, 20, 10]
    looks = [device.look(with_statistics(lost=lost)) for lost in wavering]
    assert looks == [[], ["badRadio"], ["badRadio"], ["badRadio"], ["badRadio"], ["badRadio"], ["badRadio"], []]


def test_a_value_that_should_vary_and_does_not_is_stuck() -> None:
    series = SeriesStatistics(frames=40, since=NOON - 7 * HOUR, value=21.5, same_frames=28)
    facts = replace(with_statistics(series={"temperature": series}), varying={"temperature": 6 * HOUR})
    (stuck,) = examine(facts)
    assert stuck.kind is FindingKind.STUCK_VALUE
    assert stuck.since == NOON - 7 * HOUR
    assert stuck.figures["attribute"] == "temperature"
    assert examine(replace(facts, varying={})) == ()
    assert examine(replace(facts, varying={"temperature": 8 * HOUR})) == ()


def test_findings_are_read_as_they_were_written() -> None:
    findings = examine(replace(with_statistics(lost=90, clock_offset_s=900), now=NOON + DAY))
    assert len(findings) == 3
    assert read_findings(write_findings(findings)) == findings


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_what_anybody_wrote_into_a_device_is_read_or_passed_over(value: object) -> None:
    assert isinstance(read_findings(value), tuple)
    assert isinstance(read_qualities(value), dict)


def falling(days: int, start: float, a_day: float, noise: float = 0.0) -> list[tuple[Instant, float]]:
    source = random.Random(3)
    return [(NOON + day * DAY, start - a_day * day + source.uniform(-noise, noise)) for day in range(days)]


def test_the_last_day_of_a_battery_is_told_from_its_slope() -> None:
    ends_at = last_day(falling(20, 0.9, 0.01), empty=0.05)
    assert ends_at is not None
    assert abs(ends_at - (NOON + 85 * DAY)) < DAY


def test_a_few_wrong_levels_do_not_turn_the_forecast() -> None:
    points = falling(30, 0.9, 0.01, noise=0.01)
    points[5], points[17] = (points[5][0], 0.0), (points[17][0], 1.0)
    ends_at = last_day(points, empty=0.05)
    assert ends_at is not None
    assert abs(ends_at - (NOON + 85 * DAY)) < 8 * DAY


@pytest.mark.parametrize(
    "points", [[], falling(3, 0.9, 0.1), falling(20, 0.9, 0.0), falling(20, 0.5, -0.01), falling(30, 0.9, 1e-5)]
)
def test_a_battery_that_does_not_fall_has_no_last_day(points: list[tuple[Instant, float]]) -> None:
    assert last_day(points, empty=0.05) is None


def test_a_new_battery_begins_anew() -> None:
    old, new = falling(20, 0.5, 0.02), falling(10, 1.0, 0.005)
    points = [*old, *((at + 20 * DAY, level) for at, level in new)]
    assert len(since_renewal(points)) == 10
    ends_at = last_day(points, empty=0.05)
    assert ends_at is not None
    assert ends_at > NOON + 150 * DAY


SERIES = SeriesStatistics(frames=100, since=NOON, same_frames=1)


def test_a_perfect_series_has_full_marks() -> None:
    assert rate(GOOD, SERIES, NOON, 600) == Quality(100, 100, 100, 100, 100)


@pytest.mark.parametrize(
    ("statistics", "series", "part", "mark"),
    [
        ({"lost": 100}, {}, "completeness", 50),
        ({"due": 200}, {}, "completeness", 50),
        ({"late": 30}, {}, "timeliness", 70),
        ({}, {"impossible": 20, "impossible_at": NOON}, "validity", 80),
        ({}, {"spikes": 10}, "stability", 90),
        ({}, {"same_frames": 50, "since": NOON - DAY}, "stability", 0),
    ],
)
def test_each_part_takes_its_share_of_the_score(
    statistics: dict[str, object], series: dict[str, object], part: str, mark: int
) -> None:
    quality = rate(replace(GOOD, **statistics), replace(SERIES, **series), NOON, 600, varies_within=6 * HOUR)
    assert quality is not None
    assert getattr(quality, part) == mark
    assert quality.score < 100


def test_a_series_that_has_ended_loses_its_marks() -> None:
    quality = rate(GOOD, SERIES, NOON + 100 * 10 * MINUTE, 600)
    assert quality is not None
    assert quality.completeness <= 51
    assert quality.timeliness == 50


def test_of_few_frames_nothing_is_said() -> None:
    assert rate(GOOD, replace(SERIES, frames=3), NOON, 600) is None


def test_a_point_or_two_is_no_news() -> None:
    full = Quality(100, 100, 100, 100, 100)
    assert not differs({"t": replace(full, score=97)}, {"t": full})
    assert differs({"t": replace(full, validity=90)}, {"t": full})
    assert differs({"t": full, "h": full}, {"t": full})


def test_coverage_tells_loss_and_margin_by_technology_and_place() -> None:
    near = replace(GOOD, frames=90, lost=10, snr_db=-5.0, spreading_factor=7)
    cells = coverage(
        [
            HeardDevice(-3.2041, 48.1007, near),
            HeardDevice(-3.2049, 48.1002, replace(near, lost=90, snr_db=2.5), is_silent=True),
            HeardDevice(-3.2041, 48.1007, Statistics(technology="cellular", frames=5, rssi_dbm=-90)),
            HeardDevice(-3.1, 48.1, near),
        ]
    )
    assert [(one.technology, one.devices, one.silent) for one in cells] == [
        ("cellular", 1, 0), ("lorawan", 2, 1), ("lorawan", 1, 0),
    ]  # fmt: skip
    assert cells[1].loss == round(100 / 280, 3)
    assert cells[1].margin_db == 6.2
    assert (cells[1].longitude, cells[1].latitude) == (-3.205, 48.105)
    assert cells[0].margin_db is None
