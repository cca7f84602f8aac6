"""What becomes of writes when the database goes away, in whichever moment."""

import asyncio
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Progress
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.writing import MAX_PENDING_CHANGES
from parvis.kernel.errors import BadRequestData, Overloaded
from parvis.kernel.time import Instant, parse_instant
from parvis.stores.postgres import database, writer
from parvis.stores.postgres.database import Database, StoreUnreachable
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, bin_, bin_id, level, note
from tests.system_tools import Cluster

BACK_WITHIN_S = 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One of their own for those who stop it. What a crash loses is looked for, so fsync is on."""
    with TemporaryDirectory(prefix="parvis-faults-") as folder:
        made = Cluster(Path(folder))
        made.start()
        yield made
        made.stop(signal.SIGQUIT)


@pytest.fixture
async def at_risk(cluster: Cluster) -> AsyncIterator[PostgresStore]:
    """A store on the cluster that the test stops."""
    name = f"town_{uuid.uuid4().hex}"
    with psycopg.connect(cluster.dsn, autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name}".encode())
    opened = await PostgresStore.open(cluster.dsn.removesuffix("postgres") + name)
    yield opened
    await opened.close()


@pytest.fixture
async def store(prepared_postgres_url: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(prepared_postgres_url)
    yield opened
    await opened.close()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(BACK_WITHIN_S * 50):
        if holds():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"it took more than {BACK_WITHIN_S} s")


async def values(store: PostgresStore, number: int = 1) -> list[object]:
    found = await store.history(TENANT, bin_id(number), TemporalQuery(limit=100_000))
    instances = [] if found is None else found.instances.get((LEVEL, ""), [])
    return [one.value for one in sorted(instances, key=lambda one: one.seq)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
async def test_nothing_acknowledged_is_lost_when_the_database_restarts_under_writes(
    cluster: Cluster, at_risk: PostgresStore, how: signal.Signals
) -> None:
    acknowledged: list[int] = []
    refused = 0
    stopped = asyncio.Event()

    async def write(writer: int) -> None:
        nonlocal refused
        for turn in range(100_000):
            if stopped.is_set():
                return
            mark = writer * 1_000_000 + turn
            try:
                await at_risk.write(TENANT, [bin_(1, level(mark))])
            except Overloaded:
                refused += 1
                await asyncio.sleep(0.02)
            else:
                acknowledged.append(mark)

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    await asyncio.sleep(0.4)
    await asyncio.to_thread(cluster.stop, how)
    await until(lambda: not at_risk.is_writing)
    fault, before = at_risk.fault, len(acknowledged)
    await asyncio.to_thread(cluster.start)
    await until(lambda: at_risk.is_writing)
    await asyncio.sleep(0.4)
    stopped.set()
    await asyncio.gather(*writers)

    kept = await values(at_risk)
    assert "Nothing can be written" in fault
    assert refused
    assert 0 < before < len(acknowledged)
    assert len(kept) == len(set(kept))
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + refused


async def test_the_database_that_came_back_is_noticed_where_nobody_writes(
    cluster: Cluster, at_risk: PostgresStore
) -> None:
    await asyncio.to_thread(cluster.stop)
    await until(lambda: not at_risk.is_writing)

    await asyncio.to_thread(cluster.start)

    await until(lambda: at_risk.is_writing)
    assert at_risk.fault == ""


async def test_a_database_that_refuses_is_a_busy_store_not_a_traceback(
    cluster: Cluster, at_risk: PostgresStore
) -> None:
    await asyncio.to_thread(cluster.stop)

    with pytest.raises(StoreUnreachable) as refusal:
        await at_risk.write(TENANT, [bin_(1, level(1))])
    with pytest.raises(StoreUnreachable):
        await at_risk.find(TENANT, bin_id(1))

    assert refusal.value.status == 503
    assert refusal.value.retry_after_s
    await asyncio.to_thread(cluster.start)


async def test_a_connection_ended_from_outside_costs_no_write(store: PostgresStore, prepared_postgres_url: str) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'parvis writer' AND datname = current_database()"
    )
    unknown: list[int] = []
    refused: list[int] = []
    ended = 0
    with psycopg.connect(prepared_postgres_url, autocommit=True) as administrator:
        for turn in range(30):
            writing = asyncio.create_task(store.write(TENANT, [bin_(1, level(turn))]))
            if turn % 3 == 0:
                await asyncio.sleep(0.002)
                ended += administrator.execute(kill).rowcount
            [answer] = await asyncio.gather(writing, return_exceptions=True)
            if isinstance(answer, StoreUnreachable) and "may have been stored, or not" in answer.detail:
                unknown.append(turn)
            elif isinstance(answer, StoreUnreachable):
                refused.append(turn)
            else:
                assert isinstance(answer, list)

    kept = await values(store)
    assert ended
    assert len(refused) <= 2, "only a connection that was ended while it was being opened"
    assert kept == [turn for turn in range(30) if turn not in refused and (turn not in unknown or turn in kept)]


async def test_a_write_whose_end_is_not_known_is_told_as_a_failure(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(TENANT, [bin_(1, level(0))])
    finish = store._writer._finish

    def break_after_the_commit(connection: psycopg.Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
        connection.close()
        finish(connection)

    with monkeypatch.context() as patched:
        patched.setattr(store._writer, "_finish", break_after_the_commit)
        with pytest.raises(StoreUnreachable, match="may have been stored, or not"):
            await store.write(TENANT, [bin_(1, level(1))], Progress("rules", before=0, after=1))

    await store.write(TENANT, [bin_(1, level(2))], Progress("rules", before=await store.position("rules"), after=2))
    assert await values(store) == [0, 1, 2]


async def test_a_commit_that_the_server_refuses_stored_nothing(
    store: PostgresStore, prepared_postgres_url: str
) -> None:
    refuse = """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
        CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION full_disk()
    """
    with psycopg.connect(prepared_postgres_url, autocommit=True) as administrator:
        administrator.execute(refuse)
        try:
            with pytest.raises(StoreUnreachable, match=r"Nothing of the request was stored: .*no space left"):
                await store.write(TENANT, [bin_(1, level(1))])
        finally:
            administrator.execute("DROP FUNCTION full_disk CASCADE")

    await store.write(TENANT, [bin_(1, level(2))])
    assert await values(store) == [2]


async def test_a_process_that_stands_still_in_a_transaction_stops_nobody_for_long(
    store: PostgresStore, prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock() -> Instant:
        if asleep:
            time.sleep(asleep.pop())
        return NOON

    monkeypatch.setattr(database, "STANDS_STILL_S", 0.3)
    asleep: list[float] = []
    other = await PostgresStore.open(prepared_postgres_url, clock)
    await other.write(TENANT, [bin_(1, level(0))])
    asleep += [1.5, 0]  # the first look at the clock is before the transaction, the second one in it
    paused = asyncio.create_task(other.write(TENANT, [bin_(1, level(1))]))
    await asyncio.sleep(0.2)

    async with asyncio.timeout(1):
        await store.write(TENANT, [bin_(1, level(2))])

    assert not paused.done()
    await paused
    assert await values(store) == [0, 2, 1]
    await other.close()


async def test_a_database_that_says_nothing_for_long_is_told(
    store: PostgresStore, prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "STALLED_S", 0.2)
    await store.write(TENANT, [bin_(1, level(1))])
    with psycopg.connect(prepared_postgres_url) as holder:
        holder.execute("SELECT set_config('parvis.tenant', '0', false)")
        holder.execute("SELECT * FROM entity FOR UPDATE")
        waiting = asyncio.create_task(store.write(TENANT, [bin_(1, level(2))]))

        await until(lambda: not store.is_writing)
        assert "has not answered" in store.fault

    await waiting
    await until(lambda: store.is_writing)


async def test_what_waits_is_bounded(store: PostgresStore) -> None:
    many = [bin_(number, level(number)) for number in range(MAX_PENDING_CHANGES)]
    waiting = asyncio.create_task(store.write(TENANT, many))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="wait to be written"):
        await store.write(TENANT, [bin_(1, level(1))])

    assert store.pending_changes == MAX_PENDING_CHANGES
    waiting.cancel()


async def test_one_call_that_cannot_be_stored_leaves_the_others_standing(store: PostgresStore) -> None:
    bad = Change("urn:ngsi-ld:Bin:\0", Mode.UPSERT_UPDATE, (level(1),), ("https://example.org/Bin",))
    calls = [store.write(TENANT, [bin_(number, level(number))]) for number in range(6)]

    *good, refused = await asyncio.gather(*calls, store.write(TENANT, [bad]), return_exceptions=True)

    assert all(isinstance(one, list) for one in good)
    assert isinstance(refused, BadRequestData)
    assert await store.count_types(TENANT) == {"https://example.org/WasteContainer": 6}


async def test_texts_and_numbers_that_postgresql_has_no_column_for_stay_as_they_are(store: PostgresStore) -> None:
    odd = [
        "a\0b",
        {"deep": ["\0", 2**60]},
        2**53,
        2**53 + 1,
        -(2**63),
        2**200,
        10**400,
        5.0,
        5,
        -0.0,
        1e308,
        "\ud83d\ude00",
    ]
    for value in (one for one in odd if not isinstance(one, str) or one.isprintable() or "\0" in one):
        await store.write(TENANT, [bin_(1, note(value, unit_code="\0"))])

        entity = await store.find(TENANT, bin_id(1))

        assert entity is not None
        found = entity.find(NOTE)
        assert found is not None
        assert (found.value, type(found.value), found.unit_code) == (value, type(value), "\0")
        assert str(found.value) == str(value)


async def test_months_of_history_are_made_when_they_are_met(store: PostgresStore, prepared_postgres_url: str) -> None:
    times = ["0001-01-01T00:00:00Z", "1989-12-31T23:59:59Z", "1990-01-01T00:00:00Z", "2024-02-29T12:00:00Z",
             "2026-12-31T23:59:59.999999Z", "9999-12-31T23:59:59Z"]  # fmt: skip
    levels = [level(place, parse_instant(time)) for place, time in enumerate(times)]

    await store.write(TENANT, [bin_(1, *levels, keep_newest=True)])

    found = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert found is not None
    assert [one.value for one in found.instances[(LEVEL, "")]] == [0, 1, 2, 3, 4, 5]
    with psycopg.connect(prepared_postgres_url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        tables = connection.execute("SELECT tableoid::regclass::text FROM history ORDER BY ts").fetchall()
    assert [name for (name,) in tables] == [
        "history_other", "history_other", "history_1990_01", "history_2024_02", "history_2026_12", "history_other",
    ]  # fmt: skip


async def test_two_processes_make_the_same_month_once(prepared_postgres_url: str) -> None:
    one, other = await PostgresStore.open(prepared_postgres_url), await PostgresStore.open(prepared_postgres_url)
    for year in range(2000, 2006):
        at = parse_instant(f"{year}-06-01T00:00:00Z")
        await asyncio.gather(
            one.write(TENANT, [bin_(1, level(year, at))]), other.write(TENANT, [bin_(2, level(year, at))])
        )

    with psycopg.connect(prepared_postgres_url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        strays = connection.execute("SELECT count(*) FROM history_other").fetchone()
        tables = connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^history_200._06$'").fetchone()
    assert (strays, tables) == ((0,), (6,))
    await one.close()
    await other.close()


async def test_a_month_that_cannot_be_made_just_now_stops_nobody(
    store: PostgresStore, prepared_postgres_url: str
) -> None:
    at = parse_instant("2001-03-01T00:00:00Z")
    with psycopg.connect(prepared_postgres_url) as reader:
        reader.execute("SELECT count(*) FROM history_other")

        async with asyncio.timeout(BACK_WITHIN_S):
            await store.write(TENANT, [bin_(1, level(1, at))])

    await store.write(TENANT, [bin_(1, level(2, at + 1))])
    found = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert found is not None
    assert [one.value for one in found.instances[(LEVEL, "")]] == [1, 2]


async def test_a_month_of_a_tenant_is_hidden_from_the_others(prepared_postgres_url: str) -> None:
    store = await PostgresStore.open(prepared_postgres_url)
    await store.write(
        TENANT, [bin_(1, Instance(LEVEL, Kind.PROPERTY, 1, observed_at=parse_instant("2026-11-22T00:00:00Z")))]
    )
    await store.close()

    with Database(prepared_postgres_url).connect() as connection:
        assert connection.execute("SELECT count(*) FROM history_2026_11").fetchone() == (0,)
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        assert connection.execute("SELECT count(*) FROM history_2026_11").fetchone() == (1,)


async def test_what_was_planned_on_an_empty_database_does_not_read_whole_tables_later(postgres_url: str) -> None:
    store = await PostgresStore.open(postgres_url)
    for turn in range(16):
        await store.write(TENANT, [bin_(number, level(turn)) for number in range(3)])
    for start in range(0, 3000, 500):
        await store.write(TENANT, [bin_(number, level(0)) for number in range(start, start + 500)])
    await asyncio.sleep(1.1)
    for turn in range(20):
        await store.write(TENANT, [bin_(turn, level(turn))])
    await store.close()

    with psycopg.connect(postgres_url) as connection:
        row = connection.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'attribute'"
        ).fetchone()
    assert row is not None
    assert row[0] < 30_000
