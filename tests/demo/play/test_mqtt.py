import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from parvis.demo.play.mqtt import Bridge, Listener

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


def marks(peer: Peer) -> list[object]:
    return [event["number"] for event in peer.events]


async def publish(bridge: Bridge, count: int) -> None:
    for number in range(count):
        await bridge.publish("device/bus/up", json.dumps({"number": number}).encode())
    await bridge.drain()


async def test_what_is_published_is_delivered_in_order() -> None:
    peer = Peer()
    async with bridge_to(peer) as bridge:
        await publish(bridge, 300)
        assert bridge.delivered == 300
    assert marks(peer) == [*range(300)]


async def test_no_more_messages_are_on_their_way_than_the_window_allows() -> None:
    peer = Peer(acknowledging=False)
    async with bridge_to(peer, window=20) as bridge:
        with suppress(TimeoutError):
            await asyncio.wait_for(publish(bridge, 100), 1.5)
    assert len(peer.events) == 20
    assert bridge.delivered == 0


async def test_a_lost_connection_loses_no_message() -> None:
    peer = Peer(hang_up_after=100)
    async with bridge_to(peer) as bridge:
        await asyncio.wait_for(publish(bridge, 300), 20)
    assert peer.connections == 2
    assert set(marks(peer)) == {*range(300)}
    assert len(peer.events) > 300


async def test_what_it_tells_bears_its_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with bridge_to(Peer()) as bridge:
            await asyncio.wait_for(bridge.publish("application/x", b"{}"), 5)
    assert ("parvis.demo.player", "INFO") in {(one.name, one.levelname) for one in caplog.records}
