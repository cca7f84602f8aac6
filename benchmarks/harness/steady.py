"""Requests at a steady rate, whatever becomes of them: the next one is due when it is due, also while others wait.

A latency counts from when its request was due, so that a pause of the platform is told by all that came into it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CONNECTIONS = 32


@dataclass(slots=True)
class Answered:
    """`at_s` of the clock of `time.perf_counter`: when it was due."""

    at_s: float
    latency_s: float
    status: int


@dataclass(slots=True)
class Steady:
    """`answered` grows while it runs; `sent` counts from 1."""

    answered: list[Answered] = field(default_factory=list)
    sent: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def latencies_ms(self, since_s: float, until_s: float) -> list[float]:
        return [1000 * one.latency_s for one in self.answered if since_s <= one.at_s < until_s]


@contextmanager
def sending(port: int, rate_per_s: float, make: Callable[[int], bytes]) -> Iterator[Steady]:
    """Until the block ends, in a thread of its own; every answer has come then."""
    steady = Steady()
    thread = threading.Thread(target=lambda: asyncio.run(_send_all(port, rate_per_s, make, steady)), daemon=True)
    thread.start()
    try:
        yield steady
    finally:
        steady.stopping.set()
        thread.join()
    if wrong := {one.status for one in steady.answered} - {204}:
        raise RuntimeError(f"writes were refused: {wrong}")


async def _send_all(port: int, rate_per_s: float, make: Callable[[int], bytes], steady: Steady) -> None:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        while not steady.stopping.is_set():
            steady.sent += 1
            due_s = began_s + steady.sent / rate_per_s
            await asyncio.sleep(due_s - time.perf_counter())
            tasks.create_task(_send(make(steady.sent), due_s, free, steady))
    while not free.empty():
        free.get_nowait()[1].close()


async def _send(
    request: bytes,
    due_s: float,
    free: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]",
    steady: Steady,
) -> None:
    reader, writer = await free.get()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    steady.answered.append(Answered(due_s, time.perf_counter() - due_s, int(head[9:12])))
    free.put_nowait((reader, writer))
