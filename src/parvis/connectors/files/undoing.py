"""An import taken back: what it made goes, as far as nobody has built on it since."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.query.tree import Aggregation, EntityQuery, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.erasure import Erasure
from parvis.connectors.files.passage import Made, MadeEntity, MadeSeries
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.time import Duration, Instant

_BATCH = 500


class Undone(msgspec.Struct):
    """`entities` and `series` have gone; `kept` were changed since, or stood among what was there before."""

    entities: int = 0
    series: int = 0
    kept: int = 0


class Undoing:
    def __init__(self, broker: Broker, caller: Caller, ended_at: Instant) -> None:
        """What was changed after `ended_at` stays."""
        self._broker = broker
        self._caller = caller
        self._ended_at = ended_at
        self.undone = Undone()

    async def run(self, made: Path, tell: Callable[[float], None]) -> Undone:
        """May be run again where it was broken off."""
        entities: set[str] = set()
        spans: dict[tuple[str, str, str], MadeSeries] = {}
        for one in _list_made(made):
            if isinstance(one, MadeEntity):
                entities.add(one.id)
            elif one.entity_id not in entities:
                key = (one.entity_id, one.attribute, one.dataset)
                spans[key] = _joined(spans.get(key), one)
        ids = sorted(entities)
        for start in range(0, len(ids), _BATCH):
            await self._delete(ids[start : start + _BATCH])
            tell(start / (len(ids) + len(spans)))
        for series in spans.values():
            await self._forget(series)
        return self.undone

    async def _delete(self, ids: list[str]) -> None:
        page = await self._broker.query(self._caller, EntityQuery(ids=tuple(ids), limit=len(ids)))
        own = [one for one in page.entities if one.modified_at <= self._ended_at]
        self.undone.kept += len(page.entities) - len(own)
        for one in own:
            with suppress(ResourceNotFound):
                await self._broker.erase(self._caller, Erasure(one.id))
        await self._broker.write(self._caller, [Change(one.id, Mode.DELETE) for one in own])
        self.undone.entities += len(own)

    async def _forget(self, series: MadeSeries) -> None:
        """In one erasure, where nothing but the import's instances lies there: between two steps others may stand."""
        name = self._broker.contexts.parvis.expand(series.attribute)
        if not series.is_alone or await self._count(series, name) > series.count:
            self.undone.kept += 1
            return
        erasure = Erasure(series.entity_id, name, series.dataset, before=series.last + 1, since=series.first)
        with suppress(ResourceNotFound):
            await self._broker.erase(self._caller, erasure)
        entity = await self._broker.find(self._caller, series.entity_id)
        if entity is not None and _shows(entity, name, series):
            change = Change(series.entity_id, Mode.DELETE_ATTRIBUTE, removals=((name, series.dataset),))
            await self._broker.write(self._caller, [change])
        self.undone.series += 1

    async def _count(self, series: MadeSeries, name: Iri) -> int:
        """The instances that stand there now."""
        query = TemporalQuery(
            TimeRelation.BETWEEN, series.first, series.last + 1, attrs=(name,), datasets=(series.dataset,)
        )
        aggregation = Aggregation((Method.TOTAL_COUNT,), Duration((0, 0)))
        try:
            told = await self._broker.aggregate(self._caller, series.entity_id, query, aggregation)
        except ResourceNotFound:
            return 0
        buckets = told.buckets.get((name, series.dataset), ())
        return sum(int(one.values[Method.TOTAL_COUNT] or 0) for one in buckets)


def _shows(entity: Entity, name: str, series: MadeSeries) -> bool:
    shown = entity.find(name, series.dataset)
    return shown is not None and shown.observed_at is not None and series.first <= shown.observed_at <= series.last


def _joined(before: MadeSeries | None, one: MadeSeries) -> MadeSeries:
    if before is None:
        return one
    return msgspec.structs.replace(
        one,
        first=min(one.first, before.first),
        last=max(one.last, before.last),
        is_alone=one.is_alone and before.is_alone,
        count=one.count + before.count,
    )


def _list_made(path: Path) -> Iterator[Made]:
    decoder = msgspec.json.Decoder(Made)
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield decoder.decode(line)
