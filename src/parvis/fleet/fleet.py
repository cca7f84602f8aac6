"""The fleet: devices, their profiles, their frames, and the frames that were refused."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET, structs

from parvis.access.model import AuditRecord
from parvis.broker.broker import Broker
from parvis.broker.model.change import Outcome
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.records import DeviceRecord, DeviceUpdate, Replacement, hardware_id_of
from parvis.fleet.devices.registry import Registry
from parvis.fleet.devices.selection import EVERY_DEVICE, DeviceFilter
from parvis.fleet.frames.held import HeldFrames
from parvis.fleet.frames.log import FrameLog
from parvis.fleet.frames.uplinks import NO_LIMITS, Limits, UplinkPipeline
from parvis.fleet.health.watch import FleetHealth
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.frame import DEFAULT_ROOM, LoggedFrame, Room, Waiting
from parvis.fleet.model.refusal import EVERY_REASON, Refusal, RefusalReason, Refused, count_refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ports import FrameStore
from parvis.fleet.profiles.own import OwnProfiles
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, DeviceProfile, WhereCodecsRun, in_process, load_profiles
from parvis.fleet.ways.counts import Ways
from parvis.kernel.errors import Forbidden, Overloaded, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Clock, system_clock

PROFILES_FOLDER = "profiles"
_EVENTS_AT_ONCE = 1000
_FOLLOW_EVERY_S = 0.05
"""At most: one reading then passes over many events."""
_FOLLOW_AGAIN_AFTER_S = 1.0
_log = logging.getLogger(__name__)


Audit = Callable[[AuditRecord], object]


def _keep_no_trail(_record: AuditRecord) -> None:
    """Where nobody asks who did what."""


class Fleet:
    def __init__(
        self,
        broker: Broker,
        profiles: Mapping[str, DeviceProfile],
        frames: FrameStore,
        clock: Clock = system_clock,
        limits: Limits = NO_LIMITS,
        *,
        room: Room = DEFAULT_ROOM,
        waiting_days: int = 0,
        is_shared: bool = False,
        audit: Audit = _keep_no_trail,
    ) -> None:
        """`is_shared`: other processes store frames of the same devices. `waiting_days` as of HeldFrames."""
        self._clock = clock
        self._audit = audit
        self.registry = Registry(broker, profiles, is_shared=is_shared)
        self.own_profiles: OwnProfiles | None = None
        self.frames = frames
        self.log = FrameLog(frames, room)
        self.ways = Ways(clock)
        self._outbox = broker.outbox
        self._check_writer = broker.check_writer
        self._pipeline = UplinkPipeline(broker, self.registry, clock, limits, self.log.note)
        self.health = FleetHealth(broker, self.registry, clock)
        self.held = HeldFrames(frames, self.registry, self._store, room, clock, waiting_days)

    async def take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Store uplinks; None for each that is durable, else why it was refused, which is on disk as well.

        Raises:
            Overloaded: nothing was stored.
            Forbidden: the caller may not deliver frames.
        """
        writer = _as_writer(caller)
        results = await (self._take_own if caller.device else self._take)(writer, uplinks)
        self.ways.note(caller.tenant, uplinks, results)
        return results

    async def _take(self, writer: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        results = await self._store(writer, uplinks)
        if any(results):
            return await self.held.keep(writer, uplinks, results)
        return results

    async def _store(self, writer: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Through the pipeline, once it is known what earlier processes have counted."""
        if not self.health.has_restored(writer.tenant):
            await self.health.restore(writer.tenant)
        return await self._pipeline.take(writer, uplinks)

    async def _take_own(self, writer: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Of a caller that may speak for one device only."""
        own = [uplink for uplink in uplinks if uplink.hardware_id == writer.device]
        results = iter(await self._take(writer, own)) if own else iter(())
        other = Refused(RefusalReason.OTHER_DEVICE, f"the key is of {writer.device}")
        count_refused([other] * (len(uplinks) - len(own)))
        return [next(results) if uplink.hardware_id == writer.device else other for uplink in uplinks]

    async def refuse_messages(self, caller: Caller, malformed: Sequence[tuple[Message, str]], way: str = "") -> None:
        """Keep messages that are no uplinks, each with why. Raises Forbidden as `take`."""
        _check_delivers(caller)
        await self.held.keep_messages(caller, malformed)
        self.ways.note_unreadable(caller.tenant, way, len(malformed))

    async def register(self, caller: Caller, records: Sequence[DeviceRecord]) -> list[Outcome]:
        """Register devices and replay the frames of theirs that came too early. Raises as Registry.register."""
        outcomes = await self.registry.register(caller, records)
        await self.held.adopt(caller, {hardware_id_of(record.hardware_id) for record in records})
        return outcomes

    async def update(self, caller: Caller, hardware_id: str, update: DeviceUpdate) -> Device:
        """Change what is registered of a device; `suspended` puts it out of use. Raises as Registry.update."""
        device = await self.registry.update(caller, hardware_id, update)
        told = [name for name, value in structs.asdict(update).items() if value is not UNSET]
        self.note(caller, "device-changed", device.hardware_id, changed=", ".join(told))
        return device

    async def replace(self, caller: Caller, hardware_id: str, replacement: Replacement) -> Device:
        """Put another device in the place of a broken one: it feeds the same asset, whose history goes on.

        The old one stays, leading to the new one; what it still sends is refused as REPLACED. What waits of the new one
        is adopted. Raises as Registry.replace.
        """
        device = await self.registry.replace(caller, hardware_id, replacement)
        self.note(caller, "device-replaced", hardware_id_of(hardware_id), by=device.hardware_id)
        await self.held.adopt(caller, {device.hardware_id})
        return device

    async def remove(self, caller: Caller, hardware_id: str) -> Device:
        """Forget a device and the log of its frames; its asset and the asset's history stay."""
        device = await self.registry.remove(caller, hardware_id)
        self.note(caller, "device-removed", device.hardware_id, object=device.asset_id)
        await self.log.forget(caller.tenant, device.hardware_id)
        return device

    async def discard_waiting(self, caller: Caller, hardware_id: str) -> int:
        """Forget what waits of an unknown device; how many frames they were. Raises Forbidden."""
        self._check_writer(caller)
        known = hardware_id_of(hardware_id)
        frames = await self.frames.discard(caller.tenant, known)
        self.note(caller, "frames-forgotten", known, frames=str(frames))
        return frames

    async def get_device(self, caller: Caller, hardware_id: str) -> Device:
        """By its hardware id in any case, or its entity id. Raises ResourceNotFound, also beyond the caller's reach."""
        await self.registry.load(caller.tenant)
        device = self.registry.get(caller.tenant, hardware_id)
        if not await self.registry.list_within(caller.tenant, caller.reads, [device]):
            raise ResourceNotFound(f"There is no device {hardware_id}.")
        return device

    async def list_devices(self, caller: Caller, which: DeviceFilter = EVERY_DEVICE) -> list[Device]:
        """By name, as far as the caller reads."""
        await self.registry.load(caller.tenant)
        chosen = which.choose(self.registry.list_devices(caller.tenant))
        return await self.registry.list_within(caller.tenant, caller.reads, chosen)

    def note(self, caller: Caller, action: str, what: str, **facts: str) -> None:
        """In the audit trail."""
        self._audit(AuditRecord(self._clock(), caller.tenant, caller.subject, action, what, facts))

    async def list_records(self, caller: Caller) -> list[DeviceRecord]:
        """Every device as it could be registered anew, with its own place."""
        return await self.registry.list_records(caller)

    async def list_refusals(
        self, caller: Caller, hardware_id: str = "", reasons: Collection[RefusalReason] = EVERY_REASON
    ) -> list[Refusal]:
        """The newest 1 000, newest first."""
        return await self.frames.list_refusals(caller.tenant, hardware_id, reasons=reasons)

    async def count_refusals(self, caller: Caller) -> Mapping[RefusalReason, int]:
        """Of all that are kept, those that wait among them."""
        return await self.frames.count_refusals(caller.tenant)

    async def list_waiting(self, caller: Caller) -> list[Waiting]:
        """Devices that nobody has registered, and how many frames of each wait: the one heard last comes first."""
        return await self.frames.list_waiting(caller.tenant)

    async def list_frames(self, caller: Caller, hardware_id: str) -> list[LoggedFrame]:
        """The last frames of a known device, the newest first."""
        return await self.log.list_frames(caller.tenant, hardware_id_of(hardware_id))

    async def retry(self, caller: Caller, refusal_ids: Iterable[int]) -> dict[int, Refused | None]:
        """As HeldFrames.retry."""
        return await self.held.retry(caller, refusal_ids)

    async def follow(self) -> None:
        """Keep up with devices that others write, until cancelled. After a fault the same events are read again."""
        position = await self._outbox.newest()
        while True:
            try:
                position = await self._follow_from(position)
                await asyncio.sleep(_FOLLOW_EVERY_S)
            except Overloaded as fault:
                _log.warning("the devices that others write cannot be followed", extra={"reason": fault.detail})
                await asyncio.sleep(_FOLLOW_AGAIN_AFTER_S)
            except Exception:
                _log.exception("the devices that others write could not be followed")
                await asyncio.sleep(_FOLLOW_AGAIN_AFTER_S)

    async def _follow_from(self, position: int) -> int:
        await self._outbox.wait(position)
        newest = await self._outbox.newest()
        registry = self.registry
        events = await self._outbox.read(position, _EVENTS_AT_ONCE, registry.event_types, registry.event_attributes)
        has_missed = position + 1 < await self._outbox.oldest()
        await self._adopt_new(await (self.registry.reload() if has_missed else self.registry.follow(events)))
        return events[-1].seq if len(events) == _EVENTS_AT_ONCE else newest

    async def _adopt_new(self, devices: Iterable[Device]) -> None:
        of_tenant: dict[str, set[str]] = {}
        for device in devices:
            of_tenant.setdefault(device.tenant, set()).add(device.hardware_id)
        for tenant, hardware_ids in of_tenant.items():
            await self.held.adopt_all(tenant, hardware_ids)


def _check_delivers(caller: Caller) -> None:
    if not caller.may_deliver:
        raise Forbidden(f"{caller.subject} may not deliver frames in tenant {caller.tenant}.")


def _as_writer(caller: Caller) -> Caller:
    """The same subject with the right to write, granted here alone: whoever delivers a frame chooses its bytes, while
    the registry says which entity they change and the profile which attributes. Raises Forbidden."""
    _check_delivers(caller)
    return caller if caller.may(Right.WRITE) else structs.replace(caller, rights=caller.rights | Right.WRITE)


def open_fleet(
    broker: Broker,
    frames: FrameStore,
    data_dir: Path,
    more_profiles: Iterable[Path] = (),
    clock: Clock = system_clock,
    limits: Limits = NO_LIMITS,
    where: WhereCodecsRun = in_process,
    *,
    room: Room = DEFAULT_ROOM,
    waiting_days: int = 0,
    is_shared: bool = False,
    audit: Audit = _keep_no_trail,
) -> Fleet:
    """The fleet of an installation: profiles of the package, then `more_profiles`, then those in its data directory.

    The rest as of Fleet.

    Raises:
        InvalidProfile: one of the profiles cannot be used.
    """
    roots = [PACKAGED_PROFILES, *more_profiles, data_dir / PROFILES_FOLDER]
    profiles = load_profiles(roots, broker.contexts.parvis.expand, where)
    own: dict[str, Any] = {"room": room, "waiting_days": waiting_days, "is_shared": is_shared, "audit": audit}
    fleet = Fleet(broker, profiles, frames, clock, limits, **own)
    fleet.own_profiles = OwnProfiles(fleet.registry.catalogue, data_dir, broker.contexts.parvis.expand, where)
    fleet.own_profiles.load()
    return fleet
