"""Of two who hold a lease one after the other, the first writes nothing behind its fence any more."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun, Store
from parvis.broker.query.tree import TypeIs
from parvis.broker.subscriptions.breaker import BreakerState
from parvis.broker.subscriptions.model import (
    DeadLetter,
    Deliveries,
    Endpoint,
    Note,
    NotificationParams,
    Selector,
    Subscribed,
    Subscription,
)
from parvis.broker.subscriptions.standing import NOTHING_TOLD, Standing, Told
from parvis.kernel.time import SECOND
from tests.contract.territory import BIN, NOON, TENANT

NAME = "urn:ngsi-ld:Subscription:first"
ONE, TWO = Fence("notifications", "one/1"), Fence("notifications", "two/1")
WISH = Subscription(TENANT, NAME, NotificationParams(Endpoint("http://receiver.example/")), (Selector(TypeIs(BIN)),))
LETTER = DeadLetter(TENANT, NAME, NOON, "urn:x", 1, "http://receiver.example/", "answered 404", 1, b"{}", {})
OLD = Note(TENANT, NAME, position=90, failed=1, last_notification=NOON, last_failure=NOON, last_reason="It is away.")
NEW = Note(TENANT, NAME, position=50, sent=1, last_notification=NOON + 1, last_success=NOON + 1)

Save = Callable[[Store, Fence], Awaitable[object]]


async def note(store: Store, fence: Fence) -> None:
    await store.subscriptions.note([OLD], fence)


async def bury(store: Store, fence: Fence) -> None:
    await store.subscriptions.bury([LETTER], 10, fence)


async def tell(store: Store, fence: Fence) -> None:
    await store.subscriptions.tell(Told(open_breakers=9), fence)


SAVES = pytest.mark.parametrize("save", [note, bury, tell])


async def found(store: Store) -> Subscribed:
    subscribed = await store.subscriptions.find(TENANT, NAME)
    assert subscribed is not None
    return subscribed


async def test_who_leads_writes_behind_its_fence(store: Store) -> None:
    await store.subscriptions.add(WISH)
    await store.take(ONE.name, ONE.holder, 60)
    await store.subscriptions.note([NEW], ONE)
    await store.subscriptions.bury([LETTER], 10, ONE)
    assert (await found(store)).deliveries == Deliveries(1, 0, NOON + 1, NOON + 1)
    assert (await store.subscriptions.list_letters(TENANT)).total == 1


@SAVES
async def test_who_was_followed_overwrites_nothing(store: Store, save: Save) -> None:
    await store.subscriptions.add(WISH)
    await store.take(ONE.name, ONE.holder, 0)
    assert await store.take(TWO.name, TWO.holder, 60)
    await store.subscriptions.note([NEW], TWO)
    with pytest.raises(Outrun):
        await save(store, ONE)
    after = await found(store)
    assert after.deliveries == Deliveries(1, 0, NOON + 1, NOON + 1)
    assert after.position == 50
    assert (await store.subscriptions.list_letters(TENANT)).total == 0
    assert await store.subscriptions.hear() == NOTHING_TOLD


@SAVES
async def test_who_gave_the_lease_back_writes_nothing_more(store: Store, save: Save) -> None:
    await store.subscriptions.add(WISH)
    await store.take(ONE.name, ONE.holder, 60)
    await store.give_back(ONE.name, ONE.holder)
    with pytest.raises(Outrun):
        await save(store, ONE)


async def test_a_lease_that_ran_out_and_that_nobody_took_still_lets_write(store: Store) -> None:
    await store.subscriptions.add(WISH)
    await store.take(ONE.name, ONE.holder, 0)
    await store.subscriptions.note([NEW], ONE)
    assert (await found(store)).deliveries.times_sent == 1


async def test_many_saves_that_meet_a_takeover_are_all_before_it_or_refused(store: Store) -> None:
    await store.subscriptions.add(WISH)
    await store.take(ONE.name, ONE.holder, 0)
    saves = [asyncio.create_task(store.subscriptions.note([NEW], ONE)) for _ in range(20)]
    assert await store.take(TWO.name, TWO.holder, 60)
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, Outrun)]
    assert (await found(store)).deliveries.times_sent == len(saves) - len(refused)
    with pytest.raises(Outrun):
        await store.subscriptions.note([NEW], ONE)


async def test_what_is_told_last_is_heard(store: Store) -> None:
    await store.take(ONE.name, ONE.holder, 60)
    assert await store.subscriptions.hear() == NOTHING_TOLD
    told = Told(1, 7, 3 * SECOND, ((TENANT, NAME, Standing(BreakerState.OPEN, 7, 90, 3 * SECOND)),))
    await store.subscriptions.tell(Told(2), ONE)
    await store.subscriptions.tell(told, ONE)
    assert await store.subscriptions.hear() == told
