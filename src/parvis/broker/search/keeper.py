"""Keeps the index of words up with what is written: a moment behind, in steps that hold up no writer for long."""

import asyncio
from typing import Protocol

from parvis.broker.ports.search import SearchIndex

AT_ONCE = 100
LOOK_EVERY_S = 0.3


class Bell(Protocol):
    @property
    def newest_event(self) -> int: ...

    async def wait(self, after: int) -> None: ...


async def keep_index(bell: Bell, index: SearchIndex, pause_s: float = LOOK_EVERY_S) -> None:
    """Until cancelled."""
    while True:
        seen = bell.newest_event
        if await index.is_behind():
            while await index.work(AT_ONCE):
                pass
        await bell.wait(seen)
        await asyncio.sleep(pause_s)
