"""What every store's queue of jobs promises to those who add, run and look at them."""

import asyncio
from typing import Any

import pytest

from parvis.broker.ports.store import Store
from parvis.kernel.errors import NonexistentTenant, Overloaded, ResourceNotFound
from parvis.kernel.jobs import (
    LONGEST_HOLD_S,
    AttemptOutcome,
    Cancelled,
    Done,
    Ending,
    Failed,
    GivenBack,
    Job,
    JobFilter,
    JobQueue,
    JobState,
    NewJob,
    Report,
    Run,
    Standing,
    WrongState,
)
from parvis.kernel.time import HOUR, SECOND, system_clock
from tests.contract.territory import TENANT

ANY = {"count": 0, "sort": 0}
OTHER = "port"
LONG_S = 30.0
SHORT_S = 0.05
CLOCK_TICK_S = 0.002
"""SQLite tells the time in milliseconds."""


@pytest.fixture
async def queue(store: Store) -> JobQueue:
    await store.add_tenant(OTHER)
    return store.jobs


def new(tenant: str = TENANT, kind: str = "count", **more: Any) -> NewJob:
    return NewJob(tenant, kind, created_by="test", **more)


async def claimed(queue: JobQueue, holder: str = "a", for_s: float = LONG_S) -> Job:
    job = await queue.claim(holder, ANY, for_s)
    assert job is not None
    return job


async def reread(queue: JobQueue, job: Job) -> Job:
    found = await queue.find(job.tenant, job.id)
    assert found is not None
    return found


async def test_a_job_runs_from_waiting_to_done(queue: JobQueue) -> None:
    added = await queue.add(new(arguments={"town": "Trevalan"}))
    assert (added.state, added.attempt, added.created_by) == (JobState.WAITING, 0, "test")

    job = await claimed(queue)
    assert (job.id, job.state, job.attempt, job.holder) == (added.id, JobState.RUNNING, 1, "a")
    assert job.arguments == {"town": "Trevalan"}
    assert await queue.end(job.run, Done({"counted": 7}))

    done = await reread(queue, job)
    assert (done.state, done.result, done.progress) == (JobState.DONE, {"counted": 7}, 1.0)
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at
    assert await queue.claim("a", ANY, LONG_S) is None


async def test_the_same_key_adds_one_job(queue: JobQueue) -> None:
    first = await queue.add(new(key="2026-11-22"))
    again = await queue.add(new(key="2026-11-22", arguments={"other": True}))
    assert again == first
    assert (await queue.add(new(kind="sort", key="2026-11-22"))).id != first.id
    assert (await queue.add(new(OTHER, key="2026-11-22"))).id != first.id


async def test_a_tenant_must_exist(queue: JobQueue) -> None:
    with pytest.raises(NonexistentTenant):
        await queue.add(new("nowhere"))


async def test_a_queue_is_bounded(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.kernel.jobs.MOST_WAITING", 2)
    await queue.add(new(key="1"))
    await queue.add(new())
    with pytest.raises(Overloaded):
        await queue.add(new())
    assert (await queue.add(new(key="1"))).key == "1", "what is there already takes no room"
    await queue.add(new(OTHER))


async def test_a_job_waits_until_it_is_due(queue: JobQueue) -> None:
    later = await queue.add(new(due_at=system_clock() + HOUR))
    assert await queue.claim("a", ANY, LONG_S) is None
    wait_s = await queue.next_due(["count"])
    assert wait_s is not None
    assert 3590 < wait_s <= 3601
    assert await queue.next_due(["sort"]) is None

    overdue = await queue.add(new(due_at=system_clock() - HOUR))
    wait_s = await queue.next_due(["count"])
    assert wait_s is not None
    assert wait_s < 0
    assert (await claimed(queue)).id == overdue.id
    assert (await reread(queue, later)).state is JobState.WAITING


async def test_only_known_kinds_are_claimed(queue: JobQueue) -> None:
    await queue.add(new(kind="of a newer version"))
    assert await queue.claim("a", ANY, LONG_S) is None


async def test_two_processes_never_claim_the_same(queue: JobQueue) -> None:
    for _ in range(20):
        await queue.add(new())

    async def work(holder: str) -> list[int]:
        mine = []
        while (job := await queue.claim(holder, ANY, LONG_S)) is not None:
            mine.append(job.id)
        return mine

    first, second = await asyncio.gather(work("a"), work("b"))
    assert len(first + second) == len({*first, *second}) == 20


async def test_turns_go_round_between_tenants_and_kinds(queue: JobQueue) -> None:
    for _ in range(6):
        await queue.add(new())
    await queue.add(new(kind="sort"))
    await queue.add(new(OTHER))
    await queue.add(new(OTHER))

    turns = []
    for _ in range(5):
        job = await claimed(queue)
        turns.append((job.tenant, job.kind))
        await queue.end(job.run, Done())
        await asyncio.sleep(CLOCK_TICK_S)

    assert turns == [(TENANT, "count"), (OTHER, "count"), (TENANT, "sort"), (OTHER, "count"), (TENANT, "count")]


async def test_who_runs_less_is_served_first(queue: JobQueue) -> None:
    for tenant in (TENANT, TENANT, TENANT, OTHER, OTHER):
        await queue.add(new(tenant))
    assert [(await claimed(queue)).tenant for _ in range(4)] == [TENANT, OTHER, TENANT, OTHER]


async def test_a_kind_runs_at_most_so_often_at_once(queue: JobQueue) -> None:
    for _ in range(3):
        await queue.add(new())
    only_two = {"count": 2}
    first = await queue.claim("a", only_two, LONG_S)
    assert first is not None
    assert await queue.claim("b", only_two, LONG_S) is not None
    assert await queue.claim("a", only_two, LONG_S) is None
    await queue.end(first.run, Done())
    assert await queue.claim("b", only_two, LONG_S) is not None


async def test_a_dead_processs_job_is_taken_over(queue: JobQueue) -> None:
    await queue.add(new(attempts_allowed=2))
    lost = await claimed(queue, "a", SHORT_S)
    await asyncio.sleep(2 * SHORT_S)

    wait_s = await queue.next_due(["count"])
    assert wait_s is not None
    assert wait_s < 0
    taken = await claimed(queue, "b")
    assert (taken.id, taken.attempt, taken.holder) == (lost.id, 2, "b")
    assert not await queue.end(lost.run, Done("too late")), "a void run changes nothing"
    assert await queue.keep("a", LONG_S, {lost.run: Report(0.9)}) == {lost.run: Standing.LOST}
    assert await queue.end(taken.run, Done("in time"))

    assert (await reread(queue, taken)).result == "in time"
    attempts = await queue.list_attempts(TENANT, taken.id)
    assert [(one.number, one.holder, one.outcome) for one in attempts] == [
        (2, "b", AttemptOutcome.DONE),
        (1, "a", AttemptOutcome.LOST),
    ]
    assert all(one.ended_at is not None for one in attempts)


async def test_a_job_that_kills_its_process_each_time_fails_in_the_end(queue: JobQueue) -> None:
    added = await queue.add(new(attempts_allowed=2))
    for _ in range(2):
        await claimed(queue, for_s=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
    assert await queue.claim("a", ANY, LONG_S) is None
    failed = await reread(queue, added)
    assert (failed.state, failed.error) == (JobState.FAILED, "process-died")


async def test_a_hold_from_before_the_clock_went_back_is_not_waited_for(queue: JobQueue) -> None:
    await queue.add(new(attempts_allowed=2))
    await claimed(queue, "a", for_s=2 * LONGEST_HOLD_S)
    assert await queue.next_due(["count"]) == 0
    assert (await claimed(queue, "b")).attempt == 2


async def test_a_kept_job_stays_with_its_process(queue: JobQueue) -> None:
    await queue.add(new())
    job = await claimed(queue, for_s=0.2)
    for part in (0.25, 0.5):
        await asyncio.sleep(0.12)
        assert await queue.keep("a", 0.2, {job.run: Report(part, "counting")}) == {job.run: Standing.OURS}
        assert await queue.claim("b", ANY, LONG_S) is None
    found = await reread(queue, job)
    assert (found.progress, found.message) == (0.5, "counting")
    assert await queue.keep("b", 0.2, {job.run: Report()}) == {job.run: Standing.LOST}, "of another process"


async def test_a_failed_attempt_is_tried_again_later(queue: JobQueue) -> None:
    await queue.add(new(attempts_allowed=2))
    first = await claimed(queue)
    await queue.end(first.run, Failed("no answer", retry_in_s=0.2))
    waiting = await reread(queue, first)
    assert (waiting.state, waiting.error, waiting.ended_at) == (JobState.WAITING, "no answer", None)
    assert await queue.claim("a", ANY, LONG_S) is None

    await asyncio.sleep(0.25)
    second = await claimed(queue)
    assert (second.attempt, second.error, second.progress) == (2, "", 0.0)
    await queue.end(second.run, Failed("no answer again"))
    failed = await reread(queue, first)
    assert (failed.state, failed.error) == (JobState.FAILED, "no answer again")
    assert failed.ended_at is not None
    errors = [one.error for one in await queue.list_attempts(TENANT, first.id)]
    assert errors == ["no answer again", "no answer"]


async def test_what_is_given_back_begins_at_once_and_counts_as_no_attempt(queue: JobQueue) -> None:
    await queue.add(new(attempts_allowed=1))
    first = await claimed(queue)
    assert await queue.end(first.run, GivenBack())
    second = await claimed(queue, "b")
    assert (second.id, second.attempt, second.attempts_allowed) == (first.id, 2, 2)


async def test_a_waiting_job_is_cancelled_at_once(queue: JobQueue) -> None:
    added = await queue.add(new())
    cancelled = await queue.cancel(TENANT, added.id)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.ended_at is not None
    assert await queue.claim("a", ANY, LONG_S) is None
    with pytest.raises(WrongState):
        await queue.cancel(TENANT, added.id)


@pytest.mark.parametrize("ending", [Cancelled(), Failed("interrupted", retry_in_s=1), GivenBack()])
async def test_a_running_job_hears_that_it_is_cancelled(queue: JobQueue, ending: Ending) -> None:
    await queue.add(new(attempts_allowed=3))
    job = await claimed(queue)
    marked = await queue.cancel(TENANT, job.id)
    assert (marked.state, marked.is_cancelling) == (JobState.RUNNING, True)
    assert await queue.keep("a", LONG_S, {job.run: Report()}) == {job.run: Standing.CANCELLING}
    assert await queue.end(job.run, ending)
    found = await reread(queue, job)
    assert (found.state, found.is_cancelling) == (JobState.CANCELLED, False)


async def test_a_cancelled_job_whose_process_died_is_not_begun_again(queue: JobQueue) -> None:
    await queue.add(new(attempts_allowed=3))
    job = await claimed(queue, for_s=SHORT_S)
    await queue.cancel(TENANT, job.id)
    await asyncio.sleep(2 * SHORT_S)
    assert await queue.claim("b", ANY, LONG_S) is None
    assert (await reread(queue, job)).state is JobState.CANCELLED


async def test_what_was_done_in_spite_of_cancelling_is_done(queue: JobQueue) -> None:
    await queue.add(new())
    job = await claimed(queue)
    await queue.cancel(TENANT, job.id)
    await queue.end(job.run, Done(1))
    assert (await reread(queue, job)).state is JobState.DONE


async def test_a_failed_job_is_tried_again_when_asked(queue: JobQueue) -> None:
    added = await queue.add(new())
    with pytest.raises(WrongState):
        await queue.retry(TENANT, added.id, 3)
    job = await claimed(queue)
    await queue.end(job.run, Failed("no answer"))
    again = await queue.retry(TENANT, added.id, 3)
    assert (again.state, again.attempts_allowed, again.ended_at) == (JobState.WAITING, 4, None)
    assert (await claimed(queue)).attempt == 2


async def test_one_tenant_knows_nothing_of_another(queue: JobQueue) -> None:
    job = await queue.add(new(OTHER))
    assert await queue.find(TENANT, job.id) is None
    assert await queue.list_jobs(TENANT, JobFilter()) == []
    assert await queue.list_attempts(TENANT, job.id) == []
    assert await queue.count(TENANT) == {}
    for change in (queue.cancel(TENANT, job.id), queue.retry(TENANT, job.id, 1)):
        with pytest.raises(ResourceNotFound):
            await change


async def test_jobs_are_listed_newest_first_and_page_by_page(queue: JobQueue) -> None:
    ids = [(await queue.add(new(kind=kind))).id for kind in ("count", "sort", "count", "count")]
    await queue.end((await claimed(queue)).run, Failed("x"))

    first = await queue.list_jobs(TENANT, JobFilter(limit=3))
    rest = await queue.list_jobs(TENANT, JobFilter(before=first[-1].id))
    assert [job.id for job in first + rest] == ids[::-1]
    counts = await queue.list_jobs(TENANT, JobFilter(kind="count"))
    assert [job.id for job in counts] == [ids[3], ids[2], ids[0]]
    failed = await queue.list_jobs(TENANT, JobFilter(states=frozenset({JobState.FAILED, JobState.DONE})))
    assert [job.id for job in failed] == [ids[0]]
    assert await queue.count(TENANT) == {
        ("count", JobState.FAILED): 1,
        ("count", JobState.WAITING): 2,
        ("sort", JobState.WAITING): 1,
    }


async def test_a_tally_says_how_things_stand(queue: JobQueue) -> None:
    due_at = system_clock() - 5 * SECOND
    await queue.add(new(OTHER, due_at=due_at - SECOND))
    for at in (due_at, due_at + HOUR):
        await queue.add(new(due_at=at))
    await claimed(queue)
    tally = await queue.tally()
    assert (tally.waiting, tally.running, tally.failed, tally.oldest_due_at) == (2, 1, 0, due_at)


async def test_each_due_time_adds_one_job(queue: JobQueue) -> None:
    assert await queue.add_due("nightly", None, 100, None) is None
    assert await queue.schedules() == {"nightly": 100}
    both = await asyncio.gather(
        queue.add_due("nightly", 100, 200, new(key="nightly:200")),
        queue.add_due("nightly", 100, 200, new(key="nightly:200")),
    )
    assert len([job for job in both if job is not None]) == 1
    assert await queue.schedules() == {"nightly": 200}
    assert await queue.add_due("nightly", None, 300, new()) is None, "it is known already"
    assert len(await queue.list_jobs(TENANT, JobFilter())) == 1


async def test_ended_jobs_are_forgotten_in_time(queue: JobQueue) -> None:
    ended = [await queue.add(new()) for _ in range(3)]
    for _ in ended:
        await queue.end((await claimed(queue)).run, Done())
    waiting = await queue.add(new())

    assert await queue.prune(system_clock() - HOUR, 10) == 0
    assert await queue.prune(system_clock() + HOUR, 2) == 2
    assert await queue.prune(system_clock() + HOUR, 2) == 1
    assert [job.id for job in await queue.list_jobs(TENANT, JobFilter())] == [waiting.id]
    assert await queue.list_attempts(TENANT, ended[0].id) == []


async def test_an_unknown_run_is_void(queue: JobQueue) -> None:
    assert not await queue.end(Run(4711, 1), Done())
