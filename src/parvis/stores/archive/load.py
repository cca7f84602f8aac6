"""The past as columns becomes files of closed days at once, without a way through the hot store.

1. Numbers are reserved: an erasure that comes meanwhile covers what is being brought.
2. A hand writes the files; nobody knows of them yet.
3. The catalogue notes the series, then takes the files of each day in one transaction.

Whoever is stopped on the way begins anew: what is in the catalogue already is left alone, file by file.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol

from parvis.broker.ports.archive import Day, HotArchive, Move
from parvis.broker.ports.past import Brought, OldObservations
from parvis.kernel.parent import end_with_parent
from parvis.stores.archive.load_work import Filed, Looked, PastWork, ToLook
from parvis.stores.archive.loading import Types
from parvis.stores.archive.move import Plan, Step, WorkerFailed


class Hand(Protocol):
    """Does the heavy half elsewhere. What it looked at is what it writes next."""

    async def look(self, task: ToLook) -> Looked: ...

    async def write(self, first: int) -> Filed: ...


class InThread:
    def __init__(self) -> None:
        self._work = PastWork()

    async def look(self, task: ToLook) -> Looked:
        return await asyncio.to_thread(self._work.look, task)

    async def write(self, first: int) -> Filed:
        return await asyncio.to_thread(self._work.write, first)


class InProcess:
    """What the engine takes of the machine goes when this one does."""

    def __init__(self) -> None:
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)

    async def look(self, task: ToLook) -> Looked:
        looked: Looked = await self._ask(_WORK.look.__name__, task)
        return looked

    async def write(self, first: int) -> Filed:
        filed: Filed = await self._ask(_WORK.write.__name__, first)
        return filed

    def close(self) -> None:
        self._process.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, name: str, given: Any) -> Any:
        """Raises WorkerFailed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._process, _do, name, given)
        except BrokenProcessPool as fault:
            raise WorkerFailed("The process that writes the archive's files died.") from fault


_WORK = PastWork()
"""Of such a process."""


def _do(name: str, given: Any) -> Any:
    work: Callable[[Any], Any] = getattr(_WORK, name)
    return work(given)


class Loader:
    """One at a time, and none beside a run of the archive. `step` is told before each step."""

    def __init__(self, hot: HotArchive, plan: Plan, step: Step = lambda _name: None, hand: Hand | None = None) -> None:
        self._hot = hot
        self._plan = plan
        self._step = step
        self._hand = hand or InThread()

    async def bring(self, tenant: str, old: OldObservations) -> Brought:
        """Raises what PastIntake.bring raises."""
        while await self._hot.purge():
            self._step("purge slice")
        await self._hot.settle()
        found = await self._hand.look(ToLook(self._hot.closed_rows(), self._plan, tenant, old))
        if not found.rows:
            return found.told
        self._step("reserve")
        first = await self._hot.reserve(found.rows)
        self._step("write")
        made = await self._hand.write(first)
        self._step("note series")
        await self._note(tenant, made)
        for day, replacements in made.files.items():
            self._step("record")
            await self._hot.record(Move(tenant, day, 0, made.newest_erasure, tuple(replacements)))
        count = sum(map(len, made.files.values()))
        return found.told + Brought(written=found.rows - made.before, files=count, stored_before=made.before)

    async def _note(self, tenant: str, made: Filed) -> None:
        days: defaultdict[Types, list[Day]] = defaultdict(list)
        for day, replacements in made.files.items():
            for one in replacements:
                days[one.partition.types].append(day)
        await self._hot.note_days(tenant, days, dict(made.series))
