"""Who is told of context sources, when and of what."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.notifications import TAKEN, Receipt, Verdict
from parvis.broker.sources.notify import SourceNotifier
from parvis.broker.sources.subscription import SourceSubscribed
from parvis.broker.subscriptions.model import Endpoint
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller
from parvis.kernel.time import MINUTE, SECOND, Instant, format_instant
from parvis.stores.sqlite.store import SqliteStore

NOON: Instant = 1_795_348_800_000_000
IN_2035: Instant = 2_051_222_400_000_000
CALLER = Caller(DEFAULT_TENANT, "operator", OPERATOR)
SYNDICATE = "urn:ngsi-ld:ContextSourceRegistration:syndicate"
COUNTY = "urn:ngsi-ld:ContextSourceRegistration:county"
BINS = "urn:ngsi-ld:Subscription:bins"


class Town:
    """A broker, a receiver that may be away, and a clock that is set by hand."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.now = NOON
        self.received: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.answers: list[Receipt] = []
        self.heard = asyncio.Condition()
        self.contexts = Contexts()
        self.broker = Broker(store, self.contexts)
        self.sources = self.broker.sources
        self._task: asyncio.Task[None] | None = None

    def clock(self) -> Instant:
        return self.now

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        self.received.append(msgspec.json.decode(body))
        self.headers.append(headers)
        async with self.heard:
            self.heard.notify_all()
        return self.answers.pop(0) if self.answers else TAKEN

    async def begin(self) -> None:
        notifier = SourceNotifier(self.store.sources, self.contexts, {"http": self}, self.clock, pause_s=0.05)
        self._task = asyncio.create_task(notifier.run())

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def register(self, urn: str = SYNDICATE, types: Sequence[str] = ("WasteContainer",), **more: Any) -> None:
        document = {
            "id": urn,
            "type": "ContextSourceRegistration",
            "endpoint": "http://syndicate.example",
            "information": [{"entities": [{"type": one}]} for one in types],
            **more,
        }
        await self.sources.register(CALLER, document, self.contexts.parvis)

    async def update(self, urn: str = SYNDICATE, **more: Any) -> None:
        await self.sources.update(CALLER, urn, more, self.contexts.parvis)

    async def subscribe(self, **more: Any) -> None:
        document = {
            "id": BINS,
            "type": "Subscription",
            "entities": [{"type": "WasteContainer"}],
            "notification": {"endpoint": {"uri": "http://town.example/notify"}},
            **more,
        }
        await self.sources.subscribe(CALLER, document, self.contexts.parvis)

    async def told(self, number: int) -> list[tuple[str, list[str]]]:
        """What the receiver has heard once that many notifications have come, and no more."""
        async with asyncio.timeout(5), self.heard:
            await self.heard.wait_for(lambda: len(self.received) >= number)
        await asyncio.sleep(0.05)
        return [(one["triggerReason"], [each["id"] for each in one["data"]]) for one in self.received]

    async def deliveries(self) -> tuple[int, int]:
        found = await self.store.sources.find_subscription(DEFAULT_TENANT, BINS)
        assert found is not None
        return found.standing.deliveries.times_sent, found.standing.deliveries.times_failed


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    store = await SqliteStore.open(":memory:", clock=lambda: NOON)
    town = Town(store)
    yield town
    await town.end()
    await store.close()


async def test_what_is_there_is_told_first_then_what_changes(town: Town) -> None:
    await town.register()
    await town.register(COUNTY, types=("Streetlight",))
    await town.begin()
    await town.subscribe()
    assert await town.told(1) == [("newlyMatching", [SYNDICATE])]
    await town.update(description="bins of the syndicate")
    assert (await town.told(2))[1:] == [("updated", [SYNDICATE])]
    await town.update(information=[{"entities": [{"type": "Streetlight"}]}])
    assert (await town.told(3))[2:] == [("noLongerMatching", [SYNDICATE])]
    await town.update(COUNTY, information=[{"entities": [{"type": "WasteContainer"}]}])
    assert (await town.told(4))[3:] == [("newlyMatching", [COUNTY])]
    await town.sources.delete(CALLER, COUNTY)
    assert (await town.told(5))[4:] == [("noLongerMatching", [COUNTY])]
    assert await town.deliveries() == (5, 0)


async def test_a_notification_tells_the_part_that_was_asked_for(town: Town) -> None:
    await town.begin()
    await town.subscribe()
    await town.register(types=("Streetlight", "WasteContainer"))
    await town.told(1)
    [notification] = town.received
    assert notification["type"] == "ContextSourceNotification"
    assert notification["subscriptionId"] == BINS
    assert notification["data"][0]["information"] == [{"entities": [{"type": "WasteContainer"}]}]
    assert town.headers[0]["Content-Type"] == "application/json"
    assert "Link" in town.headers[0]


async def test_who_is_away_is_told_later_and_once(town: Town) -> None:
    town.answers = [Receipt(Verdict.LATER, "away")]
    await town.begin()
    await town.subscribe()
    await town.register()
    assert await town.told(1) == [("newlyMatching", [SYNDICATE])]
    assert await town.deliveries() == (1, 1)
    await town.update(description="more")
    assert len(await town.told(1)) == 1, "it waits"
    town.now += MINUTE
    await town.update(description="still more")
    assert (await town.told(2))[1:] == [("newlyMatching", [SYNDICATE])]
    assert town.received[1]["data"][0]["description"] == "still more"
    assert await town.deliveries() == (2, 1)


async def test_who_refuses_is_not_told_again(town: Town) -> None:
    town.answers = [Receipt(Verdict.REFUSED, "no")]
    await town.begin()
    await town.subscribe()
    await town.register()
    await town.told(1)
    town.now += MINUTE
    await town.register(COUNTY)
    assert (await town.told(2))[1:] == [("newlyMatching", [COUNTY])]


async def test_another_process_goes_on_where_the_first_has_ended(town: Town) -> None:
    await town.subscribe()
    await town.register()
    await town.begin()
    await town.told(1)
    await town.end()
    await town.update(description="meanwhile")
    await town.begin()
    assert (await town.told(2))[1:] == [("updated", [SYNDICATE])]


@pytest.mark.parametrize("more", [{"isActive": False}, {"expiresAt": "2035-01-01T00:00:00Z"}])
async def test_who_rests_is_not_told(town: Town, more: dict[str, Any]) -> None:
    await town.subscribe(**more)
    town.now = IN_2035 + MINUTE
    await town.begin()
    await town.register()
    await asyncio.sleep(0.1)
    assert await town.told(0) == []


async def test_a_registration_that_has_expired_goes_and_that_is_told(town: Town) -> None:
    await town.subscribe()
    await town.register(expiresAt="2035-01-01T00:00:00Z")
    await town.begin()
    await town.told(1)
    town.now = IN_2035 + MINUTE
    await town.register(COUNTY, types=("Streetlight",))
    assert (await town.told(2))[1:] == [("noLongerMatching", [SYNDICATE])]
    assert [one.id for one in await town.store.sources.list_all()] == [COUNTY]


async def test_by_the_clock_all_that_match_are_told_again(town: Town) -> None:
    await town.subscribe(timeInterval=10)
    await town.register()
    await town.begin()
    await town.told(1)
    town.now += 5 * SECOND
    await town.register(COUNTY)
    assert len(await town.told(1)) == 1
    town.now += 6 * SECOND
    await town.update(COUNTY, description="wakes it")
    assert (await town.told(2))[1] == ("updated", [SYNDICATE, COUNTY])


async def test_times_and_properties_are_asked_for_too(town: Town) -> None:
    await town.subscribe(temporalQ={"timerel": "after", "timeAt": "2020-06-01T22:07:00Z"}, csf='description=="ours"')
    interval = {"startAt": format_instant(NOON)}
    await town.register(description="ours")
    await town.register(COUNTY, description="ours", observationInterval=interval)
    await town.register("urn:x:other", description="theirs", observationInterval=interval)
    await town.begin()
    assert await town.told(1) == [("newlyMatching", [COUNTY])]


async def test_a_store_that_stumbles_holds_it_up_and_no_more(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    stumbles = [RuntimeError("once"), RuntimeError("twice")]
    list_all = town.store.sources.list_all_subscriptions

    async def stumbling() -> list[SourceSubscribed]:
        if stumbles:
            raise stumbles.pop()
        return await list_all()

    monkeypatch.setattr(town.store.sources, "list_all_subscriptions", stumbling)
    await town.subscribe()
    await town.register()
    await town.begin()
    assert await town.told(1) == [("newlyMatching", [SYNDICATE])]
