"""Rows move from the log into the clustered history while everyone goes on reading."""

import math
from pathlib import Path

import pytest

from parvis.broker.query.tree import Aggregation, Method, TemporalQuery
from parvis.broker.temporal.aggregates import list_aggregates
from parvis.broker.temporal.reading import Member, read_history
from parvis.kernel.time import MINUTE, Duration
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.outbox import read_events
from parvis.stores.sqlite.settle import Settler
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.tail import Tail
from parvis.stores.sqlite.temporal import HotHistory, find_head
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level

BINS = range(6)
LEVELS = list(range(10))


class Opened:
    """The store's parts on one file, as the writer's thread and a reader hold them."""

    def __init__(self, path: Path, slice_rows: int = 15) -> None:
        self._database = Database(path)
        self.connection = self._database.connect_writer()
        self.tail = Tail(self.connection)
        self.settler = Settler(self.connection, self.tail, slice_rows)

    def reader(self) -> Connection:
        return self._database.connect_reader()

    def settle_all(self) -> None:
        self.settler.step()
        while self.settler.busy:
            self.settler.step()

    def entities(self) -> list[int]:
        return [entity for (entity,) in self.connection.execute("SELECT id FROM entity ORDER BY id")]

    def levels(self, number: int, reader: Connection, found_early: list[int] | None = None) -> list[object]:
        [(entity,)] = reader.execute("SELECT id FROM entity WHERE urn = ?", (bin_id(number),))
        unsettled = self.tail.find(entity) if found_early is None else found_early
        reader.execute("BEGIN")
        told = read_history(self.snapshot(number, reader, unsettled), TemporalQuery())
        reader.execute("ROLLBACK")
        return [one.value for one in told.instances[(LEVEL, "")]]

    def aggregates(self, number: int, reader: Connection) -> dict[Method, float | int | None]:
        [(entity,)] = reader.execute("SELECT id FROM entity WHERE urn = ?", (bin_id(number),))
        whole = Aggregation(tuple(Method), Duration((0, 0)))
        unsettled = self.tail.find(entity)
        [told] = list_aggregates([self.snapshot(number, reader, unsettled)], TemporalQuery(), whole)
        [bucket] = told.buckets[(LEVEL, "")]
        return bucket.values

    def snapshot(self, number: int, reader: Connection, unsettled: list[int]) -> Member:
        names = Names(reader)
        found = find_head(reader, names, TENANT, bin_id(number))
        assert found is not None
        return Member(found[1], [HotHistory(reader, names, found[0], unsettled)])

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


def test_aggregates_are_the_same_before_during_and_after(path: Path) -> None:
    opened = Opened(path)
    reader = opened.reader()
    before = [opened.aggregates(one, reader) for one in BINS]
    opened.settler.step()
    assert opened.settler.busy
    assert [opened.aggregates(one, reader) for one in BINS] == before
    opened.settle_all()

    assert before[0] == {
        Method.TOTAL_COUNT: 10,
        Method.DISTINCT_COUNT: 10,
        Method.SUM: 45,
        Method.AVG: 4.5,
        Method.MIN: 0,
        Method.MAX: 9,
        Method.SUMSQ: 285,
        Method.STDDEV: pytest.approx(math.sqrt(8.25)),
    }
    assert [opened.aggregates(one, reader) for one in BINS] == before
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


async def test_a_second_round_tells_nothing_twice_while_the_first_still_stands_in_the_log(path: Path) -> None:
    first = Opened(path)
    reader = first.reader()
    found_early = [first.tail.find(entity) for entity in first.entities()]
    first.settle_all()
    first.close()
    store = await SqliteStore.open(path, Ticking())
    await store.write(TENANT, [bin_(one, level(10, NOON + 10 * MINUTE)) for one in BINS])
    await store.close()

    second = Opened(path, slice_rows=2)
    second.settler.step()
    assert second.settler.busy
    second.close()
    stopped = Opened(path)

    assert [stopped.levels(one, reader) for one in BINS] == [[*IN_ORDER, 10]] * len(BINS)
    late = [stopped.levels(one, reader, early) for one, early in zip(BINS, found_early, strict=True)]
    assert all(len(levels) == len(set(levels)) for levels in late)
    reader.close()
    stopped.close()


def test_the_log_is_kept_until_every_consumer_was_told(path: Path) -> None:
    opened = Opened(path)
    opened.settle_all()

    while opened.settler.prune(keep_from_event=31):
        pass
    assert opened.rows("log") == 30
    assert opened.rows("outbox") == 30

    while opened.settler.prune(keep_from_event=2**62):
        pass
    assert opened.rows("outbox") == 1, "the newest event stays, so that numbers never start again"
    [newest] = read_events(opened.connection, Names(opened.connection), 0, 10)
    assert [one.value for one in newest.instances] == [9], "and no event is told without what was written"
    assert opened.rows("log") == 1
    opened.close()


async def test_numbers_go_on_after_the_log_was_emptied(path: Path) -> None:
    opened = Opened(path)
    opened.settle_all()
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
