import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.kernel.identity import ANONYMOUS, Caller, Right
from parvis.web import live
from parvis.web.live import Listener, Live, Pending
from tests.fakes.town import FULL_BIN, HALF_BIN, LEAKING_METER, measured

PATIENCE_S = 5.0


class Page:
    """An open page: it remembers what it was told."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream

    async def next(self) -> tuple[str, int, Any]:
        while True:
            text = (await asyncio.wait_for(anext(self._stream), PATIENCE_S)).decode()
            if not text.startswith(":"):
                event, seq, data = text.strip().split("\n")
                return (
                    event.removeprefix("event: "),
                    int(seq.removeprefix("id: ")),
                    json.loads(data.removeprefix("data: ")),
                )

    async def leave(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]


async def ids_and_values(news: Sequence[Pending]) -> list[list[Any]]:
    return [[one.entity_id, sorted(str(instance.value) for instance in one.instances.values())] for one in news]


class Town:
    def __init__(self, platform: Platform, caller: Caller) -> None:
        self.platform = platform
        self.caller = caller
        self.live = Live(platform.broker, platform.stopping)
        self.expand = platform.broker.contexts.parvis.expand

    async def open(self, caller: Caller | None = None, after: int | None = None, entity: str | None = None) -> Page:
        types = frozenset({self.expand("WasteContainer"), self.expand("WaterConsumptionObserved")})
        listener = Listener(caller or self.caller, types, entity)
        page = Page(self.live.stream(listener, ids_and_values, after))
        assert (await page.next())[0] == "hello"
        return page

    async def fill(self, entity_id: str, *levels: float) -> None:
        for level in levels:
            one = measured(self.expand("fillingLevel"), level, None)
            await self.platform.broker.write(self.caller, [Change(entity_id, Mode.APPEND, (one,))])


@pytest.fixture
def town(platform: Platform, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(live, "FLUSH_EVERY_S", 0.05)
    return Town(platform, caller)


async def test_a_change_reaches_an_open_page(town: Town) -> None:
    page = await town.open()
    await town.fill(HALF_BIN, 0.61)
    event, _, told = await page.next()
    assert (event, told) == ("changes", [[HALF_BIN, ["0.61"]]])
    await page.leave()


async def test_a_page_hears_only_the_newest_of_many_changes(town: Town) -> None:
    page = await town.open()
    await town.fill(HALF_BIN, *(number / 100 for number in range(30)))
    told: list[Any] = []
    while not told or told[-1] != [HALF_BIN, ["0.29"]]:
        told += (await page.next())[2]
    assert len(told) < 30
    await page.leave()


async def test_a_page_that_comes_back_hears_what_it_missed(town: Town) -> None:
    page = await town.open()
    await town.fill(HALF_BIN, 0.61)
    _, seq, _ = await page.next()
    await page.leave()
    await town.fill(FULL_BIN, 0.99)
    page = await town.open(after=seq)
    assert (await page.next())[2] == [[FULL_BIN, ["0.99"]]]
    await page.leave()


async def test_what_a_full_message_left_out_is_not_acknowledged(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FLUSH_AT_MOST", 1)
    seq = await town.platform.broker.outbox.newest()
    await town.fill(FULL_BIN, 0.98)
    await town.fill(HALF_BIN, 0.61)
    page = await town.open(after=seq)
    _, first, _ = await page.next()
    await page.leave()
    assert first == seq + 1
    page = await town.open(after=first)
    assert (await page.next())[2] == [[HALF_BIN, ["0.61"]]]
    await page.leave()


async def test_a_page_too_far_behind_starts_anew(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CATCH_UP_AT_MOST", 3)
    seq = await town.platform.broker.outbox.newest()
    await town.fill(HALF_BIN, 0.1, 0.2, 0.3, 0.4)
    page = await town.open(after=seq)
    assert (await page.next())[0] == "reset"
    await page.leave()


async def test_more_objects_than_a_page_may_wait_for_start_it_anew(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_PENDING", 1)
    seq = await town.platform.broker.outbox.newest()
    await town.fill(FULL_BIN, 0.98)
    await town.fill(HALF_BIN, 0.61)
    page = await town.open(after=seq)
    assert (await page.next())[0] == "reset"
    await page.leave()


async def test_what_a_visitor_may_not_read_is_not_told(town: Town) -> None:
    visitor = Caller("default", ANONYMOUS, Right.READ_PUBLIC)
    page = await town.open(visitor)
    flow = measured(town.expand("flow"), 7, None)
    await town.platform.broker.write(town.caller, [Change(LEAKING_METER, Mode.APPEND, (flow,))])
    await town.fill(HALF_BIN, 0.61)
    assert [entity_id for entity_id, _ in (await page.next())[2]] == [HALF_BIN]
    await page.leave()


async def test_another_tenants_changes_are_not_told(town: Town) -> None:
    elsewhere = Caller("elsewhere", "user:eve", Right.READ | Right.READ_PUBLIC)
    page = await town.open(elsewhere)
    await town.fill(HALF_BIN, 0.61)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(page.next(), 0.4)


async def test_an_entitys_page_hears_of_that_entity_alone(town: Town) -> None:
    page = await town.open(entity=FULL_BIN)
    await town.fill(HALF_BIN, 0.61)
    await town.fill(FULL_BIN, 0.99)
    assert (await page.next())[2] == [[FULL_BIN, ["0.99"]]]
    await page.leave()


async def test_no_reader_runs_while_nobody_listens(town: Town) -> None:
    reading = [count_readers()]
    pages = [await town.open(), await town.open()]
    reading.append(count_readers())
    for page in pages:
        await page.leave()
        reading.append(count_readers())
    assert reading == [0, 1, 1, 0]


def count_readers() -> int:
    return sum(f"{Live.__name__}._read()" in repr(task) for task in asyncio.all_tasks())


async def test_streams_end_when_the_platform_stops(town: Town) -> None:
    page = await town.open()
    town.platform.stopping.set()
    with pytest.raises(StopAsyncIteration):
        await page.next()


async def test_beyond_the_most_pages_newcomers_are_asked_to_wait(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_PAGES", 0)
    answer = await visitor.get("/live/events")
    assert answer.status_code == 503


async def test_visitors_leave_room_for_people_who_are_signed_in(
    platform: Platform, visitor: httpx.AsyncClient, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_PAGES", live.KEPT_FOR_KNOWN)
    platform.stopping.set()
    assert (await visitor.get("/live/events")).status_code == 503
    assert (await operator.get("/live/events")).status_code == 200


async def test_a_page_can_tell_that_it_is_no_longer_who_opened_it_that_hears(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    platform.stopping.set()
    page = (await operator.get("/console/map")).text
    subjects = [json.loads((await operator.get("/console/map.geojson")).content)["who"], await told_to(operator)]
    assert [f'data-who="{subject}"' in page for subject in subjects] == [True, True]
    platform.access.sessions.sign_out(operator.cookies["parvis_session"])
    assert json.loads((await operator.get("/console/map.geojson")).content)["who"] == ANONYMOUS
    assert await told_to(operator) == ANONYMOUS


async def told_to(client: httpx.AsyncClient) -> str:
    hello = (await client.get("/live/events")).text.partition("data: ")[2].splitlines()[0]
    return str(json.loads(hello)["who"])


async def test_a_stream_ends_with_the_session_it_was_opened_in(
    platform: Platform, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEARTBEAT_S", "STILL_MAY_EVERY_S"):
        monkeypatch.setattr(live, name, 0.05)
    stream = asyncio.create_task(operator.get("/live/events"))
    await asyncio.sleep(0.3)
    assert not stream.done()
    platform.access.sessions.sign_out(operator.cookies["parvis_session"])
    assert "event: hello" in (await asyncio.wait_for(stream, PATIENCE_S)).text


async def test_a_page_that_stays_open_is_told_when_nothing_can_be_saved_and_when_that_is_over(
    platform: Platform, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_AT_STORE_EVERY_S", 0.02)
    monkeypatch.setattr(live, "FLUSH_EVERY_S", 0.02)
    faults: list[str] = []
    pages = Live(platform.broker, platform.stopping, lambda: bool(faults))
    page = Page(pages.stream(Listener(caller, frozenset()), ids_and_values, None))
    heard = [(await page.next())[::2]]
    faults.append("The disk is full.")
    heard.append((await page.next())[::2])
    faults.clear()
    heard.append((await page.next())[::2])
    assert [event for event, _ in heard] == ["hello", "store", "store"]
    assert [told["saves"] for _, told in heard] == [True, False, True]
    await page.leave()


async def test_a_page_that_comes_while_nothing_can_be_saved_is_told_at_once(platform: Platform, caller: Caller) -> None:
    page = Page(
        Live(platform.broker, platform.stopping, lambda: True).stream(
            Listener(caller, frozenset()), ids_and_values, None
        )
    )
    assert (await page.next())[::2] == ("hello", {"saves": False, "who": caller.subject})
    await page.leave()
