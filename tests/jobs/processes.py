"""A process that runs jobs and nothing else, to be killed: `python -m tests.jobs.processes STORE FOLDER`."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.kernel.jobs import JobContext, JobQueue
from parvis.stores.postgres.database import Database, Pool
from parvis.stores.postgres.jobs import PostgresJobQueue
from parvis.stores.sqlite.store import SqliteStore

ROOT = Path(__file__).resolve().parent.parent.parent
NOTE = "note"
APPEND = "append"


@asynccontextmanager
async def opened_queue(store: str) -> AsyncIterator[JobQueue]:
    if not store.startswith(("postgres", "host=")):
        sqlite = await SqliteStore.open(store)
        yield sqlite.jobs
        await sqlite.close()
        return
    pool = Pool(Database(store), 2, "jobs")
    yield PostgresJobQueue(pool)
    pool.close()


async def serve(store: str, folder: Path) -> None:
    """`note` leaves a line in the folder's log for each run, a line being one write."""

    async def note(context: JobContext) -> None:
        with (folder / "log").open("ab", buffering=0) as log:
            log.write(b"%d %d\n" % (context.arguments["number"], os.getpid()))
        await asyncio.sleep(0.05)

    async with opened_queue(store) as queue:
        jobs = Jobs(queue, ZoneInfo("UTC"))
        jobs.kind(NOTE, note)
        jobs.kind(APPEND, Worker("tests.jobs.work:append"), attempts=2)
        async with jobs.running():
            await asyncio.Event().wait()


@contextmanager
def running_process(store: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "tests.jobs.processes", store, str(folder)], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
