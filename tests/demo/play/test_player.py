"""The past is told before the live play, and what a visitor sets off is told out of turn."""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

from parvis.demo.play.player import Pace, Past, Player, Theatre
from parvis.demo.scenery import Scenery
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import own_line
from tests.demo.conftest import BEGUN_S
from tests.demo.play.test_mqtt import Peer, bridge_to


@pytest.fixture(scope="module")
def folder(states: Path) -> Path:
    """Of a territory whose water network is solved once for all."""
    return states


BEGUN = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BEGUN_S))
"""What is due while the past is told comes after it."""


def pace_of(speed: float = 1.0) -> Pace:
    started = time.monotonic()
    return Pace(BEGUN_S, speed, lambda: BEGUN_S + time.monotonic() - started)


def told_at(event: dict[str, object]) -> str:
    return str(event["time"])


async def test_a_backfill_tells_the_newest_first_then_the_past_in_order(scenery: Scenery, folder: Path) -> None:
    peer, pace = Peer(), pace_of()
    player = Player(Theatre(scenery, folder, BEGUN_S), pace)
    async with bridge_to(peer) as bridge:
        await player.greet(bridge, None)
        sent = await player.backfill(bridge, None, Past(hours=0.05, sparse_hours=0.2))
        assert bridge.delivered == len(peer.events)
    times = [told_at(one) for one in peer.events]
    assert len(times) > 200
    assert sent < len(times)
    by_device: defaultdict[str, list[str]] = defaultdict(list)
    for event in peer.events:
        if isinstance(sender := event.get("deviceInfo"), dict):
            by_device[sender["devEui"]].append(told_at(event))
    assert len(by_device) > 100
    for newest, *past in by_device.values():
        older, since = ([one for one in past if (one < BEGUN) is before] for before in (True, False))
        assert older == sorted(older)
        assert since == sorted(since)
        assert not [one for one in older if not "2026-03-10T08:48" <= one < newest], newest
    assert "2026-03-10T08:59:50" < max(times) <= time.strftime("%Y-%m-%dT%H:%M:%S~", time.gmtime(pace.now_s()))


async def test_live_play_waits_until_a_turn_is_due(scenery: Scenery, folder: Path) -> None:
    peer, pace = Peer(), pace_of(60)
    player = Player(Theatre(scenery, folder, BEGUN_S), pace)
    async with bridge_to(peer) as bridge:
        with suppress(TimeoutError):
            await asyncio.wait_for(player.play(bridge, None), 2.0)
        until = pace.now_s()
    assert peer.events
    assert max(map(told_at, peer.events)) <= time.strftime("%Y-%m-%dT%H:%M:%S~", time.gmtime(until))


async def test_after_a_long_stop_nobody_tells_what_is_past(scenery: Scenery, folder: Path) -> None:
    now_s = [BEGUN_S]
    peer, player = Peer(), Player(Theatre(scenery, folder, BEGUN_S), Pace(BEGUN_S, 1.0, lambda: now_s[0]))
    async with bridge_to(peer) as bridge:
        playing = asyncio.create_task(player.play(bridge, None))
        await asyncio.sleep(0.1)
        now_s[0] += 600
        async with asyncio.timeout(20):
            while len(peer.events) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
    assert player.left_out > 500
    assert all(told_at(one) >= "2026-03-10T09:09:44" for one in peer.events[1:])


async def test_whom_a_triggered_event_concerns_speaks_out_of_turn(
    scenery: Scenery, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.demo.play.player.STORY_EVERY_S", 0.05)
    monkeypatch.setattr("parvis.demo.play.player.ALARM_SOONEST_S", 1.0)
    monkeypatch.setattr("parvis.demo.play.player.ALARM_SPREAD_S", 1.0)
    peer, pace = Peer(), pace_of(2)
    theatre = Theatre(scenery, folder, BEGUN_S)
    player, before = Player(theatre, pace), theatre.scene
    trigger = next(one for one in own_line().trigger if one.kind.value == "overfill")
    async with bridge_to(peer) as bridge:
        playing = asyncio.gather(player.play(bridge, None), player.follow_story())
        try:
            KeptStory.open(folder, scenery.seed, BEGUN_S).add(trigger.id, pace.now_s())
            async with asyncio.timeout(20):
                while theatre.scene is before:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                event = next(one for one in theatre.scene.nature.story.events if one.is_triggered)
                concerned = next(one for one in scenery.devices if one.entity_id in event.reaches)
                while not any(_eui(one) == concerned.hardware_id for one in peer.events):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
    (alarm,) = [one for one in peer.events if _eui(one) == concerned.hardware_id][:1]
    assert told_at(alarm) <= time.strftime("%Y-%m-%dT%H:%M:%S~", time.gmtime(event.begins_s + 60))


def _eui(event: dict[str, object]) -> str:
    info = event.get("deviceInfo")
    return str(info["devEui"]) if isinstance(info, dict) else ""
