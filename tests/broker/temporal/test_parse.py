"""Temporal parameters and representations (NGSI-LD 1.9.1, 4.11, 4.5.6 and 4.5.19)."""

import pytest

from parvis.broker.query.tree import Method, TimeProperty, TimeRelation
from parvis.broker.temporal.parse import WHOLE_RANGE, parse_aggregation, parse_temporal_query, slices
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import HOUR, parse_instant

EIGHT, NINE = "2026-05-01T08:00:00Z", "2026-05-01T09:00:00Z"


def test_no_time_relation_asks_for_everything_by_time_of_observation() -> None:
    query = parse_temporal_query(None, None, None)
    assert (query.relation, query.at, query.end) == (None, None, None)
    assert query.time_property is TimeProperty.OBSERVED_AT


def test_between_takes_two_times() -> None:
    query = parse_temporal_query("between", EIGHT, NINE, "modifiedAt")
    assert query.relation is TimeRelation.BETWEEN
    assert (query.at, query.end) == (parse_instant(EIGHT), parse_instant(NINE))
    assert query.time_property is TimeProperty.MODIFIED_AT


@pytest.mark.parametrize(
    ("timerel", "time_at", "end_time_at"),
    [
        ("before", None, None),
        (None, EIGHT, None),
        ("between", EIGHT, None),
        ("between", NINE, EIGHT),
        ("between", EIGHT, EIGHT),
        ("after", EIGHT, NINE),
        ("during", EIGHT, None),
        ("before", "2026-05-01T08:00:00", None),
        ("before", "soon", None),
    ],
)
def test_words_that_make_no_range_are_refused(
    timerel: str | None, time_at: str | None, end_time_at: str | None
) -> None:
    with pytest.raises(BadRequestData):
        parse_temporal_query(timerel, time_at, end_time_at)


def test_a_time_that_no_instance_has_is_refused_rather_than_taken_for_another() -> None:
    with pytest.raises(BadRequestData, match="observedAt, createdAt, modifiedAt, deletedAt"):
        parse_temporal_query("after", EIGHT, None, "expiresAt")


def test_an_aggregation_is_of_methods_over_periods_or_over_all() -> None:
    hourly = parse_aggregation(["avg", "totalCount"], "PT1H")
    assert (hourly.methods, hourly.period.micros) == ((Method.AVG, Method.TOTAL_COUNT), HOUR)
    assert parse_aggregation(["sum"], None).period == WHOLE_RANGE == parse_aggregation(["sum"], "PT0S").period


@pytest.mark.parametrize(
    ("methods", "period"), [([], "PT1H"), (["median"], "PT1H"), (["avg"], "1 hour"), (["avg"], "P")]
)
def test_an_aggregation_without_sense_is_refused(methods: list[str], period: str) -> None:
    with pytest.raises(BadRequestData):
        parse_aggregation(methods, period)


def test_an_evolution_is_cut_into_entities_with_one_instance_of_each_attribute() -> None:
    evolution = {"id": "urn:a:b", "type": "A", "flow": [{"value": 1}, {"value": 2}], "pressure": {"value": 3}}
    assert list(slices(evolution)) == [
        {"id": "urn:a:b", "type": "A", "flow": {"value": 1}, "pressure": {"value": 3}},
        {"id": "urn:a:b", "type": "A", "flow": {"value": 2}},
    ]


def test_an_evolution_without_instances_still_is_an_entity() -> None:
    assert list(slices({"id": "urn:a:b", "type": "A", "flow": []})) == [{"id": "urn:a:b", "type": "A"}]
