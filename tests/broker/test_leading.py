"""One process leads; another follows it within seconds, and never do two lead at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from parvis.broker.leading import Leader, new_holder
from parvis.broker.ports.leases import Fence
from parvis.kernel.errors import Overloaded

SHORT_S = 0.2


class Ticks:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FakeLeases:
    """Leases by a clock of the test's. `fault`: what the store answers instead."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.held: dict[str, tuple[str, float]] = {}
        self.fault: Exception | None = None

    async def take(self, name: str, holder: str, for_s: float) -> bool:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        owner, until_s = self.held.get(name, (holder, 0.0))
        if owner != holder and until_s > self.ticks():
            return False
        self.held[name] = (holder, self.ticks() + for_s)
        return True

    async def give_back(self, name: str, holder: str) -> None:
        if self.fault is not None:
            raise self.fault
        if self.held.get(name, ("", 0.0))[0] == holder:
            del self.held[name]


class Work:
    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0

    async def __call__(self) -> None:
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    @property
    def runs(self) -> bool:
        return self.begun > self.ended


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def leases(ticks: Ticks) -> FakeLeases:
    return FakeLeases(ticks)


@asynccontextmanager
async def running(leader: Leader, work: Callable[[], object]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(leader.run(work))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def leader(leases: FakeLeases, holder: str) -> Leader:
    return Leader(leases, "reactions", holder, length_s=SHORT_S, try_every_s=0.02, ticks=leases.ticks)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_one_of_two_leads_and_the_other_follows_when_it_stops(leases: FakeLeases) -> None:
    first, second = Work(), Work()
    async with running(leader(leases, "two"), second):
        await until(lambda: second.runs)
        async with running(leader(leases, "one"), first):
            await asyncio.sleep(0.1)
            assert not first.begun
        assert second.runs
        third = leader(leases, "three")
        async with running(third, first):
            leases.held["reactions"] = (third.fence.holder, leases.ticks() + 60)
            await until(lambda: first.runs and not second.runs)


async def test_the_lease_is_given_back_when_the_leader_stops(leases: FakeLeases) -> None:
    work = Work()
    async with running(leader(leases, "one"), work):
        await until(lambda: work.runs)
        assert leases.held
    assert not work.runs
    assert not leases.held


@pytest.mark.parametrize("fault", [Overloaded("The database does not answer."), ValueError("nobody expected this")])
async def test_who_no_longer_reaches_the_store_stops_before_another_may_begin(
    leases: FakeLeases, ticks: Ticks, fault: Exception
) -> None:
    work = Work()
    async with running(leader(leases, "one"), work):
        await until(lambda: work.runs)
        leases.fault = fault
        await asyncio.sleep(SHORT_S)
        assert work.runs, "the lease holds still by the clock that counts"
        ticks.now_s += SHORT_S * 0.95
        assert leases.held["reactions"][1] > ticks()
        await until(lambda: not work.runs)
        leases.fault = None
        ticks.now_s += SHORT_S
        await until(lambda: work.runs)
        assert work.begun == 2


async def test_a_process_that_stood_still_stops_itself(leases: FakeLeases, ticks: Ticks) -> None:
    work = Work()
    async with running(leader(leases, "one"), work):
        await until(lambda: work.runs)
        ticks.now_s += 3600
        leases.held["reactions"] = ("two", ticks() + 60)
        await until(lambda: not work.runs)
        assert work.begun == 1


async def test_work_that_fails_is_begun_again(leases: FakeLeases, caplog: pytest.LogCaptureFixture) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ValueError("a fault")

    async with running(leader(leases, "one"), work) as run:
        await asyncio.wait_for(run, 5)
    assert begun == 2
    assert "begins again" in caplog.text


def test_no_two_processes_have_the_same_name() -> None:
    assert new_holder() != new_holder()


async def test_a_store_that_does_not_answer_is_told_once_and_once_more_when_it_does(
    leases: FakeLeases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    leases.fault, work = Overloaded("away"), Work()
    async with running(leader(leases, "a"), work):
        await asyncio.sleep(0.3)
        leases.fault = None
        await until(lambda: work.runs)
    told = [one.getMessage() for one in caplog.records if "could not be asked" in one.getMessage()]
    assert told == [
        "the lease of reactions could not be asked for",
        "over: the lease of reactions could not be asked for",
    ]


async def test_each_turn_at_leading_has_a_fence_of_its_own(leases: FakeLeases) -> None:
    leads = leader(leases, "one")
    fences: list[Fence] = []

    async def work() -> None:
        fences.append(leads.fence)
        assert leases.held["reactions"][0] == leads.fence.holder
        if len(fences) == 1:
            raise Overloaded("The store is away.")

    await leads.run(work)
    assert len(set(fences)) == 2
