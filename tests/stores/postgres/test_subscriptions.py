"""What becomes of letters where one process buries while another removes their subscription."""

import asyncio
import threading

import pytest

from parvis.broker.subscriptions.model import DeadLetter
from parvis.stores.postgres import subscriptions
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, scoped
from tests.contract.territory import NOON, TENANT
from tests.contract.test_subscriptions import FIRST, wish
from tests.stores.postgres.conftest import Pair

LETTER = DeadLetter(TENANT, FIRST, NOON, "urn:x", 1, "http://x", "503", 3, b"{}", {})


def count_letters(url: str) -> int:
    with Database(url).connect() as connection, scoped(connection, EVERY_TENANT):
        row = connection.execute("SELECT count(*) FROM dead_letter").fetchone()
    return 0 if row is None else row[0]


@pytest.mark.parametrize("first", ["buried", "removed"])
async def test_no_letter_outlives_its_subscription(pair: Pair, prepared_postgres_url: str, first: str) -> None:
    one, other = pair
    await one.subscriptions.add(wish())
    done, go_on = threading.Event(), threading.Event()

    def begin(connection: Connection) -> None:
        if first == "buried":
            subscriptions._bury(connection, [LETTER], 10)
        else:
            subscriptions._remove(connection, TENANT, FIRST)
        done.set()
        go_on.wait(5)

    begun = asyncio.create_task(other.desk.run(EVERY_TENANT, begin))
    await asyncio.to_thread(done.wait, 5)
    if first == "buried":
        second: asyncio.Task[object] = asyncio.create_task(one.subscriptions.remove(TENANT, FIRST))
    else:
        second = asyncio.create_task(one.subscriptions.bury([LETTER], 10))
    await asyncio.sleep(0.2)
    assert not second.done()
    go_on.set()
    await asyncio.gather(begun, second)

    assert await one.subscriptions.find(TENANT, FIRST) is None
    assert count_letters(prepared_postgres_url) == 0
