"""Calls that follow one another share a connection, and a connection that went away costs no call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from parvis.kernel.outbound import CallFailed
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


class Receiver:
    """`answer` gets the number of the request on its connection."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.connections = 0
        self.bodies: list[bytes] = []
        self.heads: list[str] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notify"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                await self._answer(reader, writer, number)
                await writer.drain()
                number += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    writer.write(NO_CONTENT)


def open_client() -> GuardedClient:
    return GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=0.5, limit_bytes=2000))


async def test_posts_one_after_the_other_take_one_connection() -> None:
    receiver = Receiver(content)
    async with receiver.listening() as url, open_client() as client:
        for number in range(5):
            assert (await client.post(url, b"%d" % number, {})).status == 204
    assert (receiver.connections, receiver.bodies) == (1, [b"0", b"1", b"2", b"3", b"4"])


async def test_posts_at_the_same_time_take_a_connection_each_and_keep_them() -> None:
    receiver = Receiver(content)
    async with receiver.listening() as url, open_client() as client:
        for _ in range(2):
            await asyncio.gather(*[client.post(url, b"x", {}) for _ in range(3)])
    assert (receiver.connections, len(receiver.bodies)) == (3, 6)


async def test_a_connection_that_was_closed_while_idle_is_replaced_unnoticed() -> None:
    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(NO_CONTENT)
        await writer.drain()
        writer.close()

    receiver = Receiver(answer_and_close)
    async with receiver.listening() as url, open_client() as client:
        for _ in range(4):
            assert (await client.post(url, b"x", {})).status == 204
    assert len(receiver.bodies) == 4


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_answers_end_where_http_says(answer: bytes, body: bytes) -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        for byte in answer:
            writer.write(bytes((byte,)))
            await writer.drain()

    receiver = Receiver(tell)
    async with receiver.listening() as url, open_client() as client:
        for _ in range(2):
            got = await client.post(url, b"x", {})
            assert (got.status, got.body) == (200, body)
    assert receiver.connections == 1


async def test_an_answer_that_is_cut_short_is_none_and_the_call_is_not_made_twice() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na" if number else NO_CONTENT)
        if number:
            writer.close()

    receiver = Receiver(cut)
    async with receiver.listening() as url, open_client() as client:
        await client.post(url, b"first", {})
        with pytest.raises(CallFailed, match="ended before"):
            await client.post(url, b"second", {})
    assert receiver.bodies == [b"first", b"second"]


async def test_what_comes_unasked_after_an_answer_belongs_to_no_other_call() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA")
        writer.write(b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n")

    receiver = Receiver(twice)
    async with receiver.listening() as url, open_client() as client:
        answers = [(await client.post(url, b"x", {})).status for _ in range(3)]
    assert answers == [200, 200, 200]


async def test_a_call_may_have_less_time_than_the_installation_allows_but_not_more() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(2)

    receiver = Receiver(silent)
    async with receiver.listening() as url, open_client() as client:
        with pytest.raises(CallFailed, match=r"longer than 0\.1 s"):
            await client.post(url, b"x", {}, timeout_s=0.1)
        with pytest.raises(CallFailed, match=r"longer than 0\.5 s"):
            await client.post(url, b"x", {}, timeout_s=60)


@pytest.mark.parametrize(
    "headers",
    [{"x": "a\r\nb: c"}, {"x\r\ny": "a"}, {"x y": "a"}, {"Content-Length": "0"}, {"Host": "other"}, {"x": "€"}],
)
async def test_a_header_cannot_change_the_request_around_it(headers: dict[str, str]) -> None:
    receiver = Receiver(content)
    async with receiver.listening() as url, open_client() as client:
        with pytest.raises(CallFailed, match="header"):
            await client.post(url, b"x", headers)
    assert receiver.bodies == []


async def test_an_address_with_odd_characters_reaches_the_server_escaped() -> None:
    receiver = Receiver(content)
    async with receiver.listening() as url, open_client() as client:
        await client.post(f"{url}/é b?q=ü x#part", b"x", {})
    assert receiver.heads[0].startswith("POST /notify/%C3%A9%20b?q=%C3%BC%20x HTTP/1.1\r\n")
