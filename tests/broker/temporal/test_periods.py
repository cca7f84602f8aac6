"""The periods of an aggregation (NGSI-LD 1.9.1, 4.5.19)."""

import pytest

from parvis.broker.temporal.periods import MAX_PERIODS, list_periods
from parvis.kernel.errors import TooComplexQuery
from parvis.kernel.time import DAY, HOUR, LAST_INSTANT, SECOND, format_instant, parse_duration, parse_instant

START = parse_instant("2026-01-31T00:00:00Z")


def starts(last: int, period: str) -> list[str]:
    return [format_instant(start)[:10] for start, _ in list_periods(START, last, parse_duration(period))]


def test_periods_follow_one_another_until_the_last_instant_is_inside() -> None:
    periods = list(list_periods(START, START + 3 * HOUR, parse_duration("PT2H")))
    assert periods == [(START, START + 2 * HOUR), (START + 2 * HOUR, START + 4 * HOUR)]


def test_an_instant_at_the_end_of_a_period_belongs_to_the_next() -> None:
    assert len(list(list_periods(START, START + 2 * HOUR, parse_duration("PT2H")))) == 2


def test_months_follow_the_calendar_from_the_day_they_began() -> None:
    assert starts(START + 100 * DAY, "P1M") == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_no_period_is_the_whole_range() -> None:
    assert list(list_periods(START, START + DAY, parse_duration("PT0S"))) == [(START, START + DAY + 1)]


def test_more_periods_than_can_be_shown_are_refused() -> None:
    with pytest.raises(TooComplexQuery):
        list(list_periods(START, START + (MAX_PERIODS + 1) * SECOND, parse_duration("PT1S")))
    with pytest.raises(TooComplexQuery):
        list(list_periods(START, LAST_INSTANT, parse_duration("P1M")))


@pytest.mark.parametrize("period", ["P9000Y", "P999999999Y", "P999999999W", "PT999999999H"])
def test_a_period_ends_where_the_calendar_does(period: str) -> None:
    assert list(list_periods(START, START + DAY, parse_duration(period))) == [(START, LAST_INSTANT)]
    assert list(list_periods(START, LAST_INSTANT, parse_duration(period))) == [(START, LAST_INSTANT)]
