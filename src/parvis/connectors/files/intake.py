"""What was read, held against what is stored: nothing twice, nothing over what is there, only what differs."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.store import Progress
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TimeRelation
from parvis.connectors.files.config import IN_ADDRESS, Inventory, Mapping, stored_unit
from parvis.connectors.files.inventory import Entry
from parvis.connectors.files.inventory import Value as Cell
from parvis.connectors.files.mapping import Observation
from parvis.connectors.files.report import Fault, FaultReason, Report, SeriesKey, Verdict
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

BATCH = 2000
AHEAD = 20_000
"""Observations of which it is asked at once what is stored: a series of many rows is then asked about once."""
MOST_READ = 50_000
"""Observations remembered to tell a repeated row from one that was stored before; more than AHEAD."""
_HISTORY_PAGE = 5_000
_WRITTEN = frozenset({Verdict.CREATED, Verdict.UPDATED, Verdict.ADDED})

Record = Observation | Entry
Value = int | float | str


class Judged(NamedTuple):
    """`instances` are what is to be written for it; `told` says more where there is more to say; `meant` is what would
    have become of it, had it not been refused."""

    record: Record
    verdict: Verdict
    instances: tuple[Instance, ...] = ()
    told: str = ""
    meant: Verdict | None = None

    @property
    def is_written(self) -> bool:
        return self.verdict in _WRITTEN


class Intake:
    """Of one import. The report is told of each verdict.

    After `judge`, `known` are the entities of the batch that were stored. After `look_ahead`, `mixed` are the series of
    which something was stored between the times looked at.
    """

    def __init__(self, broker: Broker, caller: Caller, mapping: Mapping, report: Report) -> None:
        self.report = report
        self._broker = broker
        self._caller = caller
        self._mapping = mapping
        self._context = broker.contexts.parvis
        self._read: defaultdict[SeriesKey, dict[Instant, Value]] = defaultdict(dict)
        self._held = 0
        self._ahead = 0
        self._stored: dict[SeriesKey, dict[Instant, Value]] = {}
        self.known: frozenset[str] = frozenset()
        self.mixed: set[SeriesKey] = set()

    async def look_ahead(self, records: Sequence[Record]) -> None:
        """Find what history holds at the times of these, AHEAD at most, for the calls of `judge` that are given them.

        What is written meanwhile is among what was read, so nothing of that may be forgotten before they are judged.
        """
        times: defaultdict[SeriesKey, set[Instant]] = defaultdict(set)
        for one in records:
            if isinstance(one, Observation):
                times[one.key].add(one.at)
        if self._held + len(records) > MOST_READ:
            self._read.clear()
            self._held = 0
        self._ahead = len(records)
        self._stored = {}
        self.mixed = set()
        known = await self._list_known(sorted({entity_id for entity_id, _, _ in times}))
        for key, instants in times.items():
            if key[0] in known:
                await self._find_stored(key, instants)

    async def judge(self, batch: Sequence[Record], name: str) -> list[Judged]:
        """What is to become of each, in order; `name` is the file's."""
        stored = await self._find_entities({one.entity_id for one in batch})
        self.known = frozenset(stored)
        entries = [one for one in batch if isinstance(one, Entry)]
        if self._ahead < len(batch) and not entries:
            await self.look_ahead(batch)
        self._ahead -= len(batch)
        if self._mapping.inventory is not None:
            judged = [self._judge_entry(one, stored.get(one.entity_id), self._mapping.inventory) for one in entries]
        else:
            judged = [self._judge_observation(one) for one in batch if isinstance(one, Observation)]
        for one in judged:
            self._note(one, name)
        return judged

    async def write(self, judged: Sequence[Judged], name: str, progress: Progress | None = None) -> list[Judged]:
        """Those that the broker refused. Raises Outrun, Overloaded."""
        by_entity: defaultdict[str, list[Judged]] = defaultdict(list)
        for one in judged:
            if one.is_written:
                by_entity[one.record.entity_id].append(one)
        changes = [self._change(entity_id, some) for entity_id, some in by_entity.items()]
        outcomes = await self._broker.write(self._caller, changes, progress)
        refused: list[Judged] = []
        for some, outcome in zip(by_entity.values(), outcomes, strict=True):
            if outcome.status is Status.FAILED:
                refused += [self._refuse(one, outcome, name) for one in some]
            else:
                self.report.written += len(some)
        return refused

    def _change(self, entity_id: str, judged: list[Judged]) -> Change:
        types = tuple(sorted({self._context.expand(self._type_of(one.record)) for one in judged}))
        instances = tuple(instance for one in judged for instance in one.instances)
        return Change(
            entity_id, Mode.UPSERT_UPDATE, instances, types=types, keep_newest=self._mapping.inventory is None
        )

    def _type_of(self, record: Record) -> str:
        if isinstance(record, Observation):
            return record.series.type
        return self._mapping.inventory.type if self._mapping.inventory is not None else ""

    async def _find_entities(self, ids: set[str]) -> dict[str, Entity]:
        if not ids:
            return {}
        page = await self._broker.query(self._caller, EntityQuery(ids=tuple(sorted(ids)), limit=len(ids)))
        return {one.id: one for one in page.entities}

    def _judge_entry(self, entry: Entry, stored: Entity | None, inventory: Inventory) -> Judged:
        instances = self._instances(entry, inventory, stored)
        if stored is None:
            return Judged(entry, Verdict.CREATED, instances)
        differing = tuple(one for one in instances if not _is_same(one, stored.find(one.name)))
        if not differing and self._context.expand(inventory.type) in stored.types:
            return Judged(entry, Verdict.UNCHANGED)
        told = ", ".join(self._context.compact(one.name) for one in differing)
        return Judged(entry, Verdict.UPDATED, differing, told)

    def _instances(self, entry: Entry, inventory: Inventory, stored: Entity | None) -> tuple[Instance, ...]:
        found = []
        for attribute in inventory.attributes:
            value = entry.values.get(attribute.name)
            if value is not None and not attribute.name.startswith(IN_ADDRESS):
                kind = Kind.RELATIONSHIP if attribute.value == "uri" else Kind.PROPERTY
                unit_code = stored_unit(attribute.name, attribute.unit_code)
                found.append(Instance(self._context.expand(attribute.name), kind, value, unit_code=unit_code))
        if parts := {name: value for name, value in entry.values.items() if name.startswith(IN_ADDRESS)}:
            name = self._context.expand(IN_ADDRESS.removesuffix("."))
            before = stored.find(name) if stored is not None else None
            found.append(Instance(name, Kind.PROPERTY, _address(parts, before)))
        if entry.place is not None and inventory.place is not None:
            found.append(Instance(self._context.expand(inventory.place.attribute), Kind.GEO_PROPERTY, entry.place))
        return tuple(found)

    def _judge_observation(self, one: Observation) -> Judged:
        read = self._read[one.key]
        if one.at in read:
            return self._judge_repeated(one, read[one.at])
        read[one.at] = one.value
        self._held += 1
        stored = self._stored.get(one.key, {}).get(one.at)
        if stored is None:
            return Judged(one, Verdict.ADDED, (self._instance(one),))
        if stored == one.value:
            return Judged(one, Verdict.STORED_BEFORE)
        return Judged(one, Verdict.CONFLICT, told=f"It says {one.value!r}, {stored!r} is stored.")

    def _judge_repeated(self, one: Observation, before: Value) -> Judged:
        if before == one.value:
            return Judged(one, Verdict.REPEATED)
        return Judged(one, Verdict.CONFLICT, told=f"It says {one.value!r}, an earlier row {before!r}.")

    def _instance(self, one: Observation) -> Instance:
        series = one.series
        return Instance(
            self._context.expand(series.attribute),
            Kind.PROPERTY,
            one.value,
            dataset=series.dataset,
            observed_at=one.at,
            unit_code=stored_unit(series.attribute, series.unit_code),
        )

    async def _list_known(self, ids: list[str]) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(ids), BATCH):
            known |= (await self._find_entities(set(ids[start : start + BATCH]))).keys()
        return known

    async def _find_stored(self, key: SeriesKey, instants: set[Instant]) -> None:
        """Only what is wanted is kept: between two times of a file there may be years."""
        entity_id, attribute, dataset = key
        name = self._context.expand(attribute)
        end = max(instants) + 1
        following: Instant | None = min(instants)
        while following is not None:
            query = TemporalQuery(TimeRelation.BETWEEN, following, end, attrs=(name,), limit=_HISTORY_PAGE)
            history = await self._broker.history(self._caller, entity_id, query)
            instances = history.instances.get((name, dataset), [])
            if instances:
                self.mixed.add(key)
            wanted = {one.observed_at: one.value for one in instances if one.observed_at in instants}
            self._stored.setdefault(key, {}).update(wanted)
            reached = history.truncated_at
            following = None if reached is None or reached <= following else reached

    def _note(self, judged: Judged, name: str) -> None:
        self.report.verdicts[judged.verdict] += 1
        record = judged.record
        if not isinstance(record, Observation):
            return
        series = self.report.of(record.key)
        if judged.verdict is Verdict.ADDED:
            series.note(record.at)
        elif judged.verdict is Verdict.STORED_BEFORE:
            series.stored_before += 1
        elif judged.verdict is Verdict.REPEATED:
            series.repeats += 1
        elif judged.verdict is Verdict.CONFLICT:
            self.report.fault(Fault(name, record.row, record.series.column, judged.told, FaultReason.CONFLICT))

    def _refuse(self, judged: Judged, outcome: Outcome, name: str) -> Judged:
        record = judged.record
        told = f"{record.entity_id}: {outcome.error.detail if outcome.error else ''}"
        column = record.series.column if isinstance(record, Observation) else ""
        self.report.fault(Fault(name, record.row, column, told, FaultReason.REFUSED))
        self.report.verdicts[judged.verdict] -= 1
        self.report.verdicts[Verdict.REFUSED] += 1
        return Judged(record, Verdict.REFUSED, told=told, meant=judged.verdict)


def _address(parts: dict[str, Cell], before: Instance | None) -> dict[str, Any]:
    """What was said of it before stays, where the file says nothing of that."""
    given = {name.removeprefix(IN_ADDRESS): str(value) for name, value in parts.items()}
    kept = before.value if before is not None and isinstance(before.value, dict) else {}
    return {name: value for name, value in kept.items() if name.rsplit("/", 1)[-1] not in given} | given


def _is_same(given: Instance, stored: Instance | None) -> bool:
    return stored is not None and _meaning(given) == _meaning(stored)


def _meaning(one: Instance) -> tuple[Kind, Any, str]:
    return one.kind, one.value, one.unit_code
