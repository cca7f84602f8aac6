"""By what people prove who they are, beside a password. Only hashes of secrets are kept, where a hash is enough."""

from typing import Any

import msgspec

from parvis.kernel.time import Instant

Digest = bytes


class Begun(msgspec.Struct, frozen=True):
    """What somebody has begun and must finish soon: a sign-in that lacks its second factor, a passkey's challenge.

    `facts` are what the end is checked against; they are JSON in the store.
    """

    digest: Digest
    purpose: str
    account: str
    facts: dict[str, Any]
    expires_at: Instant


class Authenticator(msgspec.Struct, frozen=True):
    """An application that makes codes (RFC 6238). `last_step` is the period of the code that was taken last."""

    account: str
    secret: bytes
    created_at: Instant
    last_step: int = -1


class Passkey(msgspec.Struct, frozen=True):
    """A key pair that a device of somebody keeps (WebAuthn); `id` is the credential's."""

    id: bytes
    account: str
    handle: bytes
    name: str
    credential: bytes
    sign_count: int
    created_at: Instant
    last_used_at: Instant | None = None


class ForeignIdentity(msgspec.Struct, frozen=True):
    """Somebody as an identity provider knows them: `subject` is unique there and never given to another."""

    issuer: str
    subject: str
    account: str
    created_at: Instant
    last_used_at: Instant | None = None
