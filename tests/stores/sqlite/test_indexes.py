"""Indexes on values come when a slow query has asked for one, and change no answer."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.broker.query.tree import And, Compare, EntityQuery, Exists, Operator, Range, TypeIs
from parvis.broker.query.tree import Path as AttributePath
from parvis.stores.sqlite import reader
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import BIN, LEVEL, NOTE, TENANT, Ticking, bin_, bin_id, level, note

MANY = 30_000
RARE = 29_990


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    for start in range(0, MANY, 5_000):
        await opened.write(TENANT, [bin_(one, level(one), note("x")) for one in range(start, start + 5_000)])
    yield opened
    await opened.close()


async def found(store: SqliteStore, condition: object) -> list[str]:
    page = await store.query(TENANT, EntityQuery(types=TypeIs(BIN), q=condition))  # type: ignore[arg-type]
    return [entity.id for entity in page.entities]


def value_indexes(path: Path) -> list[str]:
    connection = sqlite3.connect(path / "parvis.db")
    rows = connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'attribute_value_*'").fetchall()
    connection.close()
    return [name for (name,) in rows]


async def test_a_slow_query_gets_an_index_and_the_same_answer(store: SqliteStore, tmp_path: Path) -> None:
    rare = Compare(AttributePath(LEVEL), Operator.GREATER, RARE)
    expected = [bin_id(one) for one in range(RARE + 1, MANY)]

    assert await found(store, rare) == expected
    for _ in range(500):
        if value_indexes(tmp_path):
            break
        await asyncio.sleep(0.02)

    assert await found(store, rare) == expected
    assert await found(store, Compare(AttributePath(LEVEL), Operator.EQUAL, Range(5, 7))) == [
        bin_id(5),
        bin_id(6),
        bin_id(7),
    ]
    assert await found(store, And((rare, Exists(AttributePath(NOTE))))) == expected
    assert len(await found(store, Compare(AttributePath(LEVEL), Operator.GREATER, 10))) == 20

    await store.write(TENANT, [bin_(1, level(RARE + 500))])
    assert await found(store, rare) == [bin_id(1), *expected]
    assert len(value_indexes(tmp_path)) == 1


async def test_quick_queries_make_no_index(store: SqliteStore, tmp_path: Path) -> None:
    await found(store, Compare(AttributePath(LEVEL), Operator.GREATER, 10))
    await asyncio.sleep(0.1)

    assert value_indexes(tmp_path) == []


async def test_a_read_whose_functions_take_long_leaves_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    await store.write(TENANT, [bin_(one, level(one)) for one in range(3)])

    async def matching() -> list[str]:
        page = await store.query(TENANT, EntityQuery(id_pattern="[02]$"))
        return [entity.id for entity in page.entities]

    assert await matching() == [bin_id(0), bin_id(2)]
    assert not reading_threads()
    monkeypatch.setattr(reader, "QUICK_S", 0.0)
    assert await matching() == [bin_id(0), bin_id(2)]
    assert reading_threads()
    await store.close()


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("parvis-reader")]
