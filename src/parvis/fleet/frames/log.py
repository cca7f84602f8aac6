"""The log of each device's last frames: written in the background, never waited for by a frame on its way."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from parvis.fleet import metrics
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ports import FrameStore
from parvis.kernel.errors import ParvisError

MOST_QUEUED = 10_000
WRITTEN_AT_ONCE = 1_000
WRITE_EVERY_S = 1.0
"""With the two above a frame that is dropped is one of more than 1 000 each second."""
_log = logging.getLogger(__name__)

Noted = tuple[Uplink, dict[str, Any] | None, Refused | None]


class FrameLog:
    def __init__(self, frames: FrameStore, room: Room) -> None:
        self._frames = frames
        self._room = room
        self._queued: deque[tuple[str, Noted]] = deque()
        self._came = asyncio.Event()
        self._writing = asyncio.Lock()

    def note(self, tenant: str, taken: Iterable[Noted]) -> None:
        """What became of frames of known devices; where more came than can be written, the oldest are dropped."""
        self._queued.extend([(tenant, one) for one in taken])
        overflow = len(self._queued) - MOST_QUEUED
        if overflow > 0:
            for _ in range(overflow):
                self._queued.popleft()
            metrics.NOT_LOGGED.inc(overflow)
        self._came.set()

    async def list_frames(self, tenant: str, hardware_id: str) -> list[LoggedFrame]:
        """The newest first."""
        await self.flush()
        return await self._frames.list_logged(tenant, hardware_id, self._room.last)

    async def forget(self, tenant: str, hardware_id: str) -> None:
        await self.flush()
        await self._frames.forget_logged(tenant, hardware_id)

    async def flush(self) -> None:
        """Write what is queued. Raises Overloaded."""
        for _ in range(-(-len(self._queued) // WRITTEN_AT_ONCE)):
            await self._write()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._came.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self._write()
            except ParvisError as fault:
                _log.debug("the log of frames could not be written", extra={"reason": fault.detail})

    async def close(self) -> None:
        """Write what is queued, if that can be done."""
        with suppress(ParvisError):
            await self.flush()

    async def _write(self) -> None:
        async with self._writing:
            batch = [self._queued.popleft() for _ in range(min(len(self._queued), WRITTEN_AT_ONCE))]
            if not self._queued:
                self._came.clear()
            if not batch:
                return
            frames = [LoggedFrame(tenant, uplink, data, refused) for tenant, (uplink, data, refused) in batch]
            try:
                await self._frames.log(frames, self._room)
            except ParvisError:
                metrics.NOT_LOGGED.inc(len(batch))
                raise
