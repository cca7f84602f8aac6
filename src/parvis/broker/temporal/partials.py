"""What aggregates are made of: sums over parts of a period that add up, whichever store or file each part lies in."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from parvis.kernel.errors import TooComplexQuery

MOST_DISTINCT = 500_000
"""Values that are told apart for one question: a million take 220 MiB."""


class Partials(NamedTuple):
    """Of one part. A member is None where it was not worked out, or where there is no number to work on.

    `numbers` counts the instances whose value is a number; `scatter` is the sum of their squared distances from their
    own mean. `distinct` holds values as stores keep them: a number or a text as itself, any other JSON as its bytes.
    """

    instances: int = 0
    numbers: int = 0
    total: float | None = None
    squares: float | None = None
    smallest: float | None = None
    largest: float | None = None
    scatter: float | None = None
    distinct: frozenset[Any] = frozenset()

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Partials":
        """Everything, of values as stores keep them."""
        kept = list(values)
        numbers = [value for value in kept if isinstance(value, int | float)]
        if not numbers:
            return cls(len(kept), distinct=frozenset(kept))
        total = float(sum(numbers))
        mean = total / len(numbers)
        return cls(
            len(kept),
            len(numbers),
            total,
            float(sum(value * value for value in numbers)),
            min(numbers),
            max(numbers),
            sum((value - mean) ** 2 for value in numbers),
            frozenset(kept),
        )

    def plus(self, other: "Partials") -> "Partials":
        instances, distinct = self.instances + other.instances, self.distinct | other.distinct
        if not other.numbers:
            return self._replace(instances=instances, distinct=distinct)
        if not self.numbers:
            return other._replace(instances=instances, distinct=distinct)
        return Partials(
            instances,
            self.numbers + other.numbers,
            _both(self.total, other.total, _sum),
            _both(self.squares, other.squares, _sum),
            _both(self.smallest, other.smallest, min),
            _both(self.largest, other.largest, max),
            _scatter(self, other),
            distinct,
        )

    @property
    def mean(self) -> float | None:
        return None if self.total is None else self.total / self.numbers


NOTHING = Partials()


def too_many_distinct(most: int) -> TooComplexQuery:
    return TooComplexQuery(f"More than {most} distinct values: ask for a shorter time.")


def _scatter(one: Partials, other: Partials) -> float | None:
    """Chan, Golub and LeVeque (1983), equation 2.1."""
    if one.scatter is None or other.scatter is None or one.mean is None or other.mean is None:
        return None
    weight = one.numbers * other.numbers / (one.numbers + other.numbers)
    return one.scatter + other.scatter + (other.mean - one.mean) ** 2 * weight


def _both(one: float | None, other: float | None, merge: Callable[[float, float], float]) -> float | None:
    return None if one is None or other is None else merge(one, other)


def _sum(one: float, other: float) -> float:
    return one + other
