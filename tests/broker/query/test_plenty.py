"""What was found to hold for many is remembered for a while, for no more conditions than it was found for."""

import pytest

from parvis.broker.query.plenty import FEW_ROWS, Plenty, Span, few_rows, find_span
from parvis.broker.query.tree import Compare, EntityQuery, OneOf, Operand, Operator, Path, Range

LEVEL, OTHER = 1, 2
ENDLESS = float("inf")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plenty(clock: Clock) -> Plenty:
    found = Plenty(clock)
    found.note(LEVEL, Span(50, ENDLESS), 2_000)
    return found


def test_a_wider_span_has_as_many_and_a_narrower_may_not(plenty: Plenty) -> None:
    assert plenty.holds(LEVEL, Span(50, ENDLESS), 2_000)
    assert plenty.holds(LEVEL, Span(49.5, ENDLESS), 1_000)
    assert not plenty.holds(LEVEL, Span(50.5, ENDLESS), 2_000)
    assert not plenty.holds(LEVEL, Span(50, 60), 2_000)
    assert not plenty.holds(LEVEL, Span(50, ENDLESS), 2_001)
    assert not plenty.holds(OTHER, Span(50, ENDLESS), 2_000)


def test_what_was_found_is_looked_up_again_after_a_while(plenty: Plenty, clock: Clock) -> None:
    clock.now_s += 4.9
    assert plenty.holds(LEVEL, Span(50, ENDLESS), 2_000)
    clock.now_s += 0.2
    assert not plenty.holds(LEVEL, Span(50, ENDLESS), 2_000)

    plenty.note(LEVEL, Span(40, ENDLESS), 2_000)
    assert plenty.holds(LEVEL, Span(40, ENDLESS), 2_000)
    assert not plenty.holds(LEVEL, Span(50, ENDLESS), 2_000)


def test_spans_that_say_less_give_way_and_none_without_end_are_kept(plenty: Plenty) -> None:
    for low in range(51, 90):
        plenty.note(LEVEL, Span(low, ENDLESS), 2_000)
    plenty.note(LEVEL, Span(10, ENDLESS), 8_000)
    assert plenty.holds(LEVEL, Span(89, ENDLESS), 2_000)
    assert plenty.holds(LEVEL, Span(10, ENDLESS), 8_000)

    for low in range(1_000):
        plenty.note(LEVEL, Span(low, low + 1), 2_000)
    assert sum(plenty.holds(LEVEL, Span(low, low + 1), 2_000) for low in range(1_000)) == 8


def test_attributes_without_end_are_not_kept(plenty: Plenty) -> None:
    for attribute in range(5_000):
        plenty.note(attribute, Span(0, 1), 2_000)
    assert plenty.holds(4_999, Span(0, 1), 2_000)
    assert sum(plenty.holds(attribute, Span(0, 1), 2_000) for attribute in range(5_000)) <= 1_000


@pytest.mark.parametrize(
    ("operator", "operand", "expected"),
    [
        (Operator.GREATER, 5, Span(5, ENDLESS)),
        (Operator.GREATER_EQUAL, 2.5, Span(2.5, ENDLESS)),
        (Operator.LESS, -1, Span(-ENDLESS, -1)),
        (Operator.LESS_EQUAL, 0, Span(-ENDLESS, 0)),
        (Operator.EQUAL, Range(1, 2), Span(1, 2)),
        (Operator.EQUAL, Range("a", "b"), None),
        (Operator.EQUAL, Range(True, 2), None),
        (Operator.EQUAL, 5, None),
        (Operator.EQUAL, OneOf((1, 2)), None),
        (Operator.UNEQUAL, Range(1, 2), None),
        (Operator.GREATER, True, None),
        (Operator.GREATER, "2026-01-01", None),
        (Operator.MATCH, "x", None),
    ],
)
def test_the_numbers_for_which_a_condition_holds(operator: Operator, operand: Operand, expected: Span | None) -> None:
    assert find_span(Compare(Path("level"), operator, operand)) == expected


def test_more_rows_are_few_where_the_walk_is_long() -> None:
    assert few_rows(EntityQuery()) == FEW_ROWS
    assert few_rows(EntityQuery(offset=60)) == 2 * FEW_ROWS
    assert few_rows(EntityQuery(offset=380)) == 4 * FEW_ROWS
    assert few_rows(EntityQuery(count=True)) == 10 * FEW_ROWS
    assert few_rows(EntityQuery(limit=1)) == FEW_ROWS
