"""Aggregates of several brokers into one (NGSI-LD 1.9.1, 4.5.19 and 5.7.4.4): each tells sums and counts, whatever was
asked for, and means and deviations are worked out of these."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from typing import Any, Final

from parvis.broker.query.tree import Method
from parvis.kernel.errors import OperationNotSupported

Document = dict[str, Any]
Values = dict[str, Any]
"""By method, of one period."""

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    Method.AVG.value: (Method.SUM.value, Method.TOTAL_COUNT.value),
    Method.STDDEV.value: (Method.SUM.value, Method.SUMSQ.value, Method.TOTAL_COUNT.value),
}
_JOINED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    Method.TOTAL_COUNT.value: lambda one, other: one + other,
    Method.SUM.value: lambda one, other: one + other,
    Method.SUMSQ.value: lambda one, other: one + other,
    Method.MIN.value: min,
    Method.MAX.value: max,
}
_METHODS = frozenset(method.value for method in Method)


def told_methods(wanted: Sequence[str]) -> tuple[str, ...]:
    """What each broker is asked for. Raises OperationNotSupported for what cannot be put together."""
    if Method.DISTINCT_COUNT.value in wanted:
        raise OperationNotSupported(
            "How many values differ cannot be told of several brokers: ask with local=true, or without distinctCount."
        )
    return tuple(dict.fromkeys([*wanted, *(part for one in wanted for part in _PARTS.get(one, ()))]))


def join_aggregates(documents: Sequence[Any], wanted: Sequence[str]) -> Any:
    """Of one entity, or of several in lists; with the methods that are `wanted` alone."""
    if not isinstance(documents[0], list):
        return _entity([one for one in documents if isinstance(one, dict)], wanted)
    by_id: dict[str, list[Document]] = {}
    for one in (one for some in documents if isinstance(some, list) for one in some if isinstance(one, dict)):
        by_id.setdefault(str(one.get("id")), []).append(one)
    return [_entity(some, wanted) for some in by_id.values()]


def _entity(parts: Sequence[Document], wanted: Sequence[str]) -> Document:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _member([part[name] for part in parts if name in part], wanted) for name in names}


def _member(told: Sequence[Any], wanted: Sequence[str]) -> Any:
    """One attribute; an object for each of its datasets. What is no aggregate is as the first tells it."""
    instances = [one for part in told for one in (part if isinstance(part, list) else [part])]
    if not all(isinstance(one, dict) and one.keys() & _METHODS for one in instances):
        return told[0]
    by_dataset: dict[str, list[Document]] = {}
    for one in instances:
        by_dataset.setdefault(str(one.get("datasetId", "")), []).append(one)
    joined = [_attribute(some, wanted) for some in by_dataset.values()]
    return joined[0] if len(joined) == 1 else joined


def _attribute(parts: Sequence[Document], wanted: Sequence[str]) -> Document:
    about = {name: value for name, value in parts[0].items() if name not in _METHODS}
    periods: dict[str, list[Values]] = {}
    ends: dict[str, str] = {}
    for part in parts:
        for begin, end, values in _periods(part):
            periods.setdefault(begin, []).append(values)
            ends[begin] = max(end, ends.get(begin, end))
    told = {begin: _values(some, wanted) for begin, some in sorted(periods.items())}
    columns = {
        method: [[values[method], begin, ends[begin]] for begin, values in told.items() if method in values]
        for method in wanted
    }
    return about | {method: column for method, column in columns.items() if column}


def _periods(part: Document) -> Iterable[tuple[str, str, Values]]:
    """What is told of each, by its beginning."""
    found: dict[tuple[str, str], Values] = {}
    for method in _METHODS & part.keys():
        for row in part[method] if isinstance(part[method], list) else []:
            if isinstance(row, list) and len(row) == 3:
                found.setdefault((str(row[1]), str(row[2])), {})[method] = row[0]
    return [(begin, end, values) for (begin, end), values in found.items()]


def _values(some: Sequence[Values], wanted: Sequence[str]) -> Values:
    if len(some) == 1:
        return some[0]
    joined: Values = {}
    for values in some:
        for method, value in values.items():
            if method in joined and method in _JOINED:
                joined[method] = _both(_JOINED[method], joined[method], value)
            else:
                joined.setdefault(method, value)
    return {method: value for method in wanted if (value := _told(method, joined)) is not None}


def _both(join: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    """Values of different kinds have no sum and no order: then the first stands."""
    try:
        return join(one, other)
    except TypeError:
        return one


def _told(method: str, joined: Values) -> Any:
    if method not in _PARTS:
        return joined.get(method)
    total, count, squares = (joined.get(one.value) for one in (Method.SUM, Method.TOTAL_COUNT, Method.SUMSQ))
    if not isinstance(total, int | float) or not isinstance(count, int | float) or not count:
        return joined.get(method)
    mean = total / count
    if method == Method.AVG.value:
        return mean
    return sqrt(max(0.0, squares / count - mean * mean)) if isinstance(squares, int | float) else None
