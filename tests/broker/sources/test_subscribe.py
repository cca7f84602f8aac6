"""Subscriptions that reach other brokers: what these get, what becomes of it, and what they tell (NGSI-LD 5.8.1.4)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
import pytest

from parvis.broker.ports.notifications import TAKEN, Receipt, Verdict
from parvis.broker.sources.copies import Copy, difference
from parvis.broker.sources.forward import SourceClient
from parvis.broker.sources.relay import Relay, SubscriberAway
from parvis.broker.sources.subscribe import NOTIFIED_AT, SourceSubscriber
from parvis.broker.subscriptions.model import Endpoint
from parvis.kernel.errors import BadRequestData, InvalidRequest, Overloaded, ResourceNotFound
from parvis.kernel.outbound import CallFailed
from parvis.kernel.time import DAY, MINUTE, SECOND, Instant, system_clock
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration, said

BINS = "urn:ngsi-ld:Subscription:bins"
NULL = "urn:ngsi-ld:null"


class Receiver:
    """A sender that keeps what it is given; `answers` stand instead of TAKEN."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.answers: list[Receipt] = []

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        self.received.append(msgspec.json.decode(body))
        return self.answers.pop() if self.answers else TAKEN


class Town:
    """A broker that others are registered at, with a clock that is set by hand."""

    def __init__(self, around: Neighbourhood, api: httpx.AsyncClient, syndicate: httpx.AsyncClient) -> None:
        self.around = around
        self.api = api
        self.syndicate = syndicate
        self.now = system_clock()
        self.receiver = Receiver()
        self.store, broker = around.stores["town"], around.brokers["town"]
        subscriptions, sources = self.store.subscriptions, self.store.sources
        client = SourceClient(around, self.clock)
        self.subscriber = SourceSubscriber(subscriptions, sources, broker.contexts, client, self.clock, "http://town")
        self.relay = Relay(broker, subscriptions, sources, {"http": self.receiver}, 10, self.clock)

    def clock(self) -> Instant:
        return self.now

    async def register(self, host: str = "syndicate", **more: Any) -> None:
        answer = await self.api.post("/csourceRegistrations", json=registration(host, **more))
        assert answer.status_code == 201, answer.text

    async def subscribe(self, **members: Any) -> None:
        document = {
            "id": BINS,
            "type": "Subscription",
            "entities": [{"type": "WasteContainer"}],
            "notification": {"endpoint": {"uri": "http://reader.example/notify"}},
            **members,
        }
        answer = await self.api.post("/subscriptions", json=document)
        assert answer.status_code == 201, answer.text

    async def copies(self) -> list[Copy]:
        return await self.store.sources.list_copies()

    async def remote(self) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = (await self.syndicate.get("/subscriptions")).json()
        return documents

    async def look(self) -> None:
        await self.subscriber.look()

    async def tell(self, *data: dict[str, Any], **members: Any) -> None:
        [copy] = await self.copies()
        document = {"id": "urn:x:1", "type": "Notification", "subscriptionId": copy.remote_id, "data": data, **members}
        await self.relay.take(copy.token, msgspec.json.encode(document))


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Neighbourhood() as around:
        yield Town(around, await around.build("town"), await around.build("syndicate"))


async def test_a_source_gets_a_copy_that_notifies_here(town: Town) -> None:
    await town.register()
    await town.subscribe(q="fillingLevel>50", subscriptionName="mine")
    await town.look()
    [copy], [there] = await town.copies(), await town.remote()
    assert there["id"] == copy.remote_id != BINS
    assert there["entities"] == [{"type": "WasteContainer"}]
    assert there["q"] == "fillingLevel>50"
    assert there["notification"]["endpoint"]["uri"] == f"http://town{NOTIFIED_AT}{copy.token}"
    assert "reader.example" not in msgspec.json.encode(there).decode()
    assert "subscriptionName" not in there
    assert town.around.calls[-1].headers["via"].startswith("1.1 parvis-")


async def test_a_look_that_finds_all_well_calls_nobody(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    calls = len(town.around.calls)
    await town.look()
    assert len(town.around.calls) == calls


async def test_the_copy_is_reduced_to_what_is_registered(town: Town) -> None:
    entity = {"type": "WasteContainer", "idPattern": "^urn:ngsi-ld:WasteContainer:1"}
    await town.register(information=[{"entities": [entity], "propertyNames": ["fillingLevel", "temperature"]}])
    await town.subscribe(watchedAttributes=["fillingLevel", "note"])
    await town.look()
    [there] = await town.remote()
    assert there["entities"] == [entity]
    assert there["watchedAttributes"] == ["fillingLevel"]
    assert sorted(there["notification"]["attributes"]) == ["fillingLevel", "temperature"]


@pytest.mark.parametrize(
    "registered",
    [
        {"types": ("Streetlight",)},
        {"operations": ["retrieveOps"]},
        {"mode": "auxiliary", "operations": ["retrieveOps"]},
        {"information": [{"entities": [{"type": "WasteContainer"}], "propertyNames": ["note"]}]},
    ],
)
async def test_a_source_without_a_part_in_it_gets_none(town: Town, registered: dict[str, Any]) -> None:
    await town.register(**registered)
    await town.subscribe(watchedAttributes=["fillingLevel"])
    await town.look()
    assert await town.copies() == []
    assert await town.remote() == []


async def test_what_is_only_local_goes_nowhere(town: Town) -> None:
    await town.register()
    await town.subscribe(localOnly=True)
    await town.look()
    assert await town.remote() == []


async def test_changes_follow(town: Town) -> None:
    await town.register()
    await town.subscribe(q="fillingLevel>50")
    await town.look()
    assert (await town.api.patch(f"/subscriptions/{BINS}", json={"q": NULL, "isActive": False})).status_code == 204
    await town.look()
    [there] = await town.remote()
    assert "q" not in there
    assert there["status"] == "paused"


async def test_what_is_ended_here_is_ended_there(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    assert (await town.api.delete(f"/subscriptions/{BINS}")).status_code == 204
    await town.look()
    assert await town.remote() == []
    assert await town.copies() == []


async def test_a_registration_that_comes_later_gets_it_and_one_that_goes_loses_it(town: Town) -> None:
    await town.subscribe()
    await town.look()
    assert await town.remote() == []
    await town.register()
    await town.look()
    assert len(await town.remote()) == 1
    urn = "urn:ngsi-ld:ContextSourceRegistration:syndicate"
    assert (await town.api.delete(f"/csourceRegistrations/{urn}")).status_code == 204
    await town.look()
    assert await town.remote() == []
    assert await town.copies() == []


async def test_a_source_that_is_away_is_asked_again_later(town: Town) -> None:
    await town.register()
    await town.subscribe()
    town.around.answers["syndicate"] = CallFailed("away")
    due = await town.subscriber.look()
    assert town.now < due <= town.now + MINUTE
    calls = len(town.around.calls)
    await town.look()
    assert len(town.around.calls) == calls
    town.around.answers.clear()
    town.now = due
    await town.look()
    assert len(await town.remote()) == 1


async def test_a_copy_that_was_made_though_nobody_heard_it_is_taken_up(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    [copy] = await town.copies()
    await town.store.sources.change_copy(msgspec.structs.replace(copy, sent=None))
    await town.look()
    assert [one["id"] for one in await town.remote()] == [copy.remote_id]
    assert (await town.copies())[0].sent is not None


async def test_a_copy_that_the_source_has_lost_is_made_anew_with_the_next_change(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    [copy] = await town.copies()
    assert (await town.syndicate.delete(f"/subscriptions/{copy.remote_id}")).status_code == 204
    await town.api.patch(f"/subscriptions/{BINS}", json={"q": "fillingLevel>1"})
    await town.look()
    assert [one["q"] for one in await town.remote()] == ["fillingLevel>1"]


async def test_a_source_that_is_away_for_good_is_forgotten(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    await town.api.delete(f"/subscriptions/{BINS}")
    town.around.answers["syndicate"] = CallFailed("away")
    await town.look()
    assert len(await town.copies()) == 1
    town.now += 8 * DAY
    await town.look()
    assert await town.copies() == []


async def test_brokers_that_know_each_other_do_not_subscribe_in_circles(town: Town) -> None:
    await town.register()
    other = Town(town.around, town.syndicate, town.api)
    other.store = town.around.stores["syndicate"]
    broker = town.around.brokers["syndicate"]
    subscriber = SourceSubscriber(
        other.store.subscriptions, other.store.sources, broker.contexts, SourceClient(town.around), address="http://s"
    )
    back = registration("town")
    assert (await town.syndicate.post("/csourceRegistrations", json=back)).status_code == 201
    await town.subscribe()
    await town.look()
    await subscriber.look()
    assert town.around.calls[-1].host == "town"
    assert len((await town.api.get("/subscriptions")).json()) == 1
    refused = await town.api.post(
        "/subscriptions", json={"id": BINS}, headers={"Via": town.around.calls[-1].headers["via"]}
    )
    assert refused.status_code == 508


async def test_what_a_source_tells_goes_on_under_the_own_id(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    await town.tell(bin_(7, fillingLevel=80))
    [message] = town.receiver.received
    assert message["subscriptionId"] == BINS
    assert message["data"] == [bin_(7, fillingLevel=80)]
    shown = (await town.api.get(f"/subscriptions/{BINS}")).json()["notification"]
    assert shown["timesSent"] == 1
    await town.tell(bin_(7, fillingLevel=80))
    assert town.receiver.received[1]["id"] == message["id"]


async def test_only_what_was_asked_for_goes_on(town: Town) -> None:
    entities = [{"type": "WasteContainer", "idPattern": ":1"}]
    await town.register(information=[{"entities": entities, "propertyNames": ["fillingLevel"]}])
    await town.subscribe()
    await town.look()
    lamp = {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight"}
    await town.tell(lamp, bin_(2, fillingLevel=1))
    assert town.receiver.received == []
    await town.tell(bin_(1, fillingLevel=2, note="forged"))
    assert town.receiver.received[0]["data"] == [bin_(1, fillingLevel=2)]


async def test_who_was_not_asked_is_not_heard(town: Town) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    with pytest.raises(ResourceNotFound):
        await town.relay.take("guessed", b"{}")
    with pytest.raises(ResourceNotFound):
        await town.tell(bin_(), subscriptionId="urn:ngsi-ld:Subscription:other")
    with pytest.raises(BadRequestData):
        await town.tell(type="Bin")
    [copy] = await town.copies()
    with pytest.raises(InvalidRequest):
        await town.relay.take(copy.token, b"{")
    await town.api.delete(f"/subscriptions/{BINS}")
    with pytest.raises(ResourceNotFound):
        await town.tell(bin_())
    assert town.receiver.received == []


async def test_a_paused_subscriber_is_told_nothing(town: Town) -> None:
    await town.register()
    await town.subscribe(isActive=False)
    await town.look()
    await town.tell(bin_())
    assert town.receiver.received == []


async def test_the_source_keeps_what_the_subscriber_does_not_take_and_what_it_refuses_is_a_dead_letter(
    town: Town,
) -> None:
    await town.register()
    await town.subscribe()
    await town.look()
    town.receiver.answers = [Receipt(Verdict.LATER, "away", 7.0)]
    with pytest.raises(SubscriberAway) as later:
        await town.tell(bin_())
    assert later.value.retry_after_s == 7
    town.receiver.answers = [Receipt(Verdict.REFUSED, "no")]
    await town.tell(bin_())
    assert (await town.store.subscriptions.list_letters("default")).total == 1


async def test_pieces_are_put_together_before_they_are_judged(town: Town) -> None:
    await town.register()
    await town.subscribe(splitEntities=True, q='fillingLevel>50;note=="north"')
    await town.look()
    [there] = await town.remote()
    assert "q" not in there
    assert there["splitEntities"] is True
    assert (await town.api.post("/entities", json=bin_(1, note="north"))).status_code == 201
    await town.tell(bin_(1, fillingLevel=10))
    assert town.receiver.received == []
    await town.tell(bin_(1, fillingLevel=60))
    [entity] = town.receiver.received[0]["data"]
    assert (entity["fillingLevel"]["value"], entity["note"]["value"]) == (60, "north")


async def test_a_deleted_entity_is_told_where_pieces_are_put_together(town: Town) -> None:
    await town.register()
    await town.subscribe(splitEntities=True, notificationTrigger=["entityDeleted"])
    await town.look()
    gone = {"id": bin_()["id"], "type": "WasteContainer", "deletedAt": "2026-05-01T08:00:00Z"}
    await town.tell(gone)
    assert town.receiver.received[0]["data"] == [gone]


async def test_a_refusal_of_the_source_is_tried_again_seldom(town: Town) -> None:
    await town.register()
    await town.subscribe()
    town.around.answers["syndicate"] = said(400)
    for _ in range(4):
        town.now += 10 * SECOND
        await town.look()
    assert len([one for one in town.around.calls if one.host == "syndicate"]) == 3


async def test_a_store_that_is_away_ends_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.register()
    await town.subscribe()
    sources = town.store.sources
    add_copy, faults = sources.add_copy, iter([Overloaded("away"), Overloaded("away")])

    async def shaky(copy: Copy) -> bool:
        if (fault := next(faults, None)) is not None:
            raise fault
        return await add_copy(copy)

    monkeypatch.setattr(sources, "add_copy", shaky)
    contexts, client = town.around.brokers["town"].contexts, SourceClient(town.around)
    subscriber = SourceSubscriber(town.store.subscriptions, sources, contexts, client, pause_s=0.01)
    working = asyncio.create_task(subscriber.run())
    try:
        await asyncio.sleep(0.05)
        assert await town.remote() == []
        subscriber.open("http://town/")
        async with asyncio.timeout(5):
            while not await town.remote():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await town.api.delete(f"/subscriptions/{BINS}")
        async with asyncio.timeout(5):
            while await town.copies():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        working.cancel()
        await asyncio.wait((working,))


def test_a_difference_takes_back_what_is_no_longer_wanted() -> None:
    sent = {"id": "a", "type": "Subscription", "q": "x", "lang": "fr"}
    assert difference(sent, {"id": "a", "type": "Subscription", "q": "y"}) == {"q": "y", "lang": NULL}
