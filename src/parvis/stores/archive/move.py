"""Moving closed days from a hot store into files: each step can be the last one before a crash.

1. A worker process writes the files of a day; nobody knows of them yet.
2. One transaction of the hot store puts them into its catalogue and marks the day's rows as gone.
3. The marked rows are deleted in small slices, then the mark.
4. Files that no catalogue names are deleted: those that were replaced, and after a while those of a crash.

What a run left half done, the next one ends first.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import assert_never

import msgspec

from parvis.broker.ports.archive import Day, HotArchive, MoveOutdated, Summary, day_of
from parvis.broker.temporal.retention import Retention
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import HOUR, Clock, system_clock
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.layout import day_text, is_file_path
from parvis.stores.archive.owner import claim
from parvis.stores.archive.storage import Storage, open_storage
from parvis.stores.archive.work import Begun, Message, Moved, SeriesMade, Stumbled, Task, work

GRACE = HOUR
"""A file that no catalogue names and that is younger may still be on its way into one."""
Report = Callable[[float, str], None]
Step = Callable[[str], None]
End = Callable[[Connection], Awaitable[None]]
"""Ends the worker, whatever it is doing: what it told of is recorded, the rest is an orphan."""


class Plan(msgspec.Struct, frozen=True):
    """Days that ended `after_days` ago are moved, or those before `until` where it is given.

    Files are written in a process of their own, unless `apart` is False.
    """

    url: str
    data_dir: Path
    after_days: int
    retention: Retention = Retention()
    limits: Limits = Limits()
    until: Day | None = None
    clock: Clock = system_clock
    apart: bool = True

    @property
    def today(self) -> Day:
        return day_of(self.clock())

    @property
    def before(self) -> Day:
        """Never a day that is not over."""
        return min(self.today, self.today - self.after_days if self.until is None else self.until)


class WorkerFailed(ParvisError):
    """The process that writes the files has died; what it had not told of is done by the next run."""

    title = "The archive's worker process failed"


def _no_report(_share: float, _words: str) -> None:
    pass


def _no_step(_name: str) -> None:
    pass


class Archiver:
    """One run at a time. `step` is told before each step: there a test can stop the run."""

    def __init__(self, hot: HotArchive, plan: Plan, report: Report = _no_report, step: Step = _no_step) -> None:
        self._hot = hot
        self._plan = plan
        self._report = report
        self._step = step
        self._storage: Storage = open_storage(plan.url, plan.data_dir)
        self._replaced: list[str] = []
        self._problems: list[str] = []
        self._days = self._files = self._rows = 0
        self._looked_at, self._to_look_at = 0, 1

    async def run(self) -> Summary:
        """Raises WorkerFailed, ArchiveUnreachable, ArchiveOwned, or what the hot store raises."""
        await self._claim()
        newest = max((one.number for one in await self._hot.list_erasures()), default=0)
        await self._purge()
        await self._hot.settle()
        self._step("work")
        async with self._messages() as messages:
            async for message in messages:
                await self._take(message)
        self._step("tidy")
        await self._hot.tidy(self._plan.clock())
        self._step("close erasures")
        erasures = await self._hot.close_erasures(newest)
        self._step("sweep")
        swept = await self._sweep()
        return Summary(self._days, self._files, self._rows, erasures, swept, tuple(self._problems))

    async def _claim(self) -> None:
        def ask() -> None:
            with self._hot.closed_rows()() as rows:
                claim(self._storage, rows)

        await asyncio.to_thread(ask)

    async def _take(self, message: Message) -> None:
        match message:
            case Begun(days):
                self._to_look_at = max(1, days)
            case SeriesMade(partition, series):
                self._step("note series")
                await self._hot.note_series(partition, series)
            case Moved():
                await self._record(message)
            case Stumbled(tenant, day, reason):
                self._problems.append(f"{tenant}, {day_text(day)}: {reason}")
            case _:
                assert_never(message)

    async def _record(self, moved: Moved) -> None:
        self._looked_at += 1
        if moved.move is None:
            return
        self._step("record")
        try:
            await self._hot.record(moved.move)
        except MoveOutdated as fault:
            self._problems.append(fault.detail)
            return
        self._days += 1
        for one in moved.move.replacements:
            self._files += one.new is not None
            self._rows += one.new.rows if one.new is not None else 0
            if one.old_path is not None:
                self._replaced.append(one.old_path)
        self._report(self._looked_at / self._to_look_at, f"{moved.tenant}, {day_text(moved.day)}")
        await self._purge()

    async def _purge(self) -> None:
        self._step("purge")
        while await self._hot.purge():
            self._step("purge slice")

    async def _sweep(self) -> int:
        """The files that are there are listed before those that the catalogue names: a file comes the other way."""
        before = self._plan.clock() - GRACE
        await self._claim()
        await asyncio.to_thread(self._storage.sweep_scratch)
        there = await asyncio.to_thread(lambda: [one for one in self._storage.list() if is_file_path(one.path)])
        named = {one.file.path for one in await self._hot.list_files()}
        lost = named - {one.path for one in there}
        self._problems += [f"The archive's file {path} is lost." for path in sorted(lost)]
        orphans = {one.path for one in there if one.modified < before} | set(self._replaced)
        gone = sorted(orphans - named)
        for path in gone:
            self._step("delete file")
            await asyncio.to_thread(self._storage.delete, path)
        return len(gone)

    @asynccontextmanager
    async def _messages(self) -> AsyncIterator[AsyncIterator[Message]]:
        plan, open_rows = self._plan, self._hot.closed_rows()
        task = Task(open_rows, plan.url, plan.data_dir, plan.limits, plan.retention, plan.before, plan.today)
        receiving, sending = multiprocessing.get_context("spawn").Pipe(duplex=False)
        apart = plan.apart and not open_rows.in_process
        end = _in_process(task, sending) if apart else _in_thread(task, sending)
        try:
            yield _received(receiving)
        finally:
            await end(receiving)


async def _received(receiving: Connection) -> AsyncIterator[Message]:
    """Until the worker says that it is done. Raises WorkerFailed."""
    while True:
        try:
            message = await asyncio.to_thread(receiving.recv)
        except (EOFError, OSError) as error:
            raise WorkerFailed("The process that writes the archive's files died.") from error
        if message is None:
            return
        if isinstance(message, Exception):
            raise message
        yield message


def _in_process(task: Task, sending: Connection) -> End:
    process = multiprocessing.get_context("spawn").Process(target=run_worker, args=(task, sending), daemon=True)
    process.start()
    sending.close()

    async def end(receiving: Connection) -> None:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()
        receiving.close()

    return end


def _in_thread(task: Task, sending: Connection) -> End:
    thread = Thread(target=run_worker, args=(task, sending), name="parvis-archive", daemon=True)
    thread.start()

    async def end(receiving: Connection) -> None:
        receiving.close()
        await asyncio.to_thread(thread.join)

    return end


def run_worker(task: Task, sending: Connection) -> None:
    """Tells everything through the pipe, None at the end; stops where nobody listens any more."""
    with sending, suppress(BrokenPipeError):
        try:
            work(task, sending.send)
        except BrokenPipeError:
            raise
        except ParvisError as failure:
            sending.send(failure)
        except Exception as failure:
            sending.send(WorkerFailed(f"Writing the archive's files failed: {failure!r}."))
        else:
            sending.send(None)
