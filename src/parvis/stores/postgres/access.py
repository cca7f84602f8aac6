"""Access on PostgreSQL: accounts, sessions, keys, links and the audit trail that all processes share.

Calls are synchronous and run on the event loop, so each is bounded: a statement by its timeout, a connection that no
longer answers by the system's, and while there is none a call fails at once. A thread connects again meanwhile.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import psycopg

from parvis.access.audit import entry_of, next_entry
from parvis.access.model import (
    Account,
    AccountLink,
    ApiKey,
    AuditEntry,
    AuditRecord,
    Bound,
    Digest,
    OneTimeLink,
    Session,
)
from parvis.access.tables.all import AccessTables
from parvis.access.tables.statements import Statements
from parvis.access.throttle import WINDOW, wait_s
from parvis.kernel.errors import AlreadyExists
from parvis.kernel.time import Instant
from parvis.stores.postgres.database import IN_THE_WAY, Connection, Database, StoreUnreachable, is_lost

RETRY_EVERY_S = 1.0
_STATEMENT_MS = 2_000
_END = 1 << 62
_AUDIT_AT_ONCE = 1_000
_ACCESS_LOCK = 0x61636365
"""Held by every transaction of access: the audit chain has one end, and no two wait for each other's rows."""
MOST_ATTEMPTS = 100_000
_NEWEST_BEYOND = """
SELECT max(reached.at) FROM unnest(%s::bytea[], %s::integer[]) AS bound (subject, allowed) CROSS JOIN LATERAL (
    SELECT at FROM attempt WHERE attempt.subject = bound.subject AND at <= %s
    ORDER BY at DESC OFFSET bound.allowed - 1 LIMIT 1
) AS reached
"""
_UNHURRIED = "(SELECT set_config('synchronous_commit', 'off', true)) AS unhurried"
_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


class PostgresAccessStore(AccessTables):
    """AccessStore on one connection, used from the thread that opened it."""

    def __init__(self, database: Database) -> None:
        """Raises StoreUnreachable."""
        self._database = database
        self._connection: Connection | None = self._open()
        self._depth = 0
        super().__init__(Statements(_marked(self._rows), _marked(self._write)))
        self._connecting: threading.Thread | None = None
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        if self._connecting is not None:
            self._connecting.join()
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._depth:
            yield
            return
        connection = self._reachable()
        self._depth = 1
        try:
            with self._watched(), connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ACCESS_LOCK,))
                yield
        finally:
            self._depth = 0

    def add_account(self, account: Account) -> None:
        try:
            self._write("INSERT INTO account VALUES (%s, %s, %s, %s, %s, %s)", *msgspec.structs.astuple(account))
        except psycopg.errors.UniqueViolation as error:
            raise AlreadyExists(f"There is an account {account.name} already.") from error

    def find_account(self, name: str) -> Account | None:
        row = self._row("SELECT * FROM account WHERE name = %s", name)
        return Account(*row) if row else None

    def list_accounts(self) -> list[Account]:
        return [Account(*row) for row in self._rows("SELECT * FROM account ORDER BY name")]

    def replace_account(self, account: Account) -> None:
        self._write(
            "UPDATE account SET password_hash = %s, role = %s, tenant = %s, disabled = %s WHERE name = %s",
            account.password_hash,
            account.role,
            account.tenant,
            account.disabled,
            account.name,
        )

    def add_session(self, session: Session) -> None:
        marks = ", ".join("%s" for _ in Session.__struct_fields__)
        self._write(f"INSERT INTO session VALUES ({marks})", *msgspec.structs.astuple(session))

    def list_sessions(self, account: str) -> list[Session]:
        rows = self._rows("SELECT * FROM session WHERE account = %s ORDER BY last_seen_at DESC, digest", account)
        return [Session(*row) for row in rows]

    def offer_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        self._write("UPDATE session SET next_secret = %s, next_at = %s WHERE digest = %s", secret, at, digest)

    def turn_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        self._write(
            "UPDATE session SET previous = secret, secret = next_secret, next_secret = NULL, rotated_at = %s"
            " WHERE digest = %s AND next_secret = %s",
            at,
            digest,
            secret,
        )

    def rotate_soon(self, account: str) -> None:
        self._write("UPDATE session SET rotated_at = 0, next_at = 0 WHERE account = %s", account)

    def find_session(self, digest: Digest) -> Session | None:
        row = self._row("SELECT * FROM session WHERE digest = %s", digest)
        return Session(*row) if row else None

    def touch_session(self, digest: Digest, at: Instant) -> None:
        self._write(f"UPDATE session SET last_seen_at = %s FROM {_UNHURRIED} WHERE digest = %s", at, digest)

    def end_session(self, digest: Digest) -> None:
        self._write("DELETE FROM session WHERE digest = %s", digest)

    def end_sessions_of(self, account: str) -> None:
        self._write("DELETE FROM session WHERE account = %s", account)

    def forget_sessions(self, before: Instant) -> None:
        self._write("DELETE FROM session WHERE expires_at < %s", before)

    def add_key(self, key: ApiKey) -> None:
        self._write(
            "INSERT INTO api_key VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", *msgspec.structs.astuple(key)
        )

    def find_key(self, digest: Digest) -> ApiKey | None:
        row = self._row("SELECT * FROM api_key WHERE digest = %s", digest)
        return ApiKey(*row) if row else None

    def find_key_by_id(self, key_id: str) -> ApiKey | None:
        row = self._row("SELECT * FROM api_key WHERE id = %s", key_id)
        return ApiKey(*row) if row else None

    def list_keys(self) -> list[ApiKey]:
        return [ApiKey(*row) for row in self._rows("SELECT * FROM api_key ORDER BY created_at, id")]

    def touch_key(self, digest: Digest, at: Instant) -> None:
        self._write(f"UPDATE api_key SET last_used_at = %s FROM {_UNHURRIED} WHERE digest = %s", at, digest)

    def revoke_key(self, key_id: str, at: Instant) -> bool:
        return self._write("UPDATE api_key SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL", at, key_id)

    def replace_link(self, link: OneTimeLink) -> None:
        with self.transaction():
            self._write("DELETE FROM one_time_link")
            self._write("INSERT INTO one_time_link VALUES (%s, %s, %s, %s)", *msgspec.structs.astuple(link))

    def find_link(self, digest: Digest) -> OneTimeLink | None:
        row = self._row("SELECT * FROM one_time_link WHERE digest = %s", digest)
        return OneTimeLink(*row) if row else None

    def use_link(self, digest: Digest, at: Instant) -> OneTimeLink | None:
        row = self._row(
            "UPDATE one_time_link SET used_at = %s WHERE digest = %s AND used_at IS NULL AND expires_at > %s"
            " RETURNING *",
            at,
            digest,
            at,
        )
        return OneTimeLink(*row) if row else None

    def replace_account_link(self, link: AccountLink) -> None:
        with self.transaction():
            self.end_account_links(link.account)
            self._write("INSERT INTO account_link VALUES (%s, %s, %s)", *msgspec.structs.astuple(link))

    def find_account_link(self, digest: Digest, at: Instant) -> AccountLink | None:
        row = self._row("SELECT * FROM account_link WHERE digest = %s AND expires_at > %s", digest, at)
        return AccountLink(*row) if row else None

    def end_account_links(self, account: str) -> None:
        self._write("DELETE FROM account_link WHERE account = %s", account)

    def count_attempt(self, bounds: Sequence[Bound], now: Instant) -> int:
        subjects, allowed = [one.subject for one in bounds], [one.allowed for one in bounds]
        with self.transaction():
            self._write("DELETE FROM attempt WHERE at <= %s", now - WINDOW)
            row = self._row(_NEWEST_BEYOND, subjects, allowed, now)
            if row and row[0] is not None:
                return wait_s(row[0], now)
            self._write("INSERT INTO attempt (subject, at) SELECT unnest(%s::bytea[]), %s", subjects, now)
            self._write("DELETE FROM attempt WHERE number <= (SELECT max(number) FROM attempt) - %s", MOST_ATTEMPTS)
        return 0

    def forget_attempts(self, subject: Digest) -> None:
        self._write("DELETE FROM attempt WHERE subject = %s", subject)

    def append_audit(self, record: AuditRecord) -> AuditEntry:
        with self.transaction():
            newest = self._row("SELECT * FROM audit ORDER BY number DESC LIMIT 1")
            entry = next_entry(entry_of(newest) if newest else None, record)
            self._write(
                "INSERT INTO audit VALUES (%s, %s, %s)", entry.number, msgspec.json.encode(entry.record), entry.digest
            )
        return entry

    def read_audit(self, after: int = 0) -> Iterator[AuditEntry]:
        sql = "SELECT * FROM audit WHERE number > %s ORDER BY number LIMIT %s"
        while rows := self._rows(sql, after, _AUDIT_AT_ONCE):
            yield from map(entry_of, rows)
            after = rows[-1][0]

    def list_audit(self, before: int | None, limit: int) -> list[AuditEntry]:
        sql = "SELECT * FROM audit WHERE number < %s ORDER BY number DESC LIMIT %s"
        return [entry_of(row) for row in self._rows(sql, _END if before is None else before, limit)]

    def newest_audit(self) -> int:
        row = self._row("SELECT max(number) FROM audit")
        return row[0] or 0 if row else 0

    def _row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        return next(iter(self._rows(sql, *values)), None)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._execute(sql, values, psycopg.Cursor.fetchall)

    def _write(self, sql: str, *values: object) -> bool:
        return self._execute(sql, values, lambda cursor: cursor.rowcount > 0)

    def _execute(self, sql: str, values: tuple[object, ...], read: Callable[[psycopg.Cursor[Any]], _Answer]) -> _Answer:
        connection = self._reachable()
        with self._watched():
            return read(connection.execute(sql.encode(), values))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """What became of a commit whose answer was lost is not known: the caller asks again."""
        try:
            yield
        except psycopg.Error as fault:
            if not isinstance(fault, IN_THE_WAY) and not is_lost(self._connection, fault):
                raise
            self._reconnect_if_lost()
            raise _unreachable(fault) from fault

    def _reachable(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._reconnect_if_lost()
            raise _unreachable("there is no connection just now")
        return self._connection

    def _reconnect_if_lost(self) -> None:
        if self._connection is not None and not self._connection.closed:
            return
        if self._connecting is None or not self._connecting.is_alive():
            self._connecting = threading.Thread(target=self._connect_again, name="parvis-access", daemon=True)
            self._connecting.start()

    def _connect_again(self) -> None:
        while not self._closed.is_set():
            try:
                self._connection = self._open()
            except StoreUnreachable:
                self._closed.wait(RETRY_EVERY_S)
            else:
                _log.info("access is reachable again")
                return

    def _open(self) -> Connection:
        connection = self._database.connect()
        try:
            connection.execute(f"SET statement_timeout = {_STATEMENT_MS}")
        except psycopg.Error as fault:
            connection.close()
            raise _unreachable(fault) from fault
        connection.prepare_threshold = 2
        return connection


def _unreachable(fault: object) -> StoreUnreachable:
    return StoreUnreachable(f"The database of accounts and keys does not answer: {fault}", retry_after_s=2)


def _marked(act: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """The same for statements in which `?` stands for a value."""
    return lambda sql, *values: act(sql.replace("?", "%s"), *values)
