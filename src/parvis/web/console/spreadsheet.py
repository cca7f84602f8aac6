"""CSV that a spreadsheet opens (RFC 4180)."""

import csv
import io
from collections.abc import Iterable

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets take a file for UTF-8 only with it."""


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    return _written(([inert(cell) for cell in row] for row in rows), ",")


def localised_csv(rows: Iterable[Iterable[object]], language: str) -> str:
    """As a spreadsheet set to the language reads it on a double click: semicolons and decimal commas in French."""
    if language != "fr":
        return BYTE_ORDER_MARK + csv_text(rows)
    return BYTE_ORDER_MARK + _written(([_french(cell) for cell in row] for row in rows), ";")


def _french(cell: object) -> object:
    return str(cell).replace(".", ",") if isinstance(cell, float) else inert(cell)


def _written(rows: Iterable[Iterable[object]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def inert(cell: object) -> object:
    """Text that a spreadsheet would run as a formula has an apostrophe put before it, as OWASP advises."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_BEGINS) else cell
