"""The hot side of the archive where its transactions are undone, or another process does its work."""

import psycopg
import pytest

from parvis.kernel.errors import Overloaded
from parvis.kernel.time import DAY
from parvis.stores.postgres import archive
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, scoped
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import NOON, TENANT, bin_, level
from tests.stores.postgres.conftest import Pair

ENTITIES = 4


@pytest.fixture(autouse=True)
def one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PURGE_ENTITIES", 1)


async def move_day(store: PostgresStore, url: str) -> None:
    """As if the day had been moved: its rows are marked."""
    await store.write(TENANT, [bin_(number, level(number, NOON)) for number in range(ENTITIES)])
    with Database(url).connect() as connection:
        mark = "INSERT INTO purging SELECT tenant.id, %s, log FROM numbers, tenant WHERE name = %s"
        with scoped(connection, EVERY_TENANT):
            connection.execute(mark, (NOON // DAY, TENANT))


def count_rows(url: str) -> int:
    with Database(url).connect() as connection, scoped(connection, EVERY_TENANT):
        row = connection.execute("SELECT count(*) FROM history").fetchone()
    return 0 if row is None else row[0]


async def test_rows_whose_purge_was_undone_are_purged_again(
    pair: Pair, prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = pair
    await move_day(store, prepared_postgres_url)
    purge = store.archive._purge

    def undone(connection: Connection) -> object:
        purge(connection)
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(store.archive, "_purge", undone)
        with pytest.raises(Overloaded):
            await store.archive.purge()
    while await store.archive.purge():
        pass

    assert count_rows(prepared_postgres_url) == 0


async def test_a_day_that_another_process_purged_and_that_is_moved_again_is_purged_from_its_start(
    pair: Pair, prepared_postgres_url: str
) -> None:
    store, other = pair
    await move_day(store, prepared_postgres_url)
    for _ in range(ENTITIES - 1):
        await store.archive.purge()
    while await other.archive.purge():
        pass

    await move_day(store, prepared_postgres_url)
    while await store.archive.purge():
        pass

    assert count_rows(prepared_postgres_url) == 0
