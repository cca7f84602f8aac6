"""Keeps the index of words up with what is written: a moment behind, in steps that hold up no writer for long."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from parvis.kernel.errors import Overloaded

LOOK_EVERY_S = 0.3
REST = 10.0
"""Times as long as each step takes: 100 entities want 5 ms of the thread that writes, more where it has much to do."""


class Bell(Protocol):
    @property
    def newest_event(self) -> int: ...

    async def wait(self, after: int) -> None: ...


async def keep_index(
    bell: Bell, take_in: Callable[[float], Awaitable[None]], look_every_s: float = LOOK_EVERY_S
) -> None:
    """Until cancelled. While the store is away what was noted waits."""
    seen = -1
    while True:
        newest = bell.newest_event
        with suppress(Overloaded):
            await take_in(REST)
            seen = newest
        await asyncio.sleep(look_every_s)
        await bell.wait(seen)
