"""What privacy asks of a store: a part of the store of access, so that one transaction spans both, and the trail."""

from typing import Protocol

from parvis.access.privacy.model import LedgerEntry, Policy, Purpose
from parvis.kernel.time import Instant

LEDGER_PAGE = 500


class PrivacyStore(Protocol):
    def put_purpose(self, tenant: str, purpose: Purpose) -> None:
        """In place of the one of that id."""
        ...

    def list_purposes(self, tenant: str) -> list[Purpose]:
        """The tenant's own, by id."""
        ...

    def put_policy(self, tenant: str, policy: Policy) -> None: ...

    def find_policy(self, tenant: str) -> Policy | None: ...

    def append_ledger(self, entry: LedgerEntry) -> bool:
        """False where the tenant's ledger has one of that key. What is written stays."""
        ...

    def list_ledger(self, tenant: str, after: int = 0, limit: int = LEDGER_PAGE) -> list[LedgerEntry]:
        """Those of a higher number, in order."""
        ...

    def list_last_ledger(self, tenant: str, since: Instant = 0, limit: int = LEDGER_PAGE) -> list[LedgerEntry]:
        """Those written since then, the last first."""
        ...

    def put_step(self, tenant: str, key: str, document: bytes) -> None:
        """What is about to be done, so that it is told in the ledger by whoever goes on after a stop."""
        ...

    def drop_step(self, tenant: str, key: str) -> bool: ...

    def list_steps(self, tenant: str) -> list[tuple[str, bytes]]:
        """By key."""
        ...
