"""Entries of the audit trail as a table, for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator

from parvis.access.model import AuditEntry
from parvis.kernel.spreadsheet import inert
from parvis.kernel.time import format_instant

COLUMNS = ("number", "at", "tenant", "subject", "action", "object", "facts")


def sheet_head() -> bytes:
    return _line(COLUMNS)


def sheet_lines(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    for entry in entries:
        one = entry.record
        facts = "; ".join(f"{name}: {value}" for name, value in one.facts.items())
        cells = (format_instant(one.at), one.tenant, one.subject, one.action, one.object, facts)
        yield _line((str(entry.number), *map(inert, cells)))


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
