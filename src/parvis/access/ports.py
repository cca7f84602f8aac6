"""What access asks of a store. Calls are short and synchronous: they are few, and answers are cached above."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from parvis.access.certificates.ports import CertificateStore
from parvis.access.identities.ports import IdentityStore
from parvis.access.members.ports import MemberStore
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
from parvis.access.privacy.person.ports import PersonStore
from parvis.access.privacy.ports import PrivacyStore
from parvis.access.roles.ports import RoleStore
from parvis.kernel.time import Instant


class AccessStore(Protocol):
    @property
    def identities(self) -> IdentityStore: ...

    @property
    def certificates(self) -> CertificateStore: ...

    @property
    def members(self) -> MemberStore: ...

    @property
    def roles(self) -> RoleStore: ...

    @property
    def privacy(self) -> PrivacyStore: ...

    @property
    def persons(self) -> PersonStore: ...

    def transaction(self) -> AbstractContextManager[None]:
        """All calls inside become durable together, or none does. May be nested: the outermost commits."""
        ...

    def add_account(self, account: Account) -> None:
        """Raises AlreadyExists."""
        ...

    def find_account(self, name: str) -> Account | None: ...

    def list_accounts(self) -> list[Account]: ...

    def replace_account(self, account: Account) -> None: ...

    def add_session(self, session: Session) -> None: ...

    def find_session(self, digest: Digest) -> Session | None: ...

    def touch_session(self, digest: Digest, at: Instant) -> None: ...

    def list_sessions(self, account: str) -> list[Session]:
        """The one used last first."""
        ...

    def offer_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        """The session's next; the one it has holds until the next is shown."""
        ...

    def turn_secret(self, digest: Digest, secret: Digest, at: Instant) -> None:
        """The next has been shown: it is the secret from now on."""
        ...

    def rotate_soon(self, account: str) -> None:
        """All secrets of the account's sessions are old."""
        ...

    def end_session(self, digest: Digest) -> None: ...

    def end_sessions_of(self, account: str) -> None: ...

    def forget_sessions(self, before: Instant) -> None:
        """Those that expired before."""
        ...

    def add_key(self, key: ApiKey) -> None: ...

    def find_key(self, digest: Digest) -> ApiKey | None: ...

    def find_key_by_id(self, key_id: str) -> ApiKey | None: ...

    def list_keys(self) -> list[ApiKey]: ...

    def touch_key(self, digest: Digest, at: Instant) -> None: ...

    def revoke_key(self, key_id: str, at: Instant) -> bool:
        """Whether there was such a key in force."""
        ...

    def replace_link(self, link: OneTimeLink) -> None:
        """At most one link is open at a time: an older one ends."""
        ...

    def find_link(self, digest: Digest) -> OneTimeLink | None: ...

    def use_link(self, digest: Digest, at: Instant) -> OneTimeLink | None:
        """Take the link, if it is open at `at`; it will not open again."""
        ...

    def replace_account_link(self, link: AccountLink) -> None:
        """At most one link is open for each account: an older one ends."""
        ...

    def find_account_link(self, digest: Digest, at: Instant) -> AccountLink | None:
        """The link, if it is open at `at`."""
        ...

    def end_account_links(self, account: str) -> None: ...

    def count_attempt(self, bounds: Sequence[Bound], now: Instant) -> int:
        """Whole seconds to wait where one of the subjects has had its attempts (`throttle.WINDOW`); else 0, and one is
        counted of each. All processes that may share the store count together."""
        ...

    def forget_attempts(self, subject: Digest) -> None: ...

    def append_audit(self, record: AuditRecord) -> AuditEntry: ...

    def read_audit(self, after: int = 0) -> Iterator[AuditEntry]: ...

    def list_audit(self, before: int | None, limit: int) -> list[AuditEntry]:
        """The newest first."""
        ...

    def newest_audit(self) -> int:
        """The newest entry's number, 0 before the first: cheap, for who watches what other processes change."""
        ...

    def close(self) -> None: ...
