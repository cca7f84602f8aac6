"""A Leader on a real store."""

import asyncio
import contextlib
from collections.abc import Callable

from parvis.broker.leading import Leader
from parvis.broker.ports.store import Store


async def test_of_two_leaders_one_works_and_the_other_follows(store: Store) -> None:
    at_work: list[str] = []

    async def lead(holder: str) -> None:
        async def work() -> None:
            at_work.append(holder)
            try:
                await asyncio.Event().wait()
            finally:
                at_work.remove(holder)

        await Leader(store, "reactions", holder, try_every_s=0.05).run(work)

    tasks = {holder: asyncio.create_task(lead(holder)) for holder in ("one", "two")}
    await _until(lambda: len(at_work) == 1)
    await asyncio.sleep(0.2)
    assert len(at_work) == 1
    stopped = at_work[0]
    await _stop(tasks.pop(stopped))
    await _until(lambda: len(at_work) == 1)
    assert at_work != [stopped]
    for task in tasks.values():
        await _stop(task)
    assert at_work == []


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
