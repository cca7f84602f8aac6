"""Which certificates devices have shown, and which open no longer.

Whose one is says the authority that has signed it; what is revoked here stays out whatever that authority says.
"""

import re
from collections.abc import Callable

from parvis.access.accounts import require_administrator
from parvis.access.certificates.model import DeviceCertificate, Shown
from parvis.access.model import EVERY_TENANT, AuditRecord, Digest
from parvis.access.ports import AccessStore
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import MINUTE, Clock, system_clock

_NOTE_USE_EVERY = MINUTE
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Certificates:
    def __init__(self, store: AccessStore, on_change: Callable[[], None], clock: Clock = system_clock) -> None:
        self._store = store
        self._on_change = on_change
        self._clock = clock

    def use(self, shown: Shown, device: str) -> bool:
        """Whether it opens for the device; if so its use is noted, now and then."""
        now, known = self._clock(), self._store.certificates.find(shown.fingerprint)
        if known is not None and known.revoked_at is not None:
            return False
        if known is None:
            with self._store.transaction():
                self._store.certificates.forget_expired(now)
                self._store.certificates.add(
                    DeviceCertificate(shown.fingerprint, device, DEFAULT_TENANT, shown.expires_at, now, now)
                )
        elif known.last_used_at is None or now - known.last_used_at >= _NOTE_USE_EVERY:
            self._store.certificates.touch(shown.fingerprint, now)
        return True

    def is_in_force(self, fingerprint: Digest) -> bool:
        known = self._store.certificates.find(fingerprint)
        return known is None or known.revoked_at is None

    def list_all(self, caller: Caller, device: str = "") -> list[DeviceCertificate]:
        """Of one device, or of all. Raises Forbidden."""
        require_administrator(caller, caller.tenant)
        return [
            one
            for one in self._store.certificates.list_all()
            if caller.tenant in (one.tenant, EVERY_TENANT) and device.lower() in ("", one.device)
        ]

    def revoke(self, caller: Caller, fingerprint: str, device: str = "") -> None:
        """With `device` also one that it has not shown yet. Raises Forbidden, BadRequestData or ResourceNotFound."""
        require_administrator(caller, DEFAULT_TENANT)
        digest, now = read_fingerprint(fingerprint), self._clock()
        with self._store.transaction():
            if device:
                self._store.certificates.add(DeviceCertificate(digest, device.lower()))
            known = self._store.certificates.find(digest)
            if known is None or not self._store.certificates.revoke(digest, now):
                raise ResourceNotFound("There is no certificate in force with this fingerprint.")
            facts = {"device": known.device}
            self._store.append_audit(
                AuditRecord(now, known.tenant, caller.subject, "certificate-revoked", known.id, facts)
            )
        self._on_change()


def read_fingerprint(text: str) -> Digest:
    """However it is written: in capitals, with colons or blanks. Raises BadRequestData."""
    plain = re.sub(r"[\s:]", "", text).lower().removeprefix("sha256fingerprint=")
    if _FINGERPRINT.fullmatch(plain) is None:
        raise BadRequestData("A fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits.")
    return bytes.fromhex(plain)
