"""Calls of any method to context sources, against real servers on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parvis.kernel.outbound import AddressRefused, AnswerTooLarge, CallFailed
from tests.outbound.test_client import document, open_client, redirect, says, web


@pytest.mark.parametrize(
    ("method", "body"), [("GET", b""), ("DELETE", b""), ("POST", b'{"a":1}'), ("PATCH", b"{}"), ("PUT", b"[]")]
)
async def test_a_call_is_sent_as_it_is(method: str, body: bytes) -> None:
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heard.append(head + (await reader.readexactly(len(body))).decode())
        writer.write(b"HTTP/1.1 207 Multi-Status\r\nNGSILD-Warning: 199 x\r\nContent-Length: 2\r\n\r\n{}")

    async with web(serve) as port, open_client() as client:
        url = f"http://127.0.0.1:{port}/ngsi-ld/v1/entities/urn:x:1?q=a%3E1"
        answer = await client.call(method, url, {"Via": "1.1 town"}, body)
    assert (answer.status, answer.body, answer.headers["ngsild-warning"]) == (207, b"{}", "199 x")
    assert heard[0].startswith(f"{method} /ngsi-ld/v1/entities/urn:x:1?q=a%3E1 HTTP/1.1\r\n")
    assert "Via: 1.1 town\r\n" in heard[0]
    assert heard[0].endswith(f"\r\n\r\n{body.decode()}")
    assert ("content-length" in heard[0]) == bool(body)


async def test_redirects_are_not_followed() -> None:
    async with web(says(redirect("http://10.0.0.1/"))) as port, open_client() as client:
        assert (await client.call("GET", f"http://127.0.0.1:{port}/", {})).status == 302


async def test_a_change_is_sent_once_though_the_answer_is_cut_off() -> None:
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        nonlocal calls
        calls += 1

    async with web(serve) as port, open_client() as client:
        for _ in range(2):
            with pytest.raises(CallFailed):
                await client.call("POST", f"http://127.0.0.1:{port}/", {}, b"{}")
    assert calls == 2


async def test_an_answer_may_be_as_large_as_the_call_says() -> None:
    async with web(says(document("x" * 5000))) as port, open_client() as client:
        answer = await client.call("GET", f"http://127.0.0.1:{port}/", {}, limit_bytes=6000)
        assert len(answer.body) == 5000
        with pytest.raises(AnswerTooLarge):
            await client.call("GET", f"http://127.0.0.1:{port}/", {}, limit_bytes=4000)


async def test_who_does_not_answer_is_given_up_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        await asyncio.sleep(5)

    async with web(serve) as port, open_client() as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(CallFailed):
            await client.call("GET", f"http://127.0.0.1:{port}/", {}, timeout_s=0.1)
        assert asyncio.get_running_loop().time() - began < 0.4


async def test_a_private_address_is_not_called() -> None:
    async with open_client(allow=()) as client:
        with pytest.raises(AddressRefused):
            await client.call("DELETE", "http://127.0.0.1:1/", {})


class Source:
    """Keeps connections; with `forgets` it closes each after an answer, and says nothing of it."""

    def __init__(self, *, forgets: bool = False) -> None:
        self._forgets = forgets
        self.connections = 0
        self.methods: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.methods.append(head.partition(" ")[0])
                _, _, length = head.lower().partition("content-length: ")
                await reader.readexactly(int(length.partition("\r\n")[0] or 0))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n" + b"x" * 1500)
                if self._forgets:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(source: Source) -> AsyncIterator[str]:
    server = await asyncio.start_server(source.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_what_is_asked_again_takes_the_same_connection() -> None:
    source = Source()
    async with listening(source) as url, open_client() as client:
        for _ in range(4):
            assert (await client.call("GET", url, {})).status == 200
    assert source.connections == 1


async def test_a_change_goes_on_a_connection_of_its_own_and_leaves_it_to_later_questions() -> None:
    source = Source()
    async with listening(source) as url, open_client() as client:
        await client.call("GET", url, {})
        await client.call("PATCH", url, {}, b"{}")
        assert source.connections == 2
        await asyncio.gather(*[client.call("GET", url, {}) for _ in range(2)])
    assert source.connections == 2


async def test_a_question_is_asked_anew_where_the_kept_connection_is_gone() -> None:
    source = Source(forgets=True)
    async with listening(source) as url, open_client() as client:
        for method in ("GET", "DELETE", "GET"):
            assert (await client.call(method, url, {})).status == 200
    assert source.methods == ["GET", "DELETE", "GET"]


async def test_the_limit_of_a_call_holds_on_a_kept_connection_too() -> None:
    async with listening(Source()) as url, open_client() as client:
        await client.call("GET", url, {}, limit_bytes=5000)
        with pytest.raises(AnswerTooLarge):
            await client.call("GET", url, {}, limit_bytes=1000)
        assert len((await client.call("GET", url, {}, limit_bytes=2000)).body) == 1500
