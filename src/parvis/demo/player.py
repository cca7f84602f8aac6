"""Plays the simulation to the platform's MQTT listener, as a network server's bridge would.

QoS 1 with a bounded window: a frame counts as delivered when its PUBACK is there, which the platform sends only
after the durable commit; so the speed of a backfill is the speed at which the platform makes frames durable.
"""

import argparse
import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from parvis.demo.chirpstack import NetworkServer
from parvis.demo.clockwork import US_PER_S, Instant
from parvis.demo.devices.installation import Device, generate_devices
from parvis.demo.land.territory import DEFAULT_SEED, generate_territory
from parvis.demo.simulator import Gateway, Simulation, Uplink, list_gateways
from parvis.kernel.logs import configure_logs

US_PER_HOUR = 3600 * US_PER_S
log = logging.getLogger("parvis.demo.player")


@dataclass(frozen=True, slots=True)
class Listener:
    host: str
    port: int
    username: str | None = None
    password: str | None = None
    client_id: str = "trevalan-network-server"


class Bridge:
    """An MQTT 3.1.1 connection that survives the loss of its peer: frames not yet acknowledged are sent again."""

    def __init__(self, listener: Listener, window: int = 200) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(window)
        self._window = window
        self._online = asyncio.Event()
        self.delivered = 0
        self.connections = 0
        self._client = self._new_client(window)

    async def __aenter__(self) -> "Bridge":
        self._client.connect_async(self._listener.host, self._listener.port, keepalive=30)
        self._client.loop_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns once the frame is on its way; waits while the window is full or the peer away."""
        await self._room.acquire()
        await self._online.wait()
        published: MQTTMessageInfo = self._client.publish(topic, payload, qos=1)
        if published.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            self._room.release()
            raise OSError(published.rc, "the MQTT client refused the frame")

    async def drain(self) -> None:
        """Waits until every frame is acknowledged."""
        for _ in range(self._window):
            await self._room.acquire()
        for _ in range(self._window):
            self._room.release()

    def _new_client(self, window: int) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._listener.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.username_pw_set(self._listener.username, self._listener.password)
        client.max_inflight_messages_set(window)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._acknowledged
        return client

    def _connected(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("the platform refused the bridge: %s", reason)
            return
        self.connections += 1
        self._loop.call_soon_threadsafe(self._online.set)
        log.info("the bridge is connected to %s:%d", self._listener.host, self._listener.port)

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._online.clear)
        if reason.is_failure:
            log.warning("the bridge lost its connection: %s", reason)

    def _acknowledged(
        self, _client: Client, _data: object, _mid: int, _reason: ReasonCode, _properties: Properties
    ) -> None:
        self._loop.call_soon_threadsafe(self._count_delivery)

    def _count_delivery(self) -> None:
        self.delivered += 1
        self._room.release()


class Player:
    """`now_us` is the platform's clock; simulated time leaves it behind when `speed` is above 1."""

    def __init__(
        self, simulation: Simulation, server: NetworkServer, bridge: Bridge, now_us: Callable[[], Instant]
    ) -> None:
        self._simulation, self._server, self._bridge, self._now_us = simulation, server, bridge, now_us

    async def backfill(self, hours: float) -> int:
        """Send the uplinks of the last hours as fast as they are acknowledged; returns how many there were."""
        now = self._now_us()
        sent = await self._send(self._simulation.uplinks(now - int(hours * US_PER_HOUR), now))
        await self._bridge.drain()
        return sent

    async def play(self, speed: float = 1.0) -> None:
        """Send each uplink when its time has come, for ever."""
        start = self._now_us()
        async for uplink in self._in_time(self._simulation.uplinks(start), start, speed):
            await self._bridge.publish(*self._server.message(uplink))

    async def _send(self, uplinks: Iterator[Uplink]) -> int:
        sent = 0
        for uplink in uplinks:
            await self._bridge.publish(*self._server.message(uplink))
            sent += 1
        return sent

    async def _in_time(self, uplinks: Iterator[Uplink], start: Instant, speed: float) -> AsyncIterator[Uplink]:
        for uplink in uplinks:
            due = start + (uplink.time - start) / speed
            wait_s = (due - self._now_us()) / US_PER_S
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            yield uplink


def wall_clock_us() -> Instant:
    return time.time_ns() // 1000


def survey(seed: int) -> tuple[list[Device], list[Gateway]]:
    """Everything that sends and everything that hears."""
    territory = generate_territory(seed)
    return generate_devices(territory, seed), list_gateways(territory)


def _surveyed_elsewhere(seed: int) -> tuple[list[Device], list[Gateway]]:
    """In a process that takes the territory's 100 MB with it when it ends."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as surveyor:
        return surveyor.submit(survey, seed).result()


async def run(listener: Listener, *, seed: int, speed: float, backfill_hours: float, window: int = 200) -> None:
    """Generate the territory, send its past, then live on."""
    devices, gateways = await asyncio.to_thread(_surveyed_elsewhere, seed)
    simulation = Simulation(devices, gateways, seed)
    server = NetworkServer(devices, gateways)
    async with Bridge(listener, window) as bridge:
        player = Player(simulation, server, bridge, wall_clock_us)
        if backfill_hours > 0:
            sent = await player.backfill(backfill_hours)
            log.info("%d past uplinks delivered", sent)
        await player.play(speed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m parvis.demo.player", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--username")
    parser.add_argument("--password", default=os.environ.get("PARVIS_BRIDGE_PASSWORD"))
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--backfill-hours", type=float, default=0.0)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="readable")
    options = parser.parse_args()
    configure_logs(options.log_level, options.log_format)
    listener = Listener(options.host, options.port, options.username, options.password)
    asyncio.run(run(listener, seed=options.seed, speed=options.speed, backfill_hours=options.backfill_hours))


if __name__ == "__main__":
    main()
