"""The report of an import: what could not be read and what became of the rest, in the order of the file."""

import csv
import heapq
import io
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from parvis.connectors.files.folders import ImportFolder
from parvis.connectors.files.reading import COLUMNS
from parvis.connectors.files.report import Verdict
from parvis.kernel.spreadsheet import inert

_LINES_A_PIECE = 1000
_LINES_LOOKED_AT = 500_000
"""Years of readings name the same few objects again and again."""


def merged_report(folder: ImportFolder) -> Iterator[bytes]:
    """CSV in pieces. Of a check where nothing was imported yet."""
    piece: list[list[str]] = [list(COLUMNS)]
    for row in merged_rows(folder):
        piece.append([inert(cell) for cell in row])
        if len(piece) >= _LINES_A_PIECE:
            yield _written(piece)
            piece = []
    yield _written(piece)


def merged_rows(folder: ImportFolder) -> Iterator[list[str]]:
    outcomes = [folder.outcomes(is_dry=False), folder.outcomes(is_dry=True)]
    chosen = next((one for one in outcomes if one.exists()), None)
    with ExitStack() as stack:
        streams = [_rows(path, stack) for path in (folder.faults, chosen) if path is not None and path.exists()]
        yield from heapq.merge(*streams, key=lambda row: int(row[0]))


def list_entity_ids(folder: ImportFolder, most: int) -> list[str]:
    """Of the objects that the import made, changed or found as they are, the first `most` of the file."""
    found: dict[str, None] = {}
    with ExitStack() as stack:
        path = folder.outcomes(is_dry=False)
        rows = _rows(path, stack) if path.exists() else iter(())
        for _, verdict, entity_id, *_ in islice(rows, _LINES_LOOKED_AT):
            if verdict != Verdict.REFUSED.value:
                found[entity_id] = None
            if len(found) == most:
                break
    return list(found)


def _rows(path: Path, stack: ExitStack) -> Iterator[list[str]]:
    lines = stack.enter_context(path.open(encoding="utf-8", newline=""))
    return (row for row in csv.reader(lines) if row and row[0].isdecimal())


def _written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
