"""Looking through the audit trail, from its end."""

from collections.abc import Iterator

import msgspec

from parvis.access.model import AuditEntry, AuditRecord
from parvis.access.ports import AccessStore
from parvis.kernel.time import DAY, Instant

AT_ONCE = 500
LOOKED_THROUGH = 5_000
"""For one page: a rare word in a long trail takes several."""


class AuditQuery(msgspec.Struct, frozen=True):
    """`tenants` None: of all. `text` stands anywhere in who did what to what, in capitals or not; `before` is the
    number of an entry."""

    tenants: frozenset[str] | None = None
    action: str = ""
    subject: str = ""
    text: str = ""
    since: Instant | None = None
    until: Instant | None = None
    before: int | None = None
    limit: int = 50

    def is_behind(self, record: AuditRecord) -> bool:
        """Nothing that fits comes further back. A clock that was put right may have gone back by hours."""
        return self.since is not None and record.at < self.since - DAY

    def fits(self, record: AuditRecord) -> bool:
        return (
            (self.tenants is None or record.tenant in self.tenants)
            and self.action in ("", record.action)
            and self.subject in ("", record.subject)
            and (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
            and self.text.casefold() in _told(record)
        )


class AuditPage(msgspec.Struct, frozen=True):
    """The newest first. `resume` is the `before` of what follows, None at the trail's beginning."""

    entries: tuple[AuditEntry, ...]
    resume: int | None


def search_audit(store: AccessStore, query: AuditQuery, most: int = LOOKED_THROUGH) -> AuditPage:
    """At most so many entries are looked at."""
    found: list[AuditEntry] = []
    number = query.before
    for looked_through, entry in enumerate(_backwards(store, query.before), 1):
        if query.is_behind(entry.record):
            return AuditPage(tuple(found), None)
        number = entry.number
        if query.fits(entry.record):
            found.append(entry)
        if len(found) == query.limit or looked_through == most:
            break
    return AuditPage(tuple(found), None if number is None or number <= 1 else number)


def _backwards(store: AccessStore, before: int | None) -> Iterator[AuditEntry]:
    while entries := store.list_audit(before, AT_ONCE):
        yield from entries
        before = entries[-1].number


def _told(record: AuditRecord) -> str:
    facts = (f"{name} {value}" for name, value in record.facts.items())
    return "\n".join((record.subject, record.action, record.object, *facts)).casefold()
