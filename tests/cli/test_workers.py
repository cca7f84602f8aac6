"""The parent of several workers, with workers that do nothing but come up, or do not."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from parvis.cli.workers import Parent, Ports
from parvis.kernel.settings import ServerSettings, Settings

WITHIN_S = 10.0
WORKER = """
import json, os, pathlib, signal, socket, sys, time
folder = pathlib.Path(sys.argv[1])
if (folder / "broken").exists():
    (folder / "refused").touch()
    sys.exit(1)
told = json.loads(os.environ["PARVIS_SIBLINGS"])

def end(*_):
    time.sleep(float((folder / "slowly").read_text()) if (folder / "slowly").exists() else 0)
    (folder / f"ended {os.getpid()}").touch()
    os._exit(0)

signal.signal(signal.SIGTERM, end)
if not (folder / "mute").exists():
    socket.socket(fileno=told["parent"]).send(b"ready")
while True:
    time.sleep(60)
"""


@asynccontextmanager
async def parent_of(folder: Path, number: int = 2) -> AsyncIterator[Parent]:
    script = folder / "worker.py"
    script.write_text(WORKER)
    settings = Settings(folder, server=ServerSettings(workers=number, stop_timeout_s=1.0))
    with socket.socket() as http:
        parent = Parent(settings, (sys.executable, str(script), str(folder)), Ports(http, None, folder))
        run = asyncio.create_task(parent.run())
        try:
            await until(lambda: len(ready(parent)) == number)
            yield parent
        finally:
            parent.stop()
            assert await run == 0


def ready(parent: Parent) -> set[int]:
    """The processes that serve."""
    return {one.process.pid for one in parent.alive if one.is_ready}


def ended(folder: Path) -> set[int]:
    """The processes that came to their end as told."""
    return {int(path.name.split()[1]) for path in folder.glob("ended *")}


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    async with parent_of(tmp_path) as parent:
        victim = min(ready(parent))
        os.kill(victim, signal.SIGKILL)
        await until(lambda: victim not in ready(parent) and len(ready(parent)) == 2)


async def test_all_begin_anew_when_told_to(tmp_path: Path) -> None:
    async with parent_of(tmp_path) as parent:
        old = ready(parent)
        parent.renew()
        await until(lambda: len(ready(parent)) == 2 and not ready(parent) & old)


async def test_old_workers_that_stay_after_a_failed_restart_are_still_replaced_when_they_die(tmp_path: Path) -> None:
    async with parent_of(tmp_path) as parent:
        old = ready(parent)
        (tmp_path / "broken").touch()
        parent.renew()
        await until(lambda: (tmp_path / "refused").exists() and not parent.rolling.locked())
        assert ready(parent) == old
        (tmp_path / "broken").unlink()
        for victim in old:
            os.kill(victim, signal.SIGKILL)
        await until(lambda: len(ready(parent)) == 2 and not ready(parent) & old)


async def test_one_that_dies_while_its_successor_does_not_come_up_is_replaced(tmp_path: Path) -> None:
    async with parent_of(tmp_path) as parent:
        victim = parent.workers[1].process.pid
        (tmp_path / "mute").touch()
        parent.renew()
        await until(lambda: parent.workers[1].process.pid != victim)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: victim not in ready(parent))
        (tmp_path / "mute").unlink()
        os.kill(parent.workers[1].process.pid, signal.SIGKILL)
        await until(lambda: len(ready(parent)) == 2)


async def test_stopping_in_the_middle_of_a_restart_waits_for_old_and_new(tmp_path: Path) -> None:
    (tmp_path / "slowly").write_text("0.5")
    async with parent_of(tmp_path) as parent:
        old = parent.workers[1].process.pid
        parent.renew()
        await until(lambda: len(ready(parent)) == 3)
        begun = {one.process.pid for one in parent.alive}
    assert ended(tmp_path) >= begun
    assert old in begun
