"""The fleet's health, looked at every few minutes: findings, quality and batteries, written on the Device entities.

What frames tell is counted as they come (`vitals`) and kept on the shelf, so that a restart forgets no more than the
last few minutes and one process can judge what all have heard.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.broker.query.tree import Aggregation, EntityQuery, Method, TemporalQuery, TimeRelation, TypeIs
from parvis.fleet import metrics
from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.devices.registry import Registry
from parvis.fleet.health.battery import Point, last_day
from parvis.fleet.health.coverage import CELL_DEG, CoverageCell, HeardDevice, coverage
from parvis.fleet.health.findings import (
    DeviceFacts,
    DeviceState,
    Finding,
    FindingKind,
    examine,
    read_findings,
    state_of,
    write_findings,
)
from parvis.fleet.health.quality import Quality, differs, rate, read_qualities
from parvis.fleet.model.clocks import DeviceClock
from parvis.fleet.model.vitals import Statistics, Vitals
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.shelf import Box, Place
from parvis.kernel.time import DAY, HOUR, SECOND, Clock, Duration, Instant, format_instant, parse_instant

EVERY_S = 300.0
BOX = "fleet.statistics"
BATTERY_DAYS = 30
_PAGE = 500
_PUT_AT_ONCE = 500
_SLOTS = round(DAY / SECOND / EVERY_S)
"""Each device's battery is looked at in one slot of the day."""
_write = msgspec.json.encode
_read = msgspec.json.Decoder(Statistics).decode
_log = logging.getLogger(__name__)


class FleetHealth:
    def __init__(self, broker: Broker, registry: Registry, clock: Clock) -> None:
        self._broker = broker
        self._registry = registry
        self._shelf = broker.shelf
        self._clock = clock
        self._terms = _Terms(broker)
        self._restored: set[str] = set()
        self._found: Counter[FindingKind] = Counter()

    def has_restored(self, tenant: str) -> bool:
        return tenant in self._restored

    async def restore(self, tenant: str) -> None:
        """What earlier processes have counted of the tenant's devices; what has been counted here stands.

        Devices that are no more are forgotten. Raises Overloaded.
        """
        await self._registry.load(tenant)
        gone = []
        for hardware_id, statistics in (await self._read_shelf(tenant)).items():
            device = self._registry.find(tenant, hardware_id)
            if device is None:
                gone.append(Place(Box(tenant, BOX), hardware_id.encode()))
            elif device.running.vitals is None:
                device.running.vitals = Vitals(statistics, self._terms.expand)
                if statistics.clock_offset_s is not None:
                    device.running.clock = DeviceClock(round(statistics.clock_offset_s * SECOND))
        self._restored.add(tenant)
        if gone:
            await self._shelf.change((), {}, gone)

    async def keep(self) -> None:
        """Save what this process counts every few minutes, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.save()

    async def save(self) -> None:
        """Put what has changed on the shelf; while the store takes nothing it is put there later."""
        for tenant in list(self._restored):
            changed = [one for one in self._registry.list_devices(tenant) if _has_news(one)]
            for start in range(0, len(changed), _PUT_AT_ONCE):
                try:
                    await self._put(tenant, changed[start : start + _PUT_AT_ONCE])
                except Overloaded as fault:
                    _log.warning("the fleet's statistics are kept later", extra={"reason": fault.detail})
                    return

    async def _put(self, tenant: str, devices: list[Device]) -> None:
        box = Box(tenant, BOX)
        puts = {}
        for device in devices:
            puts[Place(box, device.hardware_id.encode())] = _write(self._count(device))
        await self._shelf.change((), puts, ())
        for device in devices:
            assert device.running.vitals is not None
            device.running.vitals.has_news = False

    async def run(self) -> None:
        """Look at all devices every few minutes, until cancelled: of several processes one does."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> int:
        """Judge every device of every tenant; how many entities had to be changed."""
        changed = 0
        self._found.clear()
        for tenant in await self._broker.list_tenants():
            try:
                changed += await self._look_at(tenant)
            except ParvisError as fault:
                _log.warning("the fleet could not be looked at", extra={"tenant": tenant, "reason": fault.detail})
        for kind in FindingKind:
            metrics.FINDINGS.labels(kind.value).set(self._found[kind])
        return changed

    async def _look_at(self, tenant: str) -> int:
        if not self.has_restored(tenant):
            await self.restore(tenant)
        caller = system_caller("fleet", tenant)
        kept = await self._read_shelf(tenant) if self._registry.is_shared else {}
        devices = {one.entity_id: one for one in self._registry.list_devices(tenant)}
        query = EntityQuery(types=TypeIs(self._terms.device), limit=_PAGE)
        changes: list[Change] = []
        async for entity in self._broker.walk(caller, query):
            device = devices.get(entity.id)
            if device is not None:
                ends_at = await self._find_last_day(caller, device, entity)
                changes += self._judge(device, entity, self._newest(device, kept), ends_at)
        for start in range(0, len(changes), _PAGE):
            await self._broker.write(caller, changes[start : start + _PAGE])
        return len(changes)

    def _newest(self, device: Device, kept: Mapping[str, Statistics]) -> Statistics:
        """What this process has counted, or another one since."""
        own, other = self._count(device), kept.get(device.hardware_id)
        return own if other is None or other.last_at <= own.last_at else other

    def _count(self, device: Device) -> Statistics:
        vitals, clock = device.running.vitals, device.running.clock
        if vitals is None:
            return Statistics()
        return vitals.statistics(self._terms.compact, clock.offset, is_clock_unset=clock.is_unset)

    def _judge(self, device: Device, entity: Entity, statistics: Statistics, ends_at: Instant | None) -> list[Change]:
        now, terms = self._clock(), self._terms
        facts = self._facts(device, entity, statistics, ends_at, now)
        told = entity.find(terms.findings)
        earlier = read_findings([] if told is None else told.value)
        findings = examine(facts, earlier) if device.standing is Standing.ACTIVE else ()
        self._found.update(one.kind for one in findings)
        instances = []
        if told is None or _is_news(findings, earlier, now - told.seen_at):
            instances += self._told_findings(findings, now)
        if device.standing is Standing.ACTIVE:
            instances += self._told_quality(device, entity, facts)
        if ends_at is not None and self._stored_last_day(entity) != ends_at:
            value = {"@type": "DateTime", "@value": format_instant(ends_at)}
            instances.append(Instance(terms.last_day, Kind.PROPERTY, value, "", now))
        return [Change(device.entity_id, Mode.APPEND, tuple(instances))] if instances else []

    def _facts(
        self, device: Device, entity: Entity, statistics: Statistics, ends_at: Instant | None, now: Instant
    ) -> DeviceFacts:
        profile, terms = device.profile, self._terms
        level, reported = entity.find(terms.battery), entity.find(terms.reported)
        reported_at = (reported.observed_at or 0) if reported else 0
        return DeviceFacts(
            now=now,
            last_reported_at=max(reported_at, statistics.last_at),
            interval_s=interval_of(device, statistics),
            battery_level=level.value if level is not None and isinstance(level.value, int | float) else None,
            battery_low=profile.expect.battery_low,
            battery_last_day=ends_at or self._stored_last_day(entity),
            clock_tolerance_s=profile.clock.tolerance_s,
            statistics=statistics,
            varying={terms.compact(name): span for name, span in profile.fields.varying.items()},
        )

    def _told_findings(self, findings: tuple[Finding, ...], now: Instant) -> list[Instance]:
        return [
            Instance(self._terms.findings, Kind.JSON_PROPERTY, write_findings(findings), "", now),
            Instance(self._terms.state, Kind.PROPERTY, state_of(findings).value, "", now),
        ]

    def _told_quality(self, device: Device, entity: Entity, facts: DeviceFacts) -> list[Instance]:
        """At most once an hour, and only where a mark has changed by some points."""
        told = entity.find(self._terms.quality)
        if told is not None and facts.now - told.seen_at < HOUR:
            return []
        marks = {}
        for name, series in facts.statistics.series.items():
            varies_within = facts.varying.get(name, 0)
            quality = rate(facts.statistics, series, facts.now, interval_of(device, facts.statistics), varies_within)
            if quality is not None:
                marks[name] = quality
        if not differs(marks, read_qualities(None if told is None else told.value)):
            return []
        value = msgspec.to_builtins(marks)
        return [Instance(self._terms.quality, Kind.JSON_PROPERTY, value, "", facts.now)]

    def _stored_last_day(self, entity: Entity) -> Instant | None:
        told = entity.find(self._terms.last_day)
        if told is None or not isinstance(told.value, dict):
            return None
        try:
            return parse_instant(str(told.value.get("@value")))
        except ValueError:
            return None

    async def _find_last_day(self, caller: Caller, device: Device, entity: Entity) -> Instant | None:
        """None where it is not this device's turn, or where its battery does not tell."""
        slot = self._clock() // round(EVERY_S * SECOND)
        if entity.find(self._terms.battery) is None or slot % _SLOTS != slot_of(device):
            return None
        return await self.forecast(caller, device)

    async def forecast(self, caller: Caller, device: Device) -> Instant | None:
        """When the battery will be empty, from the levels of the last weeks; None where that cannot be told."""
        now = self._clock()
        query = TemporalQuery(TimeRelation.BETWEEN, now - BATTERY_DAYS * DAY, now, attrs=(self._terms.battery,))
        daily = Aggregation((Method.AVG,), Duration((0, DAY)))
        aggregates = await self._broker.aggregate(caller, device.entity_id, query, daily)
        points: list[Point] = []
        for bucket in aggregates.buckets.get((self._terms.battery, ""), []):
            level = bucket.values.get(Method.AVG)
            if level is not None:
                points.append((bucket.start, level))
        return last_day(points, device.profile.expect.battery_empty)

    async def list_qualities(self, tenant: str, entity_id: str) -> Mapping[str, Quality]:
        """The quality of each series of an asset that devices observe, by attribute (its short name)."""
        await self._registry.load(tenant)
        found: dict[str, Quality] = {}
        for device in self._registry.list_devices(tenant):
            observes_it = device.asset_id == entity_id and device.standing is not Standing.REPLACED
            if observes_it or device.entity_id == entity_id:
                entity = await self._broker.find(system_caller("fleet", tenant), device.entity_id)
                told = None if entity is None else entity.find(self._terms.quality)
                found |= read_qualities(None if told is None else told.value)
        return found

    async def get_statistics(self, device: Device) -> Statistics:
        """What the device's frames have told, whichever process they came to."""
        if not self.has_restored(device.tenant):
            await self.restore(device.tenant)
        if not self._registry.is_shared:
            return self._count(device)
        key = device.hardware_id.encode()
        records = await self._shelf.read(Place(Box(device.tenant, BOX), key))
        kept = {one.decode(): statistics for one, statistics in _readable(records.items())}
        return self._newest(device, kept)

    async def list_coverage(self, caller: Caller, cell_deg: float = CELL_DEG) -> tuple[CoverageCell, ...]:
        """Of the devices whose place is known. Raises Forbidden."""
        if not self.has_restored(caller.tenant):
            await self.restore(caller.tenant)
        kept = await self._read_shelf(caller.tenant) if self._registry.is_shared else {}
        devices = {one.entity_id: one for one in self._registry.list_devices(caller.tenant)}
        heard = []
        async for entity in self._broker.walk(caller, EntityQuery(types=TypeIs(self._terms.device), limit=_PAGE)):
            device = devices.get(entity.id)
            place = _point(entity.find(self._terms.location))
            if device is not None and place is not None:
                state = entity.find(self._terms.state)
                is_silent = state is not None and state.value == DeviceState.SILENT.value
                heard.append(HeardDevice(*place, self._newest(device, kept), is_silent))
        return coverage(heard, cell_deg)

    async def _read_shelf(self, tenant: str) -> dict[str, Statistics]:
        records = await self._shelf.read(Place(Box(tenant, BOX), b""))
        return {key.decode(): statistics for key, statistics in _readable(records.items())}


class _Terms:
    def __init__(self, broker: Broker) -> None:
        context = broker.contexts.parvis
        self.expand, self.compact = context.expand, context.compact
        self.device: Iri = context.expand("Device")
        self.battery: Iri = context.expand("batteryLevel")
        self.reported: Iri = context.expand("dateLastValueReported")
        self.location: Iri = context.expand("location")
        self.state: Iri = context.expand("deviceState")
        self.findings: Iri = context.expand("deviceFindings")
        self.quality: Iri = context.expand("dataQuality")
        self.last_day: Iri = context.expand("batteryLastDay")


def interval_of(device: Device, statistics: Statistics) -> float:
    """In seconds: the device's own, the profile's, or what its frames tell; 0 where nothing does."""
    return device.expected_interval_s or device.profile.expect.interval_s or statistics.interval_s


def slot_of(device: Device) -> int:
    return sum(device.hardware_id.encode()) % _SLOTS


def _has_news(device: Device) -> bool:
    return device.running.vitals is not None and device.running.vitals.has_news


def _is_news(findings: Iterable[Finding], earlier: Iterable[Finding], age: Instant) -> bool:
    """Other findings, or the same with figures of yesterday."""
    is_same = {one.kind for one in findings} == {one.kind for one in earlier}
    return not is_same or (age >= DAY and tuple(findings) != tuple(earlier))


def _point(location: Instance | None) -> tuple[float, float] | None:
    value: Any = None if location is None else location.value
    if not isinstance(value, dict) or value.get("type") != "Point":
        return None
    longitude, latitude = value["coordinates"][:2]
    return float(longitude), float(latitude)


def _readable(records: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, Statistics]]:
    """Those of this version: what another one wrote is counted anew."""
    for key, record in records:
        try:
            yield key, _read(record)
        except msgspec.ValidationError:
            continue
