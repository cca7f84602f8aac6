"""What is past its time is erased, or gives way to totals: in batches, each told in the ledger once.

A batch is planned and counted, noted as a step, carried out, and told in the ledger and the trail in the transaction
that takes the step away. Who was stopped on the way begins with the steps that are there: carrying one out again does
what is left of it, and its count is the one that was planned. Where something else is declared by now, only what was
done of it is told: what is left of it may be needed again.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from hashlib import sha256
from secrets import token_hex

import msgspec

from parvis.access.model import AuditRecord
from parvis.access.ports import AccessStore
from parvis.access.privacy.checks import read_keep
from parvis.access.privacy.holding import Covered, Holding, find_holding, list_covered
from parvis.access.privacy.model import Action, Cover, LedgerEntry, Purpose
from parvis.access.privacy.past import count_before, list_stretches_in
from parvis.access.privacy.periods import cutoff, period_start
from parvis.access.privacy.totals import Stretch, Totals
from parvis.access.roles.roles import expand
from parvis.broker.model.change import ALL_DATASETS, Change, Mode
from parvis.broker.model.entity import Iri
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import EntityQuery, KnownQuery, TypeIs
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.instance import FoundOutdated
from parvis.broker.temporal.reading import EARLIEST
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.reach import local_name
from parvis.kernel.time import Clock, Instant, system_clock

RETENTION = "system:retention"
MOST_ENTITIES = 200
STEP = "retention:"
READINGS = 4


class Batch(msgspec.Struct, frozen=True):
    """What is to be done with the values of one attribute, seen from `since` (None: ever) and before `before`: they are
    erased, or give way to `totals`."""

    entity_ids: tuple[str, ...]
    attribute: Iri
    before: Instant
    totals: Totals | None = None
    since: Instant | None = None


class Due(msgspec.Struct, frozen=True):
    """What a batch is about; `objects` have `count` values that were seen from `since` to `until`."""

    batch: Batch
    covered: Covered
    type: str
    count: int
    since: Instant
    until: Instant
    made: int = 0

    def entry(self, tenant: str, at: Instant) -> LedgerEntry:
        return LedgerEntry(
            tenant=tenant,
            at=at,
            action=Action.ERASED if self.batch.totals is None else Action.AGGREGATED,
            key=f"{STEP}{token_hex(8)}",
            by=RETENTION,
            purpose=self.covered.purpose.id,
            version=self.covered.purpose.version,
            type=self.type,
            attribute=local_name(self.batch.attribute),
            count=self.count,
            objects=len(self.batch.entity_ids),
            since=self.since,
            until=self.until,
            made=self.made,
        )


class _Step(msgspec.Struct, frozen=True):
    """`declared` is a digest of the purposes by which it was planned."""

    batch: Batch
    entry: LedgerEntry
    declared: str = ""


Report = Callable[[float, str], None]


class Retention:
    """Of one tenant, in the time zone in which it counts its days."""

    def __init__(
        self, store: Store, access: AccessStore, tenant: str, zone: tzinfo, clock: Clock = system_clock
    ) -> None:
        self._store = store
        self._access = access
        self._tenant = tenant
        self._zone = zone
        self._clock = clock

    async def execute(
        self, purposes: Sequence[Purpose], report: Report, is_on: Callable[[], bool] = lambda: True
    ) -> list[LedgerEntry]:
        """All that is due, for as long as it `is_on`; what was told in the ledger."""
        declared = _digest(purposes)
        told = [
            await (self._carry_out(step) if step.declared == declared else self._settle(step))
            for step in self._list_steps()
        ]
        async for due in self.list_due(purposes, report):
            if not is_on():
                break
            step = _Step(due.batch, due.entry(self._tenant, self._clock()), declared)
            self._access.privacy.put_step(self._tenant, step.entry.key, msgspec.json.encode(step))
            told.append(await self._carry_out(step))
        return [one for one in told if one.count]

    async def list_due(self, purposes: Sequence[Purpose], report: Report) -> AsyncIterator[Due]:
        """What is past its time by now, batch by batch; nothing is changed by that."""
        now, names = self._clock(), {name for one in purposes for cover in one.covers for name in _names_in(cover)}
        targets = _targets(purposes, await self._store.list_written(self._tenant, names))
        for place, (type_, attribute) in enumerate(targets):
            report(place / len(targets), f"{local_name(type_)}.{local_name(attribute)}")
            async for due in self._list_due_of(purposes, type_, attribute, now):
                yield due

    async def _list_due_of(
        self, purposes: Sequence[Purpose], type_: Iri, attribute: Iri, now: Instant
    ) -> AsyncIterator[Due]:
        targeted = {cover.type for one in purposes for cover in one.covers if local_name(attribute) in cover.attributes}
        covered = list_covered(purposes, local_name(attribute), targeted)
        latest = max(self._cutoff(one.cover.keep, now) for one in covered)
        query = KnownQuery(types=TypeIs(type_), limit=MOST_ENTITIES)
        while known := await self._store.list_known(self._tenant, query):
            groups: dict[Holding, list[str]] = {}
            past = await count_before(self._store, self._tenant, [one.id for one in known], attribute, latest)
            for one in past:
                types = {local_name(name) for name in one.types}
                if min(types & targeted, default="") == local_name(type_):
                    holding = find_holding(covered, types, one.scopes)
                    if holding is not None:
                        groups.setdefault(holding, []).append(one.id)
            for holding, ids in groups.items():
                async for due in self._list_due_in(holding, ids, local_name(type_), attribute, now):
                    yield due
            query = msgspec.structs.replace(query, after=known[-1].number)

    async def _list_due_in(
        self, holding: Holding, ids: Sequence[str], type_: str, attribute: Iri, now: Instant
    ) -> AsyncIterator[Due]:
        totals = holding.totals
        before = self._cutoff(holding.full.cover.keep, now)
        if totals is None:
            due = await self._find_erasable(Batch(tuple(ids), attribute, before), holding.full, type_)
        else:
            cover, since = totals.cover, None
            if cover.keep_totals:
                since = period_start(self._cutoff(cover.keep_totals, now), cover.period, self._zone)
                if (due := await self._find_erasable(Batch(tuple(ids), attribute, since), totals, type_)) is not None:
                    yield due
            whole = period_start(before, cover.period, self._zone)
            batch = Batch(tuple(ids), attribute, whole, Totals(cover.period, cover.method), since)
            due = await self._find_aggregable(batch, totals, type_)
        if due is not None:
            yield due

    async def _find_erasable(self, batch: Batch, covered: Covered, type_: str) -> Due | None:
        past = await count_before(self._store, self._tenant, batch.entity_ids, batch.attribute, batch.before)
        counted = {one.id: one for one in past if one.count}
        shown = set(await self._list_shown_before(batch)) - counted.keys()
        ids = tuple(one for one in batch.entity_ids if one in counted or one in shown)
        if not ids:
            return None
        times = [at for one in counted.values() for at in (one.first, one.last)] or [batch.before - 1]
        count = sum(one.count for one in counted.values()) + len(shown)
        due = msgspec.structs.replace(batch, entity_ids=ids)
        return Due(due, covered, type_, count, min(times), max(times))

    async def _find_aggregable(self, batch: Batch, covered: Covered, type_: str) -> Due | None:
        ids, counts, made, times = [], 0, 0, list[Instant]()
        for entity_id in batch.entity_ids:
            stretches = [one for _, one in await self._list_stretches(entity_id, batch)]
            if stretches:
                ids.append(entity_id)
                counts += sum(one.count for one in stretches)
                made += sum(len(one.instances) for one in stretches)
                times += [min(one.first for one in stretches), max(one.last for one in stretches)]
        shown = [one for one in await self._list_shown_before(batch) if one not in ids]
        if not ids and not shown:
            return None
        due, times = msgspec.structs.replace(batch, entity_ids=(*ids, *shown)), times or [batch.before - 1]
        return Due(due, covered, type_, counts + len(shown), min(times), max(times), made)

    async def _list_stretches(self, entity_id: str, batch: Batch) -> list[tuple[str, Stretch]]:
        assert batch.totals is not None
        window = (EARLIEST if batch.since is None else batch.since, batch.before)
        return await list_stretches_in(
            self._store, self._tenant, entity_id, batch.attribute, window, batch.totals, self._zone
        )

    async def _list_shown_before(self, batch: Batch) -> list[str]:
        """Those whose present value was seen before; in the past there may be nothing of it any more."""
        page = await self._store.query(self._tenant, EntityQuery(ids=batch.entity_ids, limit=len(batch.entity_ids)))
        return [
            entity.id
            for entity in page.entities
            if any(one.name == batch.attribute and one.seen_at < batch.before for one in entity.instances)
        ]

    async def _carry_out(self, step: _Step) -> LedgerEntry:
        batch = step.batch
        for entity_id in batch.entity_ids:
            if batch.totals is None:
                await self._erase(Erasure(entity_id, batch.attribute, before=batch.before))
            else:
                await self._condense(entity_id, batch)
        shown = await self._list_shown_before(batch)
        removal = ((batch.attribute, ALL_DATASETS),)
        changes = [Change(one, Mode.DELETE_ATTRIBUTE, removals=removal, seen_before=batch.before) for one in shown]
        if changes:
            await self._store.write(self._tenant, changes)
        self._tell(step.entry)
        return step.entry

    async def _settle(self, step: _Step) -> LedgerEntry:
        """Tell what was done of it."""
        left, made = await self._count_left(step.batch)
        done = msgspec.structs.replace(
            step.entry,
            count=max(0, step.entry.count - sum(left.values())),
            objects=len(step.batch.entity_ids) - len(left),
            made=max(0, step.entry.made - made),
        )
        if done.count:
            self._tell(done)
        else:
            self._access.privacy.drop_step(self._tenant, done.key)
        return done

    async def _count_left(self, batch: Batch) -> tuple[dict[str, int], int]:
        """Of each object, and how many totals would be made of it."""
        left, made = dict[str, int](), 0
        if batch.totals is None:
            past = await count_before(self._store, self._tenant, batch.entity_ids, batch.attribute, batch.before)
            left = {one.id: one.count for one in past if one.count}
        else:
            for entity_id in batch.entity_ids:
                stretches = [one for _, one in await self._list_stretches(entity_id, batch)]
                if stretches:
                    left[entity_id] = sum(one.count for one in stretches)
                    made += sum(len(one.instances) for one in stretches)
        for entity_id in await self._list_shown_before(batch):
            left.setdefault(entity_id, 1)
        return left, made

    async def _condense(self, entity_id: str, batch: Batch) -> None:
        """What is written into it meanwhile is read with it, for it would be erased unsummed. Raises Overloaded."""
        for _ in range(READINGS):
            with suppress(FoundOutdated):
                await self._condense_as_read(entity_id, batch)
                return
        raise Overloaded(f"The history of {entity_id} is being changed all the time: try again.")

    async def _condense_as_read(self, entity_id: str, batch: Batch) -> None:
        """Raises FoundOutdated."""
        window = Erasure(entity_id, batch.attribute, before=batch.before, since=batch.since)
        mark = await self._store.mark(self._tenant, window)
        for dataset, stretch in await self._list_stretches(entity_id, batch):
            erasure = Erasure(entity_id, batch.attribute, dataset, before=stretch.end, since=stretch.start)
            await self._store.condense(self._tenant, erasure, stretch.instances, mark)

    async def _erase(self, erasure: Erasure) -> None:
        try:
            await self._store.erase(self._tenant, erasure)
        except ResourceNotFound:
            return

    def _tell(self, entry: LedgerEntry) -> None:
        action = "values-erased" if entry.action is Action.ERASED else "values-aggregated"
        facts = {"purpose": entry.purpose, "version": entry.version, "count": entry.count, "objects": entry.objects}
        with self._access.transaction():
            if self._access.privacy.append_ledger(entry):
                what = f"{entry.type}.{entry.attribute}"
                self._access.append_audit(AuditRecord(entry.at, self._tenant, RETENTION, action, what, facts))
            self._access.privacy.drop_step(self._tenant, entry.key)

    def _list_steps(self) -> list[_Step]:
        steps = self._access.privacy.list_steps(self._tenant)
        return [msgspec.json.decode(document, type=_Step) for key, document in steps if key.startswith(STEP)]

    def _cutoff(self, keep: str, now: Instant) -> Instant:
        return cutoff(now, read_keep(keep), self._zone)


def _digest(purposes: Sequence[Purpose]) -> str:
    return sha256(msgspec.json.encode(purposes)).hexdigest()


def _names_in(cover: Cover) -> tuple[str, ...]:
    return (cover.type, *cover.attributes)


def _targets(purposes: Sequence[Purpose], written: Iterable[Iri]) -> list[tuple[Iri, Iri]]:
    """Types and attributes that are covered, as they are, or once were, written in the store."""
    iris: dict[str, set[Iri]] = {}
    for iri in written:
        iris.setdefault(local_name(iri), set()).add(iri)
    found = {
        (type_, attribute)
        for one in purposes
        for cover in one.covers
        for type_ in _written(cover.type, iris)
        for name in cover.attributes
        for attribute in _written(name, iris)
    }
    return sorted(found)


def _written(name: str, iris: Mapping[str, set[Iri]]) -> set[Iri]:
    return {expand(name), *iris.get(name, ())}
