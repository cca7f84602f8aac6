"""CSV (also gzipped) and XLSX files as a header and numbered rows of cells."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO
from zipfile import BadZipFile

import msgspec
import openpyxl

from parvis.connectors.files.config import InvalidMapping, Source, nearest

Cell = str | int | float | bool | datetime | None
Row = Sequence[Cell]


class Table(msgspec.Struct):
    """`rows` come with their number in the file, the first line being 1. `expected` is how many there may be."""

    header: tuple[str, ...]
    rows: Iterator[tuple[int, Row]]
    expected: int


@contextmanager
def open_table(path: Path, source: Source) -> Iterator[Table]:
    """Raises InvalidMapping where the file is none of the kinds known or damaged, or lacks the sheet or the header."""
    try:
        with _open_kind(path, source) as table:
            yield table
    except UnicodeDecodeError as error:
        raise InvalidMapping(f"{path.name} is not in source.encoding, {source.encoding}: {error.reason}.") from error
    except (csv.Error, BadZipFile, EOFError, zlib.error) as error:
        raise InvalidMapping(f"{path.name} cannot be read: {error}.") from error


@contextmanager
def _open_kind(path: Path, source: Source) -> Iterator[Table]:
    kind = path.name.lower()
    if kind.endswith((".xlsx", ".xlsm")):
        with _open_workbook(path, source) as table:
            yield table
    elif kind.endswith((".csv", ".csv.gz", ".tsv", ".txt")):
        with _open_text(path, source) as lines:
            yield _headed(path, enumerate(csv.reader(lines, delimiter=source.delimiter), 1), source, _count_lines(path))
    else:
        raise InvalidMapping(f"{path.name}: only .csv, .csv.gz, .tsv and .xlsx files are read.")


@contextmanager
def _open_workbook(path: Path, source: Source) -> Iterator[Table]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        if source.sheet and source.sheet not in book.sheetnames:
            known = tuple(book.sheetnames)
            raise InvalidMapping(f"{path.name} has no sheet {source.sheet!r}.{nearest(source.sheet, known)}")
        sheet = book[source.sheet] if source.sheet else book.worksheets[0]
        yield _headed(path, enumerate(sheet.iter_rows(values_only=True), 1), source, sheet.max_row or 0)
    finally:
        book.close()


def _open_text(path: Path, source: Source) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=source.encoding, newline="")
    return path.open(encoding=source.encoding, newline="")


def _headed(path: Path, rows: Iterator[tuple[int, Row]], source: Source, lines: int) -> Table:
    for number, cells in rows:
        if number == source.header_row:
            header = tuple("" if cell is None else str(cell).strip() for cell in cells)
            return Table(header, rows, max(0, lines - number))
    raise InvalidMapping(f"{path.name} ends before its header, row {source.header_row}.")


def _count_lines(path: Path) -> int:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as content:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(1 << 20), b""))
