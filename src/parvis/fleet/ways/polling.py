"""Devices that are asked rather than heard: each at its own pace, so that one that is silent delays no other."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from parvis.fleet import metrics
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.ways.intake import note_heard
from parvis.kernel.errors import Detailed, Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.trouble import Trouble

READINGS_KEPT = 1000
"""Of one device, while the platform cannot store: the oldest go then, and are counted."""
FIRST_WITHIN_S = 10.0
"""The first readings are spread over so much, that a start does not ask all devices at once."""
_JITTER = 0.05
_MOST_DOUBLINGS = 16
_log = logging.getLogger(__name__)


class NoAnswer(Detailed):
    """The device cannot be reached, says nothing in time, or says what it should not."""


class Pace(msgspec.Struct, frozen=True):
    """A device that does not answer is asked ever less often, but at least every `longest_pause_s`."""

    every_s: float = 60.0
    longest_pause_s: float = 900.0

    def pause_s(self, failures: int) -> float:
        backed_off = self.every_s * float(2 ** min(failures, _MOST_DOUBLINGS))
        return max(self.every_s, min(backed_off, self.longest_pause_s))


Read = Callable[[], Awaitable[Sequence[Uplink]]]
"""Ask the device once. Raises NoAnswer."""


@dataclass(frozen=True, slots=True)
class PolledWay:
    """Where answers go, and in whose name. With `reactions` commands go down the way that a device answers by."""

    name: str
    fleet: Fleet
    caller: Caller
    reactions: Reactions | None = None


class Poller:
    """Asks one device over and over; what it answered while the platform could not store is given in later."""

    def __init__(self, way: PolledWay, device: str, read: Read, pace: Pace) -> None:
        self._way = way
        self._device = device
        self._read = read
        self._pace = pace
        self._failures = 0
        self._waiting: deque[Uplink] = deque(maxlen=READINGS_KEPT)
        self._silence = Trouble(f"{way.name}: {device} does not answer")
        self._fault = Trouble(f"{way.name}: {device} cannot be read")
        self._storage = Trouble(f"{way.name}: what {device} says cannot be stored")

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(random.random() * min(self._pace.every_s, FIRST_WITHIN_S))  # noqa: S311 (spreads load)
        clock = asyncio.get_running_loop().time
        while True:
            due_s = clock() + self._pace_s()
            await self.ask()
            if self._failures:
                due_s = clock() + self._pace_s()
            await asyncio.sleep(max(due_s - clock(), 0.0))

    def _pace_s(self) -> float:
        jitter = 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 (spreads load)
        return self._pace.pause_s(self._failures) * jitter

    async def ask(self) -> None:
        """Once, and store what is waiting."""
        try:
            self._keep(await self._read())
        except NoAnswer as fault:
            self._silence.note(fault)
            self._note("no_answer", fault)
        except Exception as fault:
            _log.debug("%s: %s", self._way.name, self._device, exc_info=fault)
            self._fault.note(fault)
            self._note("failed", fault)
        else:
            self._silence.is_over()
            self._fault.is_over()
            self._note("answered")
        await self._store()

    def _note(self, result: str, fault: Exception | None = None) -> None:
        sources = self._way.fleet.ways.sources
        if result == "answered":
            self._failures = 0
            sources.note_answer(self._way.name, self._device)
        else:
            self._failures += 1
            sources.note_failure(self._way.name, self._device, fault)
        metrics.POLLS.labels(self._way.name, result).inc()

    def _keep(self, uplinks: Sequence[Uplink]) -> None:
        dropped = max(len(self._waiting) + len(uplinks) - READINGS_KEPT, 0)
        if dropped:
            metrics.POLLS.labels(self._way.name, "dropped").inc(dropped)
        self._waiting.extend(uplinks)

    async def _store(self) -> None:
        """Readings that cannot be stored now wait for the next turn."""
        if not self._waiting:
            return
        given = list(self._waiting)
        try:
            await self._way.fleet.take(self._way.caller, given)
        except Overloaded:
            return
        except Exception as fault:
            _log.debug("%s: %s", self._way.name, self._device, exc_info=fault)
            self._storage.note(fault)
            return
        self._storage.is_over()
        self._waiting.clear()
        if self._way.reactions is not None:
            await note_heard(self._way.reactions, self._way.caller, given)


class Link(Protocol):
    def close(self) -> None: ...


async def poll_all(pollers: Iterable[Poller], links: Iterable[Link] = ()) -> None:
    """Until cancelled; `links` are closed then."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for poller in pollers:
                tasks.create_task(poller.run())
            await asyncio.Event().wait()
    finally:
        for link in links:
            link.close()
