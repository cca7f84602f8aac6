"""The queue beside a running platform, and the check of the store as a job."""

import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.ports.store import StoreNotUsable
from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.jobs import JobContext, JobState, NewJob
from parvis.stores.sqlite import jobs as jobs_sql
from parvis.stores.sqlite.database import Database
from parvis.stores.sqlite.jobs import opened_queue
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import bin_id, level
from tests.jobs.conftest import ended

CHECK = "store.check"


async def test_a_command_adds_a_job_beside_the_platform(tmp_path: Path) -> None:
    path = tmp_path / "parvis.db"
    store = await SqliteStore.open(path)
    jobs = Jobs(store.jobs, ZoneInfo("UTC"))

    async def greet(context: JobContext) -> str:
        return f"good morning {context.arguments['name']}"

    jobs.kind("greet", greet)
    async with jobs.running():
        with opened_queue(path) as beside:
            added = await beside.add(NewJob(DEFAULT_TENANT, "greet", {"name": "Ada"}))
            await store.write(DEFAULT_TENANT, [Change(bin_id(1), Mode.UPSERT_UPDATE, (level(1),), ("urn:Bin",))])
        assert (await ended(jobs, added)).result == "good morning Ada"
    await store.close()


async def test_a_refused_command_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "parvis.db"
    await (await SqliteStore.open(path)).close()
    with opened_queue(path) as beside:
        with pytest.raises(Exception, match="no tenant"):
            await beside.add(NewJob("nowhere", "greet"))
        assert (await beside.add(NewJob(DEFAULT_TENANT, "greet"))).state is JobState.WAITING


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"no database at all" * 100)
    sqlite3.connect(tmp_path / "old.db").executescript("PRAGMA user_version = 1").connection.close()
    for name in ("other.db", "old.db"):
        with pytest.raises(StoreNotUsable), opened_queue(tmp_path / name):
            pass


async def test_the_check_of_a_sound_store_says_how_much_it_read(tmp_path: Path) -> None:
    path = tmp_path / "parvis.db"
    store = await SqliteStore.open(path)
    jobs = checking(store, path)
    async with jobs.running():
        done = await ended(jobs, await jobs.add(CHECK, created_by="test"))
    assert done.state is JobState.DONE, done.error
    assert done.result["bytes"] > 0
    await store.close()


async def test_the_check_of_a_damaged_store_fails_and_says_why(tmp_path: Path) -> None:
    path, damaged = tmp_path / "parvis.db", tmp_path / "damaged.db"
    store = await SqliteStore.open(path)
    copy = await SqliteStore.open(damaged)
    await copy.close()
    content = bytearray(damaged.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    damaged.write_bytes(content)
    jobs = checking(store, damaged)
    async with jobs.running():
        failed = await ended(jobs, await jobs.add(CHECK, created_by="test"))
    assert failed.state is JobState.FAILED
    assert failed.error.startswith("faults-found\n")
    await store.close()


def checking(store: SqliteStore, path: Path) -> Jobs:
    jobs = Jobs(store.jobs, ZoneInfo("UTC"))
    jobs.kind(CHECK, Worker("parvis.stores.sqlite.check:check", given={"path": str(path)}), attempts=1)
    return jobs


_PLENTY = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO job (tenant, kind, arguments, state, due, attempt, allowed, progress, message, error, creator, created,
    started, ended, holder, cancelling)
SELECT 1, 'k' || (i % 3), '{}', CASE WHEN i % 5 THEN 2 ELSE 0 END, i, 1, 1, 0, '', '', 'x', i, i, i, '', 0 FROM n
"""


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (jobs_sql._CHOOSE, ('{"k1": 0}',)),
        (jobs_sql._NEXT_DUE, ('["k1"]',)),
        (jobs_sql._START, (1, "k1", "h", 3)),
        (jobs_sql._LOST, ()),
        (jobs_sql._TAKE_BACK, ()),
        (jobs_sql._LIST, ("default", "[]", "", 2**62, 50)),
        (jobs_sql._TALLY, ()),
    ],
    ids=["choose", "next due", "start", "lost", "take back", "list", "tally"],
)
@pytest.mark.parametrize("with_statistics", [False, True])
def test_no_hot_statement_reads_all_jobs(statement: str, values: tuple[object, ...], with_statistics: bool) -> None:
    connection = Database(":memory:").connect_writer()
    connection.execute("INSERT INTO tenant (name) VALUES ('default')")
    connection.execute(_PLENTY)
    if with_statistics:
        connection.execute("ANALYZE")
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    connection.close()
    small = ("job_running", "job_waiting", "job_failed")
    assert [step for step in steps if step.startswith("SCAN job ") and not step.endswith(small)] == []
    assert [step for step in steps if step in ("SCAN job", "SCAN job_attempt")] == []
    assert not (statement is jobs_sql._LIST and any("B-TREE" in step for step in steps)), steps
