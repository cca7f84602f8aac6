"""What a process knows of registrations, its own and those that another has changed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from parvis.broker.sources.index import SourceIndex
from parvis.broker.sources.model import Registration
from parvis.kernel.errors import Overloaded
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore


def registration(name: str) -> Registration:
    return Registration("default", f"urn:x:{name}", "http://syndicate.example")


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    yield store
    await store.close()


async def test_nothing_is_known_before_it_was_read(store: SqliteStore) -> None:
    index = SourceIndex(store.sources)
    assert index.find("default") is None
    assert await index.of("default") == ()
    assert index.find("default") == ()


async def test_of_a_tenant_only_its_own_are_told(store: SqliteStore) -> None:
    await store.add_tenant("port")
    await store.sources.add(registration("a"), lambda _: None)
    index = SourceIndex(store.sources)
    assert [one.id for one in await index.of("default")] == ["urn:x:a"]
    assert await index.of("port") == ()


async def test_what_another_process_changes_is_known_within_seconds(prepared_postgres_url: str) -> None:
    ours, theirs = await PostgresStore.open(prepared_postgres_url), await PostgresStore.open(prepared_postgres_url)
    index = SourceIndex(ours.sources)
    following = asyncio.create_task(index.follow())
    try:
        assert await index.of("default") == ()
        await theirs.sources.add(registration("a"), lambda _: None)
        async with asyncio.timeout(5):
            while not index.find("default"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await ours.sources.mark() == await theirs.sources.mark()
    finally:
        following.cancel()
        await asyncio.wait((following,))
        await ours.close()
        await theirs.close()


async def test_a_store_that_is_away_a_while_ends_no_following(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SourceIndex(store.sources, pause_s=0.01)
    assert await index.of("default") == ()
    list_all, faults = store.sources.list_all, iter([Overloaded("away"), Overloaded("away")])

    async def shaky() -> list[Registration]:
        if (fault := next(faults, None)) is not None:
            raise fault
        return await list_all()

    monkeypatch.setattr(store.sources, "list_all", shaky)
    following = asyncio.create_task(index.follow())
    try:
        await store.sources.add(registration("a"), lambda _: None)
        async with asyncio.timeout(5):
            while not index.find("default"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
        await asyncio.wait((following,))
