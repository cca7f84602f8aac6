"""Jobs: what waits, runs and has ended; starting, cancelling and trying again."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.jobs.jobs import list_requestable
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.jobs import Attempt, Job, JobFilter, JobState, WrongState
from parvis.kernel.time import SECOND, Instant
from parvis.web.auth import check_form
from parvis.web.faults import explain_fault
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.tenants import is_pool
from parvis.web.wording import Wording

ROWS_A_PAGE = 50
SEE_OTHER = 303
REFRESH_BUSY_S = 2
REFRESH_IDLE_S = 10
_STATES = {one.word: one for one in JobState}
_SHAPES = {
    JobState.WAITING: State.STALE,
    JobState.RUNNING: State.GOOD,
    JobState.DONE: State.GOOD,
    JobState.FAILED: State.BAD,
    JobState.CANCELLED: State.STALE,
}
_LARGEST_ID = 2**62


@dataclass(frozen=True, slots=True)
class JobView:
    """`error` is a sentence in the page's language, `details` what was written when it happened."""

    job: Job
    name: str
    by: str
    shape: State
    message: str
    error: str
    details: str
    may_change: bool

    @property
    def can_cancel(self) -> bool:
        return self.may_change and not self.job.state.has_ended and not self.job.is_cancelling

    @property
    def can_retry(self) -> bool:
        return self.may_change and self.job.state in (JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class AttemptView:
    attempt: Attempt
    duration: str
    error: str
    details: str


async def jobs_page(request: Request) -> Response:
    """The caller must hold READ."""
    site, caller = site_of(request), caller_of(request)
    jobs, t = site.platform.jobs, site.pages.words(request)
    counts = await jobs.count(caller)
    kinds = sorted({kind for kind, _ in counts})
    state, kind = _STATES.get(request.query_params.get("state", "")), request.query_params.get("kind", "")
    which = JobFilter(
        states=frozenset() if state is None else frozenset({state}),
        kind=kind if kind in kinds else "",
        before=_number(request.query_params.get("before", "")),
        limit=ROWS_A_PAGE + 1,
    )
    found = await jobs.list_jobs(caller, which)
    return site.pages.render(
        request,
        "console/pages/jobs.html",
        jobs=[view_of(site, request, job, t) for job in found[:ROWS_A_PAGE]],
        older=found[ROWS_A_PAGE - 1].id if len(found) > ROWS_A_PAGE else None,
        is_first_page=which.before is None,
        total=sum(counts.values()),
        counts=_by_state(counts),
        kinds=[(name, name_of(name, t)) for name in kinds],
        chosen_state="" if state is None else state.word,
        chosen_kind=which.kind,
        schedules=[
            (one, name_of(one.schedule.kind, t), one.kind.may_be_started_by(caller))
            for one in jobs.list_schedules()
            if is_pool(caller)
        ],
        requestable=[(one.name, name_of(one.name, t)) for one in list_requestable(jobs.kinds.list_all(), caller)],
        refresh_s=_refresh_s(found),
    )


async def job_page(request: Request) -> Response:
    """The caller must hold READ."""
    site, caller, t = site_of(request), caller_of(request), site_of(request).pages.words(request)
    job = await site.platform.jobs.get(caller, _job_id(request))
    attempts = await site.platform.jobs.list_attempts(caller, job.id)
    return site.pages.render(
        request,
        "console/pages/job.html",
        view=view_of(site, request, job, t),
        arguments=_pretty(job.arguments) if job.arguments else "",
        result="" if job.result is None else _pretty(job.result),
        attempts=[_attempt_view(one, site.now, t) for one in attempts],
        refresh_s=_refresh_s([job]),
    )


async def start(request: Request) -> Response:
    """A kind on request, or what a schedule would add when it is due."""
    form = await request.form()
    check_form(request, form)
    jobs, caller = site_of(request).platform.jobs, caller_of(request)
    schedule, kind = str(form.get("schedule", "")), str(form.get("kind", ""))
    job = await (jobs.run_now(caller, schedule) if schedule else jobs.start_on_request(caller, kind))
    return _to(job.id)


async def cancel(request: Request) -> Response:
    return await _change(request, site_of(request).platform.jobs.cancel)


async def retry(request: Request) -> Response:
    return await _change(request, site_of(request).platform.jobs.retry)


async def _change(request: Request, change: Callable[[Caller, int], Awaitable[Job]]) -> Response:
    """Where the job has moved on meanwhile its page says so."""
    check_form(request, await request.form())
    job_id = _job_id(request)
    with suppress(WrongState):
        await change(caller_of(request), job_id)
    return _to(job_id)


def view_of(site: Site, request: Request, job: Job, t: Wording) -> JobView:
    error, details = _split_error(job.error, t)
    return JobView(
        job=job,
        name=name_of(job.kind, t),
        by=_asker(job.created_by, t),
        shape=_SHAPES[job.state],
        message=t.find(f"job_message.{job.message}") or job.message,
        error=error,
        details=details,
        may_change=caller_of(request).may(site.platform.jobs.right_for(job)),
    )


def _asker(subject: str, t: Wording) -> str:
    space, _, name = subject.partition(":")
    return (t.find(f"job_by.{name}") or t("jobs.by_platform")) if space == "system" else name or space


def name_of(kind: str, t: Wording) -> str:
    return t.find(f"job_kind.{kind}") or kind


def _attempt_view(attempt: Attempt, now: Instant, t: Wording) -> AttemptView:
    seconds = ((attempt.ended_at or now) - attempt.started_at) / SECOND
    return AttemptView(attempt, t.quantity(max(0.0, seconds), "SEC"), *_split_error(attempt.error, t))


def _split_error(error: str, t: Wording) -> tuple[str, str]:
    """Its sentence and what was written beside, in English: the first line may be a code that has a sentence."""
    first, _, rest = error.partition("\n")
    if not error:
        return "", ""
    explained = t.find(f"job_error.{first}")
    if explained is not None:
        return explained, rest
    why = explain_fault(error.strip(), t)
    return (why.sentence, why.detail) if why.sentence else (t("job_error.other"), error)


def _by_state(counts: dict[tuple[str, JobState], int]) -> list[tuple[str, int]]:
    by_state: Counter[JobState] = Counter()
    for (_, state), number in counts.items():
        by_state[state] += number
    return [(state.word, by_state[state]) for state in JobState]


def _refresh_s(jobs: list[Job]) -> int:
    return REFRESH_IDLE_S if all(job.state.has_ended for job in jobs) else REFRESH_BUSY_S


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _job_id(request: Request) -> int:
    """Raises ResourceNotFound for what is no number of a job."""
    number = _number(request.path_params["job_id"])
    if number is None or number > _LARGEST_ID:
        raise ResourceNotFound("There is no such job.")
    return number


def _to(job_id: int) -> Response:
    return RedirectResponse(f"/console/jobs/{job_id}", SEE_OTHER)


ROUTES = [
    Route("/console/jobs", jobs_page, methods=["GET"]),
    Route("/console/jobs/start", start, methods=["POST"]),
    Route("/console/jobs/{job_id}", job_page, methods=["GET"]),
    Route("/console/jobs/{job_id}/cancel", cancel, methods=["POST"]),
    Route("/console/jobs/{job_id}/retry", retry, methods=["POST"]),
]
