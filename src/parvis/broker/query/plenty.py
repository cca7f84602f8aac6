"""Which conditions have been found to hold for many entities, so that no index is asked about them again and again.

An index leads a query where it gives few entities; else walking them in order fills a page sooner. Only this choice
rests on what is remembered here, and no answer.
"""

import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from parvis.broker.query.tree import Compare, EntityQuery, Operator, Range

FEW_ROWS = 2_000
"""Of 200 000 entities: to read so many from an index takes as long as to walk until 20 of them are met."""
_PAGE = 20
_COUNTED = 10
"""To count, all entities are walked: an index is sooner by far."""
_MOST_KEYS = 1_000
_MOST_SPANS = 8
_HOLDS_S = 5.0
_ENDLESS = float("inf")


class Span(NamedTuple):
    """Of numbers."""

    low: float
    high: float


class _Found(NamedTuple):
    span: Span
    rows: int
    until_s: float


class Plenty:
    """Spans of numbers by what they are of, each with how many rows it has at least."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._found: dict[Hashable, tuple[_Found, ...]] = {}

    def holds(self, of: Hashable, span: Span, rows: int) -> bool:
        """Whether `span` was found to have so many rows, or a part of it."""
        now_s = self._clock_s()
        return any(
            one.span.low >= span.low and one.span.high <= span.high and one.rows >= rows and one.until_s > now_s
            for one in self._found.get(of, ())
        )

    def note(self, of: Hashable, span: Span, rows: int) -> None:
        if len(self._found) >= _MOST_KEYS:
            self._found = {}
        found = _Found(span, rows, self._clock_s() + _HOLDS_S)
        others = (one for one in self._found.get(of, ()) if not _says_more(found, one))
        self._found[of] = (found, *others)[:_MOST_SPANS]


def few_rows(query: EntityQuery) -> int:
    """An index that gives fewer leads. To walk far takes longer: where a page lies deep, more rows are few."""
    pages = (query.offset + query.limit) // _PAGE
    deep = FEW_ROWS << pages.bit_length() // 2
    return max(deep, _COUNTED * FEW_ROWS) if query.count else deep


def find_span(term: Compare) -> Span | None:
    """The numbers for which `term` holds, where they are a span."""
    match term.operator, term.operand:
        case Operator.EQUAL, Range(low, high) if _is_number(low) and _is_number(high):
            return Span(low, high)
        case ((Operator.GREATER | Operator.GREATER_EQUAL), (int() | float()) as low) if _is_number(low):
            return Span(low, _ENDLESS)
        case ((Operator.LESS | Operator.LESS_EQUAL), (int() | float()) as high) if _is_number(high):
            return Span(-_ENDLESS, high)
        case _:
            return None


def _is_number(operand: object) -> bool:
    return isinstance(operand, int | float) and not isinstance(operand, bool)


def _says_more(one: _Found, other: _Found) -> bool:
    return one.span.low >= other.span.low and one.span.high <= other.span.high and one.rows >= other.rows
