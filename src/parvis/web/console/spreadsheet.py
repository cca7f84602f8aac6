"""CSV that a spreadsheet opens (RFC 4180)."""

import csv
import io
from collections.abc import Iterable

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([inert(cell) for cell in row] for row in rows)
    return text.getvalue()


def inert(cell: object) -> object:
    """Text that a spreadsheet would run as a formula has an apostrophe put before it, as OWASP advises."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_BEGINS) else cell
