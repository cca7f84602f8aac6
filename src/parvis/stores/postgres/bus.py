"""News between processes over LISTEN and NOTIFY: many messages in one notification, large ones through a table."""

import asyncio
import base64
import contextlib
import logging
import os
import queue
import selectors
import threading
from collections.abc import Iterator

import msgspec
import psycopg
from prometheus_client import Counter

from parvis.broker.leading import new_holder
from parvis.kernel.bus import Hear
from parvis.kernel.trouble import Trouble
from parvis.stores.postgres.database import Connection, Database, StoreUnreachable

CHANNEL = "parvis_bus"
MOST_WAITING = 10_000
NOTICE_BYTES = 5_600
"""PostgreSQL takes 8 000 bytes of text in a notification; base64 makes four of three."""
KEPT_S = 60
_RETRY_S = 1.0
_log = logging.getLogger(__name__)

DROPPED = Counter("parvis_bus_messages_dropped_total", "News to other processes that could not be told in time.")


class _Letter(msgspec.Struct, array_like=True, frozen=True):
    sender: str
    messages: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Letter).decode


class PostgresBus:
    """A Bus of all processes on one database; two threads, each with a connection of its own.

    Nothing is told while this process does not hear: it hears what it tells itself.
    """

    def __init__(self, database: Database) -> None:
        self.process = new_holder()
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._hear: Hear = _nobody
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._stop, self._stopping = os.pipe()
        self._closed = threading.Event()
        self._listening = threading.Event()
        self._deaf = Trouble("other processes are not heard")
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._send, "parvis-bus-out"), (self._receive, "parvis-bus-in"))
        ]
        for thread in self._threads:
            thread.start()

    def listen(self, hear: Hear) -> None:
        self._hear = hear

    def tell(self, message: bytes) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            DROPPED.inc()

    async def close(self) -> None:
        """Tell what waits, then end."""
        self._closed.set()
        self._listening.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        os.write(self._stopping, b".")
        await asyncio.to_thread(self._join)
        os.close(self._stop)
        os.close(self._stopping)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        connection: Connection | None = None
        while (letter := self._next_letter()) is not None:
            while not self._listening.wait(_RETRY_S) and not self._closed.is_set():
                pass
            try:
                connection = connection or self._database.connect("parvis bus")
                _post(connection, _encode(letter))
            except (psycopg.Error, StoreUnreachable) as fault:
                DROPPED.inc(len(letter.messages))
                _log.warning("news could not be told to other processes", extra={"reason": str(fault)})
                if connection is not None:
                    connection.close()
                    connection = None
                if self._closed.is_set():
                    return
                self._closed.wait(_RETRY_S)
        if connection is not None:
            connection.close()

    def _next_letter(self) -> _Letter | None:
        """What waits, up to a notification's worth; None when closed and nothing waits any more."""
        if self._closed.is_set() and self._waiting.empty():
            return None
        first = self._waiting.get()
        if first is None:
            return None
        messages, size = [first], len(first)
        while size < NOTICE_BYTES // 2:
            try:
                following = self._waiting.get_nowait()
            except queue.Empty:
                break
            if following is not None:
                messages.append(following)
                size += len(following)
        return _Letter(self.process, messages)

    def _receive(self) -> None:
        while not self._closed.is_set():
            try:
                with self._database.connect("parvis bus") as connection:
                    for letter in self._letters(connection):
                        self._loop.call_soon_threadsafe(self._deliver, letter)
            except (psycopg.Error, StoreUnreachable) as fault:
                if not self._closed.is_set():
                    self._listening.clear()
                    self._deaf.note(fault)
                    self._closed.wait(_RETRY_S)
            except RuntimeError:  # the loop is closed
                return

    def _letters(self, connection: Connection) -> Iterator[_Letter]:
        connection.execute(f"LISTEN {CHANNEL}")
        self._deaf.is_over()
        self._listening.set()
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while not self._closed.is_set():
                heard = list(connection.notifies(timeout=0))  # the connection is locked until it has told all
                for one in heard:
                    yield from _opened(connection, one.payload)
                selector.select()

    def _deliver(self, letter: _Letter) -> None:
        for message in letter.messages:
            self._hear(letter.sender, message)


def _post(connection: Connection, letter: bytes) -> None:
    with connection.transaction():
        if len(letter) <= NOTICE_BYTES:
            payload = base64.b64encode(letter).decode()
        else:
            connection.execute(f"DELETE FROM bus_letter WHERE at < now() - interval '{KEPT_S} seconds'")
            row = connection.execute("INSERT INTO bus_letter (body) VALUES (%s) RETURNING id", (letter,)).fetchone()
            assert row is not None
            payload = f"#{row[0]}"
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))


def _opened(connection: Connection, payload: str) -> Iterator[_Letter]:
    """Nothing for one that is no letter, whoever sent it, or that was fetched too late."""
    with contextlib.suppress(ValueError, msgspec.DecodeError):
        body = base64.b64decode(payload) if not payload.startswith("#") else _fetch(connection, int(payload[1:]))
        if body:
            yield _decode(body)


def _fetch(connection: Connection, letter_id: int) -> bytes:
    row = connection.execute("SELECT body FROM bus_letter WHERE id = %s", (letter_id,)).fetchone()
    return bytes(row[0]) if row else b""


def _nobody(_sender: str, _message: bytes) -> None:
    pass
