"""What a browser never does, on a bare socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.kernel.settings_reader import load_settings
from parvis.web import http
from parvis.web.server import Running, serving

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(load_settings(tmp_path, {}, {"server.port": 0, "mqtt.enabled": False})) as running:
        yield running


@pytest.fixture
async def open_to_all(tmp_path: Path) -> AsyncIterator[Running]:
    given = {"server.port": 0, "mqtt.enabled": False, "access.auth": False}
    async with serving(load_settings(tmp_path, {}, given)) as running:
        yield running


async def test_where_something_was_made_is_told_as_clients_look_for_it(open_to_all: Running) -> None:
    reader, writer = await connect(open_to_all)
    body = b'{"id": "urn:ngsi-ld:Fountain:1", "type": "Fountain"}'
    head = b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b"\r\nLocation: /ngsi-ld/v1/entities/urn:ngsi-ld:Fountain:1\r\n" in answer


async def connect(running: Running) -> Wire:
    return await asyncio.open_connection("127.0.0.1", int(running.address.rpartition(":")[2]))


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize(
    ("opening", "more"),
    [
        (b"GET / HTTP/1.1\r\nx-endless: ", b"a" * 8192),
        (b"GET / HTTP/1.1\r\n", b"x-another: one\r\n" * 512),
        (b"GET /", b"a" * 8192),
    ],
)
async def test_a_head_without_end_is_cut_off(running: Running, opening: bytes, more: bytes) -> None:
    reader, writer = await connect(running)
    sent = 0
    writer.write(opening)
    try:
        while sent < 1 << 20:
            writer.write(more)
            await writer.drain()
            sent += len(more)
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert await is_cut_off(reader)
    writer.close()


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"POST /console/sign-in HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n"
        b"content-length: 9\r\n\r\na=",
    ],
)
async def test_who_begins_a_request_and_falls_silent_is_cut_off(
    running: Running, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SILENCE_AT_MOST_S", 0.05)
    reader, writer = await connect(running)
    writer.write(begun)
    assert await is_cut_off(reader)
    writer.close()


async def test_a_head_that_trickles_in_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SILENCE_AT_MOST_S", 0.2)
    reader, writer = await connect(running)
    writer.write(b"GET / HTTP/1.1\r\nx-slow: ")
    is_over = asyncio.create_task(is_cut_off(reader))
    for _ in range(20):
        await asyncio.sleep(0.05)
        writer.write(b"a")
    assert is_over.done(), "though it was never silent"
    assert await is_over
    writer.close()


async def test_a_body_may_take_longer_than_its_head(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SILENCE_AT_MOST_S", 0.2)
    reader, writer = await connect(running)
    writer.write(b"POST /console/sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0.04)
        writer.write(b"a")
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_who_waits_for_a_long_answer_is_not(open_to_all: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SILENCE_AT_MOST_S", 0.05)
    reader, writer = await connect(open_to_all)
    writer.write(b"GET /live/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"event: hello")
    await asyncio.sleep(0.2)
    assert not reader.at_eof()
    writer.close()


async def test_beyond_the_most_connections_newcomers_are_turned_away(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MOST_CONNECTIONS", 1)
    first, writer = await connect(running)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert await first.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
    second, late = await connect(running)
    assert await is_cut_off(second)
    writer.close()
    late.close()
