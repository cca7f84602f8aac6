"""Reading where other processes write, where connections break, and where much must be gone through."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.query.tree import (
    Aggregation,
    And,
    Compare,
    EntityQuery,
    Exists,
    GeoQuery,
    GeoRelation,
    Method,
    Missing,
    Operator,
    Path,
    TemporalQuery,
    TimeProperty,
    TimeRelation,
    TypeIs,
)
from parvis.kernel.time import DAY, parse_duration
from parvis.stores.postgres.database import Connection, Database, StoreUnreachable
from parvis.stores.postgres.indexes import MAX_INDEXES, ValueIndexes
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.reader import CHUNK
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import BIN, LAMP, LEVEL, NOON, NOTE, PLACE, TENANT, bin_, bin_id, level, note, place
from tests.stores.postgres.conftest import Pair

WHOLE = parse_duration("PT0S")


@pytest.fixture
async def store(prepared_postgres_url: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(prepared_postgres_url)
    yield opened
    await opened.close()


async def numbers(store: PostgresStore, query: EntityQuery) -> list[int]:
    page = await store.query(TENANT, query)
    return [int(one.id.rsplit(":", 1)[1]) for one in page.entities]


async def test_what_one_process_has_stored_the_other_finds_at_once(pair: Pair) -> None:
    one, other = pair
    assert await numbers(other, EntityQuery(types=TypeIs(LAMP))) == []
    assert await numbers(other, EntityQuery(q=Missing(Path(NOTE)))) == []

    await one.add_tenant("neighbour")
    await one.write("neighbour", [bin_(9, level(9))])
    await one.write(TENANT, [bin_(1, note("new"), types=(LAMP,)), bin_(2, place(1, 1))])

    assert await numbers(other, EntityQuery(types=TypeIs(LAMP))) == [1]
    assert await numbers(other, EntityQuery(q=Compare(Path(NOTE), Operator.EQUAL, "new"))) == [1]
    assert await numbers(other, EntityQuery(q=Missing(Path(NOTE)))) == [2]
    near = GeoQuery(GeoRelation.NEAR, place(1, 1).value, PLACE, max_distance_m=10)
    assert await numbers(other, EntityQuery(geo=near)) == [2]
    assert await other.find("neighbour", bin_id(9)) is not None
    assert await other.count_types(TENANT) == {LAMP: 1, BIN: 1}


async def test_a_tenant_nobody_has_is_empty(store: PostgresStore) -> None:
    page = await store.query("nowhere", EntityQuery(count=True))

    assert (page.entities, page.total) == ((), 0)
    assert await store.find("nowhere", bin_id(1)) is None
    assert await store.count_types("nowhere") == {}
    assert await store.history("nowhere", bin_id(1), TemporalQuery()) is None


async def test_an_id_that_cannot_be_stored_is_not_found(store: PostgresStore) -> None:
    assert await store.find(TENANT, "urn:\0") is None
    assert await store.history(TENANT, "urn:\0", TemporalQuery()) is None
    assert await numbers(store, EntityQuery(ids=("urn:\0", "urn:\ud800"))) == []


async def test_a_reader_outlives_its_connections(store: PostgresStore, prepared_postgres_url: str) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    await asyncio.gather(*(store.find(TENANT, bin_id(1)) for _ in range(20)))
    with psycopg.connect(prepared_postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )

    found = await asyncio.gather(*(store.find(TENANT, bin_id(1)) for _ in range(20)))

    assert all(one is not None for one in found)


async def test_a_database_that_is_gone_is_said_to_be(free_port: int) -> None:
    names = Names(Database(f"postgresql://nobody@127.0.0.1:{free_port}/none"))
    with pytest.raises(StoreUnreachable):
        names.words.key(1)


async def test_what_sql_cannot_say_is_decided_over_all_that_is_there(store: PostgresStore) -> None:
    many = 2 * CHUNK + 300
    await store.write(TENANT, [bin_(number, note(f"bin {number}")) for number in range(many)])
    sevens = [number for number in range(many) if number % 10 == 7]
    pattern = EntityQuery(q=Compare(Path(NOTE), Operator.MATCH, "7$"), limit=20)

    counted = await store.query(TENANT, EntityQuery(q=pattern.q, limit=3, offset=50, count=True))
    walked: list[int] = []
    after: int | None = 0
    while after is not None:
        page = await store.query(TENANT, EntityQuery(q=pattern.q, limit=20, after=after))
        walked += [int(one.id.rsplit(":", 1)[1]) for one in page.entities]
        after = page.resume

    assert walked == sevens
    assert counted.total == len(sevens)
    assert [one.id for one in counted.entities] == [bin_id(number) for number in sevens[50:53]]
    assert await numbers(store, EntityQuery(id_pattern="7$", limit=3, offset=100)) == sevens[100:103]


async def test_a_count_asks_for_no_page(store: PostgresStore) -> None:
    await store.write(TENANT, [bin_(number, level(number)) for number in range(5)])

    exact = await store.query(TENANT, EntityQuery(q=Exists(Path(LEVEL)), limit=0, count=True))
    refined = await store.query(TENANT, EntityQuery(id_pattern="[34]$", limit=0, count=True))

    assert (exact.entities, exact.total, exact.resume) == ((), 5, None)
    assert (refined.entities, refined.total, refined.resume) == ((), 2, None)


async def test_many_readers_at_once_each_see_one_state(store: PostgresStore) -> None:
    """Two bins always hold levels that add up to 100."""
    await store.write(TENANT, [bin_(1, level(50)), bin_(2, level(50))])

    async def move() -> None:
        for number in range(30):
            await store.write(TENANT, [bin_(1, level(number)), bin_(2, level(100 - number))])

    async def look() -> list[float]:
        page = await store.query(TENANT, EntityQuery(id_pattern="."))
        return [one.instances[0].value for one in page.entities]

    moving = asyncio.create_task(move())
    while not moving.done():
        for one in await asyncio.gather(*(look() for _ in range(6))):
            assert sum(one) == 100
    await moving


async def test_an_index_is_made_once_and_seen_by_every_process(postgres_url: str) -> None:
    store = await PostgresStore.open(postgres_url)
    await store.write(TENANT, [bin_(number, level(number)) for number in range(20)])
    database = Database(postgres_url)
    attribute = Names(database).words.id(LEVEL)
    first, second = ValueIndexes(database), ValueIndexes(database)
    try:
        for one in (first, second, first):
            one.want(attribute)
    finally:
        await asyncio.to_thread(first.finish)
        await asyncio.to_thread(second.finish)
    with database.connect() as connection:
        third = ValueIndexes(database)
        third.refresh(connection)
        third.close()

    assert third.ready == {attribute}
    some = And((Compare(Path(LEVEL), Operator.GREATER, 17), Compare(Path(LEVEL), Operator.LESS, 19)))
    assert await numbers(store, EntityQuery(q=some)) == [18]
    await store.close()


def test_there_are_never_many_indexes_and_what_was_left_half_done_is_made_whole(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.prepare()
    with database.connect() as connection:
        connection.execute("CREATE INDEX attribute_number_3 ON attribute (tenant, number, entity) WHERE name = 3")
        _spoil(postgres_url, "attribute_number_3")
    indexes = ValueIndexes(database)
    for attribute in range(1, MAX_INDEXES + 4):
        indexes.want(attribute)
    indexes.finish()
    with database.connect() as connection:
        indexes.refresh(connection)

    assert indexes.ready == set(range(1, MAX_INDEXES + 1))
    indexes.close()


def test_an_index_that_nobody_searches_gives_way_after_a_month(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.prepare()
    make(database, *range(1, MAX_INDEXES + 1))
    make(database, 100)
    with database.connect() as connection:
        assert len(made(connection)) == MAX_INDEXES
        connection.execute("COMMENT ON INDEX attribute_number_5 IS '0 searches by 1700000000'")
        connection.execute("COMMENT ON INDEX attribute_number_6 IS '7 searches by 1700000000'")

    make(database, 100)

    with database.connect() as connection:
        assert made(connection) == {1, 2, 3, 4, 6, 7, 8, 100}


def make(database: Database, *attributes: int) -> None:
    indexes = ValueIndexes(database)
    for attribute in attributes:
        indexes.want(attribute)
    indexes.finish()


def made(connection: Connection) -> frozenset[int]:
    indexes = ValueIndexes(Database(""))
    indexes.refresh(connection)
    indexes.close()
    return indexes.ready


def test_closing_does_not_wait_for_an_index_that_cannot_be_made_yet(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.prepare()
    indexes = ValueIndexes(database)
    with database.connect() as writer, writer.transaction():
        writer.execute("SELECT set_config('parvis.tenant', '0', true)")
        writer.execute("LOCK TABLE attribute IN ROW EXCLUSIVE MODE")
        indexes.want(1)
        with ThreadPoolExecutor(1) as closer:
            closer.submit(indexes.close).result(timeout=10)
    assert not [one for one in threading.enumerate() if one.name.startswith("parvis-indexes")]


async def test_great_numbers_are_added_up_as_far_as_there_are_numbers(store: PostgresStore) -> None:
    great = [level(1.7e308, NOON), level(1.7e308, NOON + 1), level(2**70, NOON + 2), level("much", NOON + 3)]
    await store.write(TENANT, [bin_(1, *great, keep_newest=True)])
    methods = tuple(Method)

    told = await store.aggregate(TENANT, bin_id(1), TemporalQuery(), Aggregation(methods, WHOLE))

    assert told is not None
    [bucket] = told.buckets[(LEVEL, "")]
    assert bucket.values == {
        Method.TOTAL_COUNT: 4, Method.DISTINCT_COUNT: 3, Method.SUM: float("inf"), Method.AVG: float("inf"),
        Method.MIN: 2**70, Method.MAX: 1.7e308, Method.STDDEV: float("inf"), Method.SUMSQ: float("inf"),
    }  # fmt: skip


async def test_values_are_told_apart_as_json_tells_them_apart(store: PostgresStore) -> None:
    values = [5, 5.0, "5", True, "true", [5], None, "null", {"a": 1}, {"a": 1}]
    await store.write(TENANT, [bin_(1, *(level(one, NOON + at) for at, one in enumerate(values)), keep_newest=True)])

    told = await store.aggregate(
        TENANT, bin_id(1), TemporalQuery(), Aggregation((Method.DISTINCT_COUNT, Method.TOTAL_COUNT), WHOLE)
    )

    assert told is not None
    [bucket] = told.buckets[(LEVEL, "")]
    assert bucket.values == {Method.DISTINCT_COUNT: 8, Method.TOTAL_COUNT: 10}


async def test_a_window_over_several_months_is_told_in_order(store: PostgresStore) -> None:
    days = [level(number, NOON + (number - 60) * DAY) for number in range(70)]
    await store.write(TENANT, [bin_(1, *days[::-1], keep_newest=True)])
    window = TemporalQuery(TimeRelation.BETWEEN, NOON - 50 * DAY, NOON + 5 * DAY)

    told = await store.history(TENANT, bin_id(1), window)
    months = await store.aggregate(
        TENANT, bin_id(1), window, Aggregation((Method.MIN, Method.MAX), parse_duration("P1M"))
    )
    recorded = TemporalQuery(last_n=2, time_property=TimeProperty.MODIFIED_AT)
    last = await store.history(TENANT, bin_id(1), recorded)

    assert told is not None
    assert months is not None
    assert last is not None
    assert [one.value for one in told.instances[(LEVEL, "")]] == list(range(10, 65))
    assert [tuple(one.values.values()) for one in months.buckets[(LEVEL, "")]] == [(10, 40), (41, 64)]
    assert len(last.instances[(LEVEL, "")]) == 2


async def test_a_removed_attribute_has_a_history_still(store: PostgresStore) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("x"))])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((LEVEL, ""),))])

    told = await store.history(TENANT, bin_id(1), TemporalQuery())

    assert told is not None
    assert {name for name, _ in told.instances} == {LEVEL, NOTE}


def _spoil(url: str, index: str) -> None:
    """As CREATE INDEX CONCURRENTLY leaves it when it is interrupted."""
    superuser = url.replace("territory@", "parvis@")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (index,))
