"""A trail in which no entry can be changed, left out or put in without every later digest showing it.

The mark of an entry is the SHA-256 of its number and record, its digest the SHA-256 of the digest before it and its
mark. So a trail can be proven to somebody who may read a part of it only: of the rest they get the marks.

Cutting off the end shows only to someone who noted the newest digest elsewhere: `parvis doctor` prints it, and
whoever the trail is forwarded to has it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from secrets import token_hex
from typing import Any

import msgspec

from parvis.access.model import AuditEntry, AuditRecord, Digest

SALT_BYTES = 16
BEGINNING: Digest = b""
_ENCODER = msgspec.json.Encoder(order="sorted")
_RECORD = msgspec.json.Decoder(AuditRecord)


def next_entry(previous: AuditEntry | None, record: AuditRecord) -> AuditEntry:
    """What is to be stored of a record."""
    return chained(previous, msgspec.structs.replace(record, salt=token_hex(SALT_BYTES)))


def chained(previous: AuditEntry | None, record: AuditRecord) -> AuditEntry:
    number = 1 if previous is None else previous.number + 1
    before = BEGINNING if previous is None else previous.digest
    return AuditEntry(number, record, digest_after(before, mark_of(number, record)))


def mark_of(number: int, record: AuditRecord) -> Digest:
    """Of `[number, record]` as JSON in UTF-8, without blanks, the members of objects sorted by name."""
    return hashlib.sha256(_ENCODER.encode((number, record))).digest()


def digest_after(previous: Digest, mark: Digest) -> Digest:
    return hashlib.sha256(previous + mark).digest()


def entry_of(row: Sequence[Any]) -> AuditEntry:
    """Of a store's columns: number, record as JSON, digest."""
    number, record, digest = row
    return AuditEntry(number, _RECORD.decode(record), digest)


def find_break(entries: Iterable[AuditEntry], previous: AuditEntry | None = None) -> int | None:
    """The number of the first entry that does not follow from the one before, at the beginning from `previous`; None
    where all do."""
    for entry in entries:
        if entry != chained(previous, entry.record):
            return entry.number
        previous = entry
    return None
