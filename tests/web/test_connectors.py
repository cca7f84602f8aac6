"""The ways in as people see them."""

import asyncio

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.connectors.feeds.client import NoFeed
from parvis.connectors.feeds.codec import UnreadableFeed
from parvis.fleet import metrics
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ways.counts import MOST_WAYS, Brought, WayFault, Ways
from parvis.fleet.ways.sources import MOST_SOURCES, Source, Sources
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.connectors import asked_by, judge, judge_sources
from parvis.web.headline import State
from tests.web.conftest import client_of, plain

AT = 1_700_000_000_000_000


def frame(way: str, now: Instant) -> Uplink:
    return Uplink("00000000000000aa", b"\x01", 1, 1, now, way=way)


async def test_ways_that_are_on_say_what_they_bring(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    before = plain((await operator.get("/console/connectors")).text)
    assert "The MQTT listener is off" in before
    assert "ChirpStack" in before
    assert "Nothing heard yet" in before
    assert "application/+/device/+/event/+" in before
    assert "[connectors.modbus]" in before

    await platform.fleet.take(caller, [frame("chirpstack", now)])
    answer = await operator.get("/console/connectors")
    assert "1 frame waits for its device" in plain(answer.text)
    assert 'href="/console/quarantine">1 frame waits' in answer.text
    french = plain((await operator.get("/console/connectors", params={"lang": "fr"})).text)
    assert "Des trames attendent l’adoption de leur capteur" in french


async def test_faults_are_for_administrators(platform: Platform, operator: httpx.AsyncClient) -> None:
    async def fail() -> None:
        raise ConnectionRefusedError("broker <away>")

    with pytest.raises(ConnectionRefusedError):
        await platform.fleet.ways.watched("chirpstack", fail)()
    page = plain((await operator.get("/console/connectors")).text)
    assert "Failed, restarted" in page
    assert "ConnectionRefusedError: broker <away>" in page
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        assert "<away>" not in plain((await reader.get("/console/connectors")).text)
    async with client_of(platform) as visitor:
        assert (await visitor.get("/console/connectors")).status_code == 303


def test_each_tenant_counts_its_own() -> None:
    ways = Ways(lambda: AT)
    refused = Refused(RefusalReason.CODEC_THREW)
    ways.note("here", [frame("coap", AT), frame("coap", AT)], [None, refused])
    assert ways.brought_to("here") == {"coap": Brought(2, 1, AT, AT, RefusalReason.CODEC_THREW)}
    ways.note("here", [frame("http", AT)], [Refused(RefusalReason.UNKNOWN_DEVICE)])
    assert (ways.brought_to("here")["http"].waiting, ways.brought_to("here")["http"].refused) == (1, 0)
    assert ways.brought_to("there") == {}
    ways.note_unreadable("here", "http", 2)
    assert (ways.brought_to("here")["http"].frames, ways.brought_to("here")["http"].refused) == (3, 2)
    ways.note("here", [frame(str(number), AT) for number in range(2 * MOST_WAYS)], [None] * 2 * MOST_WAYS)
    assert len(ways.brought_to("here")) == MOST_WAYS


async def test_work_that_is_cancelled_has_not_failed() -> None:
    ways = Ways(lambda: AT)
    task = asyncio.create_task(ways.watched("coap", lambda: asyncio.sleep(60))())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ways.find_fault("coap") is None


def test_a_way_is_judged_by_what_came_last() -> None:
    fault = WayFault(AT, "gone")
    assert judge(Brought(), None, AT) == (State.STALE, "waits")
    assert judge(Brought(), None, AT, listens=False) == (State.GOOD, "runs")
    assert judge(Brought(), None, AT, {"no_answer": 2}, listens=False) == (State.WARN, "no_answer")
    assert judge(Brought(3, 1, AT), None, AT + MINUTE) == (State.GOOD, "hears")
    assert judge(Brought(3, 3, AT), None, AT + MINUTE) == (State.WARN, "refused_all")
    assert judge(Brought(3, 1, AT, waiting=2), None, AT + MINUTE) == (State.WARN, "refused_all")
    assert judge(Brought(3, 0, AT, waiting=3), None, AT + MINUTE) == (State.WARN, "all_wait")
    assert judge(Brought(3, 0, AT), None, AT + 2 * HOUR) == (State.STALE, "quiet")
    assert judge(Brought(3, 0, AT + 1), fault, AT + MINUTE) == (State.GOOD, "hears")
    assert judge(Brought(3, 0, AT - 1), fault, AT + MINUTE) == (State.WARN, "failed")


def test_what_was_asked_is_told_by_result() -> None:
    metrics.POLLS.labels("of a test", "answered").inc(3)
    metrics.POLLS.labels("of a test", "no_answer").inc()
    assert asked_by("of a test") == {"answered": 3, "no_answer": 1}
    assert asked_by("of nobody") == {}


async def test_a_feed_that_fails_is_told_with_its_reason_and_since_when(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    sources = platform.fleet.ways.sources
    sources.note_answer("httppush", "rivers")
    sources.note_stations("httppush", "rivers", 3, 1, 0)
    well = plain((await operator.get("/console/connectors?lang=fr")).text)
    assert "1 répond rivers dernière réponse à l’instant · 3 stations à jour, 1 périmée" in well
    sources.note_failure("httppush", "air", UnreadableFeed("It is no JSON: Expecting value."))
    sources.note_failure("httppush", "air", NoFeed("It answered with status 500."))
    french = plain((await operator.get("/console/connectors?lang=fr")).text)
    assert "Une partie ne répond pas" in french
    assert "air En échec depuis 0 s · aucune réponse encore Le service a répondu par le code 500." in french
    assert "It answered" not in french
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        page = plain((await reader.get("/console/connectors")).text)
    assert "Some of what it asks does not answer" in page
    assert "status 500" not in page


@pytest.mark.parametrize(
    ("sources", "word"),
    [
        ([], None),
        ([Source(answered_at=AT)], None),
        ([Source(answered_at=AT, stale=2)], "all_stale"),
        ([Source(answered_at=AT, stale=2), Source(answered_at=AT, fresh=1)], None),
        ([Source(failing_since=AT), Source(answered_at=AT)], "some_fail"),
        ([Source(answered_at=AT, failing_since=AT)], "all_fail"),
    ],
)
def test_the_worst_of_what_it_asks_is_the_state_of_a_way_in(sources: list[Source], word: str | None) -> None:
    judged = judge_sources(sources)
    assert (judged and judged[1]) == word


def test_a_source_fails_since_the_first_time_and_not_the_last() -> None:
    clock = iter(range(10, 100, 10))
    sources = Sources(lambda: next(clock))
    for _ in range(2):
        sources.note_failure("feeds", "air", TimeoutError("slow"))
    one = sources.list_of("feeds")["air"]
    assert (one.failing_since, one.failed_at, one.reason) == (10, 20, "TimeoutError: slow")
    sources.note_answer("feeds", "air")
    assert not sources.list_of("feeds")["air"].is_failing
    sources.forget("feeds", "air")
    assert sources.list_of("feeds") == {}
    for number in range(MOST_SOURCES + 1):
        sources.note_stations("feeds", str(number), 1, 0, 0)
    assert len(sources.list_of("feeds")) == MOST_SOURCES
