"""Certificates of devices, beside the keys."""

import msgspec

from parvis.access.certificates.model import DeviceCertificate
from parvis.access.model import Digest
from parvis.access.tables.statements import Row, Statements
from parvis.kernel.time import Instant


class CertificateTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def add(self, one: DeviceCertificate) -> None:
        sql = "INSERT INTO device_certificate VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING"
        self._on.write(sql, *msgspec.structs.astuple(one))

    def touch(self, fingerprint: Digest, at: Instant) -> None:
        self._on.write("UPDATE device_certificate SET last_used_at = ? WHERE fingerprint = ?", at, fingerprint)

    def revoke(self, fingerprint: Digest, at: Instant) -> bool:
        sql = "UPDATE device_certificate SET revoked_at = ? WHERE fingerprint = ? AND revoked_at IS NULL"
        return self._on.write(sql, at, fingerprint)

    def find(self, fingerprint: Digest) -> DeviceCertificate | None:
        row = self._on.find("SELECT * FROM device_certificate WHERE fingerprint = ?", fingerprint)
        return _certificate(row) if row else None

    def list_all(self) -> list[DeviceCertificate]:
        rows = self._on.rows("SELECT * FROM device_certificate ORDER BY device, last_used_at DESC, fingerprint")
        return [_certificate(row) for row in rows]

    def forget_expired(self, before: Instant) -> None:
        self._on.write("DELETE FROM device_certificate WHERE expires_at > 0 AND expires_at < ?", before)


def _certificate(row: Row) -> DeviceCertificate:
    return DeviceCertificate(bytes(row[0]), *row[1:])
