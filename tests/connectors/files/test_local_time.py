from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.files.local_time import LocalClock, NoInstant, RepeatedHour
from parvis.kernel.time import HOUR, MINUTE, format_instant, from_datetime, to_datetime

PARIS = ZoneInfo("Europe/Paris")


def read(clock: LocalClock, text: str, series: str = "") -> str | NoInstant:
    at = clock.instant(datetime.fromisoformat(text), series)
    return at if isinstance(at, NoInstant) else format_instant(at)


def test_the_hour_skipped_in_spring_means_nothing() -> None:
    clock = LocalClock(PARIS, "in-order")

    assert read(clock, "2026-03-29 01:59") == "2026-03-29T00:59:00Z"
    assert read(clock, "2026-03-29 02:00") is NoInstant.SKIPPED
    assert read(clock, "2026-03-29 03:00") == "2026-03-29T01:00:00Z"


def test_the_hour_repeated_in_autumn_is_told_apart_by_order() -> None:
    clock = LocalClock(PARIS, "in-order")
    quarters = ["02:00", "02:30", "02:00", "02:30", "03:00"]

    read_times = [read(clock, f"2026-10-25 {quarter}") for quarter in quarters]

    assert read_times == [
        "2026-10-25T00:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:00:00Z",
    ]
    assert clock.repeats == 4
    assert read(clock, "2026-10-25 02:00") is NoInstant.THIRD


def test_each_series_has_its_own_order() -> None:
    clock = LocalClock(PARIS, "in-order")

    assert read(clock, "2026-10-25 02:00", "a") == read(clock, "2026-10-25 02:00", "b")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("first", "2026-10-25T00:00:00Z"), ("second", "2026-10-25T01:00:00Z"), ("refuse", NoInstant.REPEATED)],
)
def test_or_as_the_mapping_says(choice: RepeatedHour, expected: object) -> None:
    assert read(LocalClock(PARIS, choice), "2026-10-25 02:00") == expected


@given(st.integers(2000, 2035), st.sampled_from([3, 10]), st.integers(1, 60))
def test_what_a_clock_shows_through_a_change_is_read_back_in_order(year: int, month: int, step_minutes: int) -> None:
    last_day = datetime(year, month, 31, tzinfo=PARIS)
    midnight = from_datetime(last_day - timedelta(days=last_day.isoweekday() % 7))
    instants = range(midnight, midnight + 6 * HOUR, step_minutes * MINUTE)
    clock = LocalClock(PARIS, "in-order")

    shown = [to_datetime(at).astimezone(PARIS).replace(tzinfo=None, fold=0) for at in instants]

    assert [clock.instant(local, "") for local in shown] == list(instants)
