"""The temporal evolution of one entity, joined from the forms in which its history lies.

A source is one form, seen in one snapshot; together the sources hold each instance exactly once. Stores differ in how
a source reads, never in what is made of it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from parvis.broker.model.entity import INSTANCE_NUMBER, AttributeKey, Instance, Iri
from parvis.broker.model.scopes import SCOPE_KEY
from parvis.broker.ports.store import EntityHistory
from parvis.broker.query.tree import Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.partials import Partials
from parvis.broker.temporal.sums import Sums
from parvis.kernel.reach import local_name
from parvis.kernel.time import Instant

EARLIEST, LATEST = -(2**62), 2**62
MOST_SCOPES = 10_000
Period = tuple[Instant, Instant]
"""Start inclusive, end exclusive."""


class Window(NamedTuple):
    """start <= t < end, where t is when it was observed or, with `by_recorded`, when it was recorded.

    `asked_from` is where the query says from. With `of_removals` it is open on removals, and on nothing else.
    """

    by_recorded: bool
    start: Instant
    end: Instant
    asked_from: Instant | None = None
    of_removals: bool = False

    @classmethod
    def of(cls, query: TemporalQuery) -> "Window":
        start, end = EARLIEST, LATEST
        asked_from = None if query.relation is TimeRelation.BEFORE else query.at
        if query.relation is TimeRelation.BEFORE and query.at is not None:
            end = query.at
        elif query.relation is TimeRelation.AFTER and query.at is not None:
            start = query.at
        elif query.relation is TimeRelation.BETWEEN and query.at is not None and query.end is not None:
            start, end = query.at, query.end
        by = query.time_property
        by_recorded = by in (TimeProperty.CREATED_AT, TimeProperty.MODIFIED_AT)
        return cls(by_recorded, start, end, asked_from, by is TimeProperty.DELETED_AT)

    def time(self, instance: Instance) -> Instant:
        return instance.modified_at if self.by_recorded else instance.seen_at

    def within(self, periods: Iterable[Period]) -> list[Period]:
        return [(max(start, self.start), min(end, self.end)) for start, end in periods]


EVER = Window(by_recorded=False, start=EARLIEST, end=LATEST)


class Source(Protocol):
    """One entity's instances in one form.

    Removals are read through a window `of_removals`: as instances of value NULL, of whatever kind, at the time from
    which the attribute was gone. They are in none of the other answers.
    """

    def list_series(self) -> Iterable[AttributeKey]:
        """At least those it has instances of."""
        ...

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        """At most `limit` instances, the first or the last ones, in the order of (time, seq)."""
        ...

    def find(self, name: Iri, seq: int) -> Instance | None:
        """The instance of that number, or that had it before it was corrected, of whichever datasetId."""
        ...

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        """Times of the first and of the last instance in the window."""
        ...

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        """Times that no instance in the window lies beyond, found without reading any; None: there is none."""
        ...

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> Sequence[Partials] | Sums:
        """Of each period, in the same order; only what `methods` need is worked out. `periods` lie in the window."""
        ...


def numbered_patterns(number: int) -> tuple[str, str]:
    """LIKE what a column `extra` holds of a corrected instance that had that number: last in the object, and before
    other members."""
    return f'%"{INSTANCE_NUMBER}":{number}}}', f'%"{INSTANCE_NUMBER}":{number},%'


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
    window = Window.of(query)
    known = {key for source in sources for key in source.list_series()}
    asked = _asked_of(head, query)
    parts = {key: _read_part(sources, key, query, window) for key in sorted(known) if asked(key)}
    instances = {key: part.found for key, part in parts.items() if part.found}
    truncated_at = _truncated_at(parts.values(), query)
    history = EntityHistory(
        head.id,
        head.types,
        head.scopes,
        head.created_at,
        max([head.modified_at, *(one[-1].modified_at for one in instances.values())]),
        head.deleted_at,
        instances,
        truncated_at,
        _read_scoped(sources, window) if SCOPE_KEY in known else (),
    )
    return history if truncated_at is None else cut_at(history, truncated_at, query)


class _Part(NamedTuple):
    found: list[Instance]
    truncated_at: Instant | None = None


def _read_part(sources: Sequence[Source], key: AttributeKey, query: TemporalQuery, window: Window) -> _Part:
    """`truncated_at` where the limit and not the query left the rest out."""
    last = query.last_n is not None
    wanted = query.limit if query.last_n is None else min(query.limit, query.last_n)
    found = read_instances(sources, key, window, wanted + 1, last=last)
    is_cut = len(found) > wanted
    if is_cut:
        found = found[1:] if last else found[:wanted]
    if window.of_removals:
        found = [_in_kind(sources, one) for one in found]
    is_short = is_cut and (query.last_n is None or query.last_n > query.limit)
    return _Part(found, window.time(found[0 if last else -1]) if is_short else None)


def _truncated_at(parts: Iterable[_Part], query: TemporalQuery) -> Instant | None:
    """Up to which instant, or with lastN back to which, everything is told."""
    reached = [part.truncated_at for part in parts if part.truncated_at is not None]
    if not reached:
        return None
    return min(reached) if query.last_n is None else max(reached)


def cut_at(history: EntityHistory, at: Instant, query: TemporalQuery) -> EntityHistory:
    """Everything beyond goes, so that nothing is told of a time of which not everything is (6.3.10). An attribute of
    which nothing is left is told as an empty list."""
    time_of, is_last = Window.of(query).time, query.last_n is not None
    instances = {
        key: [one for one in found if (time_of(one) >= at if is_last else time_of(one) <= at)]
        for key, found in history.instances.items()
    }
    emptied = {key: found[-1].kind for key, found in history.instances.items() if found and not instances[key]}
    return msgspec.structs.replace(
        history, instances=instances, truncated_at=at, emptied={**history.emptied, **emptied}
    )


def _in_kind(sources: Sequence[Source], removal: Instance) -> Instance:
    """Of the kind of what was removed."""
    before = EVER._replace(end=removal.seen_at + 1)
    held = next(iter(read_instances(sources, removal.key, before, 1, last=True)), None)
    return removal if held is None else msgspec.structs.replace(removal, kind=held.kind)


def _read_scoped(sources: Sequence[Source], window: Window) -> tuple[Instance, ...]:
    """The scopes set in the window, led by those that held when it begins. Through a window `of_removals`, where they
    were taken away: an instance with no scopes in it."""
    bare = window._replace(of_removals=False)
    inside = read_instances(sources, SCOPE_KEY, bare, MOST_SCOPES, last=False)
    if window.of_removals:
        return tuple(one for one in inside if not one.value)
    before = bare._replace(start=EARLIEST, end=window.start)
    held = read_instances(sources, SCOPE_KEY, before, 1, last=True) if window.start > EARLIEST else []
    return (*held, *inside)


def has_any(sources: Sequence[Source]) -> bool:
    """Whether there is an instance of anything at any time."""
    keys = {key for source in sources for key in source.list_series()} - {SCOPE_KEY}
    return any(source.extent(key, EVER) is not None for source in sources for key in keys)


def list_series(member: Member, query: TemporalQuery) -> list[AttributeKey]:
    """Of attributes; scopes are none."""
    asked = _asked_of(member.head, query)
    found = {key for source in member.sources for key in source.list_series()}
    return sorted(key for key in found if asked(key))


def _asked_of(head: Head, query: TemporalQuery) -> Callable[[AttributeKey], bool]:
    hidden = frozenset[str]() if query.hides is None else query.hides.of(head.types)

    def is_asked(key: AttributeKey) -> bool:
        name, dataset = key
        if key == SCOPE_KEY or (hidden and local_name(name) in hidden):
            return False
        return (not query.attrs or name in query.attrs) and (not query.datasets or dataset in query.datasets)

    return is_asked


def read_instances(
    sources: Sequence[Source], key: AttributeKey, window: Window, limit: int, *, last: bool
) -> list[Instance]:
    parts = [part for source in sources if (part := source.read(key, window, limit, last=last))]
    if len(parts) < 2:
        return parts[0] if parts else []
    found = sorted((one for part in parts for one in part), key=lambda one: (window.time(one), one.seq))
    return found[-limit:] if last else found[:limit]
