"""Nobody waits for long: not for who stands still, not for who asks much, not for what cannot be had just now."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import Compare, EntityQuery, Operator, Path, TypeIs
from parvis.kernel.errors import Overloaded, TooComplexQuery
from parvis.kernel.time import parse_instant
from parvis.stores.postgres import database, reader
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, Pool
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import BIN, NOTE, TENANT, bin_, bin_id, level, note
from tests.stores.postgres.conftest import Pair

END_BACKENDS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid()"
)


def standing_still(moment_s: float) -> Callable[[Connection], None]:
    """In the middle of a transaction, where it holds what others need."""

    def hold(connection: Connection) -> None:
        connection.execute("UPDATE numbers SET log = log")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (0x6E616D65,))
        time.sleep(moment_s)

    return hold


async def test_who_stands_still_holding_numbers_stops_no_writer_for_long(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    await one.write(TENANT, [bin_(1, level(1))])
    monkeypatch.setattr(database, "STANDS_STILL_S", 0.3)
    other.desk._local = threading.local()
    still = asyncio.create_task(other.desk.run(EVERY_TENANT, standing_still(3)))
    await asyncio.sleep(0.2)

    async with asyncio.timeout(2):
        await one.write(TENANT, [bin_(1, Instance("https://example.org/new", level(1).kind, 1))])

    assert not still.done()
    with pytest.raises(Overloaded):
        await still


async def test_leases_are_held_while_much_is_asked_of_the_small_tables(pair: Pair) -> None:
    one, _ = pair
    begun = [asyncio.create_task(one.desk.run(EVERY_TENANT, lambda _: time.sleep(1.5))) for _ in range(4)]
    await asyncio.sleep(0.1)

    async with asyncio.timeout(1):
        assert await one.take("notifier", "one", for_s=60)

    await asyncio.gather(*begun)


async def test_a_connection_that_was_lost_meanwhile_costs_no_question(pair: Pair, prepared_postgres_url: str) -> None:
    one, _ = pair
    await one.advance({"rules": 3})
    with psycopg.connect(prepared_postgres_url, autocommit=True) as administrator:
        administrator.execute(END_BACKENDS)

    assert [await one.position("rules") for _ in range(3)] == [3, 3, 3]
    assert [await one.oldest() for _ in range(3)] == [1, 1, 1]


async def test_months_that_cannot_be_made_are_not_tried_with_every_group(prepared_postgres_url: str) -> None:
    at = parse_instant("2001-03-31T12:00:00Z")
    store = await PostgresStore.open(prepared_postgres_url, lambda: at)
    with psycopg.connect(prepared_postgres_url) as backup:
        backup.execute("SELECT count(*) FROM history_other")
        await store.write(TENANT, [bin_(1, level(1))])
        async with asyncio.timeout(1):
            await store.write(TENANT, [bin_(1, level(2))])

    await store.close()


async def test_an_index_that_is_made_anew_by_hand_stops_no_query(pair: Pair, prepared_postgres_url: str) -> None:
    one, _ = pair
    await one.write(TENANT, [bin_(1, level(1))])
    with Database(prepared_postgres_url).connect() as administrator:
        administrator.execute("CREATE INDEX attribute_number_7_ccnew ON attribute (number)")
        try:
            assert len((await one.query(TENANT, EntityQuery())).entities) == 1
        finally:
            administrator.execute("DROP INDEX attribute_number_7_ccnew")


async def test_what_others_tell_on_the_channel_does_not_deafen(pair: Pair, prepared_postgres_url: str) -> None:
    one, other = pair
    with Database(prepared_postgres_url).connect() as stranger:
        stranger.execute("NOTIFY parvis_event, 'hello'")
    await asyncio.sleep(0.2)
    newest = await other.newest()
    waiting = asyncio.create_task(other.wait(newest))

    await one.write(TENANT, [bin_(1, level(1))])

    await asyncio.wait_for(waiting, timeout=5)


async def test_two_who_wait_for_each_other_are_both_answered(pair: Pair) -> None:
    one, other = pair
    await one.advance({"a": 1, "b": 1})
    both = threading.Barrier(2)

    def move(first: str, second: str) -> Callable[[Connection], None]:
        def ask(connection: Connection) -> None:
            connection.execute("UPDATE consumer SET seq = seq + 1 WHERE name = %s", (first,))
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            connection.execute("UPDATE consumer SET seq = seq + 1 WHERE name = %s", (second,))

        return ask

    await asyncio.gather(one.desk.run(EVERY_TENANT, move("a", "b")), other.desk.run(EVERY_TENANT, move("b", "a")))

    assert [await one.position(name) for name in "ab"] == [3, 3]


async def test_a_lease_from_before_the_servers_clock_went_back_runs_out(pair: Pair, prepared_postgres_url: str) -> None:
    one, _ = pair
    with Database(prepared_postgres_url).connect() as past:
        past.execute("INSERT INTO lease VALUES ('notifier', 'dead', clock_timestamp() + interval '1 hour')")

    assert await one.take("notifier", "one", for_s=5)


def matches_slowly(_: object, __: object) -> bool:
    time.sleep(0.15)
    return True


async def test_a_count_that_takes_too_long_is_ended(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await PostgresStore.open(prepared_postgres_url)
    await one.write(TENANT, [bin_(number, note(f"n{number}")) for number in range(8)])
    slow = EntityQuery(types=TypeIs(BIN), q=Compare(Path(NOTE), Operator.MATCH, "n.*"), count=True)
    assert (await one.query(TENANT, slow)).total == 8
    await one.close()
    monkeypatch.setattr(reader, "QUICK_S", 0.2)
    monkeypatch.setattr(reader, "LONGEST_S", 0.5)
    monkeypatch.setattr(reader, "CHUNK", 1)
    monkeypatch.setattr(reader, "matches", matches_slowly)
    one = await PostgresStore.open(prepared_postgres_url)

    with pytest.raises(TooComplexQuery, match=r"more than 0\.5 s"):
        await one.query(TENANT, slow)

    assert len((await one.query(TENANT, EntityQuery(types=TypeIs(BIN), limit=2))).entities) == 2
    await one.close()


async def test_who_asks_for_little_does_not_wait_behind_who_asks_for_much(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "QUICK_S", 0.2)
    one = await PostgresStore.open(prepared_postgres_url)

    def much(connection: Connection, _: int) -> int:
        connection.execute("SELECT pg_sleep(1)")
        return 7

    long = [asyncio.create_task(one._reader.run(TENANT, much)) for _ in range(6)]
    await asyncio.sleep(0.6)
    async with asyncio.timeout(0.5):
        assert await one.find(TENANT, bin_id(1)) is None

    assert await asyncio.gather(*long) == [7] * 6
    await one.close()


async def test_a_statement_that_takes_too_long_is_ended(prepared_postgres_url: str) -> None:
    pool = Pool(Database(prepared_postgres_url), 1, "slow", longest_s=0.2)

    with pytest.raises(TooComplexQuery, match=r"more than 0\.2 s"):
        await pool.run(EVERY_TENANT, lambda connection: connection.execute("SELECT pg_sleep(3)"))

    await pool.run(EVERY_TENANT, lambda connection: connection.execute("SELECT 1"))
    await asyncio.to_thread(pool.close)


async def test_who_would_wait_behind_too_many_is_told_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_WAITING", 3)
    one, _ = pair

    answers = await asyncio.gather(*(one.find(TENANT, bin_id(1)) for _ in range(5)), return_exceptions=True)

    assert answers[:3] == [None, None, None]
    assert [type(answer) for answer in answers[3:]] == [Overloaded, Overloaded]
    assert await one.find(TENANT, bin_id(1)) is None
