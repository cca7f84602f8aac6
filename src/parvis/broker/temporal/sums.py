"""Partial sums of many periods as columns, added up and told without an object each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.query.tree import Method
from parvis.broker.temporal.buckets import Buckets, Column, Periods
from parvis.broker.temporal.partials import Partials

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]
NO_NUMBERS: Mapping[str, float] = {
    "total": 0.0,
    "squares": 0.0,
    "smallest": np.inf,
    "largest": -np.inf,
    "scatter": 0.0,
}
"""What stands in each column where a period has no number."""


class Sums(msgspec.Struct, frozen=True):
    """Partials of some periods: a column for each of their members, None where it was not worked out.

    `distinct` has the values of those periods that have any, by place.
    """

    instances: Counts
    numbers: Counts
    total: Numbers | None = None
    squares: Numbers | None = None
    smallest: Numbers | None = None
    largest: Numbers | None = None
    scatter: Numbers | None = None
    distinct: Mapping[int, frozenset[Any]] = {}

    @classmethod
    def of(cls, parts: Sequence[Partials]) -> "Sums":
        """What one period with numbers does not tell is told of none."""
        instances = np.array([one.instances for one in parts], np.int64)
        numbers = np.array([one.numbers for one in parts], np.int64)
        distinct = {at: one.distinct for at, one in enumerate(parts) if one.distinct}
        return cls(instances, numbers, **{member: _column(parts, member) for member in NO_NUMBERS}, distinct=distinct)

    def list_partials(self) -> list[Partials]:
        members = (_members(getattr(self, member), self.numbers) for member in NO_NUMBERS)
        rows = enumerate(zip(self.instances.tolist(), self.numbers.tolist(), *members, strict=True))
        return [Partials._make((*row, self.distinct.get(at, frozenset()))) for at, row in rows]

    def plus(self, other: "Sums") -> "Sums":
        """Of the same periods."""
        with np.errstate(all="ignore"):
            return Sums(
                self.instances + other.instances,
                self.numbers + other.numbers,
                _both(self.total, other.total, np.add),
                _both(self.squares, other.squares, np.add),
                _both(self.smallest, other.smallest, np.minimum),
                _both(self.largest, other.largest, np.maximum),
                _scatter(self, other),
                _union(self.distinct, other.distinct),
            )

    def among(self, periods: int, first: int) -> "Sums":
        """The same where so many periods are told of, and these begin with the one at `first`."""
        if first == 0 and len(self.instances) == periods:
            return self
        return Sums(
            _spread(self.instances, periods, first, 0),
            _spread(self.numbers, periods, first, 0),
            **{
                member: None if (column := getattr(self, member)) is None else _spread(column, periods, first, absent)
                for member, absent in NO_NUMBERS.items()
            },
            distinct={at + first: values for at, values in self.distinct.items()},
        )

    def tell(self, method: Method) -> Column:
        """NaN where a period has no number to work on."""
        if method is Method.TOTAL_COUNT:
            return self.instances
        if method is Method.DISTINCT_COUNT:
            return np.array([len(self.distinct.get(at, ())) for at in range(len(self.instances))], np.int64)
        with np.errstate(all="ignore"):
            told = _TELLERS[method](self)
        return np.full(len(self.numbers), np.nan) if told is None else np.where(self.numbers > 0, told, np.nan)


def tell(
    periods: Periods, parts: Sequence[tuple[int, Sequence[Partials] | Sums]], methods: Sequence[Method]
) -> Buckets:
    """Of parts that add up, each told of periods from some place on. Most series lie in one form only."""
    first, sums = _joined([(place, part if isinstance(part, Sums) else Sums.of(part)) for place, part in parts])
    places = np.flatnonzero(sums.instances)
    columns = {method: sums.tell(method)[places] for method in methods}
    return Buckets(periods, places + first, columns)


def _joined(parts: Sequence[tuple[int, Sums]]) -> tuple[int, Sums]:
    """From the place on that any of them begins with."""
    if len(parts) == 1:
        return parts[0]
    first = min(place for place, _ in parts)
    until = max(place + len(part.instances) for place, part in parts)
    return first, reduce(Sums.plus, (part.among(until - first, place - first) for place, part in parts))


def _mean(sums: Sums) -> Numbers | None:
    return None if sums.total is None else sums.total / sums.numbers


def _deviation(sums: Sums) -> Numbers | None:
    """Of the population: 4.5.19.1 leaves it open."""
    return None if sums.scatter is None else np.sqrt(sums.scatter / sums.numbers)


_TELLERS: Mapping[Method, Callable[[Sums], Numbers | None]] = {
    Method.SUM: lambda sums: sums.total,
    Method.SUMSQ: lambda sums: sums.squares,
    Method.MIN: lambda sums: sums.smallest,
    Method.MAX: lambda sums: sums.largest,
    Method.AVG: _mean,
    Method.STDDEV: _deviation,
}


def _scatter(one: Sums, other: Sums) -> Numbers | None:
    """Chan, Golub and LeVeque (1983), equation 2.1."""
    if one.scatter is None or other.scatter is None or one.total is None or other.total is None:
        return None
    together = one.numbers + other.numbers
    apart = other.total / other.numbers - one.total / one.numbers
    joined: Numbers = one.scatter + other.scatter + apart**2 * (one.numbers * other.numbers / together)
    return np.where(one.numbers * other.numbers > 0, joined, one.scatter + other.scatter)


def _both(one: Numbers | None, other: Numbers | None, merge: Callable[[Numbers, Numbers], Numbers]) -> Numbers | None:
    return None if one is None or other is None else merge(one, other)


def _union(one: Mapping[int, frozenset[Any]], other: Mapping[int, frozenset[Any]]) -> Mapping[int, frozenset[Any]]:
    if not one or not other:
        return one or other
    return {at: one.get(at, frozenset()) | other.get(at, frozenset()) for at in one.keys() | other.keys()}


def _spread(column: NDArray[Any], periods: int, first: int, absent: float) -> NDArray[Any]:
    spread = np.full(periods, absent, column.dtype)
    spread[first : first + len(column)] = column
    return spread


def _column(parts: Sequence[Partials], member: str) -> Numbers | None:
    values: list[float | None] = [getattr(one, member) for one in parts]
    if any(value is None and one.numbers for value, one in zip(values, parts, strict=True)):
        return None
    absent = NO_NUMBERS[member]
    return np.array([absent if value is None else value for value in values], np.float64)


def _members(column: Numbers | None, numbers: Counts) -> Iterable[float | None]:
    if column is None:
        return [None] * len(numbers)
    return [value if count else None for value, count in zip(column.tolist(), numbers.tolist(), strict=True)]
