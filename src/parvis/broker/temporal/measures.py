"""What methods make of values that are no numbers (NGSI-LD 1.9.1, 4.5.19.1).

Truth counts as 1 and 0, an array as long as it is, texts have a first and a last in the order of code points; whatever
else there is, is counted only.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import Method
from parvis.broker.temporal.buckets import Buckets
from parvis.kernel.time import Instant

COUNTS = frozenset({Method.TOTAL_COUNT, Method.DISTINCT_COUNT})
MOST_MEASURED = 100_000
"""Instances of one series; of more, values that are no numbers are counted only."""
_WITH_VALUES = frozenset({Kind.PROPERTY, Kind.LIST_PROPERTY})


def is_without_numbers(told: Buckets) -> bool:
    """Whether no method found anything to work on, where any was asked for."""
    columns = [column for method, column in told.columns.items() if method not in COUNTS]
    return bool(columns) and all(np.isnan(column).all() for column in columns)


def measured(told: Buckets, instances: Sequence[Instance], time_of: Callable[[Instance], Instant]) -> Buckets:
    """The same periods, told of these instances."""
    starts = [start for start, _ in told.periods.spans]
    values: dict[int, list[Any]] = {}
    for one in instances:
        if one.kind in _WITH_VALUES:
            values.setdefault(bisect_right(starts, time_of(one)) - 1, []).append(one.value)
    places = told.places.tolist()
    columns = {
        method: column if method in COUNTS else _column([_told(method, values.get(place, ())) for place in places])
        for method, column in told.columns.items()
    }
    return Buckets(told.periods, told.places, columns)


def _told(method: Method, values: Sequence[Any]) -> Any:
    """None where the method means nothing for them, or they are not all alike."""
    if values and all(type(one) is bool for one in values):
        return _OF_TRUTH[method]([int(one) for one in values])
    if values and all(type(one) is list for one in values):
        tell = _OF_SIZES.get(method)
        return None if tell is None else tell([len(one) for one in values])
    if values and all(type(one) is str for one in values):
        return {Method.MIN: min, Method.MAX: max}[method](values) if method in (Method.MIN, Method.MAX) else None
    return None


_OF_SIZES: Mapping[Method, Callable[[list[int]], float]] = {
    Method.SUM: sum,
    Method.AVG: fmean,
    Method.MIN: min,
    Method.MAX: max,
}
_OF_TRUTH: Mapping[Method, Callable[[list[int]], float]] = {
    **_OF_SIZES,
    Method.STDDEV: pstdev,
    Method.SUMSQ: sum,
}


def _column(values: Sequence[Any]) -> Any:
    """NaN where there is none, as in columns of numbers."""
    column = np.empty(len(values), dtype=object)
    column[:] = [np.nan if value is None else value for value in values]
    return column
