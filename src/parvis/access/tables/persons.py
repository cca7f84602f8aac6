"""Taking somebody out of the tables of access."""

import msgspec

from parvis.access.privacy.model import LedgerEntry
from parvis.access.tables.statements import Statements

_ENTRY = msgspec.json.Decoder(LedgerEntry)
_ERASED = "SELECT document FROM privacy_ledger WHERE substr(key, 1, 7) = 'person ' ORDER BY number"

_OF_ACCOUNT = (
    "DELETE FROM session WHERE account = ?",
    "DELETE FROM account_link WHERE account = ?",
    "DELETE FROM begun WHERE account = ?",
    "DELETE FROM authenticator WHERE account = ?",
    "DELETE FROM recovery_code WHERE account = ?",
    "DELETE FROM passkey WHERE account = ?",
    "DELETE FROM foreign_identity WHERE account = ?",
)


class PersonTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def drop_account(self, name: str) -> bool:
        for sql in _OF_ACCOUNT:
            self._on.write(sql, name)
        self._on.write("DELETE FROM assignment WHERE subject = ?", f"user:{name}")
        return self._on.write("DELETE FROM account WHERE name = ?", name)

    def drop_key(self, key_id: str) -> bool:
        self._on.write("DELETE FROM assignment WHERE subject = ?", f"key:{key_id}")
        return self._on.write("DELETE FROM api_key WHERE id = ?", key_id)

    def list_erased(self) -> list[LedgerEntry]:
        return [_ENTRY.decode(document) for (document,) in self._on.rows(_ERASED)]
