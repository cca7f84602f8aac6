"""What data are held for, and the ledger of what was done about it, beside the accounts."""

import msgspec

from parvis.access.privacy.model import LedgerEntry, Policy, Purpose
from parvis.access.privacy.ports import LEDGER_PAGE
from parvis.access.tables.statements import Statements
from parvis.kernel.time import Instant

_PURPOSE = msgspec.json.Decoder(Purpose)
_POLICY = msgspec.json.Decoder(Policy)
_ENTRY = msgspec.json.Decoder(LedgerEntry)


class PrivacyTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def put_purpose(self, tenant: str, purpose: Purpose) -> None:
        sql = "INSERT INTO purpose VALUES (?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET document = excluded.document"
        self._on.write(sql, tenant, purpose.id, msgspec.json.encode(purpose))

    def list_purposes(self, tenant: str) -> list[Purpose]:
        rows = self._on.rows("SELECT document FROM purpose WHERE tenant = ? ORDER BY id", tenant)
        return [_PURPOSE.decode(row[0]) for row in rows]

    def put_policy(self, tenant: str, policy: Policy) -> None:
        self._on.write(
            "INSERT INTO privacy_policy VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET document = excluded.document",
            tenant,
            msgspec.json.encode(policy),
        )

    def find_policy(self, tenant: str) -> Policy | None:
        row = self._on.find("SELECT document FROM privacy_policy WHERE tenant = ?", tenant)
        return None if row is None else _POLICY.decode(row[0])

    def append_ledger(self, entry: LedgerEntry) -> bool:
        sql = (
            "INSERT INTO privacy_ledger (tenant, key, at, document) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (tenant, key) DO NOTHING"
        )
        return self._on.write(sql, entry.tenant, entry.key, entry.at, msgspec.json.encode(entry))

    def list_ledger(self, tenant: str, after: int = 0, limit: int = LEDGER_PAGE) -> list[LedgerEntry]:
        sql = "SELECT number, document FROM privacy_ledger WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?"
        return [_entry(*row) for row in self._on.rows(sql, tenant, after, limit)]

    def list_last_ledger(self, tenant: str, since: Instant = 0, limit: int = LEDGER_PAGE) -> list[LedgerEntry]:
        sql = "SELECT number, document FROM privacy_ledger WHERE tenant = ? AND at >= ? ORDER BY number DESC LIMIT ?"
        return [_entry(*row) for row in self._on.rows(sql, tenant, since, limit)]

    def put_step(self, tenant: str, key: str, document: bytes) -> None:
        self._on.write(
            "INSERT INTO privacy_step VALUES (?, ?, ?)"
            " ON CONFLICT (tenant, key) DO UPDATE SET document = excluded.document",
            tenant,
            key,
            document,
        )

    def drop_step(self, tenant: str, key: str) -> bool:
        return self._on.write("DELETE FROM privacy_step WHERE tenant = ? AND key = ?", tenant, key)

    def list_steps(self, tenant: str) -> list[tuple[str, bytes]]:
        rows = self._on.rows("SELECT key, document FROM privacy_step WHERE tenant = ? ORDER BY key", tenant)
        return [(key, bytes(document)) for key, document in rows]


def _entry(number: int, document: bytes) -> LedgerEntry:
    return msgspec.structs.replace(_ENTRY.decode(document), number=number)
