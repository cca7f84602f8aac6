"""What is not taken is sent again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from parvis.demo.play.push import Pusher
from parvis.demo.play.voices import Document


class Peer:
    """The least HTTP server; answers `statuses` one after the other, then 200."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.taken: list[dict[str, object]] = []
        self.keys: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            told = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
            body = await reader.readexactly(int(told["Content-Length"]))
            self.keys.add(told["Authorization"])
            status = self._statuses.pop(0) if self._statuses else 200
            if status == 200:
                self.taken += msgspec.json.decode(body)
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())


@asynccontextmanager
async def pusher_to(peer: Peer) -> AsyncIterator[Pusher]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with Pusher(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "key") as pusher:
        yield pusher
    server.close()


@pytest.mark.parametrize("refusal", [503, 429])
async def test_readings_wait_for_a_platform_that_is_busy(refusal: int) -> None:
    peer = Peer(refusal)
    async with pusher_to(peer) as pusher:
        for number in range(3):
            await pusher.push(Document({"device": "a", "values": {"n": number}}))
        await asyncio.wait_for(pusher.drain(), 10)
        assert pusher.delivered == 3
    assert [one["values"] for one in peer.taken] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert peer.keys == {"Bearer key"}


async def test_what_is_refused_for_good_does_not_hold_up_the_rest() -> None:
    peer = Peer(400)
    async with pusher_to(peer) as pusher:
        await pusher.push(Document({"device": "a"}))
        await asyncio.wait_for(pusher.drain(), 10)
        await pusher.push(Document({"device": "b"}))
        await asyncio.wait_for(pusher.drain(), 10)
    assert peer.taken == [{"device": "b"}]
