"""Instants and durations: what is read can be written again."""

import pytest

from parvis.kernel.time import (
    FIRST_INSTANT,
    LAST_INSTANT,
    MOST_BEHIND,
    SECOND,
    SteadyClock,
    format_instant,
    parse_duration,
    parse_instant,
)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.5Z"])
def test_the_first_and_the_last_instant_are_written_as_they_were_read(text: str) -> None:
    assert format_instant(parse_instant(text)) == text


def test_all_years_that_can_be_written_are_instants() -> None:
    assert parse_instant(format_instant(FIRST_INSTANT)) == FIRST_INSTANT
    assert parse_instant(format_instant(LAST_INSTANT)) == LAST_INSTANT


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-05-01T08:00:00", "yesterday"]
)
def test_what_could_not_be_written_again_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"years|zone|Invalid"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["P", "PT", "P1", "1D", "P1DT", f"P{'9' * 400}D", f"P{'9' * 30}Y", f"PT1.{'0' * 30}S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_stamps_wait_while_the_clock_is_behind(caplog: pytest.LogCaptureFixture) -> None:
    told = iter([10 * SECOND, 4 * SECOND, 5 * SECOND, 11 * SECOND])
    clock = SteadyClock(lambda: next(told), newest=9 * SECOND)

    assert [clock() for _ in range(4)] == [10 * SECOND, 10 * SECOND, 10 * SECOND, 11 * SECOND]
    assert [record.message for record in caplog.records] == ["the clock went back: stamps wait for it"]


def test_stamps_do_not_wait_for_a_clock_that_was_wrong(caplog: pytest.LogCaptureFixture) -> None:
    clock = SteadyClock(lambda: 4 * SECOND, newest=MOST_BEHIND + 5 * SECOND)

    assert clock() == clock() == 4 * SECOND
    assert "the clock was wrong" in caplog.text
