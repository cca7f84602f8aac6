"""What only one process may do, done by one: the holder of a lease, until it is lost."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from secrets import token_hex
from typing import Any, assert_never

from parvis.broker.ports.leases import Fence, Leases
from parvis.broker.ports.store import Outrun
from parvis.kernel.errors import Overloaded
from parvis.kernel.trouble import Trouble

LEASE_S = 5.0
TRY_EVERY_S = 1.0
"""A leader that died is followed after at most LEASE_S + TRY_EVERY_S, one that stopped after TRY_EVERY_S."""
_RENEWALS_A_LEASE = 3
_SAFE_PART = 0.9
"""Of a lease: so much of it counts, for clocks do not run alike."""
_LONGEST_PAUSE_S = 30.0
_GIVE_BACK_WITHIN_S = 2.0

_log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]
Ticks = Callable[[], float]


def elapsed_s() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def new_holder() -> str:
    """A name that no other process has, nor has had."""
    return f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"


class _Answer(Enum):
    HELD = auto()
    REFUSED = auto()
    NONE = auto()


class Leader:
    """Runs work while the lease `name` is held, and cancels it before another process may begin.

    A process that was stopped for a while, or that no longer reaches the store, ends its work by its own clock. Work
    that writes with `Progress`, or behind the `fence`, is safe even in the instant between: the store refuses it
    (Outrun).
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        holder: str,
        *,
        length_s: float = LEASE_S,
        try_every_s: float = TRY_EVERY_S,
        ticks: Ticks = elapsed_s,
    ) -> None:
        self.name = name
        self._leases = leases
        self._process = holder
        self._turn = 1
        self._length_s = length_s
        self._try_every_s = try_every_s
        self._ticks = ticks
        self._ours_until_s = 0.0
        self._is_leading = False
        self._has_failed = False
        self._trouble = Trouble(f"the lease of {name} could not be asked for")

    @property
    def fence(self) -> Fence:
        """Of this turn at leading: what an earlier one still has under way here does not pass it either."""
        return Fence(self.name, f"{self._process}/{self._turn}")

    async def run(self, work: Work) -> None:
        """Until cancelled, or until the work ends by itself. Work that fails is begun again, here or elsewhere, after
        a pause that grows."""
        failures = 0
        while True:
            self._has_failed = False
            began_s = self._ticks()
            if await self._ask() is _Answer.HELD and await self._lead(work):
                return
            is_steady = self._ticks() - began_s > _LONGEST_PAUSE_S
            failures = failures + 1 if self._has_failed and not is_steady else 0
            await asyncio.sleep(min(self._try_every_s * 2 ** min(failures, 10), _LONGEST_PAUSE_S))

    async def _lead(self, work: Work) -> bool:
        """Whether the work ended by itself."""
        task = asyncio.create_task(work(), name=f"leads {self.name}")
        self._is_leading = True
        _log.info("leading", extra={"lease": self.name})
        try:
            await self._hold(task)
        finally:
            await self._end(task)
            self._is_leading = False
            await self._give_back()
            self._turn += 1
        return self._has_ended(task)

    async def _hold(self, task: "asyncio.Task[None]") -> None:
        """Until the task is done or the lease is no longer certain."""
        wait_s = self._length_s / _RENEWALS_A_LEASE
        while not task.done():
            await asyncio.wait((task,), timeout=wait_s)
            if task.done():
                return
            if self._left_s() <= 0:
                _log.warning("the lease has run out while this process stood still", extra={"lease": self.name})
                return
            match await self._ask():
                case _Answer.HELD:
                    wait_s = self._length_s / _RENEWALS_A_LEASE
                case _Answer.REFUSED:
                    _log.warning("another process leads now", extra={"lease": self.name})
                    return
                case _Answer.NONE:
                    wait_s = min(max(self._left_s(), 0.0), self._length_s / 10)
                case answer:
                    assert_never(answer)

    def _left_s(self) -> float:
        return self._ours_until_s - self._ticks()

    async def _ask(self) -> _Answer:
        """Counted from before the question: the store counts from when it heard it."""
        asked_s = self._ticks()
        patience_s = self._left_s() if self._is_leading else self._length_s
        try:
            async with asyncio.timeout(max(patience_s, 0.0)):
                is_held = await self._leases.take(self.name, self.fence.holder, self._length_s)
        except Exception as fault:
            self._trouble.note(fault)
            return _Answer.NONE
        self._trouble.is_over()
        if not is_held:
            return _Answer.REFUSED
        self._ours_until_s = asked_s + self._length_s * _SAFE_PART
        return _Answer.HELD if self._left_s() > 0 else _Answer.NONE

    async def _end(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait((task,))

    async def _give_back(self) -> None:
        """Where that fails the lease runs out."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_GIVE_BACK_WITHIN_S):
                await self._leases.give_back(self.name, self.fence.holder)

    def _has_ended(self, task: "asyncio.Task[None]") -> bool:
        if task.cancelled():
            return False
        fault = task.exception()
        if fault is None:
            return True
        if isinstance(fault, Outrun):
            _log.info("another process was faster", extra={"lease": self.name})
        elif isinstance(fault, Overloaded):
            _log.warning("the work begins again", extra={"lease": self.name, "reason": fault.detail})
        else:
            self._has_failed = True
            _log.error("the work failed and begins again", extra={"lease": self.name}, exc_info=fault)
        return False
