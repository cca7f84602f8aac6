"""Work that runs later: for parts that have some, and for people who look at it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import tzinfo
from itertools import count
from typing import Any

import msgspec

from parvis.access.model import AuditRecord
from parvis.broker.leading import new_holder
from parvis.jobs.kinds import NOTHING, Kind, Kinds, Work
from parvis.jobs.runner import Runner
from parvis.jobs.schedules import Schedule
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.jobs import Attempt, Job, JobContext, JobFilter, JobQueue, JobState, NewJob, Tally
from parvis.kernel.time import DAY, Clock, Instant, format_instant, system_clock
from parvis.kernel.trouble import Trouble

PRUNE = "jobs.prune"
LONGEST_ARGUMENTS_BYTES = 64 << 10
TICK_S = 1.0
COUNT_EVERY_TICKS = 5
_PRUNE_AT_ONCE = 500
_LOOKED_THROUGH = 1_000
"""For one's own among them."""


class DueAgain(msgspec.Struct, frozen=True):
    """A schedule as people see it."""

    schedule: Schedule
    kind: Kind
    next_at: Instant


Audit = Callable[[AuditRecord], object]


def _keep_no_trail(record: AuditRecord) -> None:
    """Where nobody asks who did what."""


class Jobs:
    def __init__(
        self,
        queue: JobQueue,
        zone: tzinfo,
        *,
        worker_processes: int = 1,
        keep_days: float = 30.0,
        clock: Clock = system_clock,
        audit: Audit = _keep_no_trail,
    ) -> None:
        self.queue = queue
        self._audit = audit
        self.tally = Tally()
        self.kinds = Kinds()
        self._zone = zone
        self._clock = clock
        self._keep = round(keep_days * DAY)
        self._schedules: dict[str, Schedule] = {}
        self._told: dict[str, Instant] = {}
        self._worker_processes = worker_processes
        self._runner: Runner | None = None
        self.kind(PRUNE, self._prune, at_most=1, for_all=True)
        self.every(PRUNE, "17 3 * * *", PRUNE)

    def kind(self, name: str, work: Work, **options: Any) -> None:
        """Options as of `Kind`."""
        self.kinds.add(Kind(name, work, **options))

    def every(self, name: str, cron: str, kind: str, arguments: Mapping[str, Any] = NOTHING) -> None:
        """Run a kind whenever its five-field cron expression says, in the territory's time.

        Each due time adds one job, whichever process sees it first; those missed while nothing ran add one.
        """
        self.kinds.get(kind)
        self._schedules[name] = Schedule(name, cron, kind, arguments)

    async def add(
        self,
        kind: str,
        arguments: Mapping[str, Any] = NOTHING,
        *,
        tenant: str = DEFAULT_TENANT,
        created_by: str,
        key: str | None = None,
        due_at: Instant | None = None,
    ) -> Job:
        """For the platform's own parts. A second call with the same tenant, kind and key adds nothing.

        Raises:
            ResourceNotFound: no such kind.
            Overloaded, NonexistentTenant
        """
        job = await self.queue.add(self._new(self.kinds.get(kind), arguments, tenant, created_by, key, due_at))
        self._look()
        return job

    async def submit(
        self,
        caller: Caller,
        kind: str,
        arguments: Mapping[str, Any] = NOTHING,
        *,
        key: str | None = None,
        due_at: Instant | None = None,
    ) -> Job:
        """For people and programs. Raises as `add`, and Forbidden or BadRequestData."""
        wanted = self.kinds.get(kind)
        self._check(caller, wanted.right)
        if not wanted.may_be_started_by(caller):
            raise Forbidden(f"Jobs of kind {kind} concern all tenants: start them in {DEFAULT_TENANT!r}.")
        if len(msgspec.json.encode(dict(arguments))) > LONGEST_ARGUMENTS_BYTES:
            raise BadRequestData(f"A job's arguments may have at most {LONGEST_ARGUMENTS_BYTES} bytes.")
        job = await self.add(kind, arguments, tenant=caller.tenant, created_by=caller.subject, key=key, due_at=due_at)
        self._note(caller, "job-submitted", job)
        return job

    async def start_on_request(self, caller: Caller, kind: str) -> Job:
        """One of the kinds that the console offers. Raises ResourceNotFound or Forbidden."""
        if not self.kinds.get(kind).on_request:
            raise ResourceNotFound(f"Jobs of kind {kind} are not started on request.")
        return await self.submit(caller, kind)

    async def get(self, caller: Caller, job_id: int) -> Job:
        """Raises Forbidden, or ResourceNotFound, also where it is somebody else's and the caller reads a part only."""
        self._check(caller, Right.READ)
        job = await self.queue.find(caller.tenant, job_id)
        if job is None or not _is_seen(caller, job):
            raise ResourceNotFound(f"There is no job {job_id}.")
        return job

    async def list_jobs(self, caller: Caller, which: JobFilter) -> list[Job]:
        self._check(caller, Right.READ)
        return [job for job in await self.queue.list_jobs(caller.tenant, which) if _is_seen(caller, job)]

    async def list_attempts(self, caller: Caller, job_id: int) -> list[Attempt]:
        await self.get(caller, job_id)
        return await self.queue.list_attempts(caller.tenant, job_id)

    async def count(self, caller: Caller) -> dict[tuple[str, JobState], int]:
        self._check(caller, Right.READ)
        if Right.READ in caller.everywhere:
            return await self.queue.count(caller.tenant)
        return Counter((one.kind, one.state) for one in await self.list_jobs(caller, JobFilter(limit=_LOOKED_THROUGH)))

    async def cancel(self, caller: Caller, job_id: int) -> Job:
        """Raises ResourceNotFound, WrongState or Forbidden."""
        self._check(caller, self.right_for(await self.get(caller, job_id)))
        job = await self.queue.cancel(caller.tenant, job_id)
        self._note(caller, "job-cancelled", job)
        if self._runner is not None:
            self._runner.notice()
        return job

    async def retry(self, caller: Caller, job_id: int) -> Job:
        """Raises ResourceNotFound, WrongState or Forbidden."""
        before = await self.get(caller, job_id)
        self._check(caller, self.right_for(before))
        kind = self.kinds.find(before.kind)
        job = await self.queue.retry(caller.tenant, job_id, kind.attempts if kind is not None else 1)
        self._note(caller, "job-retried", job)
        self._look()
        return job

    def right_for(self, job: Job) -> Right:
        kind = self.kinds.find(job.kind)
        return Right.ADMINISTER if kind is None else kind.right

    def list_schedules(self) -> list[DueAgain]:
        """What is due next comes first."""
        now = self._clock()
        found = [
            DueAgain(one, self.kinds.get(one.kind), one.next_after(max(now, self._told.get(one.name, now)), self._zone))
            for one in self._schedules.values()
        ]
        return sorted(found, key=lambda one: one.next_at)

    async def run_now(self, caller: Caller, name: str) -> Job:
        """What a schedule would add when it is due: of the pool, which alone has schedules.

        Raises ResourceNotFound or Forbidden.
        """
        schedule = self._schedules.get(name) if caller.tenant == DEFAULT_TENANT else None
        if schedule is None:
            raise ResourceNotFound(f"There is no schedule {name!r}.")
        return await self.submit(caller, schedule.kind, schedule.arguments)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Jobs are run by this process, until the end of the block gives them back."""
        self._runner = Runner(self.queue, self.kinds, new_holder(), worker_processes=self._worker_processes)
        self._runner.start()
        ticking = asyncio.create_task(self._tick(), name="schedules")
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await self._runner.stop()
            self._runner = None

    async def add_what_is_due(self) -> None:
        """Turn due times that have passed into jobs, one for each schedule."""
        now = self._clock()
        if any(self._needs_a_look(one, now) for one in self._schedules.values()):
            self._told = await self.queue.schedules()
            for schedule in self._schedules.values():
                await self._add_due(schedule, now)

    async def _add_due(self, schedule: Schedule, now: Instant) -> None:
        """A schedule begins when it is first seen, and anew where the clock has gone back by more than a day."""
        before = self._told.get(schedule.name)
        if before is None or before > now + DAY:
            await self.queue.add_due(schedule.name, before, now, None)
            self._told[schedule.name] = now
            return
        due_at = schedule.newest_between(before, now, self._zone)
        if due_at is None:
            return
        kind, key = self.kinds.get(schedule.kind), f"{schedule.name} {format_instant(due_at)}"
        new = self._new(kind, schedule.arguments, DEFAULT_TENANT, "system:schedule", key, None)
        await self.queue.add_due(schedule.name, before, due_at, new)
        self._told[schedule.name] = due_at
        self._look()

    def _needs_a_look(self, schedule: Schedule, now: Instant) -> bool:
        told = self._told.get(schedule.name)
        return told is None or told > now + DAY or schedule.next_after(told, self._zone) <= now

    async def _tick(self) -> None:
        trouble = Trouble("schedules cannot be looked at")
        for tick in count():
            asks = tick % COUNT_EVERY_TICKS == 0
            try:
                if asks:
                    self.tally = await self.queue.tally()  # before what a full queue refuses
                await self.add_what_is_due()
                if asks:  # where nothing is due the queue is asked nothing else
                    trouble.is_over()
            except Exception as fault:
                trouble.note(fault)
            await asyncio.sleep(TICK_S)

    def _new(
        self,
        kind: Kind,
        arguments: Mapping[str, Any],
        tenant: str,
        created_by: str,
        key: str | None,
        due_at: Instant | None,
    ) -> NewJob:
        return NewJob(tenant, kind.name, dict(arguments), created_by, kind.attempts, key, due_at)

    def _look(self) -> None:
        if self._runner is not None:
            self._runner.look()

    def _check(self, caller: Caller, right: Right) -> None:
        if not caller.may(right):
            raise Forbidden("Your account may not do this with jobs: ask an administrator.")

    def _note(self, caller: Caller, action: str, job: Job) -> None:
        facts = {"kind": job.kind}
        self._audit(AuditRecord(self._clock(), caller.tenant, caller.subject, action, str(job.id), facts))

    async def _prune(self, context: JobContext) -> dict[str, int]:
        forgotten = 0
        while pruned := await self.queue.prune(self._clock() - self._keep, _PRUNE_AT_ONCE):
            forgotten += pruned
            context.report(0.0)
        return {"forgotten": forgotten}


def _is_seen(caller: Caller, job: Job) -> bool:
    """What a job was told and what came of it may speak of any entity."""
    return Right.READ in caller.everywhere or job.created_by == caller.subject


def list_requestable(kinds: Iterable[Kind], caller: Caller) -> list[Kind]:
    return [kind for kind in kinds if kind.on_request and kind.may_be_started_by(caller)]
