"""From frames to entities, as a table of contents: find the device, drop what is known, decode, map, write."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from time import monotonic
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet import metrics
from parvis.fleet.devices.device import HEALTH_EVERY, RADIO_EVERY, Seen, is_same_number
from parvis.fleet.devices.registry import Registry
from parvis.fleet.frames.decoding import Decoding
from parvis.fleet.frames.placing import Placing
from parvis.fleet.frames.stored import StoredFrames, duplicate_of
from parvis.fleet.frames.work import Work, still_open
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.model.vitals import Vitals
from parvis.fleet.profiles.mapping import Mapped
from parvis.kernel.errors import Overloaded, ParvisError, ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Clock, Instant, format_instant, system_clock

_Frame = tuple[str, str, str, int]
Note = Callable[[str, list[tuple[Uplink, dict[str, Any] | None, Refused | None]]], None]
MOST_AT_ONCE = 1000
"""So that one who delivers what was buffered for days lets others in between."""


def _note_nothing(_tenant: str, _taken: object) -> None:
    """Where nobody asks for a device's last frames."""


class Limits(msgspec.Struct, frozen=True):
    """Frames dated more than `future` ahead of the clock are refused; 0 takes any. A device may send `frames_per_s`
    for long, and `frames_burst` at once; 0: as many as it likes."""

    future: Instant = 0
    frames_per_s: float = 0.0
    frames_burst: float = 20_000.0


NO_LIMITS = Limits()


class UplinkPipeline:
    def __init__(
        self,
        broker: Broker,
        registry: Registry,
        clock: Clock = system_clock,
        limits: Limits = NO_LIMITS,
        note: Note = _note_nothing,
        ticks_s: Callable[[], float] = monotonic,
    ) -> None:
        """`note` is told what became of frames of known devices."""
        self._note = note
        self._broker = broker
        self._registry = registry
        self._clock = clock
        self._limits = limits
        self._ticks_s = ticks_s
        expand = broker.contexts.parvis.expand
        self._decoding = Decoding(ticks_s)
        self._placing = Placing(expand)
        self._stored = StoredFrames(broker)
        self._rssi, self._snr = expand("rssi"), expand("snr")
        self._last_reported = expand("dateLastValueReported")
        self._measured_at = expand("measuredAt")
        self._under_way: dict[_Frame, asyncio.Future[None]] = {}

    async def take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Store what the uplinks tell; for each None once it is durable, or why it was refused.

        Raises:
            Overloaded: not all of it was stored; the same uplinks may be given again.
            Forbidden: the caller may not write.
        """
        await self._registry.load(caller.tenant)
        results: list[Refused | None] = []
        for start in range(0, len(uplinks), MOST_AT_ONCE):
            results += await self._take(caller, uplinks[start : start + MOST_AT_ONCE])
        return results

    async def _take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        works = [Work(uplink) for uplink in uplinks]
        self._find_devices(caller.tenant, works)
        async with self._alone_with({_key(caller.tenant, work) for work in works}):
            self._drop_future(works)
            self._drop_duplicates(works)
            self._drop_excess(works)
            await self._decoding.decode(works)
            self._placing.map(works)
            await self._drop_stored(caller.tenant, works)
            changes = self._build_changes(works, is_narrow=caller.writes is not None)
            await self._write(caller, works, changes)
            self._remember(works)
        self._note(caller.tenant, [(work.uplink, work.data, work.refused) for work in works if work.device is not None])
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

    def _find_devices(self, tenant: str, works: list[Work]) -> None:
        for work in works:
            work.device = self._registry.find(tenant, work.uplink.hardware_id)
            if not work.uplink.payload and work.uplink.fields is None:
                work.refused = Refused(RefusalReason.NO_PAYLOAD)
            elif work.device is None:
                work.refused = Refused(RefusalReason.UNKNOWN_DEVICE, work.uplink.hardware_id)
            elif work.device.refuses is not None:
                work.refused = Refused(work.device.refuses)

    def _drop_future(self, works: list[Work]) -> None:
        """State keeps what was observed last: until that time came, it would hide everything that is true."""
        if not self._limits.future:
            return
        latest = self._clock() + self._limits.future
        for work in still_open(works):
            if work.uplink.received_at > latest:
                dated = format_instant(work.uplink.received_at)
                work.refused = Refused(RefusalReason.TIME_IN_THE_FUTURE, f"dated {dated}")

    def _drop_duplicates(self, works: list[Work]) -> None:
        """Remembered only after the write: a frame that comes again after a failed one is no duplicate."""
        here: dict[tuple[str, str, int, Instant], list[Instant]] = {}
        for work in still_open(works):
            uplink = work.uplink
            at = uplink.at
            key = (uplink.hardware_id, uplink.session, uplink.number, at if uplink.f_cnt == NO_COUNTER else 0)
            seen = work.of.seen.look(uplink)
            earlier = here.setdefault(key, [])
            if seen is Seen.YES or any(is_same_number(uplink, one) for one in earlier):
                work.refused = duplicate_of(uplink)
            earlier.append(at)
            work.may_be_stored = seen is Seen.MAYBE

    def _drop_excess(self, works: list[Work]) -> None:
        """Each frame puts off the time from which on its device is even with its rate (ITU-T I.371: GCRA)."""
        limits = self._limits
        if not limits.frames_per_s:
            return
        now_s, every_s = self._ticks_s(), 1 / limits.frames_per_s
        latest_s = now_s + (limits.frames_burst - 0.5) * every_s
        for work in still_open(works):
            running = work.of.running
            even_s = max(running.even_at_s, now_s)
            if even_s > latest_s:
                detail = f"more than {limits.frames_per_s:g} frames a second, for long"
                work.refused = Refused(RefusalReason.RATE_LIMITED, detail)
            else:
                running.even_at_s = even_s + every_s

    async def _drop_stored(self, tenant: str, works: list[Work]) -> None:
        """What a client sends again after a restart of the platform, or what a gateway had buffered twice."""
        for work in still_open(works):
            if work.at < work.of.seen.stored_until:
                work.may_be_stored = True
        await self._stored.drop(tenant, works)

    def _build_changes(self, works: list[Work], *, is_narrow: bool) -> list[Change]:
        """Where other processes store frames too, the store itself sees to it that each is stored once. Of a caller
        who does not write everything each frame tells of its device, so that all of it is stored or nothing."""
        changes: list[Change] = []
        upsert, once, raw = Mode.UPSERT_UPDATE, self._registry.is_shared, self._measured_at
        for work in still_open(works):
            device, mapped, at = work.of, work.values, work.at
            first = len(changes)
            tells_health = not mapped.asset or is_narrow or abs(at - device.health_at) >= HEALTH_EVERY
            if mapped.asset:
                types, told = device.asset_types, tuple(mapped.asset)
                changes.append(
                    Change(
                        device.asset_id,
                        upsert,
                        told,
                        types,
                        keep_newest=True,
                        once=once,
                        told_at=raw,
                        with_next=tells_health,
                    )
                )
            if tells_health:
                device.health_at = at
                health = self._health(work, mapped, at)
                changes.append(Change(device.entity_id, Mode.APPEND, health, keep_newest=True, once=once, told_at=raw))
            work.changes = (first, len(changes))
        return changes

    def _health(self, work: Work, mapped: Mapped, at: Instant) -> tuple[Instance, ...]:
        reported = {"@type": "DateTime", "@value": format_instant(at)}
        instances = [*mapped.device, Instance(self._last_reported, Kind.PROPERTY, reported, "", at)]
        uplink, running = work.uplink, work.of.running
        if abs(at - running.radio_at) < RADIO_EVERY:
            return tuple(instances)
        running.radio_at = at
        if uplink.rssi_dbm is not None:
            instances.append(Instance(self._rssi, Kind.PROPERTY, uplink.rssi_dbm, "", at, "DBM"))
        if uplink.snr_db is not None:
            instances.append(Instance(self._snr, Kind.PROPERTY, uplink.snr_db, "", at, "2N"))
        return tuple(instances)

    async def _write(self, caller: Caller, works: list[Work], changes: list[Change]) -> None:
        if not changes:
            return
        try:
            outcomes = await self._committed(caller, changes)
        except (ParvisError, asyncio.CancelledError) as fault:
            _forget_health(works)
            if not isinstance(fault, Overloaded) or fault.may_be_stored:
                _doubt(works)
            raise
        except Exception:
            await self._write_alone(caller, works, changes)
            return
        for work in still_open(works):
            _judge(work, outcomes[slice(*work.changes)])

    async def _committed(self, caller: Caller, changes: Sequence[Change]) -> list[Outcome]:
        """Whoever asked may go meanwhile: the store writes what it was given all the same, and until it has, nobody
        else may store the same frames."""
        writing = asyncio.ensure_future(self._broker.write(caller, changes))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise

    async def _write_alone(self, caller: Caller, works: list[Work], changes: list[Change]) -> None:
        """The store cannot take something of it, such as text that is no Unicode: find out of which frame it is."""
        _forget_health(works)
        for work in still_open(works):
            try:
                outcomes = await self._broker.write(caller, changes[slice(*work.changes)])
            except ParvisError:
                raise
            except Exception as fault:
                _log.exception("a frame cannot be written", extra={"device": work.uplink.hardware_id})
                work.refused = Refused(RefusalReason.WRITE_FAILED, type(fault).__name__)
            else:
                _judge(work, outcomes)

    def _remember(self, works: list[Work]) -> None:
        stored = still_open(works)
        now = self._clock()
        for work in stored:
            work.of.seen.add(work.uplink)
            _note_vitals(work, now, work.of.seen.stored_until if self._registry.is_shared else 0)
        metrics.STORED.inc(len(stored))


_seen_at = attrgetter("seen_at")
_log = logging.getLogger(__name__)


def _forget_health(works: list[Work]) -> None:
    """What was to be written was not: the next frame of each device tells it."""
    for work in still_open(works):
        work.of.health_at = work.of.running.radio_at = 0


def _doubt(works: list[Work]) -> None:
    """Whether they are stored nobody can tell: when they come again, history knows."""
    for work in still_open(works):
        work.of.seen.doubt(max(work.at, work.uplink.at))


def _judge(work: Work, outcomes: Sequence[Outcome]) -> None:
    """A device that was removed meanwhile does not come back by its health; what it measured while it was there is.
    What another process has stored meanwhile is UNCHANGED."""
    if outcomes[0].status is Status.UNCHANGED:
        work.refused = duplicate_of(work.uplink)
        return
    error = next((one.error for one in outcomes if one.error is not None), None)
    if error is None or (work.values.asset and outcomes[0].error is None and isinstance(error, ResourceNotFound)):
        return
    _forget_health([work])
    work.refused = Refused(RefusalReason.WRITE_FAILED, error.detail)


def _note_vitals(work: Work, now: Instant, elsewhere_until: Instant) -> None:
    device, mapped, at = work.of, work.values, work.at
    vitals = device.running.vitals
    if vitals is None:
        vitals = device.running.vitals = Vitals()
    expected = round((device.expected_interval_s or device.profile.expect.interval_s) * SECOND)
    if vitals.note(work.uplink, at, now, expected, elsewhere_until):
        vitals.note_values(sorted(mapped.asset, key=_seen_at) if work.has_records else mapped.asset)
    for instance in mapped.impossible:
        vitals.note_impossible(instance)


def _key(tenant: str, work: Work) -> _Frame:
    """What is stored alone: a frame, or all of a device whose frames tell the same records again."""
    uplink = work.uplink
    if work.device is not None and work.device.profile.records is not None:
        return (tenant, uplink.hardware_id, "", -2)
    return (tenant, uplink.hardware_id, uplink.session, uplink.number)
