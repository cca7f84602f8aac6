"""Days and months are counted as people of the territory do, also where the clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from parvis.access.privacy.periods import PERIODS, cutoff, period_end, period_start
from parvis.kernel.time import FIRST_INSTANT, HOUR, Instant, from_datetime, parse_duration, to_datetime

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=PARIS))


def in_paris(instant: Instant) -> str:
    return to_datetime(instant).astimezone(PARIS).isoformat()[:16]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("P13M", "2025-10-23T00:00"),
        ("P30D", "2026-10-24T00:00"),
        ("P1Y", "2025-11-23T00:00"),
        ("PT12H", "2026-11-23T03:30"),
        ("P9M", "2026-02-23T00:00"),
    ],
)
def test_what_is_kept_is_counted_back_from_the_day(keep: str, expected: str) -> None:
    assert in_paris(cutoff(at("2026-11-23T15:30"), parse_duration(keep), PARIS)) == expected


def test_a_month_without_that_day_ends_with_its_last() -> None:
    assert in_paris(cutoff(at("2026-03-31T08:00"), parse_duration("P1M"), PARIS)) == "2026-02-28T00:00"


def test_before_the_calendar_nothing_is_past_its_time() -> None:
    assert cutoff(at("2026-11-23T15:30"), parse_duration("P3000Y"), PARIS) == FIRST_INSTANT


@pytest.mark.parametrize(
    ("period", "moment", "start", "end"),
    [
        ("P1D", "2026-10-25T12:00", "2026-10-25T00:00", "2026-10-26T00:00"),
        ("P1D", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("P1W", "2026-10-25T12:00", "2026-10-19T00:00", "2026-10-26T00:00"),
        ("P1M", "2026-02-28T23:59", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("P1M", "2026-10-31T23:59", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("PT1H", "2026-03-29T01:59", "2026-03-29T01:00", "2026-03-29T03:00"),
    ],
)
def test_a_period_begins_and_ends_by_the_clocks_of_the_place(period: str, moment: str, start: str, end: str) -> None:
    begins = period_start(at(moment), period, PARIS)
    assert (in_paris(begins), in_paris(period_end(begins, period, PARIS))) == (start, end)


@pytest.mark.parametrize("period", PERIODS)
def test_periods_follow_each_other_without_a_gap(period: str) -> None:
    start = period_start(at("2026-10-20T00:00"), period, PARIS)
    for _ in range(200):
        end = period_end(start, period, PARIS)
        assert end - start >= HOUR
        assert period_start(end, period, PARIS) == end
        assert period_start(end - 1, period, PARIS) == start
        start = end
