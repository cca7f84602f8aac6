"""How a process learns that subscriptions have changed: at once of what it did itself, else by looking."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

LOOK_EVERY_S: Final = 1.0


class ChangeBell:
    """Lives on the event loop. `version` asks the store."""

    def __init__(self, version: Callable[[], Awaitable[int]]) -> None:
        self._version = version
        self._changed = asyncio.Event()

    def ring(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, known: int) -> int:
        """The version, once it is another than the known one."""
        while True:
            changed = self._changed
            found = await self._version()
            if found != known:
                return found
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await changed.wait()
            except TimeoutError:
                continue
