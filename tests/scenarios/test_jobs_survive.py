"""`kill -9` in the middle of jobs: they are done in spite of it, each attempt seen, none doubled at once."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from parvis.jobs.runner import MOST_TASKS
from parvis.kernel.jobs import AttemptOutcome, Job, JobFilter, JobState, NewJob
from parvis.stores.postgres.database import Database
from tests.jobs.processes import APPEND, NOTE, opened_queue, running_process

TENANT = "default"
JOBS = 120


async def add(store: str, *new: NewJob) -> list[Job]:
    async with opened_queue(store) as queue:
        return [await queue.add(one) for one in new]


async def read(store: str, job: Job) -> Job:
    async with opened_queue(store) as queue:
        found = await queue.find(TENANT, job.id)
        assert found is not None
        return found


def wait_for(path: Path, text: str, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.02)
    raise TimeoutError(f"{text!r} never came")


@pytest.mark.slow
def test_a_job_in_a_worker_process_outlives_the_platform_it_began_in(tmp_path: Path) -> None:
    store, marks = str(tmp_path / "parvis.db"), tmp_path / "marks"
    new = NewJob(TENANT, APPEND, {"path": str(marks), "seconds": 2.0}, attempts_allowed=2)
    (job,) = asyncio.run(add(store, new))
    with running_process(store, tmp_path) as platform:
        wait_for(marks, "begun 1")
        platform.kill()
    with running_process(store, tmp_path):
        wait_for(marks, "done 2")
        time.sleep(0.5)
    done = asyncio.run(read(store, job))
    assert done.state is JobState.DONE
    assert marks.read_text() == "begun 1\nbegun 2\ndone 2\n", "the first attempt ended with its platform"

    async def attempts() -> list[AttemptOutcome]:
        async with opened_queue(store) as queue:
            return [one.outcome for one in await queue.list_attempts(TENANT, job.id)]

    assert asyncio.run(attempts()) == [AttemptOutcome.DONE, AttemptOutcome.LOST]


@pytest.mark.slow
def test_two_processes_share_the_jobs_and_follow_each_other(postgres_url: str, tmp_path: Path) -> None:
    """Two processes on one PostgreSQL, one killed in the middle: no job is lost, only what it held is begun again."""
    prepare(postgres_url)
    new = [NewJob(TENANT, NOTE, {"number": number}, attempts_allowed=3) for number in range(JOBS)]
    asyncio.run(add(postgres_url, *new))
    log = tmp_path / "log"
    with running_process(postgres_url, tmp_path) as first, running_process(postgres_url, tmp_path) as second:
        for process in (first, second):
            wait_for(log, f" {process.pid}\n")
        first.kill()
        asyncio.run(all_ended(postgres_url))
    runs = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert set(runs) == {str(number) for number in range(JOBS)}
    again = asyncio.run(begun_again(postgres_url))
    assert 1 <= len(again) <= MOST_TASKS, "what the killed process held"
    assert {number for number, count in runs.items() if count > 1} <= again


def prepare(url: str) -> None:
    database = Database(url)
    database.prepare()
    with database.connect() as connection:
        connection.execute("INSERT INTO tenant (name) VALUES (%s)", (TENANT,))


async def all_ended(url: str) -> None:
    async with opened_queue(url) as queue:
        for _ in range(300):
            tally = await queue.tally()
            if not tally.waiting and not tally.running:
                return
            await asyncio.sleep(0.1)
    raise TimeoutError("not all jobs have ended")


async def begun_again(url: str) -> set[str]:
    """Numbers of the jobs that took more than one attempt; all must be done."""
    async with opened_queue(url) as queue:
        jobs = await queue.list_jobs(TENANT, JobFilter(kind=NOTE, limit=JOBS))
    assert {job.state for job in jobs} == {JobState.DONE}
    return {str(job.arguments["number"]) for job in jobs if job.attempt > 1}
