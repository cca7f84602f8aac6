"""The temporal evolution of one entity, joined from the forms in which its history lies.

A source is one form, seen in one snapshot; together the sources hold each instance exactly once. Stores differ in how
a source reads, never in what is made of it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.store import EntityHistory
from parvis.broker.query.tree import Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.partials import Partials
from parvis.kernel.time import Instant

if TYPE_CHECKING:
    from parvis.broker.temporal.sums import Sums

EARLIEST, LATEST = -(2**62), 2**62
Period = tuple[Instant, Instant]
"""Start inclusive, end exclusive."""


class Window(NamedTuple):
    """start <= t < end, where t is when it was observed or, with `by_recorded`, when it was recorded.

    `asked_from` is where the query says from.
    """

    by_recorded: bool
    start: Instant
    end: Instant
    asked_from: Instant | None = None

    @classmethod
    def of(cls, query: TemporalQuery) -> "Window":
        start, end = EARLIEST, LATEST
        asked_from = None if query.relation is TimeRelation.BEFORE else query.at
        if query.relation is TimeRelation.BEFORE and query.at is not None:
            end = query.at
        elif query.relation is TimeRelation.AFTER and query.at is not None:
            start = query.at + 1
        elif query.relation is TimeRelation.BETWEEN and query.at is not None and query.end is not None:
            start, end = query.at, query.end
        return cls(query.time_property is not TimeProperty.OBSERVED_AT, start, end, asked_from)

    def time(self, instance: Instance) -> Instant:
        return instance.modified_at if self.by_recorded else instance.seen_at

    def within(self, periods: Iterable[Period]) -> list[Period]:
        return [(max(start, self.start), min(end, self.end)) for start, end in periods]


EVER = Window(by_recorded=False, start=EARLIEST, end=LATEST)


class Source(Protocol):
    """One entity's instances in one form. Removed instances are in none of the answers."""

    def list_series(self) -> Iterable[AttributeKey]:
        """At least those it has instances of."""
        ...

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        """At most `limit` instances, the first or the last ones, in the order of (time, seq)."""
        ...

    def find(self, name: Iri, seq: int) -> Instance | None:
        """The instance of that number, of whichever datasetId."""
        ...

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        """Times of the first and of the last instance in the window."""
        ...

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        """Times that no instance in the window lies beyond, found without reading any; None: there is none."""
        ...

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> "Sequence[Partials] | Sums":
        """Of each period, in the same order; only what `methods` need is worked out. `periods` lie in the window."""
        ...


class Head(msgspec.Struct, frozen=True):
    """What is told of an entity besides its instances."""

    id: str
    types: tuple[Iri, ...]
    scopes: tuple[str, ...]
    created_at: Instant
    modified_at: Instant
    deleted_at: Instant | None


class Member(NamedTuple):
    """One of the entities that are read together. Its sources are of the same forms, in the same order, as everyone's;
    the last ones may be missing.
    """

    head: Head
    sources: Sequence[Source]


def read_history(member: Member, query: TemporalQuery) -> EntityHistory:
    head, sources = member
    window, last = Window.of(query), query.last_n is not None
    wanted = query.limit if query.last_n is None else min(query.limit, query.last_n)
    instances: dict[AttributeKey, list[Instance]] = {}
    truncated: list[Instant] = []
    for key in list_series(sources, query):
        found = _read(sources, key, window, wanted + 1, last=last)
        if len(found) > wanted:
            found = found[1:] if last else found[:wanted]
            if query.last_n is None or query.last_n > query.limit:
                truncated.append(window.time(found[0] if last else found[-1]))
        if found:
            instances[key] = found
    return EntityHistory(
        head.id,
        head.types,
        head.scopes,
        head.created_at,
        max([head.modified_at, *(one[-1].modified_at for one in instances.values())]),
        head.deleted_at,
        instances,
        (max(truncated) if last else min(truncated)) if truncated else None,
    )


def has_any(sources: Sequence[Source]) -> bool:
    """Whether there is an instance of anything at any time."""
    keys = list_series(sources, TemporalQuery())
    return any(source.extent(key, EVER) is not None for source in sources for key in keys)


def list_series(sources: Sequence[Source], query: TemporalQuery) -> list[AttributeKey]:
    found = {key for source in sources for key in source.list_series()}
    return sorted(key for key in found if _is_asked(key, query))


def _is_asked(key: AttributeKey, query: TemporalQuery) -> bool:
    name, dataset = key
    return (not query.attrs or name in query.attrs) and (not query.datasets or dataset in query.datasets)


def _read(sources: Sequence[Source], key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
    parts = [part for source in sources if (part := source.read(key, window, limit, last=last))]
    if len(parts) < 2:
        return parts[0] if parts else []
    found = sorted((one for part in parts for one in part), key=lambda one: (window.time(one), one.seq))
    return found[-limit:] if last else found[:limit]
