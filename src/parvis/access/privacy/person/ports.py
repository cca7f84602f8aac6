"""What erasing a person asks of a store: a part of the store of access, so that one transaction spans both, and the
trail."""

from typing import Protocol

from parvis.access.privacy.model import LedgerEntry


class PersonStore(Protocol):
    def drop_account(self, name: str) -> bool:
        """With all that belongs to it: sessions, links, passkeys, second factors, roles it was assigned."""
        ...

    def drop_key(self, key_id: str) -> bool:
        """With the roles it was assigned."""
        ...

    def list_erased(self) -> list[LedgerEntry]:
        """What the ledger says of persons, of all tenants, in order."""
        ...
