"""CSV that a spreadsheet opens (RFC 4180)."""

import csv
import io
from collections.abc import Iterable

from parvis.kernel.spreadsheet import inert

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets take a file for UTF-8 only with it."""


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    return _written(([_inert(cell) for cell in row] for row in rows), ",")


def raw_csv(rows: Iterable[Iterable[object]]) -> str:
    """For what no spreadsheet opens: nothing is made inert."""
    return _written(rows, ",")


def localised_csv(rows: Iterable[Iterable[object]], language: str) -> str:
    """As a spreadsheet set to the language reads it on a double click: semicolons and decimal commas in French."""
    if language != "fr":
        return BYTE_ORDER_MARK + csv_text(rows)
    return BYTE_ORDER_MARK + _written(([_french(cell) for cell in row] for row in rows), ";")


def _french(cell: object) -> object:
    return str(cell).replace(".", ",") if isinstance(cell, float) else _inert(cell)


def _written(rows: Iterable[Iterable[object]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def _inert(cell: object) -> object:
    return inert(cell) if isinstance(cell, str) else cell
