import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from parvis.demo.chirpstack import NetworkServer, rfc3339
from parvis.demo.clockwork import US_PER_S
from parvis.demo.devices.installation import Device
from parvis.demo.player import Bridge, Listener, Player
from parvis.demo.simulator import Simulation

NOW = int(datetime(2026, 3, 10, 9, tzinfo=UTC).timestamp()) * US_PER_S
CONNECT, PUBLISH, DISCONNECT = 1, 3, 14
CONNACK, PUBACK = b"\x20\x02\x00\x00", 0x40


class Peer:
    """The least MQTT 3.1.1 listener that acknowledges; it can hold acknowledgements back and hang up once."""

    def __init__(self, *, acknowledging: bool = True, hang_up_after: int | None = None) -> None:
        self.events: list[dict[str, object]] = []
        self.acknowledging = acknowledging
        self.connections = 0
        self._hang_up_after = hang_up_after

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        kind, body = await _packet(reader)
        if kind == CONNECT:
            self.connections += 1
            writer.write(CONNACK)
        elif kind == PUBLISH:
            return self._take(body, writer)
        return kind != DISCONNECT

    def _take(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        self.events.append(json.loads(body[topic_end + 2 :]))
        if len(self.events) == self._hang_up_after:
            return False
        if self.acknowledging:
            writer.write(bytes((PUBACK, 2)) + body[topic_end : topic_end + 2])
        return True


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0] >> 4
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)


@asynccontextmanager
async def bridge_to(peer: Peer, window: int = 50) -> AsyncIterator[Bridge]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    async with Bridge(Listener("127.0.0.1", port, "network-server", "secret"), window) as bridge:
        yield bridge
    server.close()


def frames(peer: Peer) -> list[tuple[object, object]]:
    return [(event["time"], event["deduplicationId"]) for event in peer.events]


def player(simulation: Simulation, devices: list[Device], bridge: Bridge, now: int = NOW) -> Player:
    return Player(simulation, NetworkServer(devices, simulation.gateways), bridge, lambda: now)


async def test_a_backfill_delivers_the_past_in_order_with_its_own_times(
    simulation: Simulation, devices: list[Device]
) -> None:
    peer = Peer()
    async with bridge_to(peer) as bridge:
        sent = await player(simulation, devices, bridge).backfill(hours=0.1)
        assert bridge.delivered == sent
    expected = list(simulation.uplinks(NOW - 360 * US_PER_S, NOW))
    assert sent == len(expected) == len(peer.events)
    assert [time for time, _ in frames(peer)] == [rfc3339(uplink.time) for uplink in expected]


async def test_no_more_frames_are_on_their_way_than_the_window_allows(
    simulation: Simulation, devices: list[Device]
) -> None:
    peer = Peer(acknowledging=False)
    async with bridge_to(peer, window=20) as bridge:
        with suppress(TimeoutError):
            await asyncio.wait_for(player(simulation, devices, bridge).backfill(hours=0.1), 1.5)
    assert len(peer.events) == 20
    assert bridge.delivered == 0


async def test_a_lost_connection_loses_no_frame(simulation: Simulation, devices: list[Device]) -> None:
    peer = Peer(hang_up_after=100)
    async with bridge_to(peer) as bridge:
        sent = await asyncio.wait_for(player(simulation, devices, bridge).backfill(hours=0.1), 20)
    assert peer.connections == 2
    assert len(set(frames(peer))) == sent
    assert len(peer.events) > sent


async def test_live_play_waits_until_an_uplink_is_due(simulation: Simulation, devices: list[Device]) -> None:
    peer = Peer()
    async with bridge_to(peer) as bridge:
        begin = asyncio.get_running_loop().time()

        def clock() -> int:
            return NOW + int((asyncio.get_running_loop().time() - begin) * US_PER_S)

        live = Player(simulation, NetworkServer(devices, simulation.gateways), bridge, clock)
        with suppress(TimeoutError):
            await asyncio.wait_for(live.play(speed=60), 1.0)
        played_s = clock() - NOW
    due = list(simulation.uplinks(NOW, NOW + 60 * played_s))
    assert 0.6 * len(due) < len(peer.events) <= len(due)


async def test_what_it_tells_bears_its_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with bridge_to(Peer()) as bridge:
            await asyncio.wait_for(bridge.publish("application/x", b"{}"), 5)
    assert ("parvis.demo.player", "INFO") in {(one.name, one.levelname) for one in caplog.records}
