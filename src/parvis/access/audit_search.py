"""Looking through the audit trail, from its end."""

from collections.abc import Iterator

import msgspec

from parvis.access.model import AuditEntry, AuditRecord
from parvis.access.ports import AccessStore
from parvis.kernel.time import Instant

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


def search_audit(store: AccessStore, query: AuditQuery) -> AuditPage:
    found: list[AuditEntry] = []
    number = query.before
    for looked_through, entry in enumerate(_backwards(store, query.before), 1):
        number = entry.number
        if query.fits(entry.record):
            found.append(entry)
        if len(found) == query.limit or looked_through == LOOKED_THROUGH:
            break
    return AuditPage(tuple(found), None if number is None or number <= 1 else number)


def _backwards(store: AccessStore, before: int | None) -> Iterator[AuditEntry]:
    while entries := store.list_audit(before, AT_ONCE):
        yield from entries
        before = entries[-1].number


def _told(record: AuditRecord) -> str:
    facts = (f"{name} {value}" for name, value in record.facts.items())
    return "\n".join((record.subject, record.action, record.object, *facts)).casefold()
