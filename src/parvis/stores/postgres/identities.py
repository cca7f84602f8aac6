"""Passkeys, authenticators and what people have begun, beside the accounts on PostgreSQL."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg

from parvis.access.identities.model import Authenticator, Begun, Digest, ForeignIdentity, Passkey
from parvis.kernel.errors import AlreadyExists
from parvis.kernel.time import Instant

Row = tuple[Any, ...]


class PostgresIdentities:
    """Its statements are those of the store of access, so that one transaction spans both."""

    def __init__(
        self,
        find: Callable[..., Row | None],
        rows: Callable[..., list[Row]],
        write: Callable[..., bool],
    ) -> None:
        self._find = find
        self._rows = rows
        self._write = write

    def begin(self, begun: Begun, now: Instant) -> None:
        self._write("DELETE FROM begun WHERE expires_at <= %s", now)
        self._write(
            "INSERT INTO begun VALUES (%s, %s, %s, %s, %s)",
            begun.digest,
            begun.purpose,
            begun.account,
            msgspec.json.encode(begun.facts),
            begun.expires_at,
        )

    def find_begun(self, digest: Digest, purpose: str, now: Instant) -> Begun | None:
        sql = "SELECT * FROM begun WHERE digest = %s AND purpose = %s AND expires_at > %s"
        return _begun(self._find(sql, digest, purpose, now))

    def finish(self, digest: Digest, purpose: str, now: Instant) -> Begun | None:
        sql = "DELETE FROM begun WHERE digest = %s AND purpose = %s AND expires_at > %s RETURNING *"
        return _begun(self._find(sql, digest, purpose, now))

    def keep_authenticator(self, one: Authenticator) -> None:
        self.drop_authenticator(one.account)
        self._write("INSERT INTO authenticator VALUES (%s, %s, %s, %s)", *msgspec.structs.astuple(one))

    def find_authenticator(self, account: str) -> Authenticator | None:
        row = self._find("SELECT * FROM authenticator WHERE account = %s", account)
        return Authenticator(*row) if row else None

    def take_step(self, account: str, step: int) -> bool:
        return self._write(
            "UPDATE authenticator SET last_step = %s WHERE account = %s AND last_step < %s", step, account, step
        )

    def drop_authenticator(self, account: str) -> bool:
        return self._write("DELETE FROM authenticator WHERE account = %s", account)

    def replace_recovery_codes(self, account: str, digests: Sequence[Digest]) -> None:
        self._write("DELETE FROM recovery_code WHERE account = %s", account)
        for digest in digests:
            self._write("INSERT INTO recovery_code VALUES (%s, %s)", account, digest)

    def use_recovery_code(self, account: str, digest: Digest) -> bool:
        return self._write("DELETE FROM recovery_code WHERE account = %s AND digest = %s", account, digest)

    def count_recovery_codes(self, account: str) -> int:
        (row,) = self._rows("SELECT count(*) FROM recovery_code WHERE account = %s", account)
        count: int = row[0]
        return count

    def add_passkey(self, passkey: Passkey) -> None:
        try:
            self._write(
                "INSERT INTO passkey VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", *msgspec.structs.astuple(passkey)
            )
        except psycopg.errors.UniqueViolation as error:
            raise AlreadyExists("This passkey is registered already.") from error

    def find_passkey(self, passkey_id: bytes) -> Passkey | None:
        row = self._find("SELECT * FROM passkey WHERE id = %s", passkey_id)
        return Passkey(*row) if row else None

    def list_passkeys(self, account: str) -> list[Passkey]:
        rows = self._rows("SELECT * FROM passkey WHERE account = %s ORDER BY created_at, name", account)
        return [Passkey(*row) for row in rows]

    def note_passkey_use(self, passkey_id: bytes, sign_count: int, at: Instant) -> None:
        self._write("UPDATE passkey SET sign_count = %s, last_used_at = %s WHERE id = %s", sign_count, at, passkey_id)

    def drop_passkey(self, account: str, passkey_id: bytes) -> bool:
        return self._write("DELETE FROM passkey WHERE account = %s AND id = %s", account, passkey_id)

    def keep_foreign(self, one: ForeignIdentity) -> None:
        self._write("DELETE FROM foreign_identity WHERE issuer = %s AND subject = %s", one.issuer, one.subject)
        self._write("INSERT INTO foreign_identity VALUES (%s, %s, %s, %s, %s)", *msgspec.structs.astuple(one))

    def find_foreign(self, issuer: str, subject: str) -> ForeignIdentity | None:
        row = self._find("SELECT * FROM foreign_identity WHERE issuer = %s AND subject = %s", issuer, subject)
        return ForeignIdentity(*row) if row else None

    def list_foreign(self, account: str) -> list[ForeignIdentity]:
        rows = self._rows("SELECT * FROM foreign_identity WHERE account = %s ORDER BY issuer, subject", account)
        return [ForeignIdentity(*row) for row in rows]


def _begun(row: Row | None) -> Begun | None:
    if row is None:
        return None
    digest, purpose, account, facts, expires_at = row
    return Begun(digest, purpose, account, msgspec.json.decode(facts), expires_at)
