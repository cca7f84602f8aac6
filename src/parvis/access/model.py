"""Who is known to an installation, and the proofs they hold. Only hashes of secrets are kept."""

from collections.abc import Mapping
from typing import Any

import msgspec

from parvis.access.roles.packaged import PACKAGED_ROLES
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.identity import Right
from parvis.kernel.time import Instant

ROLES: Mapping[str, Right] = {name: role.rights for name, role in PACKAGED_ROLES.items()}
"""Those that come with Parvis; each tenant may have further ones (`access.roles`)."""
DEVICE_ROLE = "device"
EVERY_TENANT = "*"
"""As the tenant of an account or a key: it may act in any."""

NO_PASSWORD = "!"  # noqa: S105
"""In place of a hash: fits no password. The account's holder has not opened the link yet."""

Digest = bytes
"""SHA-256 of a random token: enough, since a token of 256 random bits cannot be guessed from it."""


class Bound(msgspec.Struct, frozen=True):
    """So many attempts of a subject are taken within a while."""

    subject: Digest
    allowed: int


class TooManyAttempts(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-attempts"
    title = "Too many attempts"
    status = 429

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


ELSEWHERE = "!elsewhere"
"""In place of a hash: its holder signs in through an identity provider."""


class Account(msgspec.Struct, frozen=True):
    """A person. `name` is what they sign in with."""

    name: str
    password_hash: str
    role: str
    tenant: str
    created_at: Instant
    disabled: bool = False

    @property
    def has_password(self) -> bool:
        return self.can_sign_in and self.password_hash != ELSEWHERE

    @property
    def can_sign_in(self) -> bool:
        return not self.disabled and self.password_hash != NO_PASSWORD


class Session(msgspec.Struct, frozen=True):
    """`digest` is of the part of its token that stays, `secret` of the part that changes now and then: `next_secret` is
    what a browser has been given and not shown yet, `previous` what it had before `rotated_at`.

    `method` is how its holder proved who they are, `hint` what their identity provider wants to be shown at the end.
    """

    digest: Digest
    account: str
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant
    agent: str = ""
    address: str = ""
    method: str = "password"
    hint: str = ""
    secret: Digest = b""
    next_secret: Digest | None = None
    next_at: Instant = 0
    previous: Digest | None = None
    rotated_at: Instant = 0

    @property
    def id(self) -> str:
        """Names it in lists; it opens nothing."""
        return self.digest.hex()[:16]


class ApiKey(msgspec.Struct, frozen=True):
    """`id` is shown in lists and names the key in the audit trail; it opens nothing. With `device`, the hardware id of
    one, its holder may deliver the frames of that device and do nothing else."""

    id: str
    digest: Digest
    label: str
    role: str
    tenant: str
    created_at: Instant
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    device: str = ""

    def opens_at(self, now: Instant) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class OneTimeLink(msgspec.Struct, frozen=True):
    """Lets its holder make one account of `role`, once."""

    digest: Digest
    role: str
    expires_at: Instant
    used_at: Instant | None = None


class AccountLink(msgspec.Struct, frozen=True):
    """Lets its holder choose the password of one account, once."""

    digest: Digest
    account: str
    expires_at: Instant


class AuditRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody did: a past-tense `action` on an `object`. `salt` is random: without it nobody finds out by trying
    what a record says whose mark they have."""

    at: Instant
    tenant: str
    subject: str
    action: str
    object: str
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    salt: str = ""


class AuditEntry(msgspec.Struct, frozen=True):
    """A record in the trail; `digest` covers the record and the entry before it."""

    number: int
    record: AuditRecord
    digest: Digest
