"""Partial sums add up: however the values are split, the parts together say what the whole says."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.query.tree import Method
from parvis.broker.temporal.buckets import Bucket, Periods
from parvis.broker.temporal.partials import NOTHING, Partials
from parvis.broker.temporal.sums import Sums, tell

VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.text(max_size=2), st.sampled_from([b"true", b"[1]"])
)
PART = st.lists(VALUES, max_size=6)
SERIES = st.lists(PART, min_size=1, max_size=6)
"""The values of each period."""
METHODS = tuple(Method)


def told(partials: Partials) -> dict[Method, float | int | None]:
    sums = Sums.of([partials])
    return {method: None if math.isnan(value := sums.tell(method)[0].item()) else value for method in Method}


def assert_equal(found: dict[Method, float | int | None], expected: dict[Method, float | int | None]) -> None:
    for method in Method:
        assert (found[method] is None) == (expected[method] is None), method
        assert found[method] is None or found[method] == pytest.approx(expected[method], rel=1e-9, abs=1e-6), method


def plainly(values: Sequence[Any]) -> dict[Method, float | int | None]:
    """Each method as its definition has it."""
    numbers = [value for value in values if isinstance(value, int | float)]
    counts: dict[Method, float | int | None] = {
        Method.TOTAL_COUNT: len(values),
        Method.DISTINCT_COUNT: len(set(values)),
    }
    if not numbers:
        return counts | dict.fromkeys(set(Method) - set(counts), None)
    mean = sum(numbers) / len(numbers)
    return counts | {
        Method.SUM: sum(numbers),
        Method.SUMSQ: sum(value * value for value in numbers),
        Method.MIN: min(numbers),
        Method.MAX: max(numbers),
        Method.AVG: mean,
        Method.STDDEV: math.sqrt(sum((value - mean) ** 2 for value in numbers) / len(numbers)),
    }


@given(st.lists(PART, max_size=6))
def test_the_parts_say_what_the_whole_says(parts: list[list[Any]]) -> None:
    joined = reduce(Partials.plus, map(Partials.of, parts), NOTHING)
    assert_equal(told(joined), plainly([value for part in parts for value in part]))


@given(st.lists(st.tuples(st.integers(0, 4), SERIES), min_size=1, max_size=3))
def test_columns_of_parts_say_what_the_whole_says(parts: list[tuple[int, list[list[Any]]]]) -> None:
    """Of forms that each begin with another period; periods without an instance are left out."""
    values: dict[int, list[Any]] = {}
    for first, series in parts:
        for place, some in enumerate(series, first):
            values.setdefault(place, []).extend(some)
    periods = Periods([(place * 10, place * 10 + 10) for place in range(20)])

    buckets = tell(
        periods,
        [(first, Sums.of(list(map(Partials.of, series))) if first else list(map(Partials.of, series)))
         for first, series in parts],
        METHODS,
    )  # fmt: skip

    expected = [(place, some) for place, some in sorted(values.items()) if some]
    assert [(one.start, one.end) for one in buckets] == [(place * 10, place * 10 + 10) for place, _ in expected]
    for one, (_, some) in zip(buckets, expected, strict=True):
        assert list(one.values) == list(METHODS)
        assert_equal(one.values, plainly(some))
    assert [buckets[number] for number in range(len(buckets))] == list(buckets)
    assert list(buckets[1:]) == list(buckets)[1:]


@given(SERIES)
def test_columns_hold_what_partials_held(series: list[list[Any]]) -> None:
    partials = [Partials.of(some) for some in series]
    assert Sums.of(partials).list_partials() == partials


def test_a_small_deviation_of_large_numbers_survives_the_joining() -> None:
    index = [12_345_678.9 + number % 2 / 10 for number in range(1000)]
    one, other = Partials.of(index[:300]), Partials.of(index[300:])

    joined = (Sums.of([one.plus(other)]), Sums.of([one]).plus(Sums.of([other])))

    assert [sums.tell(Method.STDDEV)[0] for sums in joined] == pytest.approx([0.05, 0.05], rel=1e-6)


def test_what_a_part_has_not_worked_out_is_unknown_of_the_whole() -> None:
    for joined in (
        Sums.of([Partials(2, 2, 3.0).plus(Partials.of([1, 2]))]),
        Sums.of([Partials(2, 2, 3.0)]).plus(Sums.of([Partials.of([1, 2])])),
    ):
        assert joined.tell(Method.AVG).tolist() == [1.5]
        assert np.isnan(joined.tell(Method.MAX)).all()
        assert joined.tell(Method.SUM).tolist() == [6.0]


def test_numbers_beyond_the_doubles_are_told_as_such() -> None:
    """Without a warning."""
    huge = Sums.of([Partials.of([1e308])])
    [one] = tell(Periods([(0, 1)]), [(0, huge), (0, huge)], (Method.SUM, Method.STDDEV, Method.MAX))
    assert one == Bucket(0, 1, {Method.SUM: math.inf, Method.STDDEV: 0.0, Method.MAX: 1e308})
