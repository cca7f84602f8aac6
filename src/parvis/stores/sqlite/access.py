"""Access in a SQLite file of its own, `access.db`.

Its own file, so that hashes of passwords are not in every copy of the territory's data, commands can create or revoke
a key beside a running server, and no sign-in waits for the data's writer.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

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
from parvis.access.throttle import Throttle
from parvis.kernel.errors import AlreadyExists
from parvis.kernel.time import Instant

_BUSY_TIMEOUT_S = 5.0
_END = 1 << 62
_NAMES = ("access.sql", "identities.sql", "members.sql", "roles.sql", "privacy.sql")
_SCHEMAS = tuple(files(__package__).joinpath(name) for name in _NAMES)
_ADDED = (
    ("api_key", "device", "TEXT NOT NULL DEFAULT ''"),
    *(("session", name, "TEXT NOT NULL DEFAULT ''") for name in ("agent", "address")),
    ("session", "method", "TEXT NOT NULL DEFAULT 'password'"),
    ("session", "hint", "TEXT NOT NULL DEFAULT ''"),
    ("session", "secret", "BLOB NOT NULL DEFAULT x''"),
    ("session", "next_secret", "BLOB"),
    ("session", "next_at", "INTEGER NOT NULL DEFAULT 0"),
    ("session", "previous", "BLOB"),
    ("session", "rotated_at", "INTEGER NOT NULL DEFAULT 0"),
    ("member", "outline", "BLOB"),
)
"""Columns that a file which an older Parvis has made lacks, in the order of the schema."""


class SqliteAccessStore(AccessTables):
    """One connection, used from the thread that opened it. One process signs people in: attempts are in its memory."""

    def __init__(self, path: Path | str) -> None:
        if isinstance(path, Path):
            path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        self._depth = 0
        self._throttle = Throttle()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._bring_up_to_date()
        super().__init__(Statements(self._rows, self._write))

    def _bring_up_to_date(self) -> None:
        """At once or not at all: a first start makes some forty tables, and every commit waits for the disk."""
        script = "".join(schema.read_text(encoding="utf-8") for schema in _SCHEMAS)
        try:
            self._connection.executescript(f"BEGIN IMMEDIATE; {script}")
            for table, name, definition in _ADDED:
                self._add_column(table, name, definition)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.close()
            raise

    def _add_column(self, table: str, name: str, definition: str) -> None:
        columns = self._connection.execute(f"PRAGMA table_info({table})").fetchall()
        if name not in {column[1] for column in columns}:
            self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._depth == 0:
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._connection.execute("COMMIT")

    def add_account(self, account: Account) -> None:
        try:
            self._write("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)", *msgspec.structs.astuple(account))
        except sqlite3.IntegrityError as error:
            raise AlreadyExists(f"There is an account {account.name} already.") from error

    def find_account(self, name: str) -> Account | None:
        row = self._row("SELECT * FROM account WHERE name = ?", name)
        return _account(row) if row else None

    def list_accounts(self) -> list[Account]:
        return [_account(row) for row in self._connection.execute("SELECT * FROM account ORDER BY name")]

    def replace_account(self, account: Account) -> None:
        self._write(
            "UPDATE account SET password_hash = ?, role = ?, tenant = ?, disabled = ? WHERE name = ?",
            account.password_hash,
            account.role,
            account.tenant,
            account.disabled,
            account.name,
        )

    def add_session(self, session: Session) -> None:
        marks = ", ".join("?" for _ in Session.__struct_fields__)
        self._write(f"INSERT INTO session VALUES ({marks})", *msgspec.structs.astuple(session))

    def list_sessions(self, account: str) -> list[Session]:
        rows = self._rows("SELECT * FROM session WHERE account = ? ORDER BY last_seen_at DESC, digest", account)
        return [Session(*row) for row in rows]

    def offer_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        self._write("UPDATE session SET next_secret = ?, next_at = ? WHERE digest = ?", secret, at, digest)

    def turn_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        self._write(
            "UPDATE session SET previous = secret, secret = next_secret, next_secret = NULL, rotated_at = ?"
            " WHERE digest = ? AND next_secret = ?",
            at,
            digest,
            secret,
        )

    def rotate_soon(self, account: str) -> None:
        self._write("UPDATE session SET rotated_at = 0, next_at = 0 WHERE account = ?", account)

    def find_session(self, digest: Digest) -> Session | None:
        row = self._row("SELECT * FROM session WHERE digest = ?", digest)
        return Session(*row) if row else None

    def touch_session(self, digest: Digest, at: Instant) -> None:
        self._note("UPDATE session SET last_seen_at = ? WHERE digest = ?", at, digest)

    def end_session(self, digest: Digest) -> None:
        self._write("DELETE FROM session WHERE digest = ?", digest)

    def end_sessions_of(self, account: str) -> None:
        self._write("DELETE FROM session WHERE account = ?", account)

    def forget_sessions(self, before: Instant) -> None:
        self._write("DELETE FROM session WHERE expires_at < ?", before)

    def add_key(self, key: ApiKey) -> None:
        self._write("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *msgspec.structs.astuple(key))

    def find_key(self, digest: Digest) -> ApiKey | None:
        row = self._row("SELECT * FROM api_key WHERE digest = ?", digest)
        return ApiKey(*row) if row else None

    def find_key_by_id(self, key_id: str) -> ApiKey | None:
        row = self._row("SELECT * FROM api_key WHERE id = ?", key_id)
        return ApiKey(*row) if row else None

    def list_keys(self) -> list[ApiKey]:
        rows = self._connection.execute("SELECT * FROM api_key ORDER BY created_at, id")
        return [ApiKey(*row) for row in rows]

    def touch_key(self, digest: Digest, at: Instant) -> None:
        self._note("UPDATE api_key SET last_used_at = ? WHERE digest = ?", at, digest)

    def revoke_key(self, key_id: str, at: Instant) -> bool:
        return self._write("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at, key_id)

    def replace_link(self, link: OneTimeLink) -> None:
        with self.transaction():
            self._write("DELETE FROM one_time_link")
            self._write("INSERT INTO one_time_link VALUES (?, ?, ?, ?)", *msgspec.structs.astuple(link))

    def find_link(self, digest: Digest) -> OneTimeLink | None:
        row = self._row("SELECT * FROM one_time_link WHERE digest = ?", digest)
        return OneTimeLink(*row) if row else None

    def use_link(self, digest: Digest, at: Instant) -> OneTimeLink | None:
        row = self._row(
            "UPDATE one_time_link SET used_at = ?2 WHERE digest = ?1 AND used_at IS NULL AND expires_at > ?2"
            " RETURNING *",
            digest,
            at,
        )
        return OneTimeLink(*row) if row else None

    def replace_account_link(self, link: AccountLink) -> None:
        with self.transaction():
            self.end_account_links(link.account)
            self._write("INSERT INTO account_link VALUES (?, ?, ?)", *msgspec.structs.astuple(link))

    def find_account_link(self, digest: Digest, at: Instant) -> AccountLink | None:
        row = self._row("SELECT * FROM account_link WHERE digest = ? AND expires_at > ?", digest, at)
        return AccountLink(*row) if row else None

    def end_account_links(self, account: str) -> None:
        self._write("DELETE FROM account_link WHERE account = ?", account)

    def count_attempt(self, bounds: Sequence[Bound], now: Instant) -> int:
        return self._throttle.count(bounds, now)

    def forget_attempts(self, subject: Digest) -> None:
        self._throttle.forget(subject)

    def append_audit(self, record: AuditRecord) -> AuditEntry:
        with self.transaction():
            newest = self._row("SELECT * FROM audit ORDER BY number DESC LIMIT 1")
            entry = next_entry(entry_of(newest) if newest else None, record)
            self._write(
                "INSERT INTO audit VALUES (?, ?, ?)", entry.number, msgspec.json.encode(entry.record), entry.digest
            )
        return entry

    def read_audit(self, after: int = 0) -> Iterator[AuditEntry]:
        return map(entry_of, self._connection.execute("SELECT * FROM audit WHERE number > ? ORDER BY number", (after,)))

    def list_audit(self, before: int | None, limit: int) -> list[AuditEntry]:
        sql = "SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?"
        return [entry_of(row) for row in self._connection.execute(sql, (_END if before is None else before, limit))]

    def newest_audit(self) -> int:
        row = self._row("SELECT max(number) FROM audit")
        return row[0] or 0 if row else 0

    def _row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        return next(iter(self._rows(sql, *values)), None)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: object) -> bool:
        return self._connection.execute(sql, values).rowcount > 0

    def _note(self, sql: str, *values: object) -> None:
        """Without waiting for the disk: a note of use may be lost with the power, an audit entry may not."""
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(sql, values)
        self._connection.execute("PRAGMA synchronous = FULL")


def _account(row: tuple[Any, ...]) -> Account:
    name, password_hash, role, tenant, created_at, disabled = row
    return Account(name, password_hash, role, tenant, created_at, bool(disabled))
