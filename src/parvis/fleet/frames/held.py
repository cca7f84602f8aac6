"""Frames that were not stored: kept, tried again, and adopted once somebody registers their device."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from msgspec import structs

from parvis.fleet import metrics
from parvis.fleet.devices.registry import Registry
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.frame import Room, Waiting
from parvis.fleet.model.refusal import COUNTED_ONLY, Refusal, RefusalReason, Refused, count_refused, make_refusal
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ports import FrameStore
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import DAY, Clock

TRIED_AT_ONCE = 200
SWEEP_EVERY_S = 60.0
_EXPIRED_AT_ONCE = 1_000
_log = logging.getLogger(__name__)

Take = Callable[[Caller, Sequence[Uplink]], Awaitable[list[Refused | None]]]
PASSING = frozenset(
    {
        RefusalReason.UNKNOWN_DEVICE,
        RefusalReason.CODEC_RESTING,
        RefusalReason.RATE_LIMITED,
        RefusalReason.WRITE_FAILED,
    }
)
"""A frame that is adopted and meets one of these goes on waiting: the next sweep tries it again."""


class HeldFrames:
    def __init__(self, frames: FrameStore, registry: Registry, take: Take, room: Room, clock: Clock, days: int) -> None:
        """`take` is the pipeline; frames of unknown devices wait for `days`, 0: for ever."""
        self._frames = frames
        self._registry = registry
        self._take = take
        self._room = room
        self._clock = clock
        self._days = days
        self._repeats: dict[tuple[str, str], int] = {}

    @contextmanager
    def counting_repeats(self, tenant: str, hardware_ids: Collection[str]) -> Iterator[Mapping[tuple[str, str], int]]:
        """Of these devices, how many of the frames that this process tries meanwhile were stored before."""
        keys = [(tenant, one) for one in hardware_ids]
        self._repeats |= dict.fromkeys(keys, 0)
        try:
            yield self._repeats
        finally:
            for key in keys:
                self._repeats.pop(key, None)

    async def keep(
        self, caller: Caller, uplinks: Sequence[Uplink], results: Sequence[Refused | None]
    ) -> list[Refused | None]:
        """What became of each once those worth it are durable: an unknown device may find no room."""
        told = list(results)
        now = self._clock()
        worth_it = [
            (index, make_refusal(now, caller.tenant, refused, uplinks[index]))
            for index, refused in enumerate(told)
            if refused is not None and refused.reason not in COUNTED_ONLY
        ]
        kept = await self._frames.keep([one for _, one in worth_it], self._room)
        for (index, one), is_kept in zip(worth_it, kept, strict=True):
            if not is_kept:
                told[index] = Refused(RefusalReason.QUARANTINE_FULL, one.device)
        count_refused(one for one in told if one is not None)
        await self._adopt_registered_meanwhile(caller, [one for _, one in worth_it])
        return told

    async def keep_messages(self, caller: Caller, malformed: Sequence[tuple[Message, str]]) -> None:
        now = self._clock()
        refusals = [
            make_refusal(
                now,
                caller.tenant,
                Refused(RefusalReason.MALFORMED_MESSAGE, detail),
                topic=message.topic,
                payload=message.payload,
            )
            for message, detail in malformed
        ]
        await self._frames.keep(refusals, self._room)
        count_refused(Refused(one.reason) for one in refusals)

    async def retry(self, caller: Caller, refusal_ids: Iterable[int]) -> dict[int, Refused | None]:
        """Give refused frames to the pipeline again; those stored, or found to be so already, are forgotten.

        Nothing is told of those that somebody else tries just now.
        """
        claimed = await self._frames.claim(caller.tenant, refusal_ids)
        frames = [(one, one.uplink) for one in claimed if one.uplink is not None]
        is_settled = False
        try:
            self._doubt(caller.tenant, [uplink for _, uplink in frames])
            results = await self._take(caller, [uplink for _, uplink in frames])
            tried = list(zip([one for one, _ in frames], results, strict=True))
            stored = [one.id for one, refused in tried if _is_done(refused)]
            others = [_refiled(one, refused) for one, refused in tried if refused is not None and not _is_done(refused)]
            await self._frames.settle(caller.tenant, stored, others)
            is_settled = True
            self._count_repeats(caller.tenant, tried)
            return {one.id: refused for one, refused in tried}
        finally:
            left = [one.id for one in claimed if not is_settled or one.uplink is None]
            with suppress(ParvisError):
                await self._frames.release(caller.tenant, left)

    def _doubt(self, tenant: str, uplinks: Iterable[Uplink]) -> None:
        """A process that stands still for longer than its claim holds does not know what others stored meanwhile."""
        if self._registry.is_shared:
            for uplink in uplinks:
                device = self._registry.find(tenant, uplink.hardware_id)
                if device is not None:
                    device.seen.doubt(uplink.at)

    def _count_repeats(self, tenant: str, tried: Iterable[tuple[Refusal, Refused | None]]) -> None:
        for one, refused in tried:
            key = (tenant, one.device)
            if key in self._repeats and refused is not None and refused.reason is RefusalReason.DUPLICATE:
                self._repeats[key] += 1

    async def adopt(self, caller: Caller, hardware_ids: Collection[str]) -> int:
        """Store what waits of devices that are registered now, in the order in which it came; how many were stored."""
        stored, after = 0, 0
        while ids := await self._frames.find_waiting(caller.tenant, hardware_ids, after, TRIED_AT_ONCE):
            results = await self.retry(caller, ids)
            stored += sum(_is_done(refused) for refused in results.values())
            after = ids[-1]
        return stored

    async def adopt_all(self, tenant: str, hardware_ids: Collection[str]) -> None:
        try:
            await self.adopt(system_caller("fleet", tenant), hardware_ids)
        except ParvisError as error:
            _log.warning("waiting frames could not be adopted", extra={"tenant": tenant, "detail": error.detail})

    async def sweep(self) -> None:
        """Adopt what a process that died has left, and forget what has waited for too long."""
        waiting = await self._frames.list_waiting()
        by_tenant: dict[str, set[str]] = {}
        for one in waiting:
            by_tenant.setdefault(one.tenant, set()).add(one.hardware_id)
        for tenant, hardware_ids in by_tenant.items():
            await self._registry.load(tenant)
            known = {one for one in hardware_ids if self._registry.find(tenant, one) is not None}
            if known:
                await self.adopt_all(tenant, known)
        await self._expire(waiting)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except ParvisError as fault:
                _log.warning("the quarantine could not be looked through", extra={"reason": fault.detail})
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _expire(self, waiting: Sequence[Waiting]) -> None:
        before = self._clock() - self._days * DAY
        if not self._days or not any(one.first_at < before for one in waiting):
            return
        while expired := await self._frames.expire(before, _EXPIRED_AT_ONCE):
            metrics.EXPIRED.inc(expired)
            _log.warning("frames of unknown devices have waited for too long", extra={"forgotten": expired})

    async def _adopt_registered_meanwhile(self, caller: Caller, refusals: Sequence[Refusal]) -> None:
        now_known = {
            one.device
            for one in refusals
            if one.is_waiting and self._registry.find(caller.tenant, one.device) is not None
        }
        if now_known:
            await self.adopt(caller, now_known)


def _is_done(refused: Refused | None) -> bool:
    return refused is None or refused.reason is RefusalReason.DUPLICATE


def _refiled(refusal: Refusal, refused: Refused) -> Refusal:
    if refusal.is_waiting and refused.reason in PASSING:
        return refusal
    return structs.replace(refusal, reason=refused.reason, detail=refused.detail)
