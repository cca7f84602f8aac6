"""Jobs on PostgreSQL: rows of each tenant apart, a command's queue, the check as work for a process."""

from zoneinfo import ZoneInfo

import psycopg
import pytest

from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.jobs import JobState, NewJob
from parvis.stores.postgres.database import Database, scoped
from parvis.stores.postgres.jobs import opened_queue
from parvis.stores.postgres.store import PostgresStore
from tests.jobs.conftest import ended


async def test_the_database_itself_keeps_tenants_jobs_apart(prepared_postgres_url: str) -> None:
    store = await PostgresStore.open(prepared_postgres_url)
    await store.add_tenant("port")
    await store.jobs.add(NewJob("port", "count"))
    assert await store.jobs.claim("test", {"count": 0}, 30) is not None
    await store.close()
    with Database(prepared_postgres_url).connect() as connection:
        ids: dict[str, int] = dict(connection.execute("SELECT name, id FROM tenant").fetchall())
        for tenant, seen in (("port", 1), (DEFAULT_TENANT, 0)):
            for table in (b"job", b"job_attempt"):
                with scoped(connection, ids[tenant]):
                    row = connection.execute(b"SELECT count(*) FROM " + table).fetchone()
                assert row == (seen,), (tenant, table)


async def test_the_check_of_a_sound_database_is_done(prepared_postgres_url: str) -> None:
    store = await PostgresStore.open(prepared_postgres_url)
    jobs = Jobs(store.jobs, ZoneInfo("UTC"))
    given = {"url": prepared_postgres_url}
    jobs.kind("store.check", Worker("parvis.stores.postgres.check:check", given=given), attempts=1)
    async with jobs.running(), opened_queue(prepared_postgres_url) as beside:
        done = await ended(jobs, await beside.add(NewJob(DEFAULT_TENANT, "store.check")))
    assert done.state is JobState.DONE, done.error
    assert given["url"] not in str(await store.jobs.list_attempts(DEFAULT_TENANT, done.id))
    await store.close()


async def test_a_job_that_another_transaction_holds_is_passed_over(prepared_postgres_url: str) -> None:
    store = await PostgresStore.open(prepared_postgres_url)
    first, second = [await store.jobs.add(NewJob(DEFAULT_TENANT, "count")) for _ in range(2)]
    with psycopg.connect(prepared_postgres_url) as other:
        other.execute("SELECT set_config('parvis.tenant', '0', true)")
        other.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", (first.id,))
        claimed = await store.jobs.claim("test", {"count": 0}, 30)
    assert claimed is not None
    assert claimed.id == second.id
    await store.close()


@pytest.mark.parametrize("error", ["\0", "é" * 5000])
async def test_any_error_can_be_kept(prepared_postgres_url: str, error: str) -> None:
    """PostgreSQL's text holds no NUL."""
    store = await PostgresStore.open(prepared_postgres_url)
    jobs = Jobs(store.jobs, ZoneInfo("UTC"))

    async def fail(context: object) -> None:
        raise ValueError(error)

    jobs.kind("fail", fail, attempts=1)
    async with jobs.running():
        failed = await ended(jobs, await jobs.add("fail", created_by="test"))
    assert failed.state is JobState.FAILED
    await store.close()
