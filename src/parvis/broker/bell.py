"""How those who follow the outbox learn that there is more."""

import asyncio


class Bell:
    """Wakes those who wait for an event beyond the one they know. Lives on the event loop."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self._event = asyncio.Event()

    def ring(self, newest: int) -> None:
        if newest > self.newest:
            self.newest = newest
            self._event.set()
            self._event = asyncio.Event()

    async def wait(self, after: int) -> None:
        while self.newest <= after:
            await self._event.wait()
