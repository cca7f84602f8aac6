"""The broker's own door: every reader and writer comes through here, and rights are checked here."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing

import msgspec

from parvis.broker.bounds import bounds_of
from parvis.broker.entity_maps import EntityMaps
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Outcome
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.ports.past import Brought, OldObservations, PastIntake, PastNotTaken
from parvis.broker.ports.search import WordQuery, WordsFound
from parvis.broker.ports.store import EntityAggregates, EntityHistory, EntityPage, Outbox, Progress, Store
from parvis.broker.public import Public, PublicElsewhere
from parvis.broker.query.tally import Tallied, TallyQuery
from parvis.broker.query.tree import (
    Aggregation,
    EntityQuery,
    KnownQuery,
    TemporalQuery,
    TimeRelation,
    TypeSelection,
)
from parvis.broker.rights import refusal
from parvis.broker.sight import EVERYTHING, Sight, is_found_by, refers_to
from parvis.broker.snapshots import Snapshots
from parvis.broker.sources.forward import SourceClient
from parvis.broker.sources.sources import ContextSources
from parvis.broker.subscriptions.subscriptions import AddressCheck, Subscriptions
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.moment import LOOK_BACK, MOST_GONE, KeysOf, Moment, as_it_ended, list_then
from parvis.broker.temporal.selection import LAST_OF_EACH, NO_ATTRIBUTE, PastPage, PastQuery, PastReader
from parvis.broker.transience import Transience
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import READERS, Caller, Right
from parvis.kernel.reach import NOWHERE, either
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Clock, Instant, system_clock

_log = logging.getLogger(__name__)
MOST_INSTANCES = 1000
"""Of one attribute in one answer; the rest is told by 206 and Content-Range (6.3.10)."""
WORDS_OF_ENTITIES = 300
"""That are taken in at once: what is written meanwhile waits that long."""
MOMENT_PAGE = 500
"""Small enough for the event loop to breathe between two."""
FindOwner = Callable[[str, str], Caller | None]
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Broker:
    """Callers see what `sight` says and learn of nothing else: with READ_PUBLIC alone, entities of `public_types`.

    Without `source_client` context sources are registered and found, and no operation goes to them.
    """

    def __init__(
        self,
        store: Store,
        contexts: Contexts,
        public_types: frozenset[Iri] = frozenset(),
        check_address: AddressCheck | None = None,
        on_erasure: Callable[[Caller, Erasure], None] = lambda _caller, _erasure: None,
        on_correction: Callable[[Caller, Correction, int], None] = lambda _caller, _correction, _seq: None,
        most_subscriptions: int | None = None,
        most_registrations: int | None = None,
        source_client: SourceClient | None = None,
        clock: Clock = system_clock,
        most_instances: int = MOST_INSTANCES,
        past: PastIntake | None = None,
        public_elsewhere: PublicElsewhere | None = None,
    ) -> None:
        self._store = store
        self._past = past
        self.transience = Transience(store, clock)
        self._tenants: set[str] = set()
        self.find_owner: FindOwner | None = None
        """Who a subscription is of, with the rights they have by now (subject, tenant); None: with those it was made
        with."""
        self._on_erasure = on_erasure
        self._on_correction = on_correction
        self.contexts = contexts
        self.public = Public(public_types, public_elsewhere, contexts.parvis.expand)
        self.most_instances = most_instances
        self.outbox: Outbox = store
        self.shelf: Shelf = store.shelf
        self.entity_maps = EntityMaps(store.shelf)
        self.snapshots = Snapshots(store.shelf)
        self.subscriptions = Subscriptions(store.subscriptions, check_address, most=most_subscriptions)
        self.sources = ContextSources(
            store.sources,
            self._is_held,
            contexts,
            check_address,
            most=most_registrations,
            most_subscriptions=most_subscriptions,
            client=source_client,
        )

    async def write(self, caller: Caller, changes: Sequence[Change], progress: Progress | None = None) -> list[Outcome]:
        """An outcome for each change, in order, once all of them are durable.

        A reaction that gives its `progress` has its effects once, whichever process has them. Raises Outrun.
        """
        self.check_writer(caller)
        if self.transience.is_due:
            await self.transience.settle()
        if not changes and not progress:
            return []
        return await self._store.write(caller.tenant, changes, progress, bounds_of(caller))

    async def bring_past(self, caller: Caller, old: OldObservations) -> Brought:
        """Old series of entities that are known into the files of days that are over; what is stored stays.

        Nobody is told of it as news: no event, and the present stays. Raises Forbidden, and what PastIntake raises.
        """
        self.check_writer(caller)
        if caller.writes is not None:
            raise refusal(caller, "bring in the past, which takes the right to write everything,")
        if self._past is None:
            raise PastNotTaken("Nothing is archived here.")
        return await self._past.bring(caller.tenant, old)

    async def erase(self, caller: Caller, erasure: Erasure) -> None:
        """Forget a part of an entity's past (5.6.13, 5.6.15, 5.6.16). Raises Forbidden, ResourceNotFound.

        Events are told with what history knows of them: those who are told of changes hear of all so far first.
        """
        self.check_writer(caller)
        await self._check_past_writer(caller, erasure.entity_id, erasure.attribute)
        if self.subscriptions.catch_up is not None:
            await self.subscriptions.catch_up()
        await self._store.erase(caller.tenant, erasure)
        self._on_erasure(caller, erasure)

    async def correct(self, caller: Caller, correction: Correction) -> int:
        """Put one instance of an entity's past right (5.6.14); the number it has now.

        Raises Forbidden, ResourceNotFound, BadRequestData.
        """
        self.check_writer(caller)
        await self._check_past_writer(caller, correction.entity_id, correction.given.name)
        seq = await self._store.correct(caller.tenant, correction)
        self._on_correction(caller, correction, seq)
        return seq

    def check_writer(self, caller: Caller) -> None:
        """Raises Forbidden. `write` asks it too: ask before where reading the request is work."""
        if Right.WRITE not in caller.rights:
            raise refusal(caller, "write")

    async def _check_past_writer(self, caller: Caller, entity_id: str, name: Iri | None = None) -> None:
        """Raises Forbidden where the entity, or what it ever had (`name`), lies beyond what the caller may write."""
        bounds = bounds_of(caller)
        if bounds is None:
            return
        head = await self._store.history(caller.tenant, entity_id, NO_ATTRIBUTE if name else LAST_OF_EACH)
        if head is None:
            raise _not_found(entity_id)
        named = ((name, ""),) if name else (*head.instances, *head.emptied)
        refused = bounds.refuse_past(entity_id, (head.types, head.scopes), named)
        if refused is not None:
            raise refused

    def sight(self, caller: Caller) -> Sight:
        """What the caller may see. Raises Forbidden for a caller who may not read at all."""
        rights = caller.rights
        if Right.READ in rights:
            if caller.reads is None:
                return EVERYTHING if caller.hides is None else Sight(caller, None, caller.hides)
            public = self.public.reach(caller.tenant) if Right.READ_PUBLIC in rights else NOWHERE
            return Sight(caller, either(caller.reads, public), caller.hides)
        if Right.READ_PUBLIC in rights:
            return Sight(caller, self.public.reach(caller.tenant), caller.hides)
        raise refusal(caller, "read")

    async def find(self, caller: Caller, entity_id: str) -> Entity | None:
        sight = self.sight(caller)
        if self.transience.is_due:
            await self.transience.settle()
        entity = await self._store.find(caller.tenant, entity_id)
        seen = None if entity is None else sight.shown(entity)
        return None if seen is None else self.transience.stays(seen)

    async def get(self, caller: Caller, entity_id: str) -> Entity:
        entity = await self.find(caller, entity_id)
        if entity is None:
            raise _not_found(entity_id)
        return entity

    async def query(self, caller: Caller, query: EntityQuery) -> EntityPage:
        """Retrieve the page of entities that match (NGSI-LD 1.9.1, 5.7.2)."""
        sight = self.sight(caller)
        if sight.is_nothing:
            return EntityPage((), 0 if query.count else None)
        query = sight.entities(query)
        if self.transience.is_due:
            await self.transience.settle()
        return sight.page(self.transience.page_of(await self._store.query(caller.tenant, query)))

    async def list_begun(self, caller: Caller, words: Sequence[str]) -> list[str]:
        """Those of these words (folded) that begin one of any entity's, for who sees all of them; what is found by them
        `find_words` tells."""
        sight = self.sight(caller)
        if sight.reach is not None or sight.hides_words:
            return []
        return await self._store.search.list_begun(caller.tenant, words)

    async def find_words(self, caller: Caller, query: WordQuery) -> WordsFound:
        """Entities by the words that people know them by, the best first. What was just written follows in a second."""
        sight = self.sight(caller)
        if sight.is_nothing:
            return WordsFound((), True)
        within = msgspec.structs.replace(query, within=sight.reach)
        found = await self._store.search.find(caller.tenant, within)
        if not found.ids or not sight.hides_words:
            return found
        known = await self.query(caller, EntityQuery(ids=found.ids, limit=len(found.ids)))
        named = {one.id for one in known.entities if is_found_by(one, query.words)}
        return WordsFound(tuple(one for one in found.ids if one in named), found.is_all)

    async def list_referring(self, caller: Caller, entity_id: str, limit: int) -> list[Entity]:
        """Entities with a relationship to it, as far as the caller may read them; new ones follow in a second."""
        sight = self.sight(caller)
        if sight.is_nothing:
            return []
        ids = await self._store.search.list_referring(caller.tenant, entity_id, limit, sight.reach)
        found = (await self.query(caller, EntityQuery(ids=tuple(ids), limit=limit))).entities if ids else ()
        return [one for one in found if sight.hides is None or refers_to(one, entity_id)]

    async def take_in_words(self, rest: float = 0.0) -> None:
        """What was written until now is found by its words. A part of the platform does so all the time, and rests
        after each step `rest` times as long as the step took, its wait for writers with it: these go on."""
        if not await self._store.search.is_behind():
            return
        began_s = time.monotonic()
        while await self._store.search.work(WORDS_OF_ENTITIES):
            await asyncio.sleep(rest * (time.monotonic() - began_s))
            began_s = time.monotonic()

    async def walk(self, caller: Caller, query: EntityQuery) -> AsyncGenerator[Entity, None]:
        """All entities that match, read in pages of `query.limit`: none twice, none that stays left out."""
        while True:
            page = await self.query(caller, query)
            for entity in page.entities:
                yield entity
            if page.resume is None:
                return
            query = msgspec.structs.replace(query, after=page.resume)

    async def history(self, caller: Caller, entity_id: str, query: TemporalQuery) -> EntityHistory:
        """The temporal evolution of one entity (5.7.3). Raises ResourceNotFound."""
        history = await self.find_history(caller, entity_id, query)
        if history is None:
            raise _not_found(entity_id)
        return history

    async def find_history(self, caller: Caller, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        sight = self.sight(caller)
        if self.transience.is_due:
            await self.transience.settle()
        found = sight.history(await self._store.history(caller.tenant, entity_id, sight.temporal(query)))
        if found is not None:
            sight.check_named(query.attrs, found.types)
        return found

    async def query_past(self, caller: Caller, query: PastQuery) -> PastPage:
        """The temporal evolution of the entities that match, deleted ones included (5.7.4). Raises TooComplexQuery."""
        reader = await self._past_reader(caller, query)
        return PastPage(total=0 if query.entities.count else None) if reader is None else await reader.read()

    async def list_past_ids(self, caller: Caller, query: PastQuery) -> list[str]:
        """Of all entities that match, whatever page is asked for. Raises TooComplexQuery."""
        reader = await self._past_reader(caller, query)
        return [] if reader is None else await reader.list_ids()

    async def _past_reader(self, caller: Caller, query: PastQuery) -> PastReader | None:
        """None where nobody can be told of."""
        if self.transience.is_due:
            await self.transience.settle()
        sight = self.sight(caller)
        if sight.is_nothing:
            return None
        query = msgspec.structs.replace(
            query, entities=sight.entities(query.entities), instances=sight.temporal(query.instances)
        )
        return PastReader(self._store, caller.tenant, query)

    async def list_moment(
        self, caller: Caller, types: TypeSelection, at: Instant, keys_of: KeysOf, most: int
    ) -> Moment:
        """The entities of these types as they were at that instant, at most `most`: of each, the series that `keys_of`
        names are told as they were then, the rest as it is now. Those deleted since come last, at most MOST_GONE."""
        there = await self._list_first(caller, EntityQuery(types=types, limit=MOMENT_PAGE), most)
        then = await list_then(self._store, caller.tenant, there, keys_of, at)
        return then._replace(entities=[*then.entities, *await self._list_gone(caller, types, at)])

    async def _list_first(self, caller: Caller, query: EntityQuery, most: int) -> list[Entity]:
        found: list[Entity] = []
        async with aclosing(self.walk(caller, query)) as entities:
            async for one in entities:
                found.append(one)
                if len(found) % MOMENT_PAGE == 0:
                    await asyncio.sleep(0)
                if len(found) == most:
                    break
        return found

    async def _list_gone(self, caller: Caller, types: TypeSelection, at: Instant) -> list[Entity]:
        sight = self.sight(caller)
        if sight.is_nothing:
            return []
        gone = KnownQuery(types=types, gone_since=at + 1, limit=MOST_GONE, within=sight.reach)
        known = await self._store.list_known(caller.tenant, gone)
        last = sight.temporal(TemporalQuery(TimeRelation.BETWEEN, at - LOOK_BACK, at + 1, last_n=1))
        histories = [await self._store.history(caller.tenant, one.id, last) for one in known]
        ended = [as_it_ended(one) for one in histories if one is not None]
        return [one for one in ended if one is not None]

    async def aggregate(
        self, caller: Caller, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates:
        """The aggregated temporal evolution of one entity (4.5.19). Raises ResourceNotFound."""
        found = await self.list_aggregates(caller, [entity_id], query, aggregation)
        if not found:
            raise _not_found(entity_id)
        return found[0]

    async def list_aggregates(
        self, caller: Caller, entity_ids: Sequence[str], query: TemporalQuery, aggregation: Aggregation
    ) -> list[EntityAggregates]:
        """Of those that the caller may see, in the order given."""
        sight = self.sight(caller)
        if self.transience.is_due:
            await self.transience.settle()
        found = await self._store.list_aggregates(caller.tenant, entity_ids, sight.temporal(query), aggregation)
        seen = [one for one in found if sight.reaches(one.types, one.scopes)]
        for one in seen:
            sight.check_named(query.attrs, one.types)
        return seen

    async def count_types(self, caller: Caller) -> dict[Iri, int]:
        sight = self.sight(caller)
        if self.transience.is_due:
            await self.transience.settle()
        return await self._store.count_types(caller.tenant, sight.reach)

    async def tally(self, caller: Caller, queries: Sequence[TallyQuery]) -> list[list[Tallied]]:
        """What each query finds of what the caller may see, by place and grade."""
        sight = self.sight(caller)
        if sight.is_nothing:
            return [[] for _ in queries]
        if self.transience.is_due:
            await self.transience.settle()
        return await self._store.tally(caller.tenant, [sight.tally(one) for one in queries])

    async def list_attributes(self, caller: Caller) -> dict[Iri, set[Iri]]:
        """Attribute names in use, by entity type."""
        sight = self.sight(caller)
        if self.transience.is_due:
            await self.transience.settle()
        return sight.names(await self._store.list_attributes(caller.tenant, sight.reach))

    async def is_tenant(self, name: str) -> bool:
        """A tenant that is stays one."""
        if name not in self._tenants:
            self._tenants.update(await self._store.list_tenants())
        return name in self._tenants

    async def add_tenant(self, name: str) -> None:
        """Raises BadRequestData."""
        if not _TENANT.fullmatch(name):
            raise BadRequestData(f"The name of a tenant is 1 to 64 letters, digits, - and _, not {name[:80]!r}.")
        await self._store.add_tenant(name)
        _log.info("a tenant was added", extra={"tenant": name})

    async def list_tenants(self) -> list[str]:
        """For parts of the platform that look after all of them; no caller is asked for."""
        return await self._store.list_tenants()

    async def _is_held(self, tenant: str, query: EntityQuery) -> bool:
        return bool((await self._store.query(tenant, query)).entities)

    def shown(self, caller: Caller, entity: Entity) -> Entity | None:
        """An entity from elsewhere, as far as the caller may see it; None where it may not."""
        return self.sight(caller).shown(entity) if caller.rights & READERS else None

    def may_read(self, caller: Caller, types: Iterable[Iri]) -> bool:
        """Whether the caller may read an entity of these types, in some scope at least."""
        return bool(caller.rights & READERS) and self.sight(caller).may_reach(tuple(types))


def _not_found(entity_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"There is no entity {entity_id}.")
