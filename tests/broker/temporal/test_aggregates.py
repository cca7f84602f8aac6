"""Aggregates of the entities of a page: how many are asked for together."""

import pytest

from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.aggregates import FEW_TOGETHER, MOST_TOGETHER, NUMBERS_AT_ONCE, count_together
from parvis.kernel.time import DAY, parse_duration, parse_instant

START = parse_instant("2026-05-01T00:00:00Z")
MONTH = TemporalQuery(TimeRelation.BETWEEN, START, START + 30 * DAY)
SINCE = TemporalQuery(TimeRelation.AFTER, START)


@pytest.mark.parametrize(
    ("query", "period", "expected"),
    [
        (MONTH, "PT10M", NUMBERS_AT_ONCE // 4320),
        (SINCE, "PT5M", NUMBERS_AT_ONCE // 2880),
        (MONTH, "PT1H", MOST_TOGETHER),
        (MONTH, "P1D", MOST_TOGETHER),
        (MONTH, "PT0S", MOST_TOGETHER),
        (MONTH, "PT1S", FEW_TOGETHER),
        (TemporalQuery(TimeRelation.BEFORE, START), "PT1H", FEW_TOGETHER),
    ],
)
def test_the_more_periods_the_fewer_entities_together(query: TemporalQuery, period: str, expected: int) -> None:
    asked = Aggregation((Method.AVG,), parse_duration(period))
    assert count_together(query, asked, START + 10 * DAY) == expected


def test_each_method_tells_numbers_of_its_own() -> None:
    asked = Aggregation((Method.AVG, Method.MIN, Method.MAX), parse_duration("PT1H"))
    assert count_together(MONTH, asked, START) == NUMBERS_AT_ONCE // (720 * 3)


def test_where_values_are_kept_to_be_counted_few_are_asked_for_together() -> None:
    asked = Aggregation((Method.DISTINCT_COUNT,), parse_duration("PT0S"))
    assert count_together(MONTH, asked, START) == FEW_TOGETHER
