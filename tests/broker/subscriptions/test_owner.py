"""A subscription tells what its owner may read when it is told, and nothing once the owner is gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.parse import parse_q
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller
from parvis.kernel.reach import Area, Hidden
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.store import SqliteStore
from tests.broker.subscriptions.test_delivery import BIN, CALLER, CONTEXTS, LIMITS, Town, bin_id, until
from tests.fakes.receiver import Receiver

SEES = Caller(DEFAULT_TENANT, "operator", OPERATOR)
NO_ADDRESSES = Hidden(frozenset(("email",)))


@pytest.fixture
async def quay() -> AsyncIterator[Town]:
    store = await SqliteStore.open(":memory:")
    async with GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=2.0)) as http:
        quay = Town(store, http, LIMITS)
        quay.start()
        yield quay
        await quay.stop()
    await store.close()


async def write(quay: Town, number: int, scope: str = "", **values: object) -> None:
    instances = tuple(Instance(CONTEXTS.parvis.expand(name), Kind.PROPERTY, value) for name, value in values.items())
    scopes = (scope,) if scope else None
    change = Change(bin_id(number), Mode.UPSERT_UPDATE, instances, (BIN,), scopes)
    [outcome] = await quay.broker.write(CALLER, [change])
    assert outcome.error is None


async def test_it_tells_as_much_as_its_owner_sees_by_now(quay: Town) -> None:
    owner = replace(SEES, reads=(Area(scopes=("/port",)),), hides=NO_ADDRESSES)
    quay.broker.find_owner = lambda _subject, _tenant: owner
    async with Receiver().listening() as receiver:
        await quay.subscribe("urn:s:1", receiver.url)
        await write(quay, 1, "/hill", fillingLevel=1)
        await write(quay, 2, "/port/quay", fillingLevel=2, email="odile@example.org")
        await write(quay, 2, email="jean@example.org")
        await write(quay, 2, fillingLevel=3)
        await until(lambda: len(receiver.heard) == 2)
        await asyncio.sleep(0.2)
        told = [one for heard in receiver.heard for one in heard.data]
        assert [one["id"] for one in told] == [bin_id(2), bin_id(2)], "neither of the hill, nor that an address changed"
        assert not any("email" in one for one in told)
        owner = SEES
        await write(quay, 1, fillingLevel=4)
        await until(lambda: len(receiver.heard) == 3)


async def test_a_condition_on_what_has_been_hidden_since_tells_nothing(quay: Town) -> None:
    owner = SEES
    quay.broker.find_owner = lambda _subject, _tenant: owner
    async with Receiver().listening() as receiver:
        await quay.subscribe("urn:s:1", receiver.url, q=parse_q("!email", CONTEXTS.parvis))
        await write(quay, 1, fillingLevel=1)
        await until(lambda: len(receiver.heard) == 1)
        owner = replace(SEES, hides=NO_ADDRESSES)
        await write(quay, 1, fillingLevel=2)
        await quay.subscribe("urn:s:2", receiver.url)
        await write(quay, 1, fillingLevel=3)
        await until(lambda: len(receiver.heard) == 2)
        await asyncio.sleep(0.2)
    assert [one.document["subscriptionId"] for one in receiver.heard] == ["urn:s:1", "urn:s:2"]


async def test_one_without_an_owner_pauses_and_says_why(quay: Town) -> None:
    there: list[Caller] = [SEES]
    quay.broker.find_owner = lambda _subject, _tenant: there[0] if there else None
    async with Receiver().listening() as receiver:
        await quay.subscribe("urn:s:1", receiver.url)
        await quay.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
        there.clear()
        await quay.fill(1, 2)
        async with asyncio.timeout(5):
            while (await quay.get("urn:s:1")).subscription.is_active:  # noqa: ASYNC110 - the store says nothing of it
                await asyncio.sleep(0.05)
        assert len(receiver.heard) == 1
    reason = (await quay.get("urn:s:1")).deliveries.last_reason or ""
    assert reason.startswith("Its owner operator is gone")
