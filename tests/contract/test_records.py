"""What parts of the platform have noted is dropped one by one, and of one tenant alone."""

from parvis.bootstrap.stores import frames_of
from parvis.broker.ports.records import Records
from parvis.broker.ports.store import Store
from parvis.broker.subscriptions.model import DeadLetter, Endpoint, NotificationParams, Subscription
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import Refusal, RefusalReason
from parvis.fleet.model.uplink import Uplink
from tests.contract.territory import NOON, TENANT

OTHER = "other"
SUBSCRIPTION = "urn:ngsi-ld:Subscription:1"


async def test_one_letter_goes_and_the_other_stays(store: Store) -> None:
    told = NotificationParams(Endpoint("http://example.org"))
    await store.subscriptions.add(Subscription(TENANT, SUBSCRIPTION, told))
    letters = [DeadLetter(TENANT, SUBSCRIPTION, NOON, one, 1, "http://example.org", "x", 1, b"{}", {}) for one in "ab"]
    await store.subscriptions.bury(letters, 10)
    first, second = (await store.subscriptions.list_letters(TENANT, None, 10, None)).letters
    await store.add_tenant(OTHER)

    assert await store.records.drop(OTHER, Records.UNDELIVERED, [str(first.number)]) == 0
    assert await store.records.drop(TENANT, Records.UNDELIVERED, [str(first.number)]) == 1
    assert await store.records.drop(TENANT, Records.UNDELIVERED, [str(first.number)]) == 0

    left = (await store.subscriptions.list_letters(TENANT, None, 10, None)).letters
    assert [one.number for one in left] == [second.number]


async def test_frames_go_that_are_named(store: Store) -> None:
    frames, room = frames_of(store), Room()
    uplinks = [Uplink("probe", bytes([number]), 1, number, NOON) for number in (1, 2)]
    await frames.keep([Refusal(0, NOON, TENANT, RefusalReason.CODEC_THREW, "", one) for one in uplinks], room)
    await frames.log([LoggedFrame(TENANT, one) for one in uplinks], room)
    newest, older = await frames.list_refusals(TENANT)

    await store.records.drop(TENANT, Records.REFUSED_FRAMES, [str(newest.id)])
    dropped = [await store.records.drop(TENANT, Records.FRAMES, [str(number)]) for number in range(1, 9)]

    assert [one.id for one in await frames.list_refusals(TENANT)] == [older.id]
    assert sum(dropped) + len(await frames.list_logged(TENANT, "probe", 10)) == 2
