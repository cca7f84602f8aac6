"""Connections: how every one of them is opened, and the schema's version."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.rows import TupleRow

from parvis.broker.ports.store import StoreNotUsable
from parvis.broker.schema import Schema
from parvis.kernel.errors import Overloaded, TooComplexQuery

CONNECT_TIMEOUT_S = 3
EVERY_TENANT = 0
STANDS_STILL_S = 15.0
"""A process that does so in the middle of a transaction loses its locks, and what it had not committed."""
READS_ELSEWHERE_S = 600.0
"""What only reads may be busy with files for so long, in the middle of a transaction."""
MOST_WAITING = 2_000
ATTEMPTS = 4
"""How often a question is asked that others were in the way of."""
IN_THE_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)
_OF_THE_SERVER = frozenset({"08", "25", "28", "53", "57", "58", "F0", "XX"})
"""Classes of SQLSTATE that say nothing about the request: the next one would fare no better."""
_LIVELY: dict[str, Any] = {
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""A server whose machine is gone says nothing: without these a question would wait for minutes."""
SCHEMA = Schema(__package__)
_TRY_LOCK_MS = 5_000
_MIGRATION_LOCK = 0x70617276
"""Of all processes that open the same database, one brings it to the newest schema."""

Connection = psycopg.Connection[TupleRow]
Answer = TypeVar("Answer")


class StoreUnreachable(Overloaded):
    """PostgreSQL refuses, restarts or is gone. Nothing was stored, unless it went away during the commit."""

    title: ClassVar[str] = "The database does not answer just now"


class CommitUnknown(StoreUnreachable):
    """It went away during the commit."""

    may_be_stored: ClassVar[bool] = True


class Database:
    """One PostgreSQL database (a libpq connection string or URI)."""

    def __init__(self, url: str) -> None:
        self._url = url

    def connect(self, name: str = "parvis", stands_still_s: float | None = None) -> Connection:
        """A connection that ends where the server no longer answers, and where this process no longer does while
        others wait for its locks. Raises StoreUnreachable."""
        patience_s = STANDS_STILL_S if stands_still_s is None else stands_still_s
        try:
            connection = psycopg.connect(
                self._url, connect_timeout=CONNECT_TIMEOUT_S, application_name=name, autocommit=True, **_LIVELY
            )
        except psycopg.OperationalError as fault:
            raise unreachable(fault) from fault
        try:
            connection.execute(f"SET idle_in_transaction_session_timeout = {round(patience_s * 1000)}".encode())
        except psycopg.Error as fault:
            connection.close()
            raise unreachable(fault) from fault
        return connection

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

    def find_version(self) -> int:
        """Of the schema; 0 where there is no store. Raises StoreUnreachable."""
        with self.connect() as connection:
            return _version(connection)

    def try_steps(self) -> None:
        """Everything that `prepare` would do, and nothing of it stays. Others wait meanwhile, or are waited for.

        Raises StoreUnreachable, StoreNotUsable.
        """
        with self.connect("parvis upgrade") as connection:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(f"SET LOCAL lock_timeout = {_TRY_LOCK_MS}".encode())
                    for _, step in SCHEMA.each_step_from(_version(connection)):
                        connection.execute(step.encode())
            except psycopg.DatabaseError as fault:
                raise StoreNotUsable(f"The database cannot be brought to the newest schema: {fault}") from fault

    def check_schema(self) -> bool:
        """Whether there is a store; changes nothing.

        Raises:
            StoreUnreachable
            StoreNotUsable: its schema is not of this Parvis.
        """
        with self.connect() as connection:
            try:
                version = _version(connection)
            except psycopg.DatabaseError as fault:
                raise StoreNotUsable(f"The database is no usable store: {fault}") from fault
        if version:
            SCHEMA.check(version)
        return version > 0


def unreachable(fault: Exception) -> StoreUnreachable:
    """In one line, without what libpq asks back ("Is the server running on that host ...?")."""
    said = (" ".join(line.split()) for line in str(fault).splitlines())
    told = " ".join(line for line in said if not line.endswith("?"))
    return StoreUnreachable(f"PostgreSQL does not answer: {told}", retry_after_s=5)


def is_lost(connection: Connection | None, fault: psycopg.Error) -> bool:
    """Whether the fault is of the server or the connection, not of what was asked."""
    if connection is None or connection.closed:
        return True
    if fault.sqlstate is None:
        return isinstance(fault, psycopg.OperationalError)
    return fault.sqlstate[:2] in _OF_THE_SERVER


class TookTooLong(TooComplexQuery):
    """It was ended, and may begin anew where there is more time."""


class _Allowed(threading.local):
    """What a thread of a Pool may take for the question it has in hand."""

    longest_s = 0.0
    until_s = float("inf")


_allowed = _Allowed()


def check_time() -> None:
    """For questions of many statements. Raises TookTooLong."""
    if time.monotonic() > _allowed.until_s:
        raise _too_long()


def _too_long() -> TookTooLong:
    longest = f"{_allowed.longest_s:g} s"
    return TookTooLong(f"It took more than {longest}: ask for less, or without counting all there is.")


@contextmanager
def scoped(connection: Connection, tenant: int, first: bytes = b"") -> Iterator[Connection]:
    """A transaction that sees the rows of one tenant, or EVERY_TENANT. `first` is done before there is a snapshot."""
    with connection.transaction():
        if first:
            connection.execute(first)
        connection.execute("SELECT set_config('parvis.tenant', %s, true)", (str(tenant),))
        yield connection


def enter(connection: Connection, tenant: str) -> int | None:
    """From here on the transaction sees the rows of this tenant only; None, that no row is of, where there is no such
    tenant."""
    sql = "SELECT id, set_config('parvis.tenant', id::text, true) FROM tenant WHERE name = %s"
    row = connection.execute(sql, (tenant,)).fetchone()
    return None if row is None else int(row[0])


def only_row(connection: Connection, sql: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    """Of a question that one row always answers."""
    row = connection.execute(sql.encode(), values).fetchone()
    assert row is not None, "there is always one"
    return row


class Pool:
    """Threads, each with a connection of its own that is opened anew when it was lost.

    A question is asked again where a transaction was undone for others in its way, and where the connection was lost
    before it was asked. With `longest_s` every transaction only reads, all of it from one state of the database and no
    longer than that; it is asked once more wherever the connection was lost.
    """

    def __init__(self, database: Database, threads: int, name: str, *, longest_s: float | None = None) -> None:
        self._database = database
        self._longest_s = longest_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[Connection] = []
        self._waiting = 0

    async def run(self, tenant: int, ask: Callable[[Connection], Answer], first: bytes = b"") -> Answer:
        """`ask` in one transaction of one thread; maybe again, so it changes nothing but the database. `first` as in
        `scoped`.

        Raises:
            Overloaded: too many wait, or others were in the way all the time.
            StoreUnreachable
            TookTooLong
        """
        if self._waiting >= MOST_WAITING:
            raise Overloaded(f"{self._waiting} questions wait for the database already.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, tenant, ask, first)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for connection in self._opened:
            connection.close()

    def _ask(self, tenant: int, ask: Callable[[Connection], Answer], first: bytes) -> Answer:
        was_lost = False
        for _ in range(ATTEMPTS):
            try:
                return self._ask_once(tenant, ask, first)
            except IN_THE_WAY:
                continue
            except psycopg.Error as fault:
                if self._longest_s is not None and isinstance(fault, psycopg.errors.QueryCanceled):
                    raise _too_long() from fault
                if not is_lost(self._known(), fault):
                    raise
                if was_lost or not self._may_ask_again(fault):
                    raise unreachable(fault) from fault
                was_lost = True
        raise Overloaded("Others change the same all the time; nothing of this request was stored.")

    def _ask_once(self, tenant: int, ask: Callable[[Connection], Answer], first: bytes) -> Answer:
        self._local.has_asked = False
        with scoped(self._connection(), tenant, first) as connection:
            self._local.has_asked = True
            if self._longest_s is not None:
                _allowed.longest_s, _allowed.until_s = self._longest_s, time.monotonic() + self._longest_s
            return ask(connection)

    def _may_ask_again(self, fault: psycopg.Error) -> bool:
        """The connection was lost, and nothing can have been changed."""
        known = self._known()
        if known is not None and fault.diag.severity_nonlocalized in ("FATAL", "PANIC"):
            known.close()
        return known is not None and known.closed and (self._longest_s is not None or not self._local.has_asked)

    def _known(self) -> Connection | None:
        known: Connection | None = getattr(self._local, "connection", None)
        return known

    def _connection(self) -> Connection:
        known = self._known()
        if known is None or known.closed:
            known = self._local.connection = self._open()
        return known

    def _open(self) -> Connection:
        connection = self._database.connect(stands_still_s=None if self._longest_s is None else READS_ELSEWHERE_S)
        with self._lock:
            self._opened = [one for one in self._opened if not one.closed] + [connection]
        if self._longest_s is not None:
            connection.execute(f"SET statement_timeout = {round(self._longest_s * 1000)}".encode())
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        return connection


def _bring_to_version(connection: Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
    version = _version(connection)
    for number, step in SCHEMA.each_step_from(version):
        with connection.transaction():
            connection.execute(step.encode())
            connection.execute("DELETE FROM schema_version")
            connection.execute("INSERT INTO schema_version VALUES (%s)", (number,))


def _version(connection: Connection) -> int:
    """0: there is no store."""
    there: tuple[Any, ...] | None = connection.execute("SELECT to_regclass('schema_version') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return 0
    row: tuple[Any, ...] | None = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(row[0]) if row else 0
