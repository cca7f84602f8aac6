"""A move that stops at any step, by a fault or `kill -9`: nothing is lost or told twice, and the next run ends it."""

import asyncio
import contextlib
import multiprocessing
import random
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.time import DAY, HOUR, parse_duration
from parvis.stores.archive.move import WorkerFailed
from tests.contract.archiving import ARCHIVED_STORES, Archived, open_file
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level

ROOT = Path(__file__).parents[2]
FIRST = NOON - 30 * DAY
HOURS = range(0, 60, 4)
BINS = (1, 2, 3)
ERASED = 3
LATE = {1: [5, 29], 2: [29]}
LATER = NOON + DAY
KILLS, STEPS = 6, 20
WHOLE = Aggregation((Method.TOTAL_COUNT, Method.SUM), parse_duration("PT0S"))


RUN = """
import asyncio, sys
from pathlib import Path
from parvis.stores.archive.move import WorkerFailed
from tests.contract.archiving import open_file
from tests.contract.territory import Ticking

async def run():
    archived = await open_file(Path(sys.argv[1]), Ticking())
    await archived.run(apart=True, step=lambda name: print(name, flush=True))

if __name__ == "__main__":
    asyncio.run(run())
"""


class Stop(Exception):
    """What a fault looks like to the run."""


class StopAt:
    """Stops a run at its n-th step; counts the steps where n is 0."""

    def __init__(self, n: int = 0) -> None:
        self.n = n
        self.steps: list[str] = []

    def __call__(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.n:
            raise Stop(name)


async def prepared(folder: Path) -> Archived:
    archived = await open_file(folder, Ticking())
    await fill(archived)
    return archived


async def fill(archived: Archived) -> None:
    """Files of three days, then late data, an erasure and a fourth day: the next run meets every step."""
    past = [bin_(number, *levels(number, HOURS), keep_newest=True) for number in BINS]
    await archived.store.write(TENANT, past)
    await archived.run()
    await archived.store.write(
        TENANT, [bin_(number, *levels(number, hours), keep_newest=True) for number, hours in LATE.items()]
    )
    await archived.store.erase(TENANT, Erasure(bin_id(ERASED), before=FIRST + 20 * HOUR))
    await archived.store.write(TENANT, [bin_(number, *levels(number, [80, 84]), keep_newest=True) for number in BINS])


def levels(number: int, hours: Iterable[int]) -> list[Instance]:
    return [level(1000 * number + hour, FIRST + hour * HOUR) for hour in hours]


def truth(number: int) -> list[int]:
    hours = sorted([*HOURS, *LATE.get(number, []), 80, 84])
    return [1000 * number + hour for hour in hours if number != ERASED or hour >= 20]


async def told(archived: Archived, number: int) -> list[object]:
    found = await archived.store.history(TENANT, bin_id(number), TemporalQuery())
    assert found is not None
    return [one.value for one in found.instances[(LEVEL, "")]]


async def check(archived: Archived) -> None:
    for number in BINS:
        assert await told(archived, number) == truth(number)
        sums = await archived.store.aggregate(TENANT, bin_id(number), TemporalQuery(), WHOLE)
        assert sums is not None
        [bucket] = sums.buckets[(LEVEL, "")]
        assert bucket.values == {Method.TOTAL_COUNT: len(truth(number)), Method.SUM: sum(truth(number))}


async def check_ended(archived: Archived) -> None:
    """Everything is in files, once, and no other file is there."""
    archived.now = LATER
    await archived.run()
    await check(archived)
    files = await archived.archive.list_files()
    assert sum(one.file.rows for one in files) == sum(len(truth(number)) for number in BINS)
    assert {one.file.path for one in files} == {
        path.relative_to(archived.folder / "archive").as_posix() for path in archived.files()
    }
    assert await archived.archive.list_erasures() == []
    with contextlib.closing(sqlite3.connect(archived.folder / "parvis.db")) as database:
        assert database.execute("SELECT count(*) FROM history").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM purging").fetchone() == (0,)


async def steps_of_a_run(folder: Path) -> list[str]:
    counting = StopAt()
    archived = await prepared(folder)
    await archived.run(step=counting)
    await archived.close()
    return counting.steps


@pytest.mark.slow
async def test_a_run_stopped_at_any_step_loses_nothing_and_the_next_one_ends_it(tmp_path: Path) -> None:
    steps = await steps_of_a_run(tmp_path / "whole")
    assert {"work", "note series", "record", "purge slice", "close erasures", "sweep", "delete file"} <= set(steps)

    for n in range(1, len(steps) + 1):
        folder = tmp_path / str(n)
        archived = await prepared(folder)
        with pytest.raises(Stop):
            await archived.run(step=StopAt(n))
        await check(archived)
        await archived.close()

        archived = await open_file(folder, Ticking())
        await check(archived)
        await check_ended(archived)
        await archived.close()


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_a_run_stopped_again_and_again_comes_to_its_end(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    archived = await ARCHIVED_STORES[name](request, tmp_path, Ticking())
    await fill(archived)
    for n in range(1, 16):
        with contextlib.suppress(Stop):
            await archived.run(step=StopAt(n))
        await check(archived)

    await archived.run()

    await check(archived)
    assert sum(one.file.rows for one in await archived.archive.list_files()) == sum(len(truth(one)) for one in BINS)
    assert await archived.archive.list_erasures() == []
    assert not await archived.archive.purge()
    await archived.close()


@pytest.mark.parametrize("stage", ["work", "note series", "purge slice"])
async def test_a_cancelled_run_leaves_no_process_behind(tmp_path: Path, stage: str) -> None:
    archived = await prepared(tmp_path)
    reached = asyncio.Event()
    run = asyncio.create_task(archived.run(apart=True, step=lambda name: reached.set() if name == stage else None))
    await reached.wait()

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert multiprocessing.active_children() == []
    await check(archived)
    await check_ended(archived)
    await archived.close()


async def test_a_worker_that_is_killed_is_told_and_the_next_run_does_its_work(tmp_path: Path) -> None:
    archived = await prepared(tmp_path)

    run = asyncio.create_task(archived.run(apart=True))
    while not (workers := multiprocessing.active_children()):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    workers[0].kill()
    with pytest.raises(WorkerFailed):
        await run

    assert multiprocessing.active_children() == []
    await check(archived)
    await check_ended(archived)
    await archived.close()


async def test_readers_see_the_whole_truth_while_days_are_moved(tmp_path: Path) -> None:
    archived = await prepared(tmp_path)
    moved = asyncio.Event()
    rounds = 0

    async def read_on() -> None:
        nonlocal rounds
        while not moved.is_set():
            await check(archived)
            rounds += 1

    reader = asyncio.create_task(read_on())
    await archived.run(apart=True)
    moved.set()
    await reader
    assert rounds > 3, "too few reads to say anything"
    await check_ended(archived)
    await archived.close()


@pytest.mark.slow
async def test_a_run_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    chance = random.Random(5)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    for attempt in range(KILLS):
        folder = tmp_path / str(attempt)
        await (await prepared(folder)).close()

        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(folder), stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(1, STEPS)):
            assert await process.stdout.readline()
        await asyncio.sleep(chance.uniform(0, 0.02))
        process.kill()
        await process.wait()

        archived = await open_file(folder, Ticking())
        await check(archived)
        await check_ended(archived)
        await archived.close()
