"""The guarded client against real servers on this machine; "public" here is whatever the test allows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from parvis.kernel.outbound import AddressRefused, CallFailed
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
OK = "HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def web(serve: Serve) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1; `serve` gets the request's first line."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await serve(reader, writer, head)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def says(text: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.write(text.encode())
        await writer.drain()

    return serve


def document(body: str, media_type: str = "application/ld+json; charset=utf-8") -> str:
    return f"{OK}Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def redirect(location: str) -> str:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"


def open_client(*, allow: Sequence[str] = ("127.0.0.0/8",), **names: str) -> GuardedClient:
    """Names are resolved to the addresses given, so that a test needs no DNS."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return names.get(host.partition(".")[0], host).split(",")

    settings = OutboundSettings(allow=tuple(allow), timeout_s=0.5, limit_bytes=2000)
    return GuardedClient(settings, resolver)


async def test_a_context_is_fetched_by_name_from_the_address_that_was_checked() -> None:
    async with web(says(document("{}"))) as port, open_client(contexts="127.0.0.1") as client:
        answer = await client.get(f"http://contexts.example:{port}/c.jsonld", accept=("application/ld+json",))
    assert (answer.status, answer.media_type, answer.body) == (200, "application/ld+json", b"{}")


async def test_the_server_hears_the_name_it_was_called_by() -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heads.append(head)
        writer.write(document("{}").encode())

    async with web(serve) as port, open_client(contexts="127.0.0.1") as client:
        await client.get(f"http://contexts.example:{port}/c")
    assert f"Host: contexts.example:{port}" in heads[0]
    assert "Authorization" not in heads[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.8", "169.254.169.254", "internal"]
)
async def test_a_private_address_is_not_called(host: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        pytest.fail("it was called")

    async with web(serve) as port, open_client(allow=(), internal="127.0.0.1") as client:
        with pytest.raises(AddressRefused):
            await client.get(f"http://{host}:{port}/")


async def test_a_name_with_one_private_address_among_public_ones_is_not_called() -> None:
    async with open_client(allow=(), mixed="93.184.215.14,10.0.0.1") as client:
        with pytest.raises(AddressRefused):
            await client.get("http://mixed.example/")


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing() -> None:
    """DNS rebinding: the name is asked for once a connection, and that answer is the one connected to."""
    answers = iter(["127.0.0.1", "10.0.0.1"])

    async def resolver(host: str, port: int) -> Sequence[str]:
        return [next(answers)]

    settings = OutboundSettings(allow=("127.0.0.0/8",), timeout_s=0.5)
    async with web(says(document("{}"))) as port, GuardedClient(settings, resolver) as client:
        assert (await client.get(f"http://rebound.example:{port}/")).status == 200
        with pytest.raises(AddressRefused):
            await client.get(f"http://rebound.example:{port}/")


async def test_a_redirect_is_followed_where_the_first_address_could_go() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.write((document("{}") if head.startswith("GET /end") else redirect("/end")).encode())

    async with web(serve) as port, open_client() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")
    assert answer.url == f"http://127.0.0.1:{port}/end"


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://[::1]/", "file:///etc/passwd", "//169.254.169.254/"])
async def test_a_redirect_into_a_private_network_is_refused(target: str) -> None:
    async with web(says(redirect(target))) as port, open_client() as client:
        with pytest.raises(AddressRefused):
            await client.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("target", ["http://[", "http://[::1", "http://x:99999999/"])
async def test_a_redirect_to_what_is_no_address_is_a_failed_call(target: str) -> None:
    async with web(says(redirect(target))) as port, open_client() as client:
        with pytest.raises((AddressRefused, CallFailed), match="no address"):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_redirects_come_to_an_end() -> None:
    async with web(says(redirect("/again"))) as port, open_client() as client:
        with pytest.raises(CallFailed, match="redirects"):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_an_answer_beyond_the_limit_is_not_read_on() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        nonlocal sent
        writer.write(f"{OK}Content-Type: application/json\r\n\r\n".encode())
        while sent < 50_000_000:
            writer.write(b"x" * 100_000)
            sent += 100_000
            await writer.drain()

    async with web(serve) as port, open_client() as client:
        with pytest.raises(CallFailed, match="more than 2000 bytes"):
            await client.get(f"http://127.0.0.1:{port}/")
    assert sent < 20_000_000


async def test_a_server_that_drips_is_given_up_though_each_drop_is_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.write(f"{OK}Content-Length: 1000\r\n\r\n".encode())
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with web(serve) as port, open_client() as client:
        with pytest.raises(CallFailed, match=r"longer than 0\.5 s"):
            await client.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (document("<html>", "text/html"), "answered with text/html"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"),
        (f"{OK}Content-Type: application/ld+json\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "encoding"),
        ("SMTP ready\r\n", "could not be called"),
        ("", "could not be called"),
    ],
)
async def test_an_unusable_answer_is_told_as_such(answer: str, complaint: str) -> None:
    async with web(says(answer)) as port, open_client() as client:
        with pytest.raises(CallFailed, match=complaint):
            await client.get(f"http://127.0.0.1:{port}/", accept=("application/ld+json",))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/", "http://", "http://me:secret@example.org/", "http://x:99999/", "x"],
)
async def test_only_plain_web_addresses_are_called(url: str) -> None:
    async with open_client() as client:
        with pytest.raises(AddressRefused):
            await client.get(url)


async def test_a_post_does_not_follow_redirects() -> None:
    async with web(says(redirect("http://10.0.0.1/"))) as port, open_client() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/", b"{}", {"content-type": "application/json"})
    assert answer.status == 302


async def test_cookies_of_one_call_are_not_sent_with_the_next() -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heads.append(head)
        writer.write(f"{OK}Set-Cookie: track=1\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    async with web(serve) as port, open_client() as client:
        for _ in range(2):
            await client.get(f"http://127.0.0.1:{port}/")
    assert "track" not in "".join(heads)


async def test_the_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with web(says(document("{}"))) as port, open_client() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status == 200


@pytest.mark.parametrize("name", ["a" * 70 + ".example", "a..example", "xn--"])
async def test_a_name_that_can_be_none_is_told_as_such(name: str) -> None:
    async with GuardedClient(OutboundSettings()) as client:
        with pytest.raises(CallFailed):
            await client.get(f"http://{name}/c.jsonld")


async def test_what_is_not_modified_is_told_where_that_was_asked() -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heads.append(head)
        writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')

    async with web(serve) as port, open_client() as client:
        url = f"http://127.0.0.1:{port}/"
        condition = {"if-none-match": '"1"'}
        answer = await client.get(url, headers=condition, statuses=frozenset({200, 304}))
        with pytest.raises(CallFailed, match="status 304"):
            await client.get(url, headers=condition)
    assert (answer.status, answer.body) == (304, b"")
    assert 'if-none-match: "1"' in heads[0]


async def test_a_key_does_not_follow_a_redirect_to_another_host() -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heads.append(head)
        port = writer.get_extra_info("sockname")[1]
        told = redirect(f"http://other.example:{port}/") if "first.example" in head else document("{}")
        writer.write(told.encode())

    async with web(serve) as port, open_client(first="127.0.0.1", other="127.0.0.1") as client:
        await client.get(f"http://first.example:{port}/", headers={"apikey": "secret"})
    assert ["apikey: secret" in head for head in heads] == [True, False]


async def test_one_call_may_read_more_than_others() -> None:
    body = "x" * 3000
    async with web(says(document(body))) as port, open_client() as client:
        assert len((await client.get(f"http://127.0.0.1:{port}/", limit_bytes=4000)).body) == 3000
        with pytest.raises(CallFailed):
            await client.get(f"http://127.0.0.1:{port}/")
