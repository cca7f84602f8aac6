"""Tenants are kept apart twice: by what is asked, and by row-level security. Here the second does not bind."""

from collections.abc import AsyncIterator

import pytest

from parvis.broker.subscriptions.model import DeadLetter
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.jobs import JobFilter, NewJob
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import NOON, TENANT
from tests.contract.test_subscriptions import FIRST, wish

OTHER = "quimperven"


@pytest.fixture
async def above_policies(prepared_postgres_url: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(prepared_postgres_url.replace("territory@", "parvis@"))
    await opened.add_tenant(OTHER)
    yield opened
    await opened.close()


async def test_jobs_of_others_are_not_there(above_policies: PostgresStore) -> None:
    jobs = above_policies.jobs
    job = await jobs.add(NewJob(TENANT, "report"))

    assert await jobs.find(OTHER, job.id) is None
    assert await jobs.list_jobs(OTHER, JobFilter()) == []
    assert await jobs.list_attempts(OTHER, job.id) == []
    assert await jobs.count(OTHER) == {}
    with pytest.raises(ResourceNotFound):
        await jobs.cancel(OTHER, job.id)
    assert [one.id for one in await jobs.list_jobs(TENANT, JobFilter())] == [job.id]


async def test_subscriptions_and_letters_of_others_are_not_there(above_policies: PostgresStore) -> None:
    subscriptions = above_policies.subscriptions
    await subscriptions.add(wish())
    await subscriptions.bury([DeadLetter(TENANT, FIRST, NOON, "urn:x", 1, "http://x", "503", 3, b"{}", {})], 10)
    [letter] = (await subscriptions.list_letters(TENANT)).letters

    assert await subscriptions.find(OTHER, FIRST) is None
    assert (await subscriptions.list_page(OTHER, 10)).total == 0
    assert (await subscriptions.list_letters(OTHER)).total == 0
    assert await subscriptions.find_letter(OTHER, letter.number) is None
    assert await subscriptions.remove_letters(OTHER, [letter.number]) == 0
    assert not await subscriptions.remove(OTHER, FIRST)
    assert (await subscriptions.list_letters(TENANT)).total == 1
