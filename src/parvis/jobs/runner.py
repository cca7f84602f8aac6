"""Runs what is due in this process: claims jobs, keeps them while they run, tells how they ended."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, assert_never

import msgspec

from parvis.broker.leading import elapsed_s
from parvis.jobs.kinds import Kind, Kinds, Worker
from parvis.jobs.messages import LONGEST_LINE, storable
from parvis.jobs.process import WorkerEnded, run_in_process
from parvis.jobs.worker import RESULT_TOO_LARGE
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import (
    LONGEST_ERROR,
    LONGEST_MESSAGE,
    Cancelled,
    Done,
    Ending,
    Failed,
    GivenBack,
    Job,
    JobQueue,
    Report,
    Run,
    Standing,
    WorkFailed,
)
from parvis.kernel.trouble import Trouble

LEASE_S = 6.0
KEEP_EVERY_S = 1.0
LOOK_EVERY_S = 1.0
"""A process that died is followed after at most LEASE_S + LOOK_EVERY_S."""
MOST_TASKS = 8
"""Jobs at once on the event loop; those in worker processes have a bound of their own."""
TIMED_OUT = "timed-out"
_SAFE_PART = 0.9
_LEAVE_WITHIN_S = 5.0
_ASK_AGAIN_S = 0.5
_ASK_AT_MOST = 60

_log = logging.getLogger(__name__)


class _Reason(Enum):
    """Why work is broken off."""

    CANCELLED = auto()
    STOPPING = auto()
    LOST = auto()


@dataclass(slots=True, eq=False)
class _Held:
    """A job in this process's hands; the JobContext of work on the event loop."""

    job: Job
    kind: Kind
    held_until_s: float
    told: Report = field(default_factory=Report)
    reason: _Reason | None = None
    is_over: bool = False
    task: "asyncio.Task[None] | None" = None

    @property
    def tenant(self) -> str:
        return self.job.tenant

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.job.arguments

    @property
    def attempt(self) -> int:
        return self.job.attempt

    @property
    def cancelled(self) -> bool:
        return self.reason is not None

    def report(self, progress: float, message: str = "") -> None:
        self.told = Report(min(1.0, max(0.0, progress)), storable(message, LONGEST_MESSAGE))

    def break_off(self, reason: _Reason) -> None:
        if self.task is None or self.reason is not None:
            return
        if reason is _Reason.LOST or not self.is_over:
            self.reason = reason
            self.task.cancel()


class Runner:
    def __init__(self, queue: JobQueue, kinds: Kinds, holder: str, *, worker_processes: int) -> None:
        self._queue = queue
        self._kinds = kinds
        self._holder = holder
        self._worker_processes = worker_processes
        self._held: dict[Run, _Held] = {}
        self._look = asyncio.Event()
        self._keep = asyncio.Event()
        self._is_stopping = False
        self._trouble = Trouble("no job can be begun")
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._loops = [
            asyncio.create_task(self._serve(), name="jobs are begun"),
            asyncio.create_task(self._hold(), name="jobs are kept"),
        ]

    async def stop(self) -> None:
        """Begin nothing more, and give back what runs."""
        self._is_stopping = True
        self._look.set()
        self._keep.set()
        serving, holding = self._loops
        await asyncio.wait([serving], timeout=_LEAVE_WITHIN_S)
        for held in self._held.values():
            held.break_off(_Reason.STOPPING)
        if tasks := [held.task for held in self._held.values() if held.task is not None]:
            await asyncio.wait(tasks, timeout=_LEAVE_WITHIN_S)
        for loop in (serving, holding):
            loop.cancel()
        await asyncio.gather(serving, holding, return_exceptions=True)

    def look(self) -> None:
        """A job may be due: look at once."""
        self._look.set()

    def notice(self) -> None:
        """A running job may have been cancelled: ask at once."""
        self._keep.set()

    async def _serve(self) -> None:
        while not self._is_stopping:
            self._look.clear()
            pause_s = await self._try_to_begin_one()
            if pause_s > 0:
                await _wait(self._look, pause_s)

    async def _try_to_begin_one(self) -> float:
        try:
            pause_s = await self._begin_one()
        except Exception as fault:
            self._trouble.note(fault)
            return LOOK_EVERY_S
        self._trouble.is_over()
        return pause_s

    async def _begin_one(self) -> float:
        """How long to wait before the next look: not at all where a job was begun."""
        kinds = self._kinds_with_room()
        wait_s = await self._queue.next_due(list(kinds)) if kinds else None
        if wait_s is None or wait_s > 0:
            return min(wait_s or LOOK_EVERY_S, LOOK_EVERY_S)
        asked_at_s = elapsed_s()
        job = await self._queue.claim(self._holder, kinds, LEASE_S)
        if job is None:
            return LOOK_EVERY_S
        held = _Held(job, self._kinds.get(job.kind), asked_at_s + _SAFE_PART * LEASE_S)
        self._held[job.run] = held
        held.task = asyncio.create_task(self._see_through(held), name=f"job {job.id} {job.kind}")
        return 0.0

    def _kinds_with_room(self) -> dict[str, int]:
        in_processes = sum(held.kind.needs_process for held in self._held.values())
        has_process = in_processes < self._worker_processes
        has_task = len(self._held) - in_processes < MOST_TASKS
        kinds = self._kinds.list_all()
        return {kind.name: kind.at_most for kind in kinds if (has_process if kind.needs_process else has_task)}

    async def _see_through(self, held: _Held) -> None:
        try:
            ending = await self._ending(held)
            if ending is not None:
                await self._tell(held, ending)
        finally:
            del self._held[held.job.run]
            self._look.set()

    async def _ending(self, held: _Held) -> Ending | None:
        """None where the job is another process's by now."""
        limit = asyncio.timeout(held.kind.timeout_s)
        try:
            async with limit:
                return _checked(await _do(held))
        except asyncio.CancelledError:
            return _broken_off(held)
        except WorkFailed as failure:
            return Failed(storable(failure.detail, LONGEST_ERROR))
        except Exception as fault:
            return Failed(TIMED_OUT if limit.expired() else _said(held, fault), held.kind.pause_s(held.job))

    async def _tell(self, held: _Held, ending: Ending) -> None:
        """Where the store does not hear it in time the job is lost, and another attempt is made."""
        held.is_over = True
        for _ in range(_ASK_AT_MOST):
            try:
                if not await self._queue.end(held.job.run, ending):
                    _log.warning("a job was taken over before it ended", extra={"job": held.job.id})
                return
            except Exception as fault:
                _log.warning("the end of a job could not be told", extra={"job": held.job.id, "reason": str(fault)})
            if self._is_stopping:
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _hold(self) -> None:
        while True:
            await _wait(self._keep, KEEP_EVERY_S)
            self._keep.clear()
            if self._held:
                await self._keep_all()

    async def _keep_all(self) -> None:
        asked_at_s = elapsed_s()
        reports = {run: held.told for run, held in self._held.items()}
        try:
            async with asyncio.timeout(LEASE_S / 2):
                standings = await self._queue.keep(self._holder, LEASE_S, reports)
        except Exception as fault:
            _log.warning("jobs could not be kept", extra={"jobs": len(reports), "reason": str(fault)})
            self._let_go_of_what_ran_out()
            return
        for run, standing in standings.items():
            if (held := self._held.get(run)) is not None:
                _stand(held, standing, asked_at_s + _SAFE_PART * LEASE_S)

    def _let_go_of_what_ran_out(self) -> None:
        for held in self._held.values():
            if elapsed_s() > held.held_until_s:
                held.break_off(_Reason.LOST)


async def _do(held: _Held) -> Any:
    work = held.kind.work
    if isinstance(work, Worker):
        return await run_in_process(work, held.job, held.report)
    return await work(held)


def _checked(result: Any) -> Ending:
    """Raises TypeError where the result is no JSON."""
    if len(msgspec.json.encode(result)) > LONGEST_LINE:
        return Failed(RESULT_TOO_LARGE)
    return Done(result)


def _broken_off(held: _Held) -> Ending | None:
    match held.reason:
        case _Reason.CANCELLED:
            return Cancelled()
        case _Reason.STOPPING:
            return GivenBack()
        case _Reason.LOST:
            return None
        case None:
            return Failed("cancelled-itself", held.kind.pause_s(held.job))
        case _:
            assert_never(held.reason)


def _said(held: _Held, fault: Exception) -> str:
    if isinstance(fault, WorkerEnded | ParvisError):
        return storable(fault.detail, LONGEST_ERROR)
    _log.exception("a job failed", extra={"job": held.job.id, "kind": held.kind.name}, exc_info=fault)
    return storable(f"{type(fault).__name__}: {fault}", LONGEST_ERROR)


def _stand(held: _Held, standing: Standing, held_until_s: float) -> None:
    match standing:
        case Standing.OURS:
            held.held_until_s = held_until_s
        case Standing.CANCELLING:
            held.break_off(_Reason.CANCELLED)
        case Standing.LOST:
            held.break_off(_Reason.LOST)
        case _:
            assert_never(standing)


async def _wait(event: asyncio.Event, at_most_s: float) -> None:
    """Not with `wait_for`, which in Python 3.11 swallows a cancellation that comes with the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await event.wait()
