"""The trail as a file that proves itself: NDJSON, a line an entry, all of them from the first, and a last line that
says how many they are: a copy that broke off is not taken for a whole one.

Of entries that the reader may not see the line has the mark instead of the record: the chain holds all the same.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator

import msgspec

from parvis.access.audit import BEGINNING, digest_after, mark_of
from parvis.access.model import AuditEntry, AuditRecord
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError


class _Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    number: int
    digest: str
    record: AuditRecord | None = None
    mark: str = ""


class _End(msgspec.Struct, forbid_unknown_fields=True):
    entries: int
    digest: str


class Proven(msgspec.Struct, frozen=True):
    """`digest` is that of the newest entry, in hexadecimal digits; empty of an empty trail."""

    entries: int
    shown: int
    digest: str


class BrokenTrail(ParvisError):
    type_uri = PARVIS_ERRORS + "broken-audit-trail"
    title = "The audit trail is broken"
    status = 409

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(detail)
        self.number = number


_DECODER = msgspec.json.Decoder(_Line)
_END = msgspec.json.Decoder(_End)


def proof_lines(entries: Iterable[AuditEntry], tenants: Collection[str] | None = None) -> Iterator[bytes]:
    """`tenants` None: all records are shown."""
    newest = None
    for newest in entries:
        yield proof_line(newest, tenants)
    yield proof_end(newest)


def proof_line(entry: AuditEntry, tenants: Collection[str] | None = None) -> bytes:
    line = _Line(entry.number, entry.digest.hex())
    if tenants is None or entry.record.tenant in tenants:
        line.record = entry.record
    else:
        line.mark = mark_of(entry.number, entry.record).hex()
    return msgspec.json.encode(line) + b"\n"


def proof_end(newest: AuditEntry | None) -> bytes:
    """The last line, after the newest entry that is told."""
    end = _End(0, BEGINNING.hex()) if newest is None else _End(newest.number, newest.digest.hex())
    return msgspec.json.encode(end) + b"\n"


def prove(lines: Iterable[bytes]) -> Proven:
    """Raises BrokenTrail."""
    digest, shown, end = BEGINNING, 0, None
    for number, text in enumerate(lines, 1):
        if end is not None:
            raise BrokenTrail(number, f"Line {number} comes after the end of the trail.")
        if (end := _end(text)) is not None:
            if (end.entries, end.digest) != (number - 1, digest.hex()):
                raise BrokenTrail(number, f"The trail ends after {number - 1} entries, and says {end.entries}.")
            continue
        line = _line(text, number)
        digest = digest_after(digest, _mark(line))
        if line.number != number or line.digest != digest.hex():
            raise BrokenTrail(number, f"Entry {number} does not follow from the one before it.")
        shown += line.record is not None
    if end is None:
        raise BrokenTrail(0, "The end of the trail is missing: the copy broke off.")
    return Proven(end.entries, shown, digest.hex())


def _end(text: bytes) -> _End | None:
    try:
        return _END.decode(text)
    except msgspec.MsgspecError:
        return None


def _line(text: bytes, number: int) -> _Line:
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError as fault:
        raise BrokenTrail(number, f"Line {number} is no entry of an audit trail: {fault}.") from fault


def _mark(line: _Line) -> bytes:
    if line.record is not None:
        return mark_of(line.number, line.record)
    try:
        mark = bytes.fromhex(line.mark)
    except ValueError:
        mark = b""
    if len(mark) != hashlib.sha256().digest_size:
        raise BrokenTrail(line.number, f"Entry {line.number} has neither its record nor its mark.")
    return mark
