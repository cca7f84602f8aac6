"""Temporal parameters and temporal representations (NGSI-LD 1.9.1, 4.11, 4.5.6 and 4.5.19)."""

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import count
from typing import Any, TypeVar

from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Duration, Instant, parse_duration, parse_instant

WHOLE_RANGE = Duration((0, 0))
NOT_ATTRIBUTES = frozenset({"id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt"})
_Choice = TypeVar("_Choice", bound=Enum)


def parse_temporal_query(
    timerel: str | None,
    time_at: str | None,
    end_time_at: str | None,
    timeproperty: str | None = None,
    last_n: int | None = None,
    attrs: tuple[str, ...] = (),
    datasets: tuple[str, ...] = (),
    limit: int = 1000,
) -> TemporalQuery:
    """`attrs` are expanded names. Raises BadRequestData where the words do not make a time range."""
    relation = None if timerel is None else _choice(TimeRelation, timerel, "timerel")
    at = _instant(time_at, "timeAt")
    end = _instant(end_time_at, "endTimeAt")
    _check_range(relation, at, end)
    return TemporalQuery(
        relation,
        at,
        end,
        TimeProperty.OBSERVED_AT if timeproperty is None else _choice(TimeProperty, timeproperty, "timeproperty"),
        last_n,
        attrs,
        datasets,
        limit,
    )


def parse_aggregation(methods: Sequence[str], period: str | None) -> Aggregation:
    """`period` is an ISO 8601 duration; none, or "PT0S", is the whole range."""
    if not methods:
        raise BadRequestData("aggregatedValues needs aggrMethods, such as aggrMethods=avg,max.")
    chosen = tuple(_choice(Method, method, "aggrMethods") for method in methods)
    try:
        return Aggregation(chosen, WHOLE_RANGE if period is None else parse_duration(period), of_others=True)
    except ValueError as error:
        raise BadRequestData(f"aggrPeriodDuration: {error}.") from None


def slices(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A temporal representation as plain entity documents: the n-th holds the n-th instance of each attribute."""
    head = {name: value for name, value in document.items() if name in NOT_ATTRIBUTES}
    series = {
        name: value if isinstance(value, list) else [value]
        for name, value in document.items()
        if name not in NOT_ATTRIBUTES
    }
    yield head | {name: values[0] for name, values in series.items() if values}
    for position in count(1):
        present = {name: values[position] for name, values in series.items() if position < len(values)}
        if not present:
            return
        yield head | present


def _choice(choices: type[_Choice], word: str, parameter: str) -> _Choice:
    try:
        return choices(word)
    except ValueError:
        known = ", ".join(str(choice.value) for choice in choices)
        raise BadRequestData(f"{parameter} is one of {known}, not {word!r}.") from None


def _instant(text: str | None, parameter: str) -> Instant | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise BadRequestData(f"{parameter}: {error}.") from None


def _check_range(relation: TimeRelation | None, at: Instant | None, end: Instant | None) -> None:
    if (relation is None) != (at is None):
        raise BadRequestData("timerel and timeAt go together.")
    if (relation is TimeRelation.BETWEEN) != (end is not None):
        raise BadRequestData("endTimeAt goes with timerel=between, and only with it.")
    if at is not None and end is not None and end <= at:
        raise BadRequestData("endTimeAt is to be later than timeAt.")
