"""Two Parvis processes are two stores on one database: nothing is shared but the database."""

from collections.abc import AsyncIterator

import pytest

from parvis.stores.postgres.store import PostgresStore

Pair = tuple[PostgresStore, PostgresStore]


@pytest.fixture
async def pair(prepared_postgres_url: str) -> AsyncIterator[Pair]:
    one, other = await PostgresStore.open(prepared_postgres_url), await PostgresStore.open(prepared_postgres_url)
    yield one, other
    await one.close()
    await other.close()
