"""Plays the territory's devices to the platform, in a process of its own: it is no part of it, and speaks to it over
the network only."""

import argparse
import asyncio
import heapq
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np

from parvis.demo.devices.kinds import Kind, Way
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import DEFAULT_SEED
from parvis.demo.nature.chance import one_chance
from parvis.demo.nature.nature import Nature, load_what_sees
from parvis.demo.play.mqtt import Bridge, Listener
from parvis.demo.play.push import Pusher
from parvis.demo.play.radio import list_gateways
from parvis.demo.play.schedule import Schedule, Turn
from parvis.demo.play.stations import Station
from parvis.demo.play.voices import Document, Message, Voices
from parvis.demo.readings.scene import Scene
from parvis.demo.scenery import Scenery, open_scenery
from parvis.demo.services.answers import Answer, Asked, Moment, answer
from parvis.demo.services.server import serve
from parvis.demo.services.stations import STATIONS, place_of
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import own_line
from parvis.demo.story.setting import set_stage
from parvis.demo.story.stage import Stage
from parvis.kernel.logs import configure_logs

S_PER_HOUR = 3600
STORY_EVERY_S = 1.0
ALARM_SOONEST_S, ALARM_SPREAD_S = 8.0, 25.0
LATE_AT_MOST_S = 15.0
"""Of the clock's time."""
CATCHING_UP_ROUNDS = 3
NOTHING_NEW_AFTER_S = 6.0
BUSES_SEEN_S = 600.0
"""Of their past; older places of a bus are of no use."""
log = logging.getLogger("parvis.demo.player")


@dataclass(frozen=True, slots=True)
class Ways:
    """Where each way in is spoken to; a way without an address stays silent."""

    listener: Listener
    push_url: str = ""
    ocpp_url: str = ""
    ocpp_password: str = ""
    services: socket.socket | None = None
    """Where open data is asked for."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The devices' time: from `began_s` on it runs `speed` times as fast as the clock."""

    began_s: float
    speed: float = 1.0
    clock: Callable[[], float] = time.time

    def now_s(self) -> float:
        return self.began_s + (self.clock() - self.began_s) * self.speed

    def wait_s(self, time_s: float) -> float:
        return (time_s - self.now_s()) / self.speed


@dataclass(frozen=True, slots=True)
class Past:
    """What is told before the live play: the last `hours` in full, and before them about one message an hour."""

    hours: float = 0.0
    sparse_hours: float = 0.0


class Theatre:
    """The territory as the story has it now: who sets off something changes what devices read from then on."""

    def __init__(self, scenery: Scenery, folder: Path, began_s: float) -> None:
        self.devices = scenery.devices
        self.gateways = list_gateways(scenery.territory)
        self.places = {one.code: lon_lat(*place_of(one, scenery.territory)) for one in STATIONS}
        self._slugs = {one.name: one.slug for one in scenery.territory.communes}
        self._networks, self._folder, self._seed = scenery.networks, folder, scenery.seed
        self._stage: Stage = set_stage(scenery.territory, scenery.networks, scenery.devices)
        self._kept = KeptStory.open(folder, scenery.seed, began_s)
        self.scene = self._set()

    def find_news(self, now_s: float) -> Scene | None:
        """The scene as it is since somebody set off something, or None. May take seconds: a burst main is solved."""
        if not self._kept.refresh():
            return None
        scene = self._set()
        logger = next(one for one in self.devices if one.kind is Kind.PRESSURE)
        scene.nature.water.pressure_m(np.array([now_s]), logger.link.id)
        return scene

    def _set(self) -> Scene:
        story = self._kept.told(own_line(), self._stage)
        return Scene(Nature(self._seed, story, self._networks.water, self._folder), self._networks, self._slugs)


class Player:
    def __init__(self, theatre: Theatre, pace: Pace) -> None:
        self._theatre, self._pace = theatre, pace
        self._speakers = [one for one in theatre.devices if one.way is not Way.OCPP]
        self._schedule = Schedule(self._speakers, theatre.scene.seed, pace.speed)
        self._voices = Voices(self._speakers, theatre.scene, theatre.gateways)
        self._alarms: list[Turn] = []
        self._stations: list[Station] = []
        self._greeted_s = self._told_until_s = 0.0
        self.left_out = 0

    async def greet(self, bridge: Bridge, pusher: Pusher | None) -> None:
        """What each device said last goes first: a visitor sees a territory that lives, its past comes in behind."""
        self._greeted_s = self._told_until_s = self._pace.now_s()
        for turn in self._schedule.last_turns(self._greeted_s):
            if self._is_of_use(turn):
                await _send(self._voices.message(turn), bridge, pusher)
        for _ in range(CATCHING_UP_ROUNDS):
            await self._catch_up(bridge, pusher)

    async def backfill(self, bridge: Bridge, pusher: Pusher | None, past: Past) -> int:
        """Send what was said before that as fast as it is acknowledged; returns how many messages there were."""
        sent, now_s = 0, self._greeted_s
        full_from_s = now_s - past.hours * S_PER_HOUR
        sparse = self._schedule.sparse_turns(now_s - past.sparse_hours * S_PER_HOUR, full_from_s)
        last = self._schedule.last_turns(now_s)
        for turn in chain(sparse, self._schedule.turns(full_from_s, now_s)):
            if turn != last[turn.who] and self._is_of_use(turn):
                sent += await _send(self._voices.message(turn), bridge, pusher)
        await bridge.drain()
        if pusher is not None:
            await pusher.drain()
        return sent

    def _is_of_use(self, turn: Turn) -> bool:
        return self._speakers[turn.who].kind is not Kind.BUS or turn.time_s > self._greeted_s - BUSES_SEEN_S

    async def _catch_up(self, bridge: Bridge, pusher: Pusher | None) -> None:
        """What was due meanwhile: the frame counters are to have no gap."""
        now_s = self._pace.now_s()
        for turn in self._schedule.turns(self._told_until_s, now_s):
            await _send(self._voices.message(turn), bridge, pusher)
        self._told_until_s = now_s

    async def play(self, bridge: Bridge, pusher: Pusher | None) -> None:
        """Send each message when its time has come, for ever. What is long past, on a slow machine, is left out."""
        for turn in self._schedule.turns(self._told_until_s or self._pace.now_s()):
            if self._pace.wait_s(turn.time_s) < -LATE_AT_MOST_S:
                self.left_out += 1
                continue
            await self._wait_for(turn.time_s)
            while self._alarms and self._alarms[0].time_s <= turn.time_s:
                await _send(self._voices.alarm(heapq.heappop(self._alarms)), bridge, pusher)
            await _send(self._voices.message(turn), bridge, pusher)

    async def follow_story(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(STORY_EVERY_S)
            news = await asyncio.to_thread(self._theatre.find_news, self._pace.now_s())
            if news is not None:
                self._take_up(news)

    async def _wait_for(self, time_s: float) -> None:
        if (wait_s := self._pace.wait_s(time_s)) > 0:
            await asyncio.sleep(wait_s)

    async def charge(self, url: str, password: str) -> None:
        """The charging stations, for ever."""
        stations = [one for one in self._theatre.devices if one.way is Way.OCPP]
        self._stations = [Station(one, self._theatre.scene, self._pace.now_s, self._pace.speed) for one in stations]
        await asyncio.gather(*(one.live(url, password) for one in self._stations))

    def tell_open_data(self, asked: Asked) -> Answer:
        return answer(asked, Moment(self._theatre.scene, self._theatre.places, self._pace.now_s()))

    def _take_up(self, after: Scene) -> None:
        """Whom something new concerns speaks soon, out of turn."""
        before, self._theatre.scene = self._theatre.scene, after
        self._voices.take_up(after)
        for station in self._stations:
            station.scene = after
        now_s = self._pace.now_s()
        for who, device in enumerate(self._speakers):
            place = after.place_of(device)
            if len(after.nature.story.at_place(place)) > len(before.nature.story.at_place(place)):
                soon_s = ALARM_SOONEST_S + ALARM_SPREAD_S * one_chance(after.seed, who, int(now_s))
                heapq.heappush(self._alarms, self._schedule.extra_turn(who, now_s + soon_s))
        log.info("the story goes on otherwise: %d devices speak soon", len(self._alarms))


async def _send(message: Message | None, bridge: Bridge, pusher: Pusher | None) -> int:
    """How many were sent."""
    await asyncio.sleep(0)  # for the other ways in
    if message is None:
        return 0
    if not isinstance(message, Document):
        await bridge.publish(message.topic, message.payload)
    elif pusher is not None:
        await pusher.push(message)
    return 1


class Cues(Protocol):
    """When to begin, as whoever started this process tells: each comes once."""

    async def speak(self) -> None:
        """The devices are known."""

    async def look_back(self) -> None:
        """What is more urgent than the hours before is done."""


class NoCues:
    async def speak(self) -> None:
        pass

    async def look_back(self) -> None:
        pass


class CuesOfInput:
    """A line each. The input ends with whoever started this process, and this process with the input: who was killed
    tells nobody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: asyncio.Queue[None] = asyncio.Queue()
        threading.Thread(target=self._listen, name="parvis-cues", daemon=True).start()

    async def speak(self) -> None:
        await self._lines.get()

    async def look_back(self) -> None:
        await self._lines.get()

    def _listen(self) -> None:
        with suppress(OSError):
            while heard := os.read(sys.stdin.fileno(), 64):
                for _ in range(heard.count(b"\n")):
                    self._loop.call_soon_threadsafe(self._lines.put_nowait, None)
        os.kill(os.getpid(), signal.SIGTERM)


async def run(
    ways: Ways, *, seed: int, folder: Path, pace: Pace, past: Past, window: int = 200, cues: Cues | None = None
) -> None:
    """Live, and send the past."""
    cues = cues or NoCues()
    works: list[Awaitable[None]] = []
    opened: asyncio.Future[Player] = asyncio.get_running_loop().create_future()
    if ways.services is not None:
        works.append(asyncio.create_task(serve(ways.services, partial(tell_open_data, opened))))
    theatre = await asyncio.to_thread(_open, seed, folder, pace.began_s)
    player = Player(theatre, pace)
    opened.set_result(player)
    await cues.speak()
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(Bridge(ways.listener, window))
        pusher = None
        if ways.push_url:
            pusher = await stack.enter_async_context(Pusher(ways.push_url, ways.listener.password or ""))
        works += [player.play(bridge, pusher), player.follow_story()]
        if past.hours > 0:
            await player.greet(bridge, pusher)
            works.append(_look_back(player, bridge, pusher, past, cues))
        if ways.ocpp_url:
            works.append(player.charge(ways.ocpp_url, ways.ocpp_password))
        await asyncio.gather(*works)


async def tell_open_data(opened: "asyncio.Future[Player]", asked: Asked) -> Answer:
    """Who asks before the territory is there waits a little, and is told then that there is nothing new."""
    try:
        player = await asyncio.wait_for(asyncio.shield(opened), NOTHING_NEW_AFTER_S)
    except TimeoutError:
        return Answer(204)
    return player.tell_open_data(asked)


async def _look_back(player: Player, bridge: Bridge, pusher: Pusher | None, past: Past, cues: Cues) -> None:
    await cues.look_back()
    log.info("%d past messages delivered", await player.backfill(bridge, pusher, past))


def _open(seed: int, folder: Path, began_s: float) -> Theatre:
    load_what_sees()  # while another process makes the territory
    return Theatre(open_scenery(seed, folder), folder, began_s)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m parvis.demo.play.player", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--username")
    parser.add_argument("--password", default=os.environ.get("PARVIS_BRIDGE_PASSWORD"))
    parser.add_argument("--push-url", default="")
    parser.add_argument("--ocpp-url", default="")
    parser.add_argument("--ocpp-password", default=os.environ.get("PARVIS_OCPP_PASSWORD", ""))
    parser.add_argument("--services-fd", type=int, help="a socket that listens for those who ask for open data")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--began-s", type=float, default=time.time())
    parser.add_argument("--backfill-hours", type=float, default=0.0)
    parser.add_argument("--sparse-hours", type=float, default=0.0)
    parser.add_argument("--on-cue", action="store_true", help="begin, and look back, at a line of the input each")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="readable")
    options = parser.parse_args()
    configure_logs(options.log_level, options.log_format)
    listener = Listener(options.host, options.port, options.username, options.password)
    door = None if options.services_fd is None else socket.socket(fileno=options.services_fd)
    ways = Ways(listener, options.push_url, options.ocpp_url, options.ocpp_password, door)
    pace = Pace(options.began_s, options.speed)
    past = Past(options.backfill_hours, options.sparse_hours)

    async def play() -> None:
        cues = CuesOfInput(asyncio.get_running_loop()) if options.on_cue else NoCues()
        await run(ways, seed=options.seed, folder=options.folder, pace=pace, past=past, cues=cues)

    asyncio.run(play())


if __name__ == "__main__":
    main()
