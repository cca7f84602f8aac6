"""Keeps the index of words up with what is written: a moment behind, in steps that hold up no writer for long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

LOOK_EVERY_S = 0.3


class Bell(Protocol):
    @property
    def newest_event(self) -> int: ...

    async def wait(self, after: int) -> None: ...


async def keep_index(bell: Bell, take_in: Callable[[], Awaitable[None]], pause_s: float = LOOK_EVERY_S) -> None:
    """Until cancelled."""
    while True:
        seen = bell.newest_event
        await take_in()
        await bell.wait(seen)
        await asyncio.sleep(pause_s)
