import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parvis.jobs.jobs import Jobs
from parvis.kernel.jobs import Job, JobState
from parvis.kernel.time import Instant
from parvis.stores.sqlite.store import SqliteStore

PARIS = ZoneInfo("Europe/Paris")


class Hands:
    """A clock set by hand."""

    def __init__(self, now: Instant) -> None:
        self.now = now

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "parvis.db")
    yield opened
    await opened.close()


@pytest.fixture
def jobs(store: SqliteStore) -> Jobs:
    return Jobs(store.jobs, PARIS)


async def ended(jobs: Jobs, job: Job, within_s: float = 20) -> Job:
    return await in_state(jobs, job, *(state for state in JobState if state.has_ended), within_s=within_s)


async def in_state(jobs: Jobs, job: Job, *states: JobState, within_s: float = 20) -> Job:
    async with asyncio.timeout(within_s):
        while True:
            found = await jobs.queue.find(job.tenant, job.id)
            assert found is not None
            if found.state in states:
                return found
            await asyncio.sleep(0.01)
