"""From frames to entities, as a table of contents: find the device, drop what is known, decode, map, write."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery, TimeRelation
from parvis.fleet import metrics
from parvis.fleet.codecs import CodecFailure
from parvis.fleet.devices import HEALTH_EVERY, Device
from parvis.fleet.mapping import Mapped, MappingFailure
from parvis.fleet.profiles import DeviceProfile
from parvis.fleet.refusal import RefusalReason, Refused
from parvis.fleet.registry import Registry
from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Clock, Instant, format_instant, system_clock

_Frame = tuple[str, str, str, int]
Note = Callable[[str, list[tuple[Uplink, dict[str, Any] | None, Refused | None]]], None]


def _note_nothing(_tenant: str, _taken: object) -> None:
    """Where nobody asks for a device's last frames."""



class _Work(msgspec.Struct, gc=False):
    """One uplink on its way; `refused` ends it."""

    uplink: Uplink
    device: Device | None = None
    data: dict[str, Any] | None = None
    mapped: Mapped | None = None
    refused: Refused | None = None
    changes: tuple[int, int] = (0, 0)


class UplinkPipeline:
    def __init__(
        self,
        broker: Broker,
        registry: Registry,
        clock: Clock = system_clock,
        future_limit: Instant = 0,
        note: Note = _note_nothing,
    ) -> None:
        """Frames dated more than `future_limit` ahead of the clock are refused; 0 takes any. `note` is told what became
        of those of known devices."""
        self._note = note
        self._broker = broker
        self._registry = registry
        self._clock = clock
        self._future_limit = future_limit
        expand = broker.contexts.default.expand
        self._device_type = (expand("Device"),)
        self._rssi, self._snr = expand("rssi"), expand("snr")
        self._last_reported = expand("dateLastValueReported")
        self._under_way: dict[_Frame, asyncio.Future[None]] = {}

    async def take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Store what the uplinks tell, in one write; for each None once it is durable, or why it was refused.

        Raises:
            Overloaded: nothing of it was stored; the same uplinks may be given again.
            Forbidden: the caller may not write.
        """
        await self._registry.load(caller.tenant)
        works = [_Work(uplink) for uplink in uplinks]
        async with self._alone_with({_frame(caller.tenant, uplink) for uplink in uplinks}):
            self._find_devices(caller.tenant, works)
            self._drop_future(works)
            self._drop_duplicates(works)
            await self._decode(works)
            self._map(works)
            await self._drop_stored(caller.tenant, works)
            changes = self._build_changes(works)
            await self._write(caller, works, changes)
            self._remember(works)
        self._note(
            caller.tenant, [(work.uplink, work.data, work.refused) for work in works if work.device is not None]
        )
        return [work.refused for work in works]

    @asynccontextmanager
    async def _alone_with(self, frames: set[_Frame]) -> AsyncIterator[None]:
        """A frame that is sent again while it is still being stored waits for what becomes of it."""
        while not self._under_way.keys().isdisjoint(frames):
            await asyncio.wait({self._under_way[one] for one in frames if one in self._under_way})
        done = asyncio.get_running_loop().create_future()
        self._under_way.update(dict.fromkeys(frames, done))
        try:
            yield
        finally:
            for one in frames:
                del self._under_way[one]
            done.set_result(None)

    def _find_devices(self, tenant: str, works: list[_Work]) -> None:
        for work in works:
            work.device = self._registry.find(tenant, work.uplink.hardware_id)
            if not work.uplink.payload and work.uplink.fields is None:
                work.refused = Refused(RefusalReason.NO_PAYLOAD)
            elif work.device is None:
                work.refused = Refused(RefusalReason.UNKNOWN_DEVICE, work.uplink.hardware_id)
            elif work.device.refuses is not None:
                work.refused = Refused(work.device.refuses)

    def _drop_future(self, works: list[_Work]) -> None:
        """State keeps what was observed last: until that time came, it would hide everything that is true."""
        if not self._future_limit:
            return
        latest = self._clock() + self._future_limit
        for work in _open(works):
            if work.uplink.at > latest:
                dated = format_instant(work.uplink.at)
                work.refused = Refused(RefusalReason.TIME_IN_THE_FUTURE, f"dated {dated}")

    def _drop_duplicates(self, works: list[_Work]) -> None:
        """Remembered only after the write: a frame that comes again after a failed one is no duplicate."""
        here: set[tuple[str, str, int, int]] = set()
        for work in _open(works):
            uplink = work.uplink
            key = (uplink.hardware_id, uplink.session, uplink.number, uplink.at)
            assert work.device is not None
            if key in here or work.device.seen.has(uplink):
                work.refused = Refused(RefusalReason.DUPLICATE, f"frame counter {uplink.f_cnt}")
            here.add(key)

    async def _decode(self, works: list[_Work]) -> None:
        by_profile: dict[DeviceProfile, list[_Work]] = {}
        for work in _open(works):
            assert work.device is not None
            if work.uplink.fields is not None:
                work.data = work.uplink.fields
                continue
            by_profile.setdefault(work.device.profile, []).append(work)
        for profile, of_profile in by_profile.items():
            if profile.codec is not None:
                await _decode_with(profile, of_profile)
        await asyncio.gather(*(_decode_with(*one) for one in by_profile.items() if one[0].codec is None))

    def _map(self, works: list[_Work]) -> None:
        for work in _open(works):
            assert work.device is not None
            assert work.data is not None
            try:
                mapped = work.device.profile.fields.map(work.data, work.uplink.at)
            except MappingFailure as failure:
                work.refused = Refused(RefusalReason.MAPPING_FAILED, failure.detail)
                continue
            if mapped.asset or mapped.device:
                work.mapped = mapped
            else:
                work.refused = Refused(RefusalReason.NOTHING_MAPPED, ", ".join(work.data)[:200])

    async def _drop_stored(self, tenant: str, works: list[_Work]) -> None:
        """What a client sends again after a restart of the platform."""
        for work in _open(works):
            assert work.device is not None
            if work.uplink.at < work.device.seen.stored_until and await self._is_stored(tenant, work):
                work.refused = Refused(RefusalReason.DUPLICATE, f"frame counter {work.uplink.f_cnt}")

    async def _is_stored(self, tenant: str, work: _Work) -> bool:
        """Whether history holds the frame's first value at its very time; a frame's values are stored together."""
        assert work.device is not None
        assert work.mapped is not None
        asset, at = work.mapped.asset, work.uplink.at
        entity_id = work.device.asset_id if asset else work.device.entity_id
        first = (asset or work.mapped.device)[0]
        query = TemporalQuery(TimeRelation.BETWEEN, at, at + 1, attrs=(first.name,))
        try:
            history = await self._broker.history(system_caller("fleet", tenant), entity_id, query)
        except ResourceNotFound:
            return False
        return any(one.value == first.value for one in history.instances.get((first.name, first.dataset), ()))

    def _build_changes(self, works: list[_Work]) -> list[Change]:
        changes: list[Change] = []
        upsert = Mode.UPSERT_UPDATE
        for work in _open(works):
            device, mapped, at = work.device, work.mapped, work.uplink.at
            assert device is not None
            assert mapped is not None
            first = len(changes)
            if mapped.asset:
                types = device.asset_types
                changes.append(Change(device.asset_id, upsert, tuple(mapped.asset), types, keep_newest=True))
            if not mapped.asset or abs(at - device.health_at) >= HEALTH_EVERY:
                device.health_at = at
                health = self._health(work.uplink, mapped)
                changes.append(Change(device.entity_id, upsert, health, self._device_type, keep_newest=True))
            work.changes = (first, len(changes))
        return changes

    def _health(self, uplink: Uplink, mapped: Mapped) -> tuple[Instance, ...]:
        at = uplink.at
        reported = {"@type": "DateTime", "@value": format_instant(at)}
        instances = [*mapped.device, Instance(self._last_reported, Kind.PROPERTY, reported, "", at)]
        if uplink.rssi_dbm is not None:
            instances.append(Instance(self._rssi, Kind.PROPERTY, uplink.rssi_dbm, "", at, "DBM"))
        if uplink.snr_db is not None:
            instances.append(Instance(self._snr, Kind.PROPERTY, uplink.snr_db, "", at, "2N"))
        return tuple(instances)

    async def _write(self, caller: Caller, works: list[_Work], changes: list[Change]) -> None:
        if not changes:
            return
        try:
            outcomes = await self._broker.write(caller, changes)
        except BaseException:
            for work in _open(works):
                if work.device is not None:
                    work.device.health_at = 0
            raise
        for work in _open(works):
            start, stop = work.changes
            error = next((one.error for one in outcomes[start:stop] if one.error is not None), None)
            if error is not None:
                work.refused = Refused(RefusalReason.WRITE_FAILED, error.detail)

    def _remember(self, works: list[_Work]) -> None:
        stored = _open(works)
        for work in stored:
            assert work.device is not None
            work.device.seen.add(work.uplink)
        metrics.STORED.inc(len(stored))


async def _decode_with(profile: DeviceProfile, works: list[_Work]) -> None:
    began_s = perf_counter()
    results = await profile.decode([work.uplink for work in works])
    metrics.CODEC_SECONDS.observe((perf_counter() - began_s) / len(works))
    for work, result in zip(works, results, strict=True):
        if isinstance(result, CodecFailure):
            work.refused = Refused(RefusalReason[f"CODEC_{result.fault.name}"], result.detail)
        else:
            work.data = result.data


def _frame(tenant: str, uplink: Uplink) -> _Frame:
    return (tenant, uplink.hardware_id, uplink.session, uplink.number)


def _open(works: list[_Work]) -> list[_Work]:
    return [work for work in works if work.refused is None]
