"""Notifications from a real store to real receivers, and what becomes of them when a receiver is not well."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.broker import linked
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Store
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.query.linking import Join
from parvis.broker.query.parse import parse_q
from parvis.broker.query.tree import TypeIs
from parvis.broker.subscriptions import breaker, delivery, lane, notifications
from parvis.broker.subscriptions.breaker import BreakerState
from parvis.broker.subscriptions.model import Endpoint, NotificationParams, Selector, Subscribed, Subscription, Trigger
from parvis.broker.subscriptions.notifications import Notifications
from parvis.broker.subscriptions.occurrence import Occurrences
from parvis.broker.subscriptions.recipient import Limits
from parvis.broker.subscriptions.standing import NOTHING_TOLD, WELL, Told
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import LdContextNotAvailable, Overloaded
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller
from parvis.kernel.settings import OutboundSettings
from parvis.kernel.time import HOUR, SECOND, system_clock
from parvis.outbound.client import GuardedClient
from parvis.outbound.notifications import HttpNotifications
from parvis.stores.sqlite.store import SqliteStore
from tests.fakes.receiver import Receiver

CALLER = Caller(DEFAULT_TENANT, "operator", OPERATOR)
CONTEXTS = Contexts()
BIN = CONTEXTS.parvis.expand("WasteContainer")
LEVEL = CONTEXTS.parvis.expand("fillingLevel")
LIMITS = Limits(give_up_after=HOUR, backlog_events=100_000)


def bin_id(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:{number}"


class Town:
    """A store with bins, and a platform that notifies; `start` and `stop` as often as a test likes."""

    def __init__(self, store: Store, http: GuardedClient, limits: Limits) -> None:
        self.store = store
        self.broker = Broker(store, CONTEXTS)
        self.notifications = Notifications(self.broker, store, {"http": HttpNotifications(http)}, limits, 50)
        self.notifications_beside = Notifications(self.broker, store, {"http": HttpNotifications(http)}, limits, 50)
        self._run: asyncio.Task[None] | None = None

    @property
    def subscriptions(self) -> SubscriptionStore:
        return self.store.subscriptions

    def start(self, holder: str = "here") -> None:
        self._run = asyncio.create_task(self.notifications.run(holder))

    async def stop(self) -> None:
        assert self._run is not None
        self._run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._run

    async def subscribe(self, name: str, uri: str, **more: Any) -> None:
        params = NotificationParams(Endpoint(uri, **more.pop("endpoint", {})))
        await self.subscriptions.add(
            Subscription(
                more.pop("tenant", DEFAULT_TENANT),
                name,
                params,
                more.pop("selectors", (Selector(TypeIs(BIN)),)),
                context=CONTEXTS.parvis.source,
                creator="operator",
                rights=OPERATOR.value,
                created_at=system_clock(),
                modified_at=system_clock(),
                **more,
            )
        )

    async def fill(self, number: int, level: float) -> None:
        instance = Instance(LEVEL, Kind.PROPERTY, level)
        await self.broker.write(
            CALLER, [Change(bin_id(number), Mode.UPSERT_UPDATE, instances=(instance,), types=(BIN,))]
        )

    async def get(self, name: str) -> Subscribed:
        found = await self.subscriptions.find(DEFAULT_TENANT, name)
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pauses, ten times as short."""
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.02)


@pytest.fixture
def limits() -> Limits:
    return LIMITS


@pytest.fixture
async def town(limits: Limits) -> AsyncIterator[Town]:
    store = await SqliteStore.open(":memory:")
    async with GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=2.0)) as http:
        town = Town(store, http, limits)
        town.start()
        yield town
        await town.stop()
    await store.close()


async def until(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


def notifies(notifications: Notifications) -> bool:
    """Where there are subscriptions."""
    return bool(notifications.standings())


def busy_until(count: int) -> Callable[[Any], tuple[int, str]]:
    """Answers 503 so many times, then 204."""
    left = [count]

    def answer(document: Any) -> tuple[int, str]:
        left[0] -= 1
        return (204, "") if left[0] < 0 else (503, "")

    return answer


async def test_each_change_is_told_once_with_the_entity_as_it_is_then(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(5):
            await town.fill(1, level)
        await until(lambda: len(receiver.heard) == 5)
    assert receiver.values(bin_id(1), "fillingLevel") == [0, 1, 2, 3, 4]
    assert {one.document["subscriptionId"] for one in receiver.heard} == {"urn:s:1"}
    assert "content-type: application/json" in receiver.heard[0].head.lower()


async def test_what_the_subscriber_gave_for_the_receiver_goes_along(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, endpoint={"receiver_info": (("Authorization", "Bearer x"),)})
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
    assert "Authorization: Bearer x" in receiver.heard[0].head


async def test_different_entities_are_told_at_the_same_time_and_the_same_one_in_order(town: Town) -> None:
    async with Receiver(delay_s=0.05).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(4):
            for number in range(6):
                await town.fill(number, level)
        await until(lambda: len(receiver.heard) == 24)
    assert 1 < receiver.most_under_way <= lane.AT_ONCE
    for number in range(6):
        assert receiver.values(bin_id(number), "fillingLevel") == [0, 1, 2, 3]


async def test_a_receiver_that_is_busy_gets_everything_in_order_once_it_is_not(town: Town) -> None:
    async with Receiver(busy_until(6)).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(5):
            await town.fill(level % 2, level)
        await until(lambda: len(receiver.taken) == 5)
    assert receiver.values(bin_id(0), "fillingLevel") == [0, 2, 4]
    assert receiver.values(bin_id(1), "fillingLevel") == [1, 3]


async def test_one_notification_that_fails_holds_up_its_entity_alone(town: Town) -> None:
    def answer(document: Any) -> tuple[int, str]:
        return (500, "") if document["data"][0]["id"] == bin_id(0) else (204, "")

    async with Receiver(answer).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(3):
            for number in range(3):
                await town.fill(number, level)
        await until(lambda: len(receiver.taken) == 6)
    assert receiver.values(bin_id(1), "fillingLevel") == [0, 1, 2]
    assert receiver.values(bin_id(2), "fillingLevel") == [0, 1, 2]


async def test_a_dead_endpoint_delays_nobody_else_and_its_events_are_kept(town: Town, free_port: int) -> None:
    dead = f"http://127.0.0.1:{free_port}/notify"
    count = lane.MOST_WAITING + 100
    async with Receiver().listening() as quick:
        await town.subscribe("urn:s:dead", dead)
        await town.subscribe("urn:s:quick", quick.url)
        for number in range(count):
            await town.fill(number, number)
        await until(lambda: len(quick.taken) == count)
        await until(lambda: town.notifications.open_breakers == 1)
        assert town.notifications.waiting <= lane.MOST_WAITING
        async with Receiver().listening(free_port) as back:
            await until(lambda: len({one.data[0]["id"] for one in back.taken}) == count, 15)
    assert len(back.taken) == count


async def test_a_process_beside_tells_the_same_of_endpoints(
    town: Town, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (delivery, notifications):
        monkeypatch.setattr(module, "TOLD_EVERY_S", 0.05)
    beside, key = town.notifications_beside, (DEFAULT_TENANT, "urn:s:dead")
    following = asyncio.create_task(beside.follow())
    await town.subscribe(key[1], f"http://127.0.0.1:{free_port}/notify")
    await town.fill(1, 1)
    await until(lambda: beside.open_breakers == 1 and beside.waiting == 1 and beside.lag_s >= 1)
    assert beside.standings()[key].breaker is not BreakerState.CLOSED
    assert beside.otherwise == WELL
    async with Receiver().listening(free_port):
        await until(lambda: not beside.standings() and beside.open_breakers == beside.waiting == 0, 15)
    following.cancel()


async def test_what_is_told_beside_is_not_told_again_where_nothing_changed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TOLD_EVERY_S", 0.02)
    told: list[Told] = []

    async def tell(one: Told, _fence: Fence) -> None:
        told.append(one)

    await town.stop()
    monkeypatch.setattr(town.subscriptions, "tell", tell)
    town.start()
    await asyncio.sleep(0.3)
    assert told == [NOTHING_TOLD]


async def test_a_slow_endpoint_delays_nobody_else(town: Town) -> None:
    async with Receiver(delay_s=0.5).listening() as slow, Receiver().listening() as quick:
        await town.subscribe("urn:s:slow", slow.url)
        await town.subscribe("urn:s:quick", quick.url)
        for number in range(20):
            await town.fill(number, number)
        await until(lambda: len(quick.taken) == 20, 1.5)
        assert len(slow.taken) < 20


async def test_a_receiver_is_left_alone_for_as_long_as_it_says(town: Town) -> None:
    first = [True]

    def answer(document: Any) -> tuple[int, str]:
        if first:
            first.clear()
            return 429, "Retry-After: 1\r\n"
        return 204, ""

    async with Receiver(answer).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        began = asyncio.get_running_loop().time()
        await town.fill(1, 1)
        await until(lambda: len(receiver.taken) == 1)
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_a_subscription_may_ask_for_a_pause_after_a_failure(town: Town) -> None:
    async with Receiver(busy_until(1)).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, endpoint={"cooldown_ms": 600})
        began = asyncio.get_running_loop().time()
        await town.fill(1, 1)
        await until(lambda: len(receiver.taken) == 1)
        assert asyncio.get_running_loop().time() - began >= 0.6


async def test_a_refusal_becomes_a_dead_letter_that_can_be_sent_again(town: Town) -> None:
    status = [400]
    async with Receiver(lambda document: (status[0], "")).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await town.fill(1, 2)
        letters = await _letters(town, 2)
        assert "400" in letters[0].reason
        assert (await town.get("urn:s:1")).deliveries.times_failed == 2

        again = await town.notifications.replay(CALLER, [one.number for one in letters])
        assert (again.sent, again.left) == (0, 2)
        assert "400" in again.reason
        status[0] = 204
        again = await town.notifications.replay(CALLER, [one.number for one in letters])
        assert (again.sent, again.left) == (2, 0)
        assert receiver.values(bin_id(1), "fillingLevel") == [1, 2]
        assert (await town.subscriptions.list_letters(DEFAULT_TENANT)).total == 0


@pytest.mark.parametrize("limits", [Limits(give_up_after=SECOND, backlog_events=100_000)])
async def test_what_a_dead_endpoint_did_not_take_in_time_becomes_a_dead_letter_and_holds_up_nothing(
    town: Town, free_port: int
) -> None:
    await town.subscribe("urn:s:1", f"http://127.0.0.1:{free_port}/notify")
    for number in range(5):
        await town.fill(number, number)
    await _letters(town, 5, 8)
    newest = await town.store.newest()
    async with asyncio.timeout(5):
        while await town.store.position((await town.get("urn:s:1")).subscription.consumer) < newest:  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.05)


async def test_a_throttled_subscription_tells_the_latest_state_after_its_interval(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, throttling_s=0.5)
        for level in range(10):
            await town.fill(1, level)
            await town.fill(2, level)
        await until(lambda: len(receiver.heard) == 2)
        await asyncio.sleep(0.7)
    assert len(receiver.heard) == 2
    assert {one["id"]: one["fillingLevel"]["value"] for one in receiver.heard[1].data} == {bin_id(1): 9, bin_id(2): 9}


async def test_an_expired_or_paused_subscription_is_silent_and_does_not_catch_up_when_it_goes_on(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:over", receiver.url, expires_at=system_clock() + SECOND // 5)
        await town.subscribe("urn:s:paused", receiver.url, is_active=False)
        await asyncio.sleep(0.3)
        await town.fill(1, 0)
        await asyncio.sleep(0.3)
        await town.fill(1, 1)
        assert receiver.heard == []
        await town.subscriptions.change(DEFAULT_TENANT, "urn:s:paused", _active)
        await asyncio.sleep(0.2)
        await town.fill(1, 2)
        await until(lambda: len(receiver.heard) == 1)
    assert receiver.values(bin_id(1), "fillingLevel") == [2]


async def test_a_deleted_subscription_is_heard_no_more(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
        await town.subscriptions.remove(DEFAULT_TENANT, "urn:s:1")
        await asyncio.sleep(0.2)
        await town.fill(1, 2)
        await asyncio.sleep(0.3)
    assert len(receiver.heard) == 1


async def test_a_changed_endpoint_gets_what_the_old_one_did_not_take(town: Town, free_port: int) -> None:
    await town.subscribe("urn:s:1", f"http://127.0.0.1:{free_port}/notify")
    for number in range(3):
        await town.fill(number, number)
    await until(lambda: town.notifications.open_breakers == 1)
    async with Receiver().listening() as receiver:
        await town.subscriptions.change(DEFAULT_TENANT, "urn:s:1", lambda one: _pointing_to(one, receiver.url))
        await until(lambda: len(receiver.taken) == 3)


async def test_a_subscription_by_the_clock_tells_what_is_there(town: Town) -> None:
    await town.fill(1, 1)
    await town.fill(2, 2)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, interval_s=0.3)
        await until(lambda: len(receiver.heard) == 3)
        await town.subscriptions.remove(DEFAULT_TENANT, "urn:s:1")
    assert {one["id"] for one in receiver.heard[0].data} == {bin_id(1), bin_id(2)}


async def test_who_takes_over_sends_what_was_not_settled_and_nothing_twice_that_was_saved(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
        await town.stop()
        for level in range(2, 30):
            await town.fill(1, level)
        town.start()
        await until(lambda: len(receiver.heard) == 29)
        await asyncio.sleep(0.2)
    assert receiver.values(bin_id(1), "fillingLevel") == list(range(1, 30))


async def test_of_two_processes_one_notifies_and_the_other_takes_over(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        other = asyncio.create_task(town.notifications_beside.run("there"))
        for level in range(10):
            await town.fill(1, level)
        await until(lambda: len(receiver.heard) == 10)
        assert (notifies(town.notifications), notifies(town.notifications_beside)) == (True, False)
        await town.stop()
        for level in range(10, 20):
            await town.fill(1, level)
        await until(lambda: len(receiver.heard) == 20)
        assert (notifies(town.notifications), notifies(town.notifications_beside)) == (False, True)
        other.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await other
        town.start()
    assert receiver.values(bin_id(1), "fillingLevel") == list(range(20))


async def test_a_store_that_cannot_save_for_a_while_makes_nothing_be_sent_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = town.subscriptions.note

    async def full(*_of_notes: object) -> None:
        raise Overloaded("The disk is full.")

    monkeypatch.setattr(town.subscriptions, "note", full)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(10):
            await town.fill(1, level)
        await asyncio.sleep(1.3)
        assert len(receiver.heard) == 10
        monkeypatch.setattr(town.subscriptions, "note", note)
        async with asyncio.timeout(5):
            while (await town.get("urn:s:1")).deliveries.times_sent < 10:  # noqa: ASYNC110 - saved by another task
                await asyncio.sleep(0.05)
        await town.stop()
        town.start()
        await asyncio.sleep(0.3)
    assert len(receiver.heard) == 10


async def test_counts_and_instants_are_remembered(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for level in range(3):
            await town.fill(1, level)
        await until(lambda: len(receiver.heard) == 3)
        await town.stop()
        deliveries = (await town.get("urn:s:1")).deliveries
        town.start()
    assert (deliveries.times_sent, deliveries.times_failed) == (3, 0)
    assert deliveries.last_success is not None


async def test_what_is_known_by_now_is_shown_at_once(town: Town) -> None:
    """And not only when it is saved anyway (5.2.14.2)."""
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
        shown = await town.broker.subscriptions.get(CALLER, "urn:s:1")
        assert (shown.deliveries.times_sent, shown.deliveries.last_notification is None) == (1, False)
        page = await town.broker.subscriptions.list_page(CALLER, 10)
        assert [one.deliveries.times_sent for one in page.subscribed] == [1]


async def test_every_attempt_counts_as_sent(town: Town) -> None:
    async with Receiver(busy_until(2)).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 3)
        await asyncio.sleep(0.05)
        shown = (await town.broker.subscriptions.get(CALLER, "urn:s:1")).deliveries
    assert (shown.times_sent, shown.times_failed) == (3, 2)
    assert shown.last_success is not None
    assert shown.last_failure is not None
    assert shown.last_success > shown.last_failure


LINK = CONTEXTS.parvis.expand("refDevice")
DEVICE = CONTEXTS.parvis.expand("Device")


async def a_bin_with_a_device(town: Town, number: int, battery: float) -> str:
    device = f"urn:ngsi-ld:Device:{number}"
    charge = Instance(LEVEL, Kind.PROPERTY, battery)
    link = Instance(LINK, Kind.RELATIONSHIP, device)
    await town.broker.write(
        CALLER,
        [
            Change(device, Mode.UPSERT_UPDATE, instances=(charge,), types=(DEVICE,)),
            Change(bin_id(number), Mode.UPSERT_UPDATE, instances=(link,), types=(BIN,)),
        ],
    )
    return device


def joined(receiver: Receiver) -> NotificationParams:
    return NotificationParams(Endpoint(receiver.url), join=Join.FLAT)


async def change(town: Town, **members: Any) -> None:
    await town.subscriptions.change(DEFAULT_TENANT, "urn:s:1", lambda one: replace(one, **members))


@pytest.mark.parametrize("more", [{}, {"throttling_s": 0.2}, {"interval_s": 0.2}])
async def test_linked_entities_come_along(town: Town, more: dict[str, Any]) -> None:
    async with Receiver().listening() as receiver:
        await a_bin_with_a_device(town, 1, 0.5)
        await a_bin_with_a_device(town, 2, 0.5)
        await town.subscribe("urn:s:1", receiver.url, **more)
        await change(town, notification=joined(receiver))
        await asyncio.sleep(0.1)
        await town.fill(1, 1)
        await town.fill(2, 1)
        await until(lambda: {one["id"] for heard in receiver.heard for one in heard.data} >= {bin_id(1), bin_id(2)})
    for heard in receiver.heard:
        told = {one["id"] for one in heard.data}
        assert ("urn:ngsi-ld:Device:1" in told) == (bin_id(1) in told)
        assert ("urn:ngsi-ld:Device:2" in told) == (bin_id(2) in told)


async def test_too_many_linked_entities_stay_out_and_that_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked, "MOST_LINKED", 0)
    async with Receiver().listening() as receiver:
        await a_bin_with_a_device(town, 1, 0.5)
        await town.subscribe("urn:s:1", receiver.url)
        await change(town, notification=joined(receiver))
        await asyncio.sleep(0.1)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1)
        shown = await town.broker.subscriptions.get(CALLER, "urn:s:1")
    assert [one["id"] for one in receiver.heard[0].data] == [bin_id(1)]
    assert "linked" in (shown.deliveries.last_reason or "")


async def test_a_condition_that_cannot_be_followed_tells_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked, "MOST_LINKED", 0)
    q = parse_q("refDevice{fillingLevel}<0.2", CONTEXTS.parvis, levels=1)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, q=q)
        await town.subscribe("urn:s:2", receiver.url)
        await asyncio.sleep(0.1)
        await a_bin_with_a_device(town, 1, 0.1)
        await until(lambda: len(receiver.heard) == 1)
        await asyncio.sleep(0.1)
    assert [heard.document["subscriptionId"] for heard in receiver.heard] == ["urn:s:2"]


async def test_a_deleted_entity_comes_alone(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await a_bin_with_a_device(town, 1, 0.5)
        await town.subscribe("urn:s:1", receiver.url, triggers=(Trigger.ENTITY_DELETED,))
        await change(town, notification=joined(receiver))
        await asyncio.sleep(0.1)
        await town.broker.write(CALLER, [Change(bin_id(1), Mode.DELETE)])
        await until(lambda: len(receiver.heard) == 1)
    assert [one["id"] for one in receiver.heard[0].data] == [bin_id(1)]


@pytest.mark.parametrize("more", [{}, {"interval_s": 0.2}])
async def test_a_condition_about_linked_entities_is_held_against_them(town: Town, more: dict[str, Any]) -> None:
    """4.9; as the subscriber may read them."""
    q = parse_q("refDevice{Device:fillingLevel}<0.2", CONTEXTS.parvis, levels=1)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, q=q, **more)
        await asyncio.sleep(0.1)
        await a_bin_with_a_device(town, 1, 0.9)
        await a_bin_with_a_device(town, 2, 0.1)
        await until(lambda: len(receiver.heard) >= 1)
        await asyncio.sleep(0.1)
    assert {one["id"] for heard in receiver.heard for one in heard.data} == {bin_id(2)}


async def test_a_deletion_is_told_to_who_asked_for_it(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, triggers=(Trigger.ENTITY_DELETED,))
        await town.fill(1, 1)
        await town.broker.write(CALLER, [Change(bin_id(1), Mode.DELETE)])
        await until(lambda: len(receiver.heard) == 1)
    assert receiver.heard[0].data[0]["id"] == bin_id(1)
    assert "deletedAt" in receiver.heard[0].data[0]


async def test_what_is_forgotten_at_once_is_told_before(town: Town) -> None:
    """An event's contents are in the history: whoever forgets it waits for those who are to be told."""
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, triggers=(Trigger.ATTRIBUTE_DELETED,), watched=(LEVEL,))
        await change(town, notification=NotificationParams(Endpoint(receiver.url), show_changes=True))
        await asyncio.sleep(0.1)
        for number in range(5):
            await town.fill(number, number)
            await town.broker.write(CALLER, [Change(bin_id(number), Mode.DELETE)])
            await town.broker.erase(CALLER, Erasure(bin_id(number)))
        await until(lambda: len(receiver.heard) == 5)
    assert sorted(heard.data[0]["fillingLevel"]["previousValue"] for heard in receiver.heard) == [0, 1, 2, 3, 4]


class Gate:
    """In the way of a coroutine function: whoever comes waits until it is opened."""

    def __init__(self, behind: Callable[..., Any]) -> None:
        self._behind = behind
        self._open = asyncio.Event()
        self.count = 0

    async def __call__(self, *args: Any, **named: Any) -> Any:
        self.count += 1
        await self._open.wait()
        return await self._behind(*args, **named)

    def open(self) -> None:
        self._open.set()


async def test_who_joins_while_a_change_is_looked_at_hears_of_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver().listening() as early, Receiver().listening() as late:
        await town.subscribe("urn:s:early", early.url)
        await town.fill(1, 1)
        await until(lambda: len(early.heard) == 1)
        contexts, looking = Gate(CONTEXTS.resolve), Gate(Occurrences.find)
        monkeypatch.setattr(CONTEXTS, "resolve", contexts)
        monkeypatch.setattr(Occurrences, "find", lambda *args, **named: looking(*args, **named))
        await town.subscribe("urn:s:late", late.url)
        await until(lambda: contexts.count == 1)
        await town.fill(1, 2)
        await until(lambda: looking.count == 1)
        contexts.open()
        await asyncio.sleep(0.05)
        looking.open()
        await until(lambda: len(early.heard) == 2)
        await until(lambda: len(late.heard) == 1, 2)
    assert late.values(bin_id(1), "fillingLevel") == [2]


async def test_who_joins_while_other_types_are_read_misses_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    road = CONTEXTS.parvis.expand("RoadSegment")
    async with Receiver().listening() as bins, Receiver().listening() as roads:
        await town.subscribe("urn:s:bins", bins.url)
        await town.fill(1, 1)
        await until(lambda: len(bins.heard) == 1)
        changes, reading = Gate(town.subscriptions.wait), Gate(town.store.read)
        monkeypatch.setattr(town.subscriptions, "wait", changes)
        await town.subscribe("urn:s:told", bins.url)
        await until(lambda: changes.count == 1)
        await town.subscribe("urn:s:roads", roads.url, selectors=(Selector(TypeIs(road)),))
        monkeypatch.setattr(town.store, "read", reading)
        level = Instance(LEVEL, Kind.PROPERTY, 1)
        written = Change("urn:ngsi-ld:RoadSegment:1", Mode.UPSERT_UPDATE, instances=(level,), types=(road,))
        await town.broker.write(CALLER, [written])
        await until(lambda: reading.count == 1)
        changes.open()
        await asyncio.sleep(0.1)
        reading.open()
        await until(lambda: len(roads.heard) == 1, 2)


async def test_a_change_of_one_that_still_waits_for_its_context_loses_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = Gate(CONTEXTS.resolve)
    monkeypatch.setattr(CONTEXTS, "resolve", contexts)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await until(lambda: contexts.count == 1)
        await town.fill(1, 1)
        await asyncio.sleep(0.6)
        await town.subscriptions.change(DEFAULT_TENANT, "urn:s:1", lambda one: replace(one, name="renamed"))
        await until(lambda: contexts.count == 2)
        contexts.open()
        await until(lambda: len(receiver.heard) == 1, 2)
    assert receiver.values(bin_id(1), "fillingLevel") == [1]


async def test_a_change_under_way_goes_to_where_the_subscription_points_by_then(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver().listening() as old, Receiver().listening() as new:
        await town.subscribe("urn:s:1", old.url)
        await town.fill(1, 1)
        await until(lambda: len(old.heard) == 1)
        looking = Gate(Occurrences.find)
        monkeypatch.setattr(Occurrences, "find", lambda *args, **named: looking(*args, **named))
        await town.fill(1, 2)
        await until(lambda: looking.count == 1)
        await town.subscriptions.change(DEFAULT_TENANT, "urn:s:1", lambda one: _pointing_to(one, new.url))
        await asyncio.sleep(0.1)
        looking.open()
        await until(lambda: len(new.heard) == 1, 2)
        await asyncio.sleep(0.1)
    assert new.values(bin_id(1), "fillingLevel") == [2]
    assert len(old.heard) == 1


async def test_a_new_subscription_in_the_place_of_one_that_was_deleted_hears_nothing_from_before(
    town: Town, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.subscribe("urn:s:1", f"http://127.0.0.1:{free_port}/notify")
    await town.fill(1, 1)
    await until(lambda: town.notifications.open_breakers == 1)
    changes = Gate(town.subscriptions.wait)
    monkeypatch.setattr(town.subscriptions, "wait", changes)
    await town.subscribe("urn:s:2", f"http://127.0.0.1:{free_port}/other")
    await until(lambda: changes.count == 1)
    async with Receiver().listening() as receiver:
        await town.subscriptions.remove(DEFAULT_TENANT, "urn:s:1")
        await town.subscribe("urn:s:1", receiver.url)
        changes.open()
        await asyncio.sleep(0.2)
        await town.fill(1, 2)
        await until(lambda: len(receiver.heard) >= 1)
        await asyncio.sleep(0.1)
    assert receiver.values(bin_id(1), "fillingLevel") == [2]


async def test_one_that_goes_on_is_told_though_the_clock_has_gone_back_since(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, is_active=False)
        await asyncio.sleep(0.1)
        await town.fill(1, 1)
        ahead = system_clock() + 2 * HOUR
        await town.subscriptions.change(
            DEFAULT_TENANT, "urn:s:1", lambda one: replace(one, is_active=True, modified_at=ahead)
        )
        await asyncio.sleep(0.2)
        await town.fill(1, 2)
        await until(lambda: len(receiver.heard) == 1, 2)
    assert receiver.values(bin_id(1), "fillingLevel") == [2]


async def test_one_that_may_read_nothing_by_the_clock_stops_nobody_else(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:clock", receiver.url, interval_s=0.05)
        await town.subscriptions.change(DEFAULT_TENANT, "urn:s:clock", lambda one: replace(one, rights=0))
        await asyncio.sleep(0.3)
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 1)
        await until(lambda: len(receiver.heard) == 1, 2)
        await asyncio.sleep(0.2)
        assert notifies(town.notifications)
    assert "may not read" in ((await town.get("urn:s:clock")).deliveries.last_reason or "")


async def test_what_is_held_back_does_not_grow_with_the_changes_of_an_entity(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, throttling_s=1.0)
        for level in range(40):
            await town.fill(1, level)
        await until(lambda: len(receiver.heard) == 1)
        await town.store.wait(39)
        await asyncio.sleep(0.1)
        assert [one.waiting for one in town.notifications.standings().values()] == [1]
        await until(lambda: len(receiver.heard) == 2)
    assert receiver.values(bin_id(1), "fillingLevel") == [0, 39]


async def test_a_letter_that_is_refused_again_keeps_none_of_the_others(town: Town) -> None:
    is_strict = [True]

    def answer(document: Any) -> tuple[int, str]:
        return (400, "") if is_strict[0] or document["data"][0]["id"] == bin_id(1) else (204, "")

    async with Receiver(answer).listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        for number in (1, 2, 3):
            await town.fill(number, number)
        letters = await _letters(town, 3)
        is_strict[0] = False
        again = await town.notifications.replay(CALLER, [one.number for one in letters])
    assert (again.sent, again.left) == (2, 1)
    assert [one.entity_id for one in await _letters(town, 1)] == [bin_id(1)]


async def test_what_one_tenant_asks_of_a_receiver_is_no_matter_of_another(town: Town) -> None:
    await town.store.add_tenant("harbour")
    async with Receiver(delay_s=0.05).listening() as receiver:
        impatient = {"timeout_ms": 1, "cooldown_ms": 3_600_000}
        await town.subscribe("urn:s:1", receiver.url, endpoint=impatient, tenant="harbour")
        await town.subscribe("urn:s:1", receiver.url)
        await asyncio.sleep(0.1)
        level = Change(bin_id(1), Mode.UPSERT_UPDATE, instances=(Instance(LEVEL, Kind.PROPERTY, 1),), types=(BIN,))
        await town.broker.write(replace(CALLER, tenant="harbour"), [level])
        await asyncio.sleep(0.2)
        await town.fill(2, 2)
        await until(lambda: any(one.data[0]["id"] == bin_id(2) for one in receiver.heard), 2)


async def test_what_is_held_back_is_told_by_who_takes_over(town: Town) -> None:
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url, throttling_s=3600)
        for level in range(5):
            await town.fill(1, level)
            await town.fill(2, level)
        await until(lambda: [one.waiting for one in town.notifications.standings().values()] == [2])
        await asyncio.sleep(0.2)
        await town.stop()
        assert (await town.get("urn:s:1")).position == 8
        town.start()
        await until(lambda: len(receiver.heard) == 2)
    assert [receiver.values(bin_id(number), "fillingLevel") for number in (1, 2)] == [[0, 4], []]


@pytest.mark.parametrize("limits", [Limits(give_up_after=HOUR, backlog_events=5)])
async def test_a_context_that_cannot_be_had_keeps_the_outbox_no_longer_than_a_dead_endpoint(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(source: Any, _tenant: str) -> Any:
        raise LdContextNotAvailable("There is no such @context.")

    monkeypatch.setattr(CONTEXTS, "resolve", missing)
    monkeypatch.setattr(delivery, "CONTEXT_AGAIN_AFTER_S", 0.05)
    async with Receiver().listening() as receiver:
        await town.subscribe("urn:s:1", receiver.url)
        await town.fill(1, 0)
        await asyncio.sleep(0.3)
        assert receiver.heard == []
        for level in range(1, 10):
            await town.fill(1, level)
        await until(lambda: bool(receiver.values(bin_id(1), LEVEL)[-1:] == [9]))
        await town.stop()
        town.start()
    letters = (await town.subscriptions.list_letters(DEFAULT_TENANT)).total
    assert len(receiver.heard) + letters == 10
    found = await town.get("urn:s:1")
    assert found.position == 10
    assert found.deliveries.times_failed == 1 + letters


def _active(subscription: Subscription) -> Subscription:
    return replace(subscription, is_active=True, modified_at=system_clock())


def _pointing_to(subscription: Subscription, uri: str) -> Subscription:
    return replace(subscription, notification=replace(subscription.notification, endpoint=Endpoint(uri)))


async def _letters(town: Town, count: int, within_s: float = 5.0) -> Any:
    async with asyncio.timeout(within_s):
        while (page := await town.subscriptions.list_letters(DEFAULT_TENANT)).total < count:  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.05)
    return page.letters
