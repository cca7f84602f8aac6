"""The audit trail reaches a syslog server of one's own, and what it did not hear while it was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from parvis.access.audit_formats import Format
from parvis.access.model import AuditRecord
from parvis.access.ports import AccessStore
from parvis.bootstrap import audit
from parvis.bootstrap.audit import CHANGED, AuditForwarder, build_forwarder
from parvis.kernel.settings import AuditSettings, InvalidSettings
from parvis.outbound.syslog import SyslogSender, SyslogServer, syslog_server
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.store import SqliteStore


class Server:
    """Reads frames of RFC 6587 (octet counting)."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.reads = True

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if not self.reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int(await reader.readuntil(b" "))
                self.lines.append(await reader.readexactly(length))

    def numbers(self) -> list[int]:
        return [int(line.partition(b'"number":')[2].partition(b",")[0]) for line in self.lines]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "parvis.db")
    yield store
    await store.close()


@pytest.fixture
def trail(tmp_path: Path) -> AccessStore:
    return SqliteAccessStore(tmp_path / "access.db")


@asynccontextmanager
async def forwarding(server: Server, trail: AccessStore, store: SqliteStore) -> AsyncIterator[None]:
    sender = SyslogSender(SyslogServer("127.0.0.1", server.port, is_tls=False), within_s=0.5)
    task = asyncio.create_task(AuditForwarder(sender, Format.JSON, trail, store.shelf, look_every_s=0.02).run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def write(trail: AccessStore, count: int) -> None:
    for number in range(count):
        trail.append_audit(AuditRecord(number, "default", "user:odile", "done", "thing\nof two lines"))


async def heard(server: Server, newest: int) -> None:
    async with asyncio.timeout(10):
        while newest not in server.numbers():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_every_entry_arrives_in_order(server: Server, trail: AccessStore, store: SqliteStore) -> None:
    write(trail, 450)
    async with forwarding(server, trail, store):
        await heard(server, 450)
        write(trail, 2)
        await heard(server, 452)
    assert server.numbers() == list(range(1, 453))


async def test_it_goes_on_where_it_stood(
    server: Server, trail: AccessStore, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SENT_AGAIN", 100)
    write(trail, 300)
    async with forwarding(server, trail, store):
        await heard(server, 300)
    server.lines.clear()
    async with forwarding(server, trail, store):
        write(trail, 1)
        await heard(server, 301)
    assert server.numbers() == list(range(201, 302))


async def test_what_a_server_took_and_never_read_comes_again_without_anything_new(
    server: Server, trail: AccessStore, store: SqliteStore
) -> None:
    write(trail, 3_000)
    server.reads = False
    async with forwarding(server, trail, store):
        await asyncio.sleep(1.0)
        await server.stop()
        assert server.lines == []
        server.reads = True
        await server.start()
        await heard(server, 3_000)
    assert sorted(set(server.numbers())) == list(range(1, 3_001))


@pytest.mark.parametrize("harm", ["cut", "changed"])
async def test_a_trail_that_is_not_the_one_that_was_told_is_told_anew(
    server: Server, trail: AccessStore, store: SqliteStore, tmp_path: Path, harm: str
) -> None:
    write(trail, 20)
    async with forwarding(server, trail, store):
        await heard(server, 20)
    other = SqliteAccessStore(tmp_path / "other.db")
    write(other, 15 if harm == "cut" else 30)
    server.lines.clear()
    async with forwarding(server, other, store):
        await heard(server, 16 if harm == "cut" else 31)
    newest = other.list_audit(None, 1)[0].record
    assert (newest.action, newest.object) == (CHANGED, "20")
    assert sorted(set(server.numbers())) == list(range(1, other.newest_audit() + 1))
    other.close()


async def test_what_happens_while_the_server_is_away_comes_when_it_is_back(
    server: Server, trail: AccessStore, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    write(trail, 10)
    async with forwarding(server, trail, store):
        await heard(server, 10)
        await server.stop()
        write(trail, 10)
        await asyncio.sleep(0.2)
        write(trail, 10)
        await server.start()
        await heard(server, 30)
    assert set(server.numbers()) == set(range(1, 31))
    assert caplog.text.count("the audit trail cannot be forwarded") >= 1


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("tls://logs.example", SyslogServer("logs.example", 6514, is_tls=True)),
        ("tcp://[::1]:514/", SyslogServer("::1", 514, is_tls=False)),
    ],
)
def test_an_address_names_a_server(address: str, server: SyslogServer) -> None:
    assert syslog_server(address) == server


@pytest.mark.parametrize("address", ["logs.example", "udp://logs.example", "tls://", "tls://h:x", "tcp://h/path"])
def test_what_is_no_address_is_refused_at_the_start(address: str, trail: AccessStore, store: SqliteStore) -> None:
    with pytest.raises(InvalidSettings, match="syslog"):
        build_forwarder(AuditSettings(forward=address), trail, store.shelf)


def test_without_a_server_nothing_is_forwarded(trail: AccessStore, store: SqliteStore) -> None:
    assert build_forwarder(AuditSettings(), trail, store.shelf) is None
