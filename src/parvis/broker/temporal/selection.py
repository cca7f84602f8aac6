"""Which entities a temporal query is about: they are chosen by what they were in its time (NGSI-LD 1.9.1, 5.7.4.4)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from parvis.broker.model.entity import Entity, Instance, Iri
from parvis.broker.ports.store import EntityAggregates, EntityHistory, Known, TemporalStore
from parvis.broker.query.evaluate import geo_holds, holds
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.tree import (
    Aggregation,
    And,
    Condition,
    EntityQuery,
    KnownQuery,
    Or,
    Order,
    ScopeQuery,
    TemporalQuery,
    TimeProperty,
    TimeRelation,
)
from parvis.broker.temporal.aggregates import count_together
from parvis.broker.temporal.reading import Window, cut_at
from parvis.broker.temporal.scopes import spans_in_scope
from parvis.kernel.errors import TooComplexQuery, TooManyResults
from parvis.kernel.time import Clock, system_clock

MOST_TRIED = 100_000
"""Instances of one attribute of one entity that a condition is tried on."""
MOST_TOLD = 500_000
"""Instances of all entities of one page: they are held at once."""
LONGEST_S = 30.0
"""What it may take to go through the entities there are."""
NO_ATTRIBUTE = TemporalQuery(attrs=("",), limit=1)
"""What has no instances: asked only for what is told of the entity itself."""
LAST_OF_EACH = TemporalQuery(last_n=1)


class PastQuery(msgspec.Struct, frozen=True):
    """`entities` says which, by what they were at the times of `instances`, and which page of them.

    Without an aggregation they are told instance by instance.
    """

    entities: EntityQuery
    instances: TemporalQuery
    order: Order = Order.FIRST_KNOWN
    aggregation: Aggregation | None = None


class PastPage(msgspec.Struct, frozen=True):
    """Either `histories` or `aggregates`. `resume` is what a query continues `after`; None where nobody is left."""

    histories: tuple[EntityHistory, ...] = ()
    aggregates: tuple[EntityAggregates, ...] = ()
    total: int | None = None
    resume: int | None = None


class _Told(NamedTuple):
    known: Known
    past: EntityHistory | EntityAggregates


class PastReader:
    """Of one tenant."""

    def __init__(self, store: TemporalStore, tenant: str, query: PastQuery, clock: Clock = system_clock) -> None:
        self._store = store
        self._tenant = tenant
        self._query = query
        self._clock = clock
        self._is_shown = query.entities.limit > 0
        """What is read next, and not just counted."""

    async def read(self) -> PastPage:
        """The page, and where asked for the count: then everyone is looked at.

        Raises:
            TooComplexQuery: there is too much to try a condition on, or it takes too long.
            TooManyResults: the page would hold too much.
        """
        asked = self._query.entities
        found: list[_Told] = []
        total = passed = told = 0
        resume: int | None = None
        async for one in self._list_told():
            is_full = len(found) == asked.limit
            if is_full and not asked.count:
                resume = found[-1].known.number
                break
            if one is None:
                continue
            total += 1
            if asked.after is not None and one.known.number <= asked.after:
                continue
            passed += 1
            if is_full and resume is None and found:
                resume = found[-1].known.number
            elif not is_full and passed > asked.offset:
                found.append(one)
                told += _instances_in(one.past)
                if told > MOST_TOLD:
                    raise TooManyResults(f"A page holds at most {MOST_TOLD} instances: ask for fewer entities.")
                self._is_shown = len(found) < asked.limit
        pasts = [one.past for one in found]
        return PastPage(
            tuple(self._cut_alike([one for one in pasts if isinstance(one, EntityHistory)])),
            tuple(one for one in pasts if isinstance(one, EntityAggregates)),
            total if asked.count else None,
            resume,
        )

    async def list_ids(self) -> list[str]:
        """Of everyone who matches."""
        self._is_shown = False
        return [one.known.id async for one in self._list_told() if one is not None]

    def _cut_alike(self, histories: Sequence[EntityHistory]) -> Sequence[EntityHistory]:
        """The answer reaches as far for everyone (6.3.10)."""
        reached = [one.truncated_at for one in histories if one.truncated_at is not None]
        if not reached:
            return histories
        at = min(reached) if self._query.instances.last_n is None else max(reached)
        return [cut_at(one, at, self._query.instances) for one in histories]

    async def _list_told(self) -> AsyncIterator[_Told | None]:
        """Those with something to tell. None before the next ones are read."""
        async for some in self._list_known():
            yield None
            for one in await self._tell(some):
                yield one

    async def _list_known(self) -> AsyncIterator[list[Known]]:
        """In as many at once as are told together. Raises TooComplexQuery."""
        until_s = time.monotonic() + LONGEST_S
        asked, order, together = self._query.entities, self._query.order, self._together()
        after: int | str | None = None if asked.count else asked.after
        while True:
            query = KnownQuery(asked.ids, asked.types, order, after, within=asked.within)
            page = await self._store.list_known(self._tenant, query)
            wanted = [one for one in page if self._may_be(one.id)]
            for start in range(0, len(wanted), together):
                if time.monotonic() > until_s:
                    raise TooComplexQuery(f"It took more than {LONGEST_S:g} s: ask for less, or without the count.")
                yield wanted[start : start + together]
            if len(page) < query.limit:
                return
            after = page[-1].number if order is Order.FIRST_KNOWN else page[-1].id

    def _may_be(self, entity_id: str) -> bool:
        pattern = self._query.entities.id_pattern
        return pattern is None or pattern_finder(pattern)(entity_id)

    def _together(self) -> int:
        if self._query.aggregation is None:
            return 1
        bound = count_together(self._query.instances, self._query.aggregation, self._clock())
        return bound if self._query.entities.count else max(1, min(bound, self._query.entities.limit))

    async def _tell(self, some: Sequence[Known]) -> list[_Told]:
        await asyncio.sleep(0)
        chosen = [one for one in some if await self._is_chosen(one.id)] if self._has_conditions() else some
        if self._query.aggregation is None:
            pasts = [(one, await self._history(one.id)) for one in chosen]
            return [_Told(one, past) for one, past in pasts if past is not None]
        ids = {one.id: one for one in chosen}
        aggregates = await self._store.list_aggregates(
            self._tenant, list(ids), self._query.instances, self._query.aggregation
        )
        return [_Told(ids[one.id], one) for one in aggregates if one.buckets]

    def _has_conditions(self) -> bool:
        asked = self._query.entities
        return asked.q is not None or asked.geo is not None or self._is_scoped_aggregation()

    def _is_scoped_aggregation(self) -> bool:
        return self._query.entities.scope is not None and self._query.aggregation is not None

    async def _is_chosen(self, entity_id: str) -> bool:
        asked = self._query.entities
        names = set() if asked.q is None else set(_names_in(asked.q))
        if asked.geo is not None:
            names.add(asked.geo.geoproperty)
        tried = replace(
            self._query.instances, attrs=tuple(sorted(names)) or ("",), datasets=(), last_n=None, limit=MOST_TRIED
        )
        history = await self._store.history(self._tenant, entity_id, tried)
        if history is None:
            return False
        if history.truncated_at is not None:
            raise TooComplexQuery(f"{entity_id} has more than {MOST_TRIED} instances to try: ask for a shorter time.")
        entity = as_entity(history)
        return (
            (asked.q is None or holds(asked.q, entity))
            and (asked.geo is None or geo_holds(asked.geo, entity))
            and (not self._is_scoped_aggregation() or bool(await self._spans(entity_id)))
        )

    async def _history(self, entity_id: str) -> EntityHistory | None:
        """None where there is nothing to tell."""
        if self._query.entities.scope is not None:
            return await self._history_in_scope(entity_id)
        asked = self._query.instances if self._is_shown else self._any_instance()
        found = await self._store.history(self._tenant, entity_id, asked)
        return found if found is not None and self._has_any(found) else None

    async def _history_in_scope(self, entity_id: str) -> EntityHistory | None:
        """With what was observed in the scopes asked for (C.5.16), or with nothing where all that is in the time asked
        for was observed before or after (5.7.4.4, S4)."""
        parts = [await self._store.history(self._tenant, entity_id, one) for one in await self._spans(entity_id)]
        told = _joined([one for one in parts if one is not None], self._query.instances)
        if told is None or self._has_any(told):
            return told
        anything = await self._store.history(self._tenant, entity_id, self._any_instance())
        return told if anything is not None and self._has_any(anything) else None

    def _any_instance(self) -> TemporalQuery:
        return replace(self._query.instances, limit=1)

    def _has_any(self, history: EntityHistory) -> bool:
        is_of_removals = self._query.instances.time_property is TimeProperty.DELETED_AT
        return any(history.instances.values()) or (is_of_removals and bool(history.scoped))

    async def _spans(self, entity_id: str) -> list[TemporalQuery]:
        """The query in parts: when the entity had the scopes asked for."""
        scope, instances = self._query.entities.scope, self._query.instances
        assert scope is not None, "who asks for spans asks for a scope"
        head = await self._store.history(self._tenant, entity_id, NO_ATTRIBUTE)
        return [] if head is None else list(_scoped(instances, head, scope))


def _instances_in(past: EntityHistory | EntityAggregates) -> int:
    return sum(map(len, past.instances.values())) if isinstance(past, EntityHistory) else 0


def as_entity(history: EntityHistory) -> Entity:
    """With every instance of its past at once: a condition holds where it holds for any of them."""
    instances: tuple[Instance, ...] = tuple(one for found in history.instances.values() for one in found)
    return Entity(history.id, history.types, instances, history.scopes, history.created_at, history.modified_at)


def _names_in(condition: Condition) -> Iterator[Iri]:
    """The attributes that a condition is about."""
    if isinstance(condition, And | Or):
        for term in condition.terms:
            yield from _names_in(term)
    elif hasattr(condition, "path"):
        yield condition.path.name
    else:
        yield condition.name


def _scoped(query: TemporalQuery, head: EntityHistory, scope: ScopeQuery) -> Iterator[TemporalQuery]:
    window = Window.of(query)
    for start, end in spans_in_scope(head.scoped, head.scopes, scope, window.start, window.end):
        is_whole = (start, end) == (window.start, window.end)
        yield query if is_whole else replace(query, relation=TimeRelation.BETWEEN, at=start, end=end)


def _joined(parts: Sequence[EntityHistory], query: TemporalQuery) -> EntityHistory | None:
    """Histories of one entity at several times, one after the other."""
    if len(parts) < 2:
        return parts[0] if parts else None
    keys = sorted({key for part in parts for key in part.instances})
    wanted = query.limit if query.last_n is None else min(query.limit, query.last_n)
    instances = {}
    for key in keys:
        found = [one for part in parts for one in part.instances.get(key, ())]
        instances[key] = found[:wanted] if query.last_n is None else found[-wanted:]
    reached = [part.truncated_at for part in parts if part.truncated_at is not None]
    scoped = tuple({one.seq: one for part in parts for one in part.scoped}.values())
    return replace(
        parts[-1],
        modified_at=max(part.modified_at for part in parts),
        instances=instances,
        truncated_at=(min(reached) if query.last_n is None else max(reached)) if reached else None,
        scoped=scoped,
    )
