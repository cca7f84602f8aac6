"""Devices that are asked: each at its own pace, and nothing is lost that the platform cannot store just now."""

import asyncio
from collections.abc import Sequence
from typing import cast

from parvis.fleet.fleet import Fleet
from parvis.fleet.model.refusal import Refused
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.ways.counts import Ways
from parvis.fleet.ways.polling import READINGS_KEPT, NoAnswer, Pace, PolledWay, Poller, poll_all
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, system_caller

CALLER = system_caller("test")


def reading(number: int) -> Uplink:
    return Uplink("meter-1", b"", 0, NO_COUNTER, number, fields={"n": number})


class FullStore:
    """The part of the fleet that a poller meets."""

    def __init__(self) -> None:
        self.is_full = False
        self.taken: list[Uplink] = []
        self.ways = Ways(lambda: 0)

    async def take(self, caller: Caller, uplinks: Sequence[Uplink]) -> list[Refused | None]:
        if self.is_full:
            raise Overloaded("Not now.")
        self.taken += uplinks
        return [None] * len(uplinks)


def way(store: FullStore, reactions: Reactions | None = None) -> PolledWay:
    return PolledWay("test", cast(Fleet, store), CALLER, reactions)


def poller(
    store: FullStore,
    answers: list[Uplink | Exception],
    pace: Pace | None = None,
    reactions: Reactions | None = None,
) -> Poller:
    async def read() -> list[Uplink]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer]

    return Poller(way(store, reactions), "meter-1", read, pace or Pace(60))


async def test_what_is_answered_is_stored() -> None:
    store = FullStore()
    await poller(store, [reading(1)]).ask()
    assert store.taken == [reading(1)]


async def test_of_each_device_it_is_known_whether_it_answers() -> None:
    store = FullStore()
    asked = poller(store, [NoAnswer("silent"), reading(1)])
    await asked.ask()
    assert store.ways.sources.list_of("test")["meter-1"].is_failing
    await asked.ask()
    assert not store.ways.sources.list_of("test")["meter-1"].is_failing


async def test_a_way_that_cannot_be_noted_has_nothing_stored_twice() -> None:
    class DeafReactions:
        async def hear(self, caller: Caller, uplinks: Sequence[Uplink]) -> None:
            raise Overloaded("Not now.")

    store = FullStore()
    asked = poller(store, [reading(1), reading(2)], reactions=cast(Reactions, DeafReactions()))
    await asked.ask()
    await asked.ask()
    assert store.taken == [reading(1), reading(2)]


async def test_what_cannot_be_stored_now_is_stored_later_in_order() -> None:
    store = FullStore()
    store.is_full = True
    asked = poller(store, [reading(1), reading(2), NoAnswer("silent")])
    await asked.ask()
    await asked.ask()
    store.is_full = False
    await asked.ask()
    assert store.taken == [reading(1), reading(2)]


async def test_so_much_is_kept_and_no_more() -> None:
    store = FullStore()
    store.is_full = True
    asked = poller(store, [reading(n) for n in range(READINGS_KEPT + 2)])
    for _ in range(READINGS_KEPT + 1):
        await asked.ask()
    store.is_full = False
    await asked.ask()
    assert [one.received_at for one in store.taken] == list(range(2, READINGS_KEPT + 2))


def test_a_silent_device_is_asked_ever_less_often() -> None:
    pace = Pace(every_s=60, longest_pause_s=900)
    assert [pace.pause_s(failures) for failures in (0, 1, 2, 3, 4, 10_000)] == [60, 120, 240, 480, 900, 900]


def test_a_slow_pace_is_kept_after_a_fault() -> None:
    assert Pace(every_s=3600, longest_pause_s=900).pause_s(5) == 3600


async def test_a_device_that_hangs_or_raises_delays_no_other() -> None:
    store = FullStore()
    never = asyncio.Event()

    async def hang() -> list[Uplink]:
        await never.wait()
        return []

    async def fail() -> list[Uplink]:
        raise ValueError("a fault of the way in")

    async def answer() -> list[Uplink]:
        return [reading(len(store.taken))]

    pace = Pace(every_s=0.01)
    pollers = [Poller(way(store), str(number), read, pace) for number, read in enumerate((hang, fail, answer))]
    running = asyncio.create_task(poll_all(pollers))
    async with asyncio.timeout(5):
        while len(store.taken) < 3:  # noqa: ASYNC110 (the pollers tell nobody)
            await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.wait((running,))
