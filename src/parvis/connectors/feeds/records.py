"""Stations as entities: each observation is written once, whatever a feed repeats; a station that falls silent is told
stale."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Entity, Instance, Iri, Json, Kind
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TimeRelation, TypeIs
from parvis.connectors.feeds.mapping import FeedFormat, Observation, Station
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Instant

_AT_ONCE = 100
_PAGE = 200
_MOST_KNOWN = 100_000
_MOST_HEARD = 20_000
"""Observations of the last answer that are kept in mind; history is asked about those of further stations."""
_Known = Mapping[tuple[str, Instant], Json]


class Standing(msgspec.Struct, frozen=True):
    fresh: int
    stale: int


class _Heard:
    """What one answer told, within bounds."""

    def __init__(self) -> None:
        self.of: dict[str, _Known] = {}
        self._count = 0

    def add(self, station_id: str, told: _Known) -> None:
        self._count += len(told)
        if self._count <= _MOST_HEARD:
            self.of[station_id] = told


class StationRecords:
    def __init__(self, broker: Broker, caller: Caller, form: FeedFormat, feed: str, stale_after_s: float) -> None:
        self._broker = broker
        self._caller = caller
        self._header = form.header
        self._stem = f"urn:ngsi-ld:{form.header.entity_type}:{feed}:"
        self._stale_after = int(stale_after_s * SECOND)
        expand = broker.contexts.parvis.expand
        self._type: Iri = expand(form.header.entity_type)
        self._names = {term: expand(term) for term in sorted(form.terms)}
        self._is_stale = expand("isStale")
        self._heard: dict[str, _Known] = {}
        self._described = {term: expand(term) for term in ("name", "stationID", "dataProvider", "source", "location")}

    def entity_id(self, station_id: str) -> str:
        return self._stem + station_id

    async def store(self, stations: Iterable[Station]) -> int:
        """How many observations were new, or other than what was known of their moment.

        Raises:
            ParvisError: some may be stored; the rest is new when it is given again.
        """
        changes: list[Change] = []
        count, heard = 0, _Heard()
        for station in stations:
            new = await self._find_new(station)
            heard.add(station.id, {self._key(one): one.value for one in station.observations.values()})
            if not new:
                continue
            changes.append(await self._change(station, new))
            count += len(new)
            if len(changes) >= _AT_ONCE:
                await self._write(changes)
                changes = []
        await self._write(changes)
        self._heard = heard.of
        return count

    def _key(self, one: Observation) -> tuple[str, Instant]:
        return self._names[one.term], one.at

    async def _write(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        for outcome in await self._broker.write(self._caller, changes):
            if outcome.status is Status.FAILED and outcome.error is not None:
                raise outcome.error

    async def _find_new(self, station: Station) -> list[Observation]:
        """What the answer before told too is stored: the past that a feed repeats is not looked up again each time."""
        heard = self._heard.get(station.id, {})
        unheard = [one for one in station.observations.values() if heard.get(self._key(one)) != one.value]
        if not unheard:
            return []
        known = await self._known(station.id, [one.at for one in unheard])
        return sorted((one for one in unheard if known.get(self._key(one)) != one.value), key=lambda one: one.at)

    async def _known(self, station_id: str, moments: Sequence[Instant]) -> _Known:
        """What the history holds of the time that the observations are of; of two values of a moment the later."""
        query = TemporalQuery(
            TimeRelation.BETWEEN, min(moments), max(moments) + 1, attrs=tuple(self._names.values()), limit=_MOST_KNOWN
        )
        try:
            history = await self._broker.history(self._caller, self.entity_id(station_id), query)
        except ResourceNotFound:
            return {}
        found = sorted((one for some in history.instances.values() for one in some), key=lambda one: one.seq)
        return {(one.name, one.observed_at): one.value for one in found if one.observed_at is not None}

    async def _change(self, station: Station, new: Sequence[Observation]) -> Change:
        entity_id = self.entity_id(station.id)
        entity = await self._broker.find(self._caller, entity_id)
        told = [Instance(self._names[one.term], Kind.PROPERTY, one.value, "", one.at, one.unit_code) for one in new]
        told += [one for one in self._description(station) if _differs(entity, one)]
        return Change(entity_id, Mode.UPSERT_UPDATE, tuple(told), (self._type,), keep_newest=True)

    def _description(self, station: Station) -> list[Instance]:
        words = {
            "name": station.name,
            "stationID": station.id,
            "dataProvider": self._header.provider,
            "source": self._header.source,
        }
        told = [Instance(self._described[term], Kind.PROPERTY, word) for term, word in words.items() if word]
        if station.place is not None:
            point: Json = {"type": "Point", "coordinates": list(station.place)}
            told.append(Instance(self._described["location"], Kind.GEO_PROPERTY, point))
        return told

    async def judge(self, now: Instant) -> Standing:
        """Tell each station stale whose newest observation is too old, and no longer stale one that is heard again."""
        stale = fresh = 0
        changes = []
        query = EntityQuery(id_pattern=f"^{re.escape(self._stem)}", types=TypeIs(self._type), limit=_PAGE)
        async for entity in self._broker.walk(self._caller, query):
            is_stale = self._newest(entity) < now - self._stale_after
            stale, fresh = stale + is_stale, fresh + (not is_stale)
            flag = Instance(self._is_stale, Kind.PROPERTY, is_stale)
            if _differs(entity, flag):
                changes.append(Change(entity.id, Mode.APPEND, (msgspec.structs.replace(flag, observed_at=now),)))
        for first in range(0, len(changes), _AT_ONCE):
            await self._write(changes[first : first + _AT_ONCE])
        return Standing(fresh, stale)

    def _newest(self, entity: Entity) -> Instant:
        names = set(self._names.values())
        return max((one.observed_at or 0 for one in entity.instances if one.name in names), default=0)


def _differs(entity: Entity | None, told: Instance) -> bool:
    held = None if entity is None else entity.find(told.name)
    return held is None or held.value != told.value
