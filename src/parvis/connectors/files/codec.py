"""Files of every kind as a header and numbered rows of cells."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from zipfile import BadZipFile, LargeZipFile, ZipFile

from parvis.connectors.files.config import (
    BOOK_ENDINGS,
    COLUMN_ENDINGS,
    ENDINGS,
    GEOJSON_ENDINGS,
    MAP_ENDINGS,
    InvalidMapping,
    Source,
    nearest,
)
from parvis.connectors.files.documents import open_geojson, open_json_lines
from parvis.connectors.files.table import Row, Table, Unreadable, damaged_where_it_fails, read_by_library

LONGEST_LINE = 1 << 20
MOST_UNPACKED_BYTES = 2 << 30
"""Of an archive."""
MOST_MEMBERS = 2_000
LONGEST_TEXT = 16 << 30
MOST_STRINGS_BYTES = 256 << 20
"""Of a workbook's texts, which are held in memory."""
_DAMAGED = (EOFError, KeyError, LargeZipFile, SyntaxError, csv.Error, gzip.BadGzipFile, zlib.error)
_SHARED_STRINGS = "xl/sharedStrings.xml"


@contextmanager
def open_table(path: Path, source: Source) -> Iterator[Table]:
    """Raises InvalidMapping where the file is none of the kinds known or damaged, or lacks the sheet or the header."""
    try:
        with _open_kind(path, source) as table:
            yield table
    except UnicodeError as error:
        raise InvalidMapping(f"{path.name} is not in source.encoding, {source.encoding}.") from error
    except BadZipFile as error:
        raise InvalidMapping(f"{path.name} cannot be read.") from error
    except _DAMAGED as error:
        raise InvalidMapping(f"{path.name} cannot be read: {error}.") from error


@contextmanager
def _open_kind(path: Path, source: Source) -> Iterator[Table]:
    kind = path.name.lower()
    if kind.endswith(BOOK_ENDINGS):
        with _open_workbook(path, source) as table:
            yield table
    elif kind.endswith((*COLUMN_ENDINGS, *MAP_ENDINGS)):
        from parvis.connectors.files import columns  # large libraries, wanted by few

        with columns.open_columns(path, source) as table:
            yield table
    elif kind.endswith(GEOJSON_ENDINGS):
        with open_geojson(path) as table:
            yield table
    elif kind.endswith(ENDINGS):
        with _open_text(path, source) as lines:
            if ".jsonl" in kind or ".ndjson" in kind:
                yield open_json_lines(_counted(bounded_lines(lines)), _count_lines(path))
            else:
                yield _headed(path, _text_rows(lines, source), source, _count_lines(path))
    else:
        raise InvalidMapping(f"{path.name}: files are read that end in {', '.join(ENDINGS)}.")


@contextmanager
def _open_workbook(path: Path, source: Source) -> Iterator[Table]:
    import openpyxl  # large, and wanted by few

    check_archive(path)
    with damaged_where_it_fails(path.name):
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        if source.sheet and source.sheet not in book.sheetnames:
            known = tuple(book.sheetnames)
            raise InvalidMapping(f"{path.name} has no sheet {source.sheet!r}.{nearest(source.sheet, known)}")
        if not book.worksheets:
            raise InvalidMapping(f"{path.name} has no sheet of cells.")
        sheet = book[source.sheet] if source.sheet else book.worksheets[0]
        expected = sheet.max_row or 0
        sheet.reset_dimensions()  # what a file says of its size need not be so
        rows: Iterator[tuple[int, Row | Unreadable]] = enumerate(sheet.iter_rows(values_only=True), 1)
        table = _headed(path, read_by_library(rows, path.name), source, expected)
        table.rows = _padded(table.rows, len(table.header))
        yield table
    finally:
        book.close()


def _padded(rows: Iterator[tuple[int, Row | Unreadable]], width: int) -> Iterator[tuple[int, Row | Unreadable]]:
    """A workbook does not write the empty cells at the end of a row."""
    for number, row in rows:
        short = not isinstance(row, Unreadable) and len(row) < width
        yield number, (*row, *(None,) * (width - len(row))) if short and not isinstance(row, Unreadable) else row


def check_archive(path: Path) -> None:
    """Raises InvalidMapping for an archive that would unpack to more than anybody has: a bomb, or an accident. Members
    may share a name, and even their bytes: each is counted."""
    with ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise InvalidMapping(f"{path.name} holds {len(members)} files: too many.")
    unpacked = sum(one.file_size for one in members)
    strings = sum(one.file_size for one in members if one.filename == _SHARED_STRINGS)
    if unpacked > MOST_UNPACKED_BYTES or strings > MOST_STRINGS_BYTES:
        raise InvalidMapping(f"{path.name} unpacks to {unpacked >> 20} MiB: too much.")


def _open_text(path: Path, source: Source) -> TextIO:
    errors = "surrogateescape" if source.encoding.lower().startswith("utf-8") else "strict"
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=source.encoding, errors=errors, newline="")
    return path.open(encoding=source.encoding, errors=errors, newline="")


def bounded_lines(lines: TextIO) -> Iterator[str]:
    """A line that is too long comes in pieces, none of which is a good row."""
    return iter(lambda: lines.readline(LONGEST_LINE), "")


def _text_rows(lines: TextIO, source: Source) -> Iterator[tuple[int, Row | Unreadable]]:
    """A row that is no CSV, or not in the encoding, is left out; the number is that of its last line."""
    reader = csv.reader(_counted(bounded_lines(lines)), delimiter=source.delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, Unreadable(str(error))
            continue
        yield reader.line_num, row if is_storable(row) else Unreadable("not in the encoding, or with a NUL")


def _counted(lines: Iterator[str]) -> Iterator[str]:
    """Raises EOFError where a packed file goes on and on."""
    left = LONGEST_TEXT
    for line in lines:
        left -= len(line)
        if left < 0:
            raise EOFError("it is longer than any file may be")
        yield line


def is_storable(cells: list[str]) -> bool:
    return all((cell.isascii() and "\0" not in cell) or _is_sound(cell) for cell in cells)


def _is_sound(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in cell


def _headed(path: Path, rows: Iterator[tuple[int, Row | Unreadable]], source: Source, lines: int) -> Table:
    for number, cells in rows:
        if number >= source.header_row and not isinstance(cells, Unreadable):
            header = tuple("" if cell is None else str(cell).strip() for cell in cells)
            return Table(header, rows, max(0, lines - number))
    raise InvalidMapping(f"{path.name} ends before its header, row {source.header_row}.")


def _count_lines(path: Path) -> int:
    """Of a packed file a guess."""
    if path.suffix.lower() == ".gz":
        return path.stat().st_size // 10
    with path.open("rb") as content:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(1 << 20), b""))
