"""A certificate by which a device has proven itself."""

import msgspec

from parvis.access.model import Digest
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import Instant


class Shown(msgspec.Struct, frozen=True):
    """What somebody shows, once its authority is verified. `names` are whom it may speak for, the first one first;
    `fingerprint` is the SHA-256 of the whole certificate (DER), as every tool tells it."""

    fingerprint: Digest
    names: tuple[str, ...] = ()
    expires_at: Instant = 0


class DeviceCertificate(msgspec.Struct, frozen=True):
    """One that was shown, or that was revoked before: then it has never been used."""

    fingerprint: Digest
    device: str
    tenant: str = DEFAULT_TENANT
    expires_at: Instant = 0
    first_used_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None

    @property
    def id(self) -> str:
        return self.fingerprint.hex()
