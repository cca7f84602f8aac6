"""What certificates ask of the store of access: within its transactions."""

from typing import Protocol

from parvis.access.certificates.model import DeviceCertificate
from parvis.access.model import Digest
from parvis.kernel.time import Instant


class CertificateStore(Protocol):
    def add(self, one: DeviceCertificate) -> None:
        """Unless its fingerprint is known: what is revoked stays so."""
        ...

    def touch(self, fingerprint: Digest, at: Instant) -> None: ...

    def revoke(self, fingerprint: Digest, at: Instant) -> bool:
        """Whether there was such a one in force."""
        ...

    def find(self, fingerprint: Digest) -> DeviceCertificate | None: ...

    def list_all(self) -> list[DeviceCertificate]:
        """By device, the one used last first."""
        ...

    def forget_expired(self, before: Instant) -> None: ...
