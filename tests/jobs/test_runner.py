"""Jobs on the event loop: begun, kept, ended, tried again, given back."""

import asyncio
from typing import Any

import pytest

from parvis.jobs import runner
from parvis.jobs.jobs import Jobs, list_requestable
from parvis.jobs.kinds import Kind
from parvis.kernel.errors import Forbidden, Overloaded, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.kernel.jobs import AttemptOutcome, Ending, Job, JobContext, JobState, NewJob, Run, WorkFailed
from parvis.stores.sqlite.store import SqliteStore
from tests.jobs.conftest import ended, in_state

ADA = Caller(DEFAULT_TENANT, "account:ada", ADMINISTRATOR)


class Gate:
    """Work that waits to be let through, and says when it has begun."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.began = asyncio.Event()
        self.left = asyncio.Event()
        self.running = 0
        self.most_running = 0

    async def __call__(self, context: JobContext) -> str:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self.began.set()
        try:
            await self.opened.wait()
        finally:
            self.running -= 1
            self.left.set()
        return f"{context.tenant} {context.attempt}"


async def test_work_is_done_and_its_result_kept(jobs: Jobs) -> None:
    async def add_up(context: JobContext) -> dict[str, Any]:
        context.report(0.5, "half of it")
        return {"sum": sum(context.arguments["numbers"])}

    jobs.kind("add", add_up)
    job = await jobs.submit(ADA, "add", {"numbers": [1, 2, 3]})
    async with jobs.running():
        done = await ended(jobs, job)
    assert (done.state, done.result, done.created_by) == (JobState.DONE, {"sum": 6}, "account:ada")


async def test_progress_is_seen_while_it_runs(jobs: Jobs) -> None:
    gate = Gate()

    async def walk(context: JobContext) -> None:
        context.report(0.4, "x" * 500)
        await gate(context)

    jobs.kind("walk", walk)
    async with jobs.running():
        job = await jobs.submit(ADA, "walk")
        await gate.began.wait()
        await asyncio.sleep(runner.KEEP_EVERY_S + 0.3)
        found = await jobs.get(ADA, job.id)
        assert (found.state, found.progress, found.message) == (JobState.RUNNING, 0.4, "x" * 200)
        gate.opened.set()
        await ended(jobs, job)


async def test_work_that_fails_is_tried_again_after_a_pause(jobs: Jobs) -> None:
    tries = []

    async def fail_twice(context: JobContext) -> int:
        tries.append(asyncio.get_running_loop().time())
        if context.attempt < 3:
            raise ValueError("not yet")
        return context.attempt

    jobs.kind("stubborn", fail_twice, attempts=3, back_off_s=0.2)
    async with jobs.running():
        done = await ended(jobs, await jobs.submit(ADA, "stubborn"))
    assert (done.state, done.result) == (JobState.DONE, 3)
    first, second, third = tries
    assert second - first >= 0.2
    assert third - second >= 0.4
    attempts = await jobs.list_attempts(ADA, done.id)
    assert [one.error for one in attempts] == ["", "ValueError: not yet", "ValueError: not yet"]


def job_at(attempt: int, allowed: int) -> Job:
    state = JobState.RUNNING
    return Job(1, "t", "k", None, {}, state, 0, attempt, allowed, 0, "", None, "", "", 0, 0, None, "a", False)


def test_pauses_double_up_to_an_hour_and_begin_anew_when_somebody_asks_again() -> None:
    kind = Kind("k", Gate(), attempts=12, back_off_s=10)
    assert [kind.pause_s(job_at(attempt, 12)) for attempt in (1, 2, 3)] == [10, 20, 40]
    assert kind.pause_s(job_at(11, 12)) == 3600
    assert kind.pause_s(job_at(12, 12)) is None
    assert kind.pause_s(job_at(13, 24)) == 10
    assert kind.pause_s(job_at(4, 15)) == 10, "three attempts were given back"


async def test_work_that_cannot_succeed_is_not_tried_again(jobs: Jobs) -> None:
    async def refuse(context: JobContext) -> None:
        raise WorkFailed("There is no such archive.")

    jobs.kind("refuse", refuse)
    async with jobs.running():
        failed = await ended(jobs, await jobs.submit(ADA, "refuse"))
    assert (failed.state, failed.error, failed.attempt) == (JobState.FAILED, "There is no such archive.", 1)


async def test_work_has_its_time(jobs: Jobs) -> None:
    jobs.kind("slow", Gate(), attempts=1, timeout_s=0.1)
    async with jobs.running():
        failed = await ended(jobs, await jobs.submit(ADA, "slow"))
    assert (failed.state, failed.error) == (JobState.FAILED, "timed-out")


@pytest.mark.parametrize(
    ("result", "error"), [({1: object()}, "TypeError"), ("x" * (2 << 20), "result-too-large")], ids=["no JSON", "long"]
)
async def test_a_result_must_be_json_of_a_bounded_size(jobs: Jobs, result: Any, error: str) -> None:
    async def answer(context: JobContext) -> Any:
        return result

    jobs.kind("answer", answer, attempts=1)
    async with jobs.running():
        failed = await ended(jobs, await jobs.submit(ADA, "answer"))
    assert failed.state is JobState.FAILED
    assert failed.error.startswith(error)


async def test_a_running_job_is_cancelled_at_once(jobs: Jobs) -> None:
    gate = Gate()
    jobs.kind("wait", gate)
    async with jobs.running():
        job = await jobs.submit(ADA, "wait")
        await gate.began.wait()
        await jobs.cancel(ADA, job.id)
        cancelled = await ended(jobs, job, within_s=runner.KEEP_EVERY_S)
        assert (cancelled.state, gate.running) == (JobState.CANCELLED, 0)

        gate.opened.set()
        await jobs.retry(ADA, job.id)
        assert (await ended(jobs, job)).result == "default 2"


async def test_stopping_gives_jobs_back(jobs: Jobs) -> None:
    gate = Gate()
    jobs.kind("wait", gate, attempts=1)
    async with jobs.running():
        job = await jobs.submit(ADA, "wait")
        await gate.began.wait()
    waiting = await jobs.get(ADA, job.id)
    assert waiting.state is JobState.WAITING
    assert [one.outcome for one in await jobs.list_attempts(ADA, job.id)] == [AttemptOutcome.GIVEN_BACK]

    gate.opened.set()
    async with jobs.running():
        assert (await ended(jobs, job)).result == "default 2"


async def test_an_idle_runner_stops_at_once_however_it_is_met(jobs: Jobs) -> None:
    """Told to stop in the very step in which it wakes."""
    for steps in range(12):
        async with asyncio.timeout(2):
            async with jobs.running():
                for _ in range(steps):
                    await asyncio.sleep(0)


async def test_so_many_run_at_once_and_no_more(jobs: Jobs) -> None:
    gate = Gate()
    jobs.kind("wait", gate)
    jobs.kind("alone", alone := Gate(), at_most=1)
    for _ in range(runner.MOST_TASKS + 2):
        await jobs.submit(ADA, "wait")
    last = [await jobs.submit(ADA, "alone") for _ in range(2)]
    async with jobs.running():
        await gate.began.wait()
        await asyncio.sleep(0.3)
        assert gate.most_running + alone.most_running == runner.MOST_TASKS
        assert alone.most_running == 1
        gate.opened.set()
        alone.opened.set()
        for job in last:
            await ended(jobs, job)
    assert alone.most_running == 1


async def test_a_job_that_cannot_be_kept_is_let_go_before_another_process_may_begin_it(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LEASE_S", 0.6)
    monkeypatch.setattr(runner, "KEEP_EVERY_S", 0.1)
    gate = Gate()
    jobs.kind("wait", gate)

    async def unreachable(*_: object) -> Any:
        raise Overloaded("The database does not answer just now.")

    async with jobs.running():
        job = await jobs.submit(ADA, "wait")
        await gate.began.wait()
        with monkeypatch.context() as broken:
            for name in ("keep", "claim", "end"):
                broken.setattr(jobs.queue, name, unreachable)
            await asyncio.wait_for(gate.left.wait(), 1)
        gate.opened.set()
        done = await ended(jobs, job)
    outcomes = [one.outcome for one in await jobs.list_attempts(ADA, done.id)]
    assert outcomes == [AttemptOutcome.DONE, AttemptOutcome.LOST]


async def test_a_store_that_is_away_is_told_once(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner, "LOOK_EVERY_S", 0.01)
    caplog.set_level("INFO", "parvis.kernel.trouble")

    async def unreachable(*_: object) -> Any:
        raise Overloaded("The database does not answer just now.")

    gate = Gate()
    gate.opened.set()
    jobs.kind("wait", gate)
    with monkeypatch.context() as away:
        away.setattr(jobs.queue, "next_due", unreachable)
        async with jobs.running():
            await asyncio.sleep(0.2)
            away.undo()
            await ended(jobs, await jobs.submit(ADA, "wait"))
    told = [record.message for record in caplog.records if "begun" in record.message]
    assert told == ["no job can be begun", "over: no job can be begun"]


async def test_a_store_that_stays_away_is_not_said_to_be_back_between_two_questions(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("parvis.jobs.jobs.TICK_S", 0.01)
    caplog.set_level("INFO", "parvis.kernel.trouble")

    async def unreachable(*_: object) -> Any:
        raise Overloaded("The database does not answer just now.")

    monkeypatch.setattr(jobs.queue, "tally", unreachable)
    async with jobs.running():
        await asyncio.sleep(0.3)
    told = [record.message for record in caplog.records if "schedules" in record.message]
    assert told == ["schedules cannot be looked at"]


async def test_an_end_that_the_store_does_not_take_at_first_is_told_again(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_ASK_AGAIN_S", 0.01)
    refusals = [Overloaded("The store is busy."), Overloaded("The store is busy.")]
    end = jobs.queue.end

    async def busy(run: Run, ending: Ending) -> bool:
        if refusals:
            raise refusals.pop()
        return await end(run, ending)

    monkeypatch.setattr(jobs.queue, "end", busy)
    gate = Gate()
    gate.opened.set()
    jobs.kind("wait", gate)
    async with jobs.running():
        done = await ended(jobs, await jobs.submit(ADA, "wait"))
    assert (done.state, done.attempt, refusals) == (JobState.DONE, 1, [])


async def test_jobs_of_all_tenants_get_their_turn(store: SqliteStore, jobs: Jobs) -> None:
    """A village beside a metropolis that asks for sixty things at once."""
    await store.add_tenant("village")
    order: list[str] = []

    async def note(context: JobContext) -> None:
        order.append(context.tenant)
        await asyncio.sleep(0.002)

    jobs.kind("note", note, at_most=1)
    for _ in range(60):
        await store.jobs.add(NewJob(DEFAULT_TENANT, "note"))
    village = [await store.jobs.add(NewJob("village", "note")) for _ in range(3)]
    async with jobs.running():
        await ended(jobs, village[-1])
    assert order[:8].count("village") == 3, order


async def test_a_kind_of_a_newer_version_waits(jobs: Jobs) -> None:
    job = await jobs.queue.add(NewJob(DEFAULT_TENANT, "of tomorrow"))
    async with jobs.running():
        await asyncio.sleep(0.1)
        assert (await in_state(jobs, job, JobState.WAITING)).attempt == 0


async def test_what_concerns_all_tenants_is_started_in_the_default_one_only(jobs: Jobs, store: SqliteStore) -> None:
    async def check(context: JobContext) -> None:
        """Nothing is wrong."""

    await store.add_tenant("harbour")
    jobs.kind("check", check, on_request=True, for_all=True)
    jobs.every("check", "0 4 * * *", "check")
    theirs = Caller("harbour", "account:bob", ADMINISTRATOR)
    for start in (jobs.submit, jobs.start_on_request):
        with pytest.raises(Forbidden):
            await start(theirs, "check")
        assert (await start(ADA, "check")).state is JobState.WAITING
    assert list_requestable(jobs.kinds.list_all(), theirs) == []


async def test_schedules_are_of_the_pool_whatever_their_kind_works_on(jobs: Jobs, store: SqliteStore) -> None:
    async def count(context: JobContext) -> None:
        """Of one tenant."""

    await store.add_tenant("harbour")
    jobs.kind("count", count, on_request=True)
    jobs.every("count", "0 4 * * *", "count")
    theirs = Caller("harbour", "account:bob", ADMINISTRATOR)
    with pytest.raises(ResourceNotFound):
        await jobs.run_now(theirs, "count")
    assert (await jobs.start_on_request(theirs, "count")).tenant == "harbour"
    assert (await jobs.run_now(ADA, "count")).tenant == DEFAULT_TENANT


async def test_words_that_no_store_takes_are_told_without_what_it_does_not_take(jobs: Jobs) -> None:
    async def report(context: JobContext) -> None:
        context.report(0.5, "caf\udce9\0")
        await asyncio.sleep(runner.KEEP_EVERY_S * 1.5)
        raise WorkFailed("caf\udce9\0")

    jobs.kind("report", report)
    async with jobs.running():
        failed = await ended(jobs, await jobs.submit(ADA, "report"))
    assert (failed.message, failed.error, failed.attempt) == ("caf?", "caf?", 1)
