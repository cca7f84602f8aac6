"""What dashboards ask for: once for all who look, and by the days of the territory."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.time import HOUR
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.past import by_local_hour, midnights_until
from parvis.web.wording import Wording


async def test_many_who_look_at_once_ask_once() -> None:
    asked, everyone = [], Caller("default", "user:ada", OPERATOR)
    ticks = [0.0]
    cached = Cached(2.0, lambda: ticks[0])

    async def answer() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    assert await asyncio.gather(*(cached.ask(everyone, "q", answer) for _ in range(20))) == [1] * 20
    ticks[0] = 2.0
    assert await cached.ask(everyone, "q", answer) == 2

    async def fault() -> int:
        raise ValueError("away")

    for _ in range(2):
        with pytest.raises(ValueError, match="away"):
            await cached.ask(everyone, "fault", fault)


async def test_a_slow_answer_is_asked_for_once_and_holds_from_when_it_came() -> None:
    asked, everyone, ticks, came = [], Caller("default", "user:ada", OPERATOR), [0.0], asyncio.Event()
    cached = Cached(2.0, lambda: ticks[0])

    async def answer() -> int:
        asked.append(1)
        await came.wait()
        return len(asked)

    waiting = []
    for ticks[0] in (0.0, 2.0, 4.0, 6.0, 8.0):
        waiting.append(asyncio.ensure_future(cached.ask(everyone, "q", answer)))
        await asyncio.sleep(0)
    came.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    ticks[0] = 9.9
    assert await cached.ask(everyone, "q", answer) == 1, "it came at 8 s"
    ticks[0] = 10.0
    assert await cached.ask(everyone, "q", answer) == 2


async def test_an_answer_that_nobody_waits_for_is_given_up_and_an_old_one_is_not_kept() -> None:
    everyone, ended, cached = Caller("default", "user:ada", OPERATOR), asyncio.Event(), Cached(0.01)

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = [asyncio.ensure_future(cached.ask(everyone, "never", never)) for _ in range(2)]
    await asyncio.sleep(0)
    for one in waiting:
        assert not ended.is_set(), "somebody still waits"
        one.cancel()
        await asyncio.sleep(0.01)
    await asyncio.wait_for(ended.wait(), 5)
    await cached.ask(everyone, "soon", lambda: asyncio.sleep(0))
    assert len(cached) == 1
    await asyncio.sleep(0.05)
    assert len(cached) == 0


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 7, 1), 24)])
def test_days_begin_at_the_territory_s_own_midnight(day: tuple[int, int, int], hours: int) -> None:
    t = Wording("en", "Europe/Paris")
    noon = datetime(*day, 12, tzinfo=ZoneInfo("Europe/Paris")) + timedelta(days=1)
    midnights = midnights_until(noon, 3)
    assert [t.local(one).hour for one in midnights] == [0] * 4
    assert (midnights[2] - midnights[1]) // HOUR == hours
    count = (midnights[-1] - midnights[0]) // HOUR
    named: list[float | None] = [float(t.local(midnights[0] + place * HOUR).hour) for place in range(count)]
    for number, values in enumerate(by_local_hour(named, midnights, t.local)):
        missing = {2} if (number, hours) == (1, 23) else set()
        assert values == [None if hour in missing else hour for hour in range(24)]
