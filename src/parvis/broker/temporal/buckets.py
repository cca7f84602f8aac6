"""What an aggregation tells of one series, as columns: millions of periods are told without an object each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.query.tree import Method
from parvis.kernel.time import Instant

Column = NDArray[np.float64] | NDArray[np.int64]


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """One period of an aggregate: start inclusive, end exclusive; None where a method has no number to work on."""

    start: Instant
    end: Instant
    values: dict[Method, float | int | None]


class Periods(msgspec.Struct, frozen=True, eq=False):
    """Those of an aggregation, in order, one for all series that were asked for together.

    `rendered` is for who writes them: a text of each, made once.
    """

    spans: Sequence[tuple[Instant, Instant]]
    rendered: list[bytes] = msgspec.field(default_factory=list)


class Buckets(Sequence[Bucket]):
    """Of the periods that have instances, in order: `places` says which ones they are.

    `columns` has the values of each method, NaN where there is no number to work on. Single buckets are made when they
    are asked for.
    """

    __slots__ = ("columns", "periods", "places")

    def __init__(self, periods: Periods, places: NDArray[np.int64], columns: Mapping[Method, Column]) -> None:
        self.periods = periods
        self.places = places
        self.columns = columns

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Bucket]:
        columns = [map(_told, column.tolist()) for column in self.columns.values()]
        for place, *values in zip(self.places.tolist(), *columns, strict=True):
            start, end = self.periods.spans[place]
            yield Bucket(start, end, dict(zip(self.columns, values, strict=True)))

    @overload
    def __getitem__(self, number: int) -> Bucket: ...
    @overload
    def __getitem__(self, number: slice) -> "Buckets": ...
    def __getitem__(self, number: int | slice) -> "Bucket | Buckets":
        if isinstance(number, slice):
            columns = {method: column[number] for method, column in self.columns.items()}
            return Buckets(self.periods, self.places[number], columns)
        values = {method: _told(column[number].item()) for method, column in self.columns.items()}
        start, end = self.periods.spans[self.places[number]]
        return Bucket(start, end, values)

    def list_values(self, method: Method) -> tuple[list[Any], list[int]]:
        """Values and the places of their periods; what has no value is left out."""
        column, places = self.columns[method], self.places
        is_there = column == column
        if not is_there.all():
            column, places = column[is_there], places[is_there]
        return column.tolist(), places.tolist()


def _told(value: float | int) -> float | int | None:
    return None if value != value else value
