"""The same delivery on the cluster's store: two processes' worth of platforms, one notifies, the other takes over."""

import asyncio
import contextlib

from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient
from parvis.stores.postgres.store import PostgresStore
from tests.broker.subscriptions.test_delivery import LIMITS, Town, bin_id, notifies, until
from tests.fakes.receiver import Receiver


async def test_of_two_platforms_one_notifies_and_the_other_goes_on_where_it_stopped(postgres_url: str) -> None:
    async with (
        contextlib.AsyncExitStack() as stack,
        GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=2.0)) as http,
        Receiver().listening() as receiver,
    ):
        towns = []
        for _ in range(2):
            store = await PostgresStore.open(postgres_url)
            stack.push_async_callback(store.close)
            towns.append(Town(store, http, LIMITS))
        first, second = towns
        first.start()
        await second.subscribe("urn:s:1", receiver.url)
        await until(lambda: notifies(first.notifications))
        second.start("there")
        stack.push_async_callback(second.stop)
        for level in range(10):
            await second.fill(level % 2, level)
        await until(lambda: len(receiver.taken) == 10, 10)
        assert (notifies(first.notifications), notifies(second.notifications)) == (True, False)
        await first.stop()
        for level in range(10, 20):
            await second.fill(level % 2, level)
        await until(lambda: len(receiver.taken) == 20, 10)
        assert notifies(second.notifications)
        await asyncio.sleep(0.2)
    assert receiver.values(bin_id(0), "fillingLevel") == list(range(0, 20, 2))
    assert receiver.values(bin_id(1), "fillingLevel") == list(range(1, 20, 2))
