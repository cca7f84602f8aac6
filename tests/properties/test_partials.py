"""Partial sums add up: however the values are split, the parts together say what the whole says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import NOTHING, Partials

VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.text(max_size=2), st.sampled_from([b"true", b"[1]"])
)


@given(st.lists(st.lists(VALUES, max_size=6), max_size=6))
def test_the_parts_say_what_the_whole_says(parts: list[list[object]]) -> None:
    joined = NOTHING
    for part in parts:
        joined = joined.plus(Partials.of(part))

    whole = Partials.of(value for part in parts for value in part)

    for method in Method:
        expected, found = whole.value(method), joined.value(method)
        assert (found is None) == (expected is None), method
        assert found is None or found == pytest.approx(expected, rel=1e-9, abs=1e-6), method


def test_a_small_deviation_of_large_numbers_survives_the_joining() -> None:
    index = [12_345_678.9 + number % 2 / 10 for number in range(1000)]

    joined = Partials.of(index[:300]).plus(Partials.of(index[300:]))

    assert joined.deviation == pytest.approx(0.05, rel=1e-6)


def test_what_a_part_has_not_worked_out_is_unknown_of_the_whole() -> None:
    joined = Partials(instances=2, numbers=2, total=3.0).plus(Partials.of([1, 2]))

    assert joined.value(Method.AVG) == 1.5
    assert joined.value(Method.MAX) is None
    assert not math.isnan(joined.value(Method.SUM) or 0)
