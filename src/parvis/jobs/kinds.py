"""The kinds of work there are, and within which bounds each is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.jobs import Job, JobContext, LoopWork, WorkFailed

_LONGEST_PAUSE_S = 3600.0
NO_STORE = "no-store"
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Worker:
    """Work for a process of its own: the function "module:name" is called with a JobContext, and returns JSON.

    `given` is what the installation adds to each job's arguments; it is not stored.
    """

    function: str
    memory_mb: int = 1024
    cpu_s: int = 3600
    given: Mapping[str, Any] = field(default_factory=dict)


Work: TypeAlias = LoopWork | Worker


async def done_elsewhere(_context: JobContext) -> Any:
    """Work that needs the store: where it is not at hand such jobs can be asked for, and another process does them."""
    raise WorkFailed(NO_STORE)


@dataclass(frozen=True, slots=True)
class Kind:
    """`attempts` counts those that fail and those whose process died: with 1 nothing is ever done twice.

    At most `at_most` run at once in all processes together (0: any number). `right` is what people need to start,
    cancel or retry such a job. With `on_request` the console offers to start one, without arguments. One `for_all`
    works on what all tenants have: it is started in the default one only.
    """

    name: str
    work: Work
    attempts: int = 3
    back_off_s: float = 10.0
    timeout_s: float = 3600.0
    at_most: int = 0
    right: Right = Right.ADMINISTER
    on_request: bool = False
    for_all: bool = False

    @property
    def needs_process(self) -> bool:
        return isinstance(self.work, Worker)

    def may_be_started_by(self, caller: Caller) -> bool:
        return caller.may(self.right) and (not self.for_all or caller.tenant == DEFAULT_TENANT)

    def pause_s(self, job: Job) -> float | None:
        """How long to wait before the next attempt, doubled each time; None where none is left."""
        left = job.attempts_allowed - job.attempt
        if left <= 0:
            return None
        failed_before = max(0, self.attempts - left - 1)
        return float(min(self.back_off_s * 2**failed_before, _LONGEST_PAUSE_S))


class Kinds:
    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}

    def add(self, kind: Kind) -> None:
        if kind.name in self._by_name:
            raise ValueError(f"there is a kind {kind.name} already")
        self._by_name[kind.name] = kind

    def find(self, name: str) -> Kind | None:
        return self._by_name.get(name)

    def get(self, name: str) -> Kind:
        if (kind := self._by_name.get(name)) is None:
            raise ResourceNotFound(f"There is no kind of job {name!r}.")
        return kind

    def list_all(self) -> list[Kind]:
        return list(self._by_name.values())
