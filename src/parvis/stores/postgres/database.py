"""Connections: how every one of them is opened, and the schema's version."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.rows import TupleRow

from parvis.broker.ports.store import StoreNotUsable
from parvis.kernel.errors import Overloaded

CONNECT_TIMEOUT_S = 3
EVERY_TENANT = 0
_LIVELY: dict[str, Any] = {
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""A server whose machine is gone says nothing: without these a question would wait for minutes."""
_SCHEMA = files(__package__).joinpath("schema.sql")
MIGRATIONS = tuple(
    one.read_text("utf-8")
    for one in sorted(files(__package__).joinpath("migrations").iterdir(), key=lambda one: one.name)
    if one.name.endswith(".sql")
)
"""Number n leads from schema n - 1 to schema n; the first makes an empty database schema 1."""
SCHEMA_VERSION = len(MIGRATIONS)
_MIGRATION_LOCK = 0x70617276
"""Of all processes that open the same database, one brings it to the newest schema."""

Connection = psycopg.Connection[TupleRow]
Answer = TypeVar("Answer")


class StoreUnreachable(Overloaded):
    """PostgreSQL refuses, restarts or is gone: nothing was stored."""

    title: ClassVar[str] = "The database does not answer just now"


class Database:
    """One PostgreSQL database (a libpq connection string or URI)."""

    def __init__(self, url: str) -> None:
        self._url = url

    def connect(self, name: str = "parvis") -> Connection:
        """A connection that ends where the server no longer answers. Raises StoreUnreachable."""
        try:
            return psycopg.connect(
                self._url, connect_timeout=CONNECT_TIMEOUT_S, application_name=name, autocommit=True, **_LIVELY
            )
        except psycopg.OperationalError as fault:
            raise unreachable(fault) from fault

    def prepare(self) -> None:
        """Create the schema in an empty database, or bring it to the newest version.

        Raises:
            StoreUnreachable
            StoreNotUsable: the database was written by a newer Parvis, or may not be written.
        """
        with self.connect() as connection:
            try:
                connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
                _bring_to_version(connection)
            except psycopg.DatabaseError as fault:
                raise StoreNotUsable(f"The database is no usable store: {fault}") from fault


def unreachable(fault: Exception) -> StoreUnreachable:
    """In one line."""
    return StoreUnreachable(f"PostgreSQL does not answer: {' '.join(str(fault).split())}", retry_after_s=5)


@contextmanager
def scoped(connection: Connection, tenant: int) -> Iterator[Connection]:
    """A transaction that sees the rows of one tenant, or EVERY_TENANT."""
    with connection.transaction():
        connection.execute("SELECT set_config('parvis.tenant', %s, true)", (str(tenant),))
        yield connection


class Pool:
    """Threads, each with a connection of its own that is opened anew when it was lost.

    With `snapshots` every transaction only reads, all of it from one state of the database, and is tried once more
    where the connection turns out to be lost.
    """

    def __init__(self, database: Database, threads: int, name: str, *, snapshots: bool = False) -> None:
        self._database = database
        self._snapshots = snapshots
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._local = threading.local()
        self._opened: list[Connection] = []

    async def run(self, tenant: int, ask: Callable[[Connection], Answer]) -> Answer:
        """`ask` in one transaction of one thread. Raises StoreUnreachable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, tenant, ask)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for connection in self._opened:
            connection.close()

    def _ask(self, tenant: int, ask: Callable[[Connection], Answer]) -> Answer:
        try:
            try:
                return self._ask_once(tenant, ask)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not self._snapshots or not self._connection_is_lost():
                    raise
            return self._ask_once(tenant, ask)
        except (psycopg.OperationalError, psycopg.InterfaceError) as fault:
            raise unreachable(fault) from fault

    def _ask_once(self, tenant: int, ask: Callable[[Connection], Answer]) -> Answer:
        with scoped(self._connection(), tenant) as connection:
            return ask(connection)

    def _connection_is_lost(self) -> bool:
        known: Connection | None = getattr(self._local, "connection", None)
        return known is not None and known.closed

    def _connection(self) -> Connection:
        known: Connection | None = getattr(self._local, "connection", None)
        if known is None or known.closed:
            known = self._local.connection = self._database.connect()
            if self._snapshots:
                known.isolation_level, known.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            self._opened = [one for one in self._opened if not one.closed] + [known]
        return known


def _bring_to_version(connection: Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
    row: tuple[Any, ...] | None = connection.execute("SELECT version FROM schema_version").fetchone()
    version = row[0] if row else 0
    if version > SCHEMA_VERSION:
        raise StoreNotUsable(
            f"The store has schema {version}, this Parvis knows {SCHEMA_VERSION}: install a newer one."
        )
    if version == SCHEMA_VERSION:
        return
    steps = _SCHEMA.read_text("utf-8") if version == 0 else "\n".join(MIGRATIONS[version:])
    with connection.transaction():
        connection.execute(steps.encode())
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (%s)", (SCHEMA_VERSION,))
