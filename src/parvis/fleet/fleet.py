"""The fleet: devices, their profiles, their frames, and the frames that were refused."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from parvis.broker.broker import Broker
from parvis.broker.model.change import Outcome
from parvis.fleet.delivery import Message
from parvis.fleet.devices import Device
from parvis.fleet.ports import RefusalLog
from parvis.fleet.profiles import PACKAGED_PROFILES, DeviceProfile, WhereCodecsRun, in_process, load_profiles
from parvis.fleet.refusal import Refusal, RefusalReason, Refused
from parvis.fleet.refusals import Refusals
from parvis.fleet.registry import DeviceRecord, Registry
from parvis.fleet.uplink import Uplink
from parvis.fleet.uplinks import UplinkPipeline
from parvis.kernel.errors import Forbidden, Overloaded, ParvisError
from parvis.kernel.identity import Caller, Right, system_caller
from parvis.kernel.time import Clock, Instant, system_clock

REFUSALS_FILE = "refused-frames.jsonl"
PROFILES_FOLDER = "profiles"
_EVENTS_AT_ONCE = 1000
_FOLLOW_EVERY_S = 0.05
"""At most: one reading then passes over many events."""
_FOLLOW_AGAIN_AFTER_S = 1.0
_log = logging.getLogger(__name__)


class Fleet:
    def __init__(
        self,
        broker: Broker,
        profiles: Mapping[str, DeviceProfile],
        refusals: RefusalLog,
        clock: Clock = system_clock,
        future_limit: Instant = 0,
        *,
        is_shared: bool = False,
    ) -> None:
        """`is_shared`: other processes store frames of the same devices."""
        self.registry = Registry(broker, profiles, is_shared=is_shared)
        self.refusals = refusals
        self._outbox = broker.outbox
        self._pipeline = UplinkPipeline(broker, self.registry, clock, future_limit)

    async def take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        """Store uplinks; None for each that is durable, else why it was refused, which is on disk as well.

        Raises:
            Overloaded: nothing was stored.
            Forbidden: the caller may not deliver frames.
        """
        writer = _as_writer(caller)
        results = await self._pipeline.take(writer, uplinks)
        refusals = [
            self.refusals.make(caller.tenant, refused, uplink)
            for uplink, refused in zip(uplinks, results, strict=True)
            if refused is not None
        ]
        if refusals:
            await self.refusals.keep(refusals)
            await self._replay_registered_meanwhile(writer, refusals)
        return results

    async def refuse_messages(self, caller: Caller, malformed: Sequence[tuple[Message, str]]) -> None:
        """Keep messages that are no uplinks, each with why. Raises Forbidden as `take`."""
        _check_delivers(caller)
        await self.refusals.keep(
            [
                self.refusals.make(
                    caller.tenant,
                    Refused(RefusalReason.MALFORMED_MESSAGE, detail),
                    topic=message.topic,
                    payload=message.payload,
                )
                for message, detail in malformed
            ]
        )

    async def register(self, caller: Caller, records: Sequence[DeviceRecord]) -> list[Outcome]:
        """Register devices and replay the frames of theirs that came too early. Raises as Registry.register."""
        outcomes = await self.registry.register(caller, records)
        await self._replay(caller, {record.hardware_id.lower() for record in records})
        return outcomes

    async def list_refusals(self, caller: Caller) -> list[Refusal]:
        return await self.refusals.list_refusals(caller.tenant)

    async def retry(self, caller: Caller, refusal_ids: Iterable[int]) -> dict[int, Refused | None]:
        """Give refused frames to the pipeline again; those stored, or found to be so already, are forgotten.

        Nothing is told of those that somebody else tries just now.
        """
        claimed = await self.refusals.claim(caller.tenant, refusal_ids)
        left = {one.id for one in claimed}
        try:
            frames = [(one.id, one.uplink) for one in claimed if one.uplink is not None]
            results = await self._pipeline.take(caller, [uplink for _, uplink in frames])
            by_id = {refusal_id: result for (refusal_id, _), result in zip(frames, results, strict=True)}
            done = [one for one, refused in by_id.items() if _is_done(refused)]
            await self.refusals.resolve(caller.tenant, done)
            left.difference_update(done)
            return by_id
        finally:
            with suppress(ParvisError):
                await self.refusals.release(caller.tenant, left)

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
        events = await self._outbox.read(position, _EVENTS_AT_ONCE, self.registry.event_types)
        has_missed = position + 1 < await self._outbox.oldest()
        await self._replay_new(await (self.registry.reload() if has_missed else self.registry.follow(events)))
        return events[-1].seq if len(events) == _EVENTS_AT_ONCE else newest

    async def _replay_registered_meanwhile(self, caller: Caller, refusals: Sequence[Refusal]) -> None:
        now_known = {
            one.uplink.hardware_id
            for one in refusals
            if one.reason is RefusalReason.UNKNOWN_DEVICE
            and one.uplink is not None
            and self.registry.find(caller.tenant, one.uplink.hardware_id) is not None
        }
        if now_known:
            await self._replay(caller, now_known)

    async def _replay_new(self, devices: Iterable[Device]) -> None:
        of_tenant: dict[str, set[str]] = {}
        for device in devices:
            of_tenant.setdefault(device.tenant, set()).add(device.hardware_id)
        for tenant, hardware_ids in of_tenant.items():
            try:
                await self._replay(system_caller("fleet", tenant), hardware_ids)
            except ParvisError as error:
                _log.warning("replay_failed", extra={"tenant": tenant, "detail": error.detail})

    async def _replay(self, caller: Caller, hardware_ids: set[str]) -> None:
        if waiting := await self.refusals.list_unknown(caller.tenant, hardware_ids):
            await self.retry(caller, waiting)


def _check_delivers(caller: Caller) -> None:
    if not caller.may_deliver:
        raise Forbidden(f"{caller.subject} may not deliver frames in tenant {caller.tenant}.")


def _as_writer(caller: Caller) -> Caller:
    """The same subject with the right to write, granted here alone: whoever delivers a frame chooses its bytes, while
    the registry says which entity they change and the profile which attributes. Raises Forbidden."""
    _check_delivers(caller)
    return caller if caller.may(Right.WRITE) else structs.replace(caller, rights=caller.rights | Right.WRITE)


def _is_done(refused: Refused | None) -> bool:
    return refused is None or refused.reason is RefusalReason.DUPLICATE


def open_fleet(
    broker: Broker,
    data_dir: Path,
    more_profiles: Iterable[Path] = (),
    clock: Clock = system_clock,
    future_limit: Instant = 0,
    shared_refusals: RefusalLog | None = None,
    where: WhereCodecsRun = in_process,
) -> Fleet:
    """The fleet of an installation: profiles of the package, then `more_profiles`, then those in its data directory.

    Frames dated more than `future_limit` ahead of the clock are refused; 0 takes any. With `shared_refusals` other
    processes store frames of the same devices; without, what is refused is kept in a file of the data directory.

    Raises:
        InvalidProfile: one of the profiles cannot be used.
    """
    roots = [PACKAGED_PROFILES, *more_profiles, data_dir / PROFILES_FOLDER]
    profiles = load_profiles(roots, broker.contexts.default.expand, where)
    is_shared = shared_refusals is not None
    refusals = shared_refusals or Refusals(data_dir / REFUSALS_FILE, clock)
    return Fleet(broker, profiles, refusals, clock, future_limit, is_shared=is_shared)
