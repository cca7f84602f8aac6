"""Tables of months: emptied by the archive they go, needed again they come back, and no row is lost or told twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import DAY, Instant
from parvis.stores.postgres import partitions
from parvis.stores.postgres.database import EVERY_TENANT, Database, scoped
from parvis.stores.postgres.partitions import Partitions, is_droppable, month_of, table_of
from tests.contract.archiving import Archived, open_postgres
from tests.contract.territory import LEVEL, NOON, TENANT, bin_, bin_id, level

LONG_AGO = NOON - 70 * DAY
CLOSED = table_of(month_of(LONG_AGO)[0])
OPEN = table_of(month_of(NOON)[0])


@pytest.fixture
async def town(postgres_url: str, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await open_postgres(postgres_url, tmp_path, lambda: NOON)
    yield opened
    await opened.close()


def tables(url: str) -> set[str]:
    with Database(url).connect() as connection:
        found = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'history'::regclass"
        )
        return {name for (name,) in found}


def rows_elsewhere(url: str) -> int:
    with Database(url).connect() as connection, scoped(connection, EVERY_TENANT):
        row = connection.execute("SELECT count(*) FROM history_other").fetchone()
    return 0 if row is None else row[0]


def put_elsewhere(url: str, month: str) -> None:
    """As if the month's table could not have been made."""
    with Database(url).connect() as connection, scoped(connection, EVERY_TENANT, b"LOCK TABLE history"):
        for statement in (
            f"ALTER TABLE history DETACH PARTITION {month}",
            f"INSERT INTO history_other SELECT * FROM {month}",
            f"DROP TABLE {month}",
        ):
            connection.execute(statement.encode())


async def write(town: Archived, *at: Instant) -> None:
    await town.store.write(TENANT, [bin_(1, *(level(one // DAY, one) for one in at), keep_newest=True)])


async def times(town: Archived) -> list[Instant | None]:
    found = await town.store.history(TENANT, bin_id(1), TemporalQuery(attrs=(LEVEL,)))
    assert found is not None
    return [one.observed_at for one in found.instances[LEVEL, ""]]


async def test_a_month_that_the_archive_has_emptied_has_no_table(town: Archived, postgres_url: str) -> None:
    await write(town, LONG_AGO, NOON)
    assert {CLOSED, OPEN} <= tables(postgres_url)

    await town.run()

    assert CLOSED not in tables(postgres_url)
    assert OPEN in tables(postgres_url)
    assert await times(town) == [LONG_AGO, NOON]


async def test_late_data_bring_a_dropped_month_back(
    town: Archived, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "TRUST_S", 0.0)
    await write(town, LONG_AGO)
    await town.run()

    await write(town, LONG_AGO + DAY)

    assert CLOSED in tables(postgres_url)
    assert rows_elsewhere(postgres_url) == 0
    assert await times(town) == [LONG_AGO, LONG_AGO + DAY]


async def test_who_does_not_know_yet_that_a_month_was_dropped_loses_nothing(
    town: Archived, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(town, LONG_AGO)
    await town.run()
    await write(town, LONG_AGO + DAY)
    assert rows_elsewhere(postgres_url) == 1
    assert await times(town) == [LONG_AGO, LONG_AGO + DAY]

    monkeypatch.setattr(partitions, "TRUST_S", 0.0)
    await write(town, LONG_AGO + 2 * DAY)

    assert rows_elsewhere(postgres_url) == 0
    assert await times(town) == [LONG_AGO, LONG_AGO + DAY, LONG_AGO + 2 * DAY]


async def test_rows_without_a_month_are_archived_like_others(town: Archived, postgres_url: str) -> None:
    await write(town, LONG_AGO, NOON)
    put_elsewhere(postgres_url, CLOSED)
    before_1990 = -DAY
    await write(town, before_1990)
    assert rows_elsewhere(postgres_url) == 2

    summary = await town.run()

    assert summary.rows == 2
    assert rows_elsewhere(postgres_url) == 0
    assert await times(town) == [before_1990, LONG_AGO, NOON]


async def test_rows_of_an_open_month_are_moved_to_its_table(town: Archived, postgres_url: str) -> None:
    await write(town, NOON - DAY, NOON)
    put_elsewhere(postgres_url, OPEN)
    assert await times(town) == [NOON - DAY, NOON]

    await town.run()

    assert OPEN in tables(postgres_url)
    assert rows_elsewhere(postgres_url) == 0
    assert await times(town) == [NOON - DAY, NOON]


async def test_more_rows_than_may_be_moved_at_once_stay_where_they_are(
    town: Archived, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_MOVED", 1)
    await write(town, NOON - DAY, NOON)
    put_elsewhere(postgres_url, OPEN)

    await town.run()

    assert rows_elsewhere(postgres_url) == 2
    assert await times(town) == [NOON - DAY, NOON]


async def test_somebody_who_reads_for_long_holds_up_neither_the_run_nor_writers(
    town: Archived, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_TIDY_PAUSE_S", 0.0)
    monkeypatch.setattr(partitions, "_TIDY_LOCK_TIMEOUT_MS", 20)
    await write(town, LONG_AGO, NOON)
    with psycopg.connect(postgres_url) as dump:
        dump.execute("LOCK TABLE history IN ACCESS SHARE MODE")
        await town.run()
        assert CLOSED in tables(postgres_url)
        await write(town, LONG_AGO + DAY)

    await town.run()

    assert CLOSED not in tables(postgres_url)
    assert await times(town) == [LONG_AGO, LONG_AGO + DAY, NOON]


async def test_readers_see_each_row_once_while_months_come_and_go(town: Archived, postgres_url: str) -> None:
    expected = [NOON - 2 * DAY, NOON - DAY, NOON]
    await write(town, *expected)
    put_elsewhere(postgres_url, OPEN)
    done = asyncio.Event()

    async def come_and_go() -> None:
        for _ in range(15):
            await asyncio.to_thread(Partitions(Database(postgres_url)).tidy, NOON)
            assert rows_elsewhere(postgres_url) == 0
            await asyncio.to_thread(put_elsewhere, postgres_url, OPEN)
        done.set()

    async def read() -> int:
        count = 0
        while not done.is_set():
            assert await times(town) == expected
            count += 1
        return count

    _, *counts = await asyncio.gather(come_and_go(), read(), read())
    assert all(counts)


def test_a_month_is_over_when_it_is_for_every_clock() -> None:
    _, end = month_of(NOON)
    assert not is_droppable(OPEN, end)
    assert is_droppable(OPEN, end + DAY)
    assert not is_droppable("history_other", end + DAY)
