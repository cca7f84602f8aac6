"""Passkeys, authenticators and what people have begun, beside the accounts."""

from collections.abc import Sequence

import msgspec

from parvis.access.identities.model import Authenticator, Begun, Digest, ForeignIdentity, Passkey
from parvis.access.tables.statements import Row, Statements
from parvis.kernel.errors import AlreadyExists
from parvis.kernel.time import Instant


class IdentityTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def begin(self, begun: Begun, now: Instant) -> None:
        self._on.write("DELETE FROM begun WHERE expires_at <= ?", now)
        self._on.write(
            "INSERT INTO begun VALUES (?, ?, ?, ?, ?)",
            begun.digest,
            begun.purpose,
            begun.account,
            msgspec.json.encode(begun.facts),
            begun.expires_at,
        )

    def find_begun(self, digest: Digest, purpose: str, now: Instant) -> Begun | None:
        sql = "SELECT * FROM begun WHERE digest = ? AND purpose = ? AND expires_at > ?"
        return _begun(self._on.find(sql, digest, purpose, now))

    def finish(self, digest: Digest, purpose: str, now: Instant) -> Begun | None:
        sql = "DELETE FROM begun WHERE digest = ? AND purpose = ? AND expires_at > ? RETURNING *"
        return _begun(self._on.find(sql, digest, purpose, now))

    def keep_authenticator(self, one: Authenticator) -> None:
        self.drop_authenticator(one.account)
        self._on.write("INSERT INTO authenticator VALUES (?, ?, ?, ?)", *msgspec.structs.astuple(one))

    def find_authenticator(self, account: str) -> Authenticator | None:
        row = self._on.find("SELECT * FROM authenticator WHERE account = ?", account)
        return Authenticator(*row) if row else None

    def take_step(self, account: str, step: int) -> bool:
        return self._on.write(
            "UPDATE authenticator SET last_step = ? WHERE account = ? AND last_step < ?", step, account, step
        )

    def drop_authenticator(self, account: str) -> bool:
        return self._on.write("DELETE FROM authenticator WHERE account = ?", account)

    def replace_recovery_codes(self, account: str, digests: Sequence[Digest]) -> None:
        self._on.write("DELETE FROM recovery_code WHERE account = ?", account)
        for digest in digests:
            self._on.write("INSERT INTO recovery_code VALUES (?, ?)", account, digest)

    def use_recovery_code(self, account: str, digest: Digest) -> bool:
        return self._on.write("DELETE FROM recovery_code WHERE account = ? AND digest = ?", account, digest)

    def list_recovery_codes(self, account: str) -> list[Digest]:
        rows = self._on.rows("SELECT digest FROM recovery_code WHERE account = ?", account)
        return [bytes(digest) for (digest,) in rows]

    def add_passkey(self, passkey: Passkey) -> None:
        sql = "INSERT INTO passkey VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
        if not self._on.write(sql, *msgspec.structs.astuple(passkey)):
            raise AlreadyExists("This passkey is registered already.")

    def find_passkey(self, passkey_id: bytes) -> Passkey | None:
        row = self._on.find("SELECT * FROM passkey WHERE id = ?", passkey_id)
        return Passkey(*row) if row else None

    def list_passkeys(self, account: str) -> list[Passkey]:
        rows = self._on.rows("SELECT * FROM passkey WHERE account = ? ORDER BY created_at, name", account)
        return [Passkey(*row) for row in rows]

    def note_passkey_use(self, passkey_id: bytes, sign_count: int, at: Instant) -> None:
        self._on.write("UPDATE passkey SET sign_count = ?, last_used_at = ? WHERE id = ?", sign_count, at, passkey_id)

    def drop_passkey(self, account: str, passkey_id: bytes) -> bool:
        return self._on.write("DELETE FROM passkey WHERE account = ? AND id = ?", account, passkey_id)

    def keep_foreign(self, one: ForeignIdentity) -> None:
        self._on.write("DELETE FROM foreign_identity WHERE issuer = ? AND subject = ?", one.issuer, one.subject)
        self._on.write("INSERT INTO foreign_identity VALUES (?, ?, ?, ?, ?)", *msgspec.structs.astuple(one))

    def find_foreign(self, issuer: str, subject: str) -> ForeignIdentity | None:
        row = self._on.find("SELECT * FROM foreign_identity WHERE issuer = ? AND subject = ?", issuer, subject)
        return ForeignIdentity(*row) if row else None

    def list_foreign(self, account: str) -> list[ForeignIdentity]:
        rows = self._on.rows("SELECT * FROM foreign_identity WHERE account = ? ORDER BY issuer, subject", account)
        return [ForeignIdentity(*row) for row in rows]


def _begun(row: Row | None) -> Begun | None:
    if row is None:
        return None
    digest, purpose, account, facts, expires_at = row
    return Begun(digest, purpose, account, msgspec.json.decode(facts), expires_at)
