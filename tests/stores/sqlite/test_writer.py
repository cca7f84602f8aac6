"""The thread that writes: groups, bounds, failures."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from operator import attrgetter
from pathlib import Path

import pytest

from parvis.broker.model.change import Status
from parvis.broker.ports.store import StoreNotUsable
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TypeIs
from parvis.broker.writing import MAX_PENDING_CHANGES
from parvis.kernel.errors import Overloaded
from parvis.stores.sqlite import checkpoint, writer
from parvis.stores.sqlite.checkpoint import Checkpointer
from parvis.stores.sqlite.database import Database
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.tail import Tail
from tests.contract.territory import BIN, LEVEL, TENANT, Ticking, bin_, bin_id, level, note

UNSTORABLE = "\ud800"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    yield opened
    await opened.close()


async def test_writes_that_wait_together_all_come_back(store: SqliteStore) -> None:
    answers = await asyncio.gather(*(store.write(TENANT, [bin_(number, level(number))]) for number in range(300)))

    assert {answer[0].status for answer in answers} == {Status.CREATED}
    page = await store.query(TENANT, EntityQuery(types=TypeIs(BIN), limit=0, count=True))
    assert page.total == 300


async def test_a_write_that_cannot_be_stored_fails_alone(store: SqliteStore) -> None:
    fine, broken, also_fine = await asyncio.gather(
        store.write(TENANT, [bin_(1, level(1))]),
        store.write(TENANT, [bin_(2, note("ok")), bin_(3, note(UNSTORABLE))]),
        store.write(TENANT, [bin_(4, level(4))]),
        return_exceptions=True,
    )

    assert isinstance(fine, list)
    assert isinstance(also_fine, list)
    assert isinstance(broken, UnicodeEncodeError)
    page = await store.query(TENANT, EntityQuery(types=TypeIs(BIN)))
    assert {entity.id for entity in page.entities} == {bin_id(1), bin_id(4)}


async def test_a_write_that_cannot_be_stored_costs_the_others_few_commits(tmp_path: Path) -> None:
    database = Database(tmp_path / "parvis.db")
    connection, checkpointer = database.connect_writer(), Checkpointer(database)
    connection.execute("INSERT INTO tenant VALUES (1, ?)", (TENANT,))
    commits: list[int] = []
    alone = writer.Writer(
        connection,
        Names(connection),
        Tail(connection),
        checkpointer,
        Ticking(),
        lambda _, newest: commits.append(newest),
    )
    changes = [bin_(number, note(UNSTORABLE) if number == 77 else level(number)) for number in range(256)]

    answers = await asyncio.gather(*(alone.write(TENANT, [one]) for one in changes), return_exceptions=True)
    await alone.close()
    checkpointer.close()

    assert [number for number, answer in enumerate(answers) if isinstance(answer, Exception)] == [77]
    assert len(commits) < 30
    assert commits[-1] == 255


async def test_after_a_failure_new_names_are_interned_anew(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        await store.write(TENANT, [bin_(1, level(1), note(UNSTORABLE))])
    await store.write(TENANT, [bin_(2, level(2), note("fine"))])
    await store.close()

    reopened = await SqliteStore.open(tmp_path / "parvis.db")
    entity = await reopened.find(TENANT, bin_id(2))
    await reopened.close()

    assert entity is not None
    assert {one.value for one in entity.instances} == {2, "fine"}


async def test_a_full_queue_refuses_rather_than_grows(store: SqliteStore) -> None:
    many = [bin_(number, level(number)) for number in range(MAX_PENDING_CHANGES)]
    first = asyncio.create_task(store.write(TENANT, many))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await store.write(TENANT, [bin_(1, level(1))])

    assert len(await first) == len(many)


async def test_a_store_that_cannot_go_on_says_so_to_all_who_wait(tmp_path: Path) -> None:
    def clock_that_breaks_the_connection() -> int:
        opened._writer._connection.close()  # as a lost disk would: not even a rollback is possible
        return 1

    opened = await SqliteStore.open(tmp_path / "lost.db", clock_that_breaks_the_connection)
    answers = await asyncio.gather(
        *(opened.write(TENANT, [bin_(number, level(number))]) for number in range(3)), return_exceptions=True
    )

    assert isinstance(answers[0], writer.StoreFailed)
    assert all(isinstance(answer, writer.StoreFailed | Overloaded) for answer in answers)
    await opened.close()
    assert not opened.is_writing


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "other.db")
    pending = asyncio.create_task(store.write(TENANT, [bin_(1, level(1))]))
    await asyncio.sleep(0)
    await store.close()
    await pending

    reopened = await SqliteStore.open(tmp_path / "other.db")
    assert await reopened.find(TENANT, bin_id(1)) is not None
    with pytest.raises(Overloaded):
        await store.write(TENANT, [bin_(2, level(2))])
    await reopened.close()


async def test_a_write_that_nobody_waits_for_any_more_still_counts_as_pending(store: SqliteStore) -> None:
    many = [bin_(number, level(number)) for number in range(MAX_PENDING_CHANGES)]
    first = asyncio.create_task(store.write(TENANT, many))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await store.write(TENANT, [bin_(1, level(1))])


async def test_after_closing_nothing_waits_for_ever(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "other.db")
    await store.close()

    with pytest.raises(Overloaded):
        await asyncio.wait_for(store.advance({"rules": 1}), 5)


async def test_writing_goes_on_when_the_history_cannot_be_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SETTLE_WHEN_IDLE_ROWS", 0)
    monkeypatch.setattr(writer, "IDLE_S", 0.01)
    monkeypatch.setattr(writer, "REST_S", 0.0)
    store = await SqliteStore.open(tmp_path / "other.db", Ticking())
    beside = Database(tmp_path / "other.db").connect_writer()
    beside.execute("CREATE TRIGGER full BEFORE INSERT ON history BEGIN SELECT RAISE(ABORT, 'no space'); END")
    await store.write(TENANT, [bin_(1, level(1))])
    await asyncio.sleep(0.1)
    await asyncio.wait_for(store.write(TENANT, [bin_(2, level(2))]), 5)
    beside.execute("DROP TRIGGER full")
    await asyncio.sleep(0.2)
    settled = beside.execute("SELECT count(*) FROM history").fetchone()
    beside.close()
    await store.close()

    assert settled == (2,)


async def test_a_long_reader_does_not_hold_up_the_writer_at_a_checkpoint(tmp_path: Path) -> None:
    database = Database(tmp_path / "parvis.db")
    connection, reader = database.connect_writer(), database.connect_reader()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM log").fetchone()
    connection.execute("INSERT INTO tenant VALUES (1, 'default')")
    checkpointer = Checkpointer(database)
    began = time.monotonic()

    checkpointer.restart(connection)

    assert time.monotonic() - began < 2
    checkpointer.close()
    reader.close()
    connection.close()


async def test_what_a_long_reader_kept_from_being_copied_is_not_left_to_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("COPY_AFTER_BYTES", 64 << 10), ("RESTART_AT_BYTES", 128 << 10), ("RESTART_LEFT_BYTES", 4096)):
        monkeypatch.setattr(checkpoint, name, value)
    monkeypatch.setattr(checkpoint, "CHECK_EVERY_S", 0.01)
    database = Database(tmp_path / "parvis.db")
    connection, reader = database.connect_writer(), database.connect_reader()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM log").fetchone()
    connection.execute("CREATE TABLE filling AS SELECT zeroblob(1000000) AS content")
    is_due = attrgetter("restart_due")

    checkpointer = Checkpointer(database)
    await asyncio.sleep(0.2)
    assert not is_due(checkpointer), "nothing of it could be copied yet"
    reader.close()
    async with asyncio.timeout(5):
        while not is_due(checkpointer):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    checkpointer.restart(connection)

    assert database.wal_bytes() == 0
    checkpointer.close()
    connection.close()


def test_a_store_of_a_newer_parvis_is_left_alone(tmp_path: Path) -> None:
    connection = Database(tmp_path / "parvis.db").connect_writer()
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(StoreNotUsable, match="999"):
        Database(tmp_path / "parvis.db").connect_writer()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "parvis.db").write_text("not a database, but long enough to be looked at" * 50)

    with pytest.raises(StoreNotUsable, match="not a database"):
        Database(tmp_path / "parvis.db").connect_writer()


async def test_history_keeps_up_however_long_the_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SETTLE_ANYHOW_ROWS", 2_000)
    monkeypatch.setattr(writer, "SLICE_ROWS", 50)
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    store._writer._settler._slice_rows = 50
    put_off: list[int] = []
    calls = iter(range(400))

    async def work() -> None:
        for tick in calls:
            await store.write(TENANT, [bin_(number, level(tick)) for number in range(100)])
            put_off.append(len(store._tail))

    await asyncio.gather(*(work() for _ in range(8)))

    assert max(put_off) < 8_000
    with sqlite3.connect(tmp_path / "parvis.db") as reader:
        (rows,) = reader.execute("SELECT count(*) FROM log").fetchone()
    reader.close()
    assert rows < 20_000
    assert len((await store.history(TENANT, bin_id(7), TemporalQuery())).instances[(LEVEL, "")]) == 400  # type: ignore[union-attr]
    await store.close()
