"""Rows move from the log into the clustered history while everyone goes on reading."""

from pathlib import Path

import pytest

from parvis.broker.ports.store import EntityHistory
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import MINUTE
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.settle import Settler
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.tail import Tail
from parvis.stores.sqlite.temporal import read_history
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level

BINS = range(6)
LEVELS = list(range(10))


class Opened:
    """The store's parts on one file, as the writer's thread and a reader hold them."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.connection = self._database.connect_writer()
        self.tail = Tail(self.connection)
        self.settler = Settler(self.connection, self.tail, slice_rows=15)

    def reader(self) -> Connection:
        return self._database.connect_reader()

    def levels(self, number: int, reader: Connection) -> list[object]:
        [(entity,)] = reader.execute("SELECT id FROM entity WHERE urn = ?", (bin_id(number),))
        unsettled = self.tail.find(entity)
        reader.execute("BEGIN")
        told = read_history(reader, Names(reader), TENANT, bin_id(number), TemporalQuery(), unsettled)
        reader.execute("ROLLBACK")
        assert isinstance(told, EntityHistory)
        return [one.value for one in told.instances[(LEVEL, "")]]

    def rows(self, table: str) -> int:
        [(count,)] = self.connection.execute(f"SELECT count(*) FROM {table}")
        return int(count)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    for number in LEVELS:
        observed = NOON - number * MINUTE if number % 2 else NOON + number * MINUTE
        await store.write(TENANT, [bin_(one, level(number, observed)) for one in BINS])
    await store.close()
    return tmp_path / "parvis.db"


IN_ORDER = [9, 7, 5, 3, 1, 0, 2, 4, 6, 8]


def test_each_instance_is_read_once_before_during_and_after(path: Path) -> None:
    opened = Opened(path)
    reader = opened.reader()
    steps = 0
    while not steps or opened.settler.busy:
        assert [opened.levels(one, reader) for one in BINS] == [IN_ORDER] * len(BINS)
        opened.settler.step()
        steps += 1

    assert steps == 3
    assert [opened.levels(one, reader) for one in BINS] == [IN_ORDER] * len(BINS)
    assert opened.rows("history") == len(BINS) * len(LEVELS)
    assert len(opened.tail) == 0
    reader.close()
    opened.close()


def test_settling_goes_on_after_a_stop_in_the_middle(path: Path) -> None:
    first = Opened(path)
    first.settler.step()
    first.settler.step()
    assert first.settler.busy
    first.close()

    second = Opened(path)
    reader = second.reader()
    assert [second.levels(one, reader) for one in BINS] == [IN_ORDER] * len(BINS)
    while second.settler.busy:
        second.settler.step()

    assert second.rows("history") == len(BINS) * len(LEVELS)
    assert [second.levels(one, reader) for one in BINS] == [IN_ORDER] * len(BINS)
    reader.close()
    second.close()


def test_the_log_is_kept_until_every_consumer_was_told(path: Path) -> None:
    opened = Opened(path)
    opened.settler.step()
    while opened.settler.busy:
        opened.settler.step()

    while opened.settler.prune(keep_from_event=31):
        pass
    assert opened.rows("log") == 30
    assert opened.rows("outbox") == 30

    while opened.settler.prune(keep_from_event=2**62):
        pass
    assert opened.rows("log") == 0
    assert opened.rows("outbox") == 1, "the newest event stays, so that numbers never start again"
    opened.close()


async def test_numbers_go_on_after_the_log_was_emptied(path: Path) -> None:
    opened = Opened(path)
    opened.settler.step()
    while opened.settler.busy:
        opened.settler.step()
    while opened.settler.prune(keep_from_event=2**62):
        pass
    opened.close()

    store = await SqliteStore.open(path, Ticking())
    newest = await store.newest()
    await store.write(TENANT, [bin_(0, level(99, NOON + 99 * MINUTE))])
    told = await store.history(TENANT, bin_id(0), TemporalQuery())
    events = await store.read(newest)
    await store.close()

    assert newest == len(BINS) * len(LEVELS)
    assert told is not None
    assert [one.value for one in told.instances[(LEVEL, "")]] == [*IN_ORDER, 99]
    assert len({one.seq for one in told.instances[(LEVEL, "")]}) == 11
    assert [one.instances[0].value for one in events] == [99]
