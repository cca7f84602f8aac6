"""When an entity had the scopes that a query asks for (NGSI-LD 1.9.1, 4.18, 4.19 and 5.7.4)."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from parvis.broker.model.entity import Instance
from parvis.broker.query.selection import scopes_hold
from parvis.broker.query.tree import ScopeQuery
from parvis.kernel.time import Instant


def spans_in_scope(
    scoped: Sequence[Instance], present: Sequence[str], query: ScopeQuery, start: Instant, end: Instant
) -> Iterator[tuple[Instant, Instant]]:
    """Between `start` and `end`. Where there is no history of its scopes, the present ones have always held."""
    if not scoped:
        if scopes_hold(query, present):
            yield start, end
        return
    for one, following in zip_longest(scoped, scoped[1:]):
        since = max(start, one.seen_at)
        until = end if following is None else min(end, following.seen_at)
        if since < until and scopes_hold(query, one.value):
            yield since, until
