"""Port: work that runs later, and what it is told while it runs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, TypeAlias, assert_never

import msgspec

from parvis.kernel.errors import PARVIS_ERRORS, Overloaded, ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

LONGEST_MESSAGE = 200
LONGEST_ERROR = 4_000
LONGEST_HOLD_S = 300.0
"""A job held for longer was claimed before the clock went back: it counts as run out."""
FAULTS_FOUND = "faults-found"
"""The error of a check that has found something; lines that say what follow it."""
MOST_WAITING = 10_000
"""Jobs of one tenant that may wait; the next one is refused with Overloaded."""


class WorkFailed(ParvisError):
    """Raised by the work of a job that cannot succeed however often it is tried."""

    title = "The job cannot be done"


class WrongState(ParvisError):
    """The job is not in a state in which this can be done to it."""

    type_uri = PARVIS_ERRORS + "wrong-state"
    title = "The job's state does not allow this"
    status = 409


class JobState(Enum):
    """Numbers are stored: they stay."""

    WAITING = 0
    RUNNING = 1
    DONE = 2
    FAILED = 3
    CANCELLED = 4

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def has_ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class AttemptOutcome(Enum):
    """GIVEN_BACK: its process was stopped. LOST: its process died, or no longer reached the store."""

    RUNNING = 0
    DONE = 1
    FAILED = 2
    CANCELLED = 3
    GIVEN_BACK = 4
    LOST = 5

    @property
    def word(self) -> str:
        return self.name.lower()


class Attempt(msgspec.Struct, frozen=True):
    """`holder` is the process that made it."""

    number: int
    holder: str
    started_at: Instant
    ended_at: Instant | None
    outcome: AttemptOutcome
    error: str


class NewJob(msgspec.Struct, frozen=True):
    """Of one tenant, kind and `key` there is one job. Jobs of the whole installation are of the default tenant."""

    tenant: str
    kind: str
    arguments: dict[str, Any] = {}
    created_by: str = ""
    attempts_allowed: int = 1
    key: str | None = None
    due_at: Instant | None = None


class Job(msgspec.Struct, frozen=True):
    """`attempt` counts up with every start and never comes back; `progress` is between 0 and 1."""

    id: int
    tenant: str
    kind: str
    key: str | None
    arguments: dict[str, Any]
    state: JobState
    due_at: Instant
    attempt: int
    attempts_allowed: int
    progress: float
    message: str
    result: Any
    error: str
    created_by: str
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    holder: str
    is_cancelling: bool

    @property
    def run(self) -> "Run":
        return Run(self.id, self.attempt)


class Run(msgspec.Struct, frozen=True):
    """One attempt at a job: what a process holds. A later attempt makes it void."""

    job_id: int
    attempt: int


class Report(msgspec.Struct, frozen=True):
    progress: float = 0.0
    message: str = ""


class Standing(Enum):
    OURS = "ours"
    CANCELLING = "cancelling"
    LOST = "lost"


class Done(msgspec.Struct, frozen=True):
    result: Any = None


class Failed(msgspec.Struct, frozen=True):
    """`retry_in_s` None: for good."""

    error: str
    retry_in_s: float | None = None


class Cancelled(msgspec.Struct, frozen=True):
    pass


class GivenBack(msgspec.Struct, frozen=True):
    """Another process may begin it at once; the attempt does not count."""


Ending: TypeAlias = Done | Failed | Cancelled | GivenBack


class Settlement(msgspec.Struct, frozen=True):
    """What an ending makes of the job (`state`, due `due_in_s` from now) and of the attempt (`outcome`)."""

    state: JobState
    outcome: AttemptOutcome
    error: str = ""
    due_in_s: float = 0.0
    result: Any = None
    more_attempts: int = 0


def settle(ending: Ending, *, is_cancelling: bool) -> Settlement:
    match ending:
        case Done(result):
            return Settlement(JobState.DONE, AttemptOutcome.DONE, result=result)
        case Cancelled():
            return Settlement(JobState.CANCELLED, AttemptOutcome.CANCELLED)
        case Failed(error, retry_in_s):
            if is_cancelling:
                return Settlement(JobState.CANCELLED, AttemptOutcome.CANCELLED, error)
            if retry_in_s is None:
                return Settlement(JobState.FAILED, AttemptOutcome.FAILED, error)
            return Settlement(JobState.WAITING, AttemptOutcome.FAILED, error, retry_in_s)
        case GivenBack():
            state = JobState.CANCELLED if is_cancelling else JobState.WAITING
            return Settlement(state, AttemptOutcome.GIVEN_BACK, more_attempts=1)
        case _:
            assert_never(ending)


def check_room(waiting: int) -> None:
    """For one more job of a tenant beside those that wait. Raises Overloaded."""
    if waiting >= MOST_WAITING:
        raise Overloaded(f"{waiting} jobs wait already: try again when some have run.", retry_after_s=60)


def check_cancellable(job: Job) -> None:
    """Raises WrongState."""
    if job.state.has_ended:
        raise WrongState(f"Job {job.id} has ended already.", state=job.state.word)


def check_retriable(job: Job) -> None:
    """Raises WrongState."""
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        raise WrongState(f"Job {job.id} has neither failed nor been cancelled.", state=job.state.word)


def job_of(row: Sequence[Any]) -> Job:
    """Of a store's columns in the order of Job: the state's number, arguments and result as JSON."""
    columns = dict(zip(Job.__struct_fields__, row, strict=True))
    columns["arguments"] = msgspec.json.decode(columns["arguments"])
    columns["state"] = JobState(columns["state"])
    columns["result"] = None if columns["result"] is None else msgspec.json.decode(columns["result"])
    columns["is_cancelling"] = bool(columns["is_cancelling"])
    return Job(**columns)


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Of a store's columns in the order of Attempt, the outcome by its number."""
    number, holder, started, ended, outcome, error = row
    return Attempt(number, holder, started, ended, AttemptOutcome(outcome), error)


class JobFilter(msgspec.Struct, frozen=True):
    """Newest first; the next page is `before` the last one's id."""

    states: frozenset[JobState] = frozenset()
    kind: str = ""
    before: int | None = None
    limit: int = 50


class Tally(msgspec.Struct, frozen=True):
    """Of all tenants. `oldest_due_at` is of the jobs that wait though they are due."""

    waiting: int = 0
    running: int = 0
    failed: int = 0
    oldest_due_at: Instant | None = None


class JobQueue(Protocol):
    """Durable: what returned is on disk. The store's clock counts, so that processes need not agree on theirs."""

    async def add(self, job: NewJob) -> Job:
        """The job of this tenant, kind and key where there is one already.

        Raises:
            NonexistentTenant
            Overloaded: too many jobs of the tenant wait.
        """
        ...

    async def add_due(self, schedule: str, before: Instant | None, due_at: Instant, job: NewJob | None) -> Job | None:
        """Move a schedule on from `before` to `due_at` and add its job, in one transaction.

        None, and nothing is done, where another process has moved it, or where there is no job to add.
        """
        ...

    async def schedules(self) -> dict[str, Instant]:
        """The time up to which each schedule's jobs have been added."""
        ...

    async def claim(self, holder: str, kinds: Mapping[str, int], for_s: float) -> Job | None:
        """Start the next due job of one of `kinds`, each with how many may run at once everywhere (0: any number).

        The turn is of the tenant with the fewest running jobs, then of the one served longest ago; of its kinds the
        same. Jobs whose holder has not kept them in time begin anew, or fail where no attempt is left. `for_s` is
        at most LONGEST_HOLD_S.
        """
        ...

    async def keep(self, holder: str, for_s: float, reports: Mapping[Run, Report]) -> dict[Run, Standing]:
        """Hold the runs longer and note how far they are."""
        ...

    async def end(self, run: Run, ending: Ending) -> bool:
        """False, and nothing is done, where the run is void."""
        ...

    async def cancel(self, tenant: str, job_id: int) -> Job:
        """A waiting job ends at once; a running one is marked, and its process told.

        Raises:
            ResourceNotFound, WrongState
        """
        ...

    async def retry(self, tenant: str, job_id: int, attempts: int) -> Job:
        """A failed or cancelled job waits again, due now. Raises ResourceNotFound or WrongState."""
        ...

    async def find(self, tenant: str, job_id: int) -> Job | None: ...

    async def list_jobs(self, tenant: str, which: JobFilter) -> list[Job]: ...

    async def list_attempts(self, tenant: str, job_id: int) -> list[Attempt]: ...

    async def count(self, tenant: str) -> dict[tuple[str, JobState], int]:
        """Jobs by kind and state."""
        ...

    async def next_due(self, kinds: Sequence[str]) -> float | None:
        """Seconds until `claim` may find something; None where nothing waits or runs."""
        ...

    async def tally(self) -> Tally: ...

    async def prune(self, before: Instant, limit: int) -> int:
        """Forget at most `limit` jobs that ended before; how many they were."""
        ...


class JobDoor(Protocol):
    """Where a part of the platform brings its kinds of work, and asks for some."""

    @property
    def queue(self) -> JobQueue: ...

    def kind(self, name: str, work: Any, **options: Any) -> None:
        """`work` is LoopWork, or a Worker for a process of its own."""
        ...

    async def submit(
        self,
        caller: Caller,
        kind: str,
        arguments: Mapping[str, Any] = ...,
        *,
        key: str | None = None,
        due_at: Instant | None = None,
    ) -> Job:
        """Raises Forbidden, Overloaded, NonexistentTenant."""
        ...


class Task(Protocol):
    """What of a job its worker process is told."""

    @property
    def tenant(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...

    @property
    def attempt(self) -> int: ...


class JobContext(Task, Protocol):
    """What the work of a job is given."""

    @property
    def cancelled(self) -> bool:
        """Whether to come to an end; a worker process is ended without being asked."""
        ...

    def report(self, progress: float, message: str = "") -> None:
        """How far the work is, 0 to 1; the pages show the last one told."""
        ...


LoopWork: TypeAlias = Callable[[JobContext], Awaitable[Any]]
"""Runs on the event loop; what it returns must be JSON."""
