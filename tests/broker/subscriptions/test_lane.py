"""One endpoint's queue, against receivers that do as the test says."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from parvis.broker.ports.notifications import TAKEN, Receipt, Verdict
from parvis.broker.subscriptions import breaker
from parvis.broker.subscriptions.breaker import Breaker
from parvis.broker.subscriptions.lane import MOST_WAITING, MOST_WAITING_AWAY, Lane, Load, Parcel
from parvis.broker.subscriptions.model import Endpoint

AWAY = Receipt(Verdict.LATER, "It is away.")
ENDPOINT = Endpoint("http://receiver.example/")


class Endpoints:
    """A sender: answers as it is told, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answers: Callable[[bytes], Receipt] = lambda body: TAKEN
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        self.asked.append(body)
        await self.gate.wait()
        return self.answers(body)


class Subscriber:
    """An owner of parcels."""

    def __init__(self) -> None:
        self.ends: list[tuple[bytes, str]] = []
        self.overdue: set[bytes] = set()

    def begun(self, parcel: Parcel) -> None:
        pass

    def taken(self, parcel: Parcel) -> None:
        self.ends.append((parcel.body, "taken"))

    def postponed(self, parcel: Parcel, reason: str) -> None:
        pass

    def given_up(self, parcel: Parcel, reason: str) -> None:
        self.ends.append((parcel.body, "given up"))

    def is_overdue(self, parcel: Parcel) -> bool:
        return parcel.body in self.overdue

    def parcel(self, body: bytes, entity_id: str = "") -> Parcel:
        return Parcel(self, ("town", "s", entity_id), (1,), 0, ENDPOINT, {}, body)


@pytest.fixture
def sender() -> Endpoints:
    return Endpoints()


@pytest.fixture
async def lane(sender: Endpoints) -> Lane:
    return Lane(sender, Breaker(lambda: 0.0), Load())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.005)


async def test_what_waits_behind_something_given_up_is_sent(
    lane: Lane, sender: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.05)
    subscriber = Subscriber()
    sender.answers = lambda body: AWAY
    lane.put(subscriber.parcel(b"old"))
    lane.put(subscriber.parcel(b"new"))
    await until(lambda: bool(lane.breaker.failures))
    await asyncio.sleep(0.01)
    sender.answers = lambda body: TAKEN
    subscriber.overdue.add(b"old")
    lane.give_up_overdue("It was away for too long.")
    await until(lambda: (b"new", "taken") in subscriber.ends)
    assert subscriber.ends == [(b"old", "given up"), (b"new", "taken")]
    await lane.close()


async def test_who_begins_anew_waits_for_what_is_still_being_sent_of_the_same_entity(
    lane: Lane, sender: Endpoints
) -> None:
    before, after = Subscriber(), Subscriber()
    sender.gate.clear()
    lane.put(before.parcel(b"1"))
    await until(lambda: sender.asked == [b"1"])
    lane.drop(before)
    lane.put(after.parcel(b"1 again"))
    await asyncio.sleep(0.02)
    assert sender.asked == [b"1"]
    sender.gate.set()
    await until(lambda: after.ends == [(b"1 again", "taken")])
    assert before.ends == []
    await lane.close()


async def test_a_sender_out_of_order_leaves_nothing_lying(
    lane: Lane, sender: Endpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.01)
    subscriber = Subscriber()

    def first_broken(body: bytes) -> Receipt:
        if len(sender.asked) == 1:
            raise OverflowError("not thought of")
        return TAKEN

    sender.answers = first_broken
    lane.put(subscriber.parcel(b"1"))
    await until(lambda: subscriber.ends == [(b"1", "taken")])
    assert "not thought of" in caplog.text
    await lane.close()


async def test_an_endpoint_that_is_back_gets_several_at_once_again(
    lane: Lane, sender: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.01)
    subscriber = Subscriber()
    sender.answers = lambda body: AWAY
    for number in range(8):
        lane.put(subscriber.parcel(b"%d" % number, str(number)))
    await until(lambda: lane.breaker.is_away)

    def back(body: bytes) -> Receipt:
        sender.gate.clear()
        return TAKEN

    sender.answers, sender.asked = back, []
    await until(lambda: len(subscriber.ends) == 1)
    await until(lambda: len(sender.asked) == 8)
    await lane.close()


async def test_an_endpoint_that_is_away_holds_little_and_says_when_it_is_back(
    lane: Lane, sender: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.005)
    subscriber = Subscriber()
    sender.answers = lambda body: AWAY
    lane.put(subscriber.parcel(b"first", "first"))
    await until(lambda: lane.breaker.is_away)
    for number in range(MOST_WAITING):
        if not lane.is_full:
            lane.put(subscriber.parcel(b"%d" % number, str(number)))
    assert len(lane) == MOST_WAITING_AWAY
    assert not lane.has_room.is_set()
    sender.answers = lambda body: TAKEN
    await until(lane.has_room.is_set)
    await until(lambda: len(subscriber.ends) == MOST_WAITING_AWAY)
    await lane.close()
