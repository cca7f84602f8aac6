"""Connections: how every one of them is opened, and the schema's version."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from parvis.broker.ports.store import StoreNotUsable
from parvis.broker.schema import Schema

SCHEMA = Schema(__package__)
PAGE_BYTES = 1024
"""Small pages: an update of a few attributes writes whole pages to the WAL and again at the checkpoint. Measured with
200 000 entities: 530 bytes an observation, against 790 with 2 048-byte pages; an aggregate takes a tenth longer."""

BUSY_TIMEOUT_MS = 10_000
READER_CACHE_KIB = 8_192
"""Of each connection that a thread has for long reads, which come by their pages once. Four of them with as much as the
quick one took the process of a long import beyond 200 MiB."""

Connection = sqlite3.Connection
RunSql = Callable[[Callable[[Connection], Any]], Awaitable[Any]]
"""In a transaction of the writer's thread, or in a snapshot of a reader's."""


class Database:
    """One SQLite file, or a private in-memory database that all connections of this object share."""

    def __init__(self, path: str | Path) -> None:
        self._memory = str(path) == ":memory:"
        shared = f"file:/parvis-{uuid4().hex}?vfs=memdb"
        self._uri = shared if self._memory else Path(path).resolve().as_uri()
        self.path = None if self._memory else Path(path)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def count_bytes(self) -> int:
        """Of the database, with its log; of one in memory none."""
        return 0 if self.path is None else self.path.stat().st_size + self.wal_bytes()

    def wal_bytes(self) -> int:
        """How long the write-ahead log is just now."""
        if self.path is None:
            return 0
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def connect_writer(self) -> Connection:
        """The one connection that writes; creates the schema in an empty database.

        Raises:
            StoreNotUsable: the file was written by a newer Parvis, or is no database.
        """
        connection = self._connect()
        with ExitStack() as unless_usable:
            unless_usable.callback(connection.close)
            self._prepare(connection)
            unless_usable.pop_all()
        return connection

    def _prepare(self, connection: Connection) -> None:
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA cache_size = -65536")
            _bring_to_version(connection)
        except sqlite3.DatabaseError as fault:
            raise StoreNotUsable(f"{self.path} is no usable store: {fault}.") from fault

    def connect_reader(self) -> Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
        return connection

    def connect_checkpointer(self) -> Connection:
        return self._connect()

    def _connect(self) -> Connection:
        return sqlite3.connect(
            self._uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )


def shrink(connection: Connection) -> None:
    """Let go of the pages that it keeps at hand."""
    connection.execute("PRAGMA shrink_memory")


def _bring_to_version(connection: Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, step in SCHEMA.each_step_from(version):
        connection.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT")


def find_version(path: Path) -> int:
    """Of a store's schema; 0 of an empty file. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
