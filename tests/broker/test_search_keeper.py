"""The index of words is kept up, also over a time in which the store is away."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from parvis.broker.search.keeper import keep_index
from parvis.kernel.errors import Overloaded


class Bell:
    """Rings when told to."""

    def __init__(self) -> None:
        self.newest_event = 0
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self.newest_event += 1
        self._rung.set()

    async def wait(self, after: int) -> None:
        while self.newest_event <= after:
            self._rung.clear()
            await self._rung.wait()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to be")


async def test_it_begins_at_once_rests_while_nothing_is_written_and_goes_on() -> None:
    bell, taken = Bell(), list[int]()

    async def take_in(_pause_s: float) -> None:
        taken.append(bell.newest_event)

    task = asyncio.create_task(keep_index(bell, take_in, 0.001))
    await until(lambda: taken)
    await asyncio.sleep(0.05)
    assert taken == [0]
    bell.ring()
    await until(lambda: 1 in taken)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_while_the_store_is_away_it_tries_again() -> None:
    bell, tried = Bell(), list[int]()

    async def take_in(_pause_s: float) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise Overloaded("away")

    task = asyncio.create_task(keep_index(bell, take_in, 0.001))
    await until(lambda: len(tried) == 3)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
