"""What a file may mean, guessed from its first rows: its form, its columns, and a mapping to begin with."""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import time
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from parvis.broker.model.geometry import bounds
from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import BOOK_ENDINGS, InvalidMapping, Mapping, Source, placeholders
from parvis.connectors.files.look import Column, Kind, folded, shown
from parvis.connectors.files.mapping import moment_of, number_of
from parvis.connectors.files.places import WKB_IN_HEX, Places
from parvis.connectors.files.proposal import propose
from parvis.connectors.files.table import GEOMETRY, Cell, Row, Unreadable
from parvis.connectors.files.wanted import ANYTHING, Wanted, proposed_anew

SAMPLE_BYTES = 256 << 10
SAMPLE_ROWS = 400
PREVIEW_ROWS = 12
_ENCODINGS = ("utf-8-sig", "cp1252")
_DELIMITERS = (";", ",", "\t", "|")
_MOST_PREAMBLE = 20
_ROWS_LOOKED_AT = 100
_ALMOST_ALL = 0.9
TIME_FORMATS = (
    "iso",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d/%m/%y %H:%M",
    "%d/%m/%y",
    "%Y%m%d%H%M",
    "%Y%m%d",
)
_EPOCHS = (("epoch-s", 946_684_800, 4_102_444_800), ("epoch-ms", 946_684_800_000, 4_102_444_800_000))
_WKT = re.compile(r"\s*(?:SRID=\d+;)?(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\b", re.IGNORECASE)
_PAIR = re.compile(r"\s*-?\d{1,3}\.\d+\s*[,;]\s*-?\d{1,3}\.\d+\s*")


class Guess(msgspec.Struct, frozen=True):
    """`rows` are the first as text; `points` where the first objects would stand, longitude and latitude."""

    mapping: Mapping
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    crs: str = ""
    points: tuple[tuple[float, float], ...] = ()


def guess_file(
    path: Path, terms: Collection[str], zone: str, given: Mapping | None = None, wanted: Wanted | None = None
) -> Guess:
    """By `terms` of the context names are found; with `given` only what the file shows by that mapping is told.

    Where the file has none of the columns that `given` names, it is guessed anew from how `given` reads the file; so
    it is where something else is `wanted` of the rows, with what somebody had corrected in `given`.

    Raises:
        InvalidMapping: the file cannot be read at all.
    """
    source = given.source if given else guess_source(path)
    with open_table(path, source) as table:
        found = [row for _, row in islice(table.rows, SAMPLE_ROWS) if not isinstance(row, Unreadable)]
        header, crs = table.header, table.crs
    if given is not None and not has_any_column(given, header):
        given = None
    elif source.delimiter != "," and given is None:
        source = msgspec.structs.replace(source, decimal=_decimal(found))
    columns = tuple(_column(name, index, found, source) for index, name in enumerate(header))
    proposal = partial(propose, path.name, columns, found, source, crs, terms, zone)
    if given is None:
        mapping = proposal(wanted or ANYTHING)
    else:
        mapping = given if wanted is None else proposed_anew(given, wanted, proposal)
    rows = tuple(tuple(shown(cell) for cell in row) for row in found[:PREVIEW_ROWS])
    return Guess(mapping, columns, rows, crs, tuple(_points(mapping, header, found, crs)))


def has_any_column(mapping: Mapping, header: Collection[str]) -> bool:
    """Whether the mapping can be of this file: one with placeholders may be of any."""
    named = [one.column for one in mapping.series]
    if (inventory := mapping.inventory) is not None:
        named += [*placeholders(inventory.id), *(one.column for one in inventory.attributes)]
    return any((name and name in header) or placeholders(name) for name in named)


def _points(mapping: Mapping, header: Sequence[str], rows: list[Row], crs: str) -> Iterator[tuple[float, float]]:
    place = mapping.inventory.place if mapping.inventory else None
    if place is None:
        return
    names = [place.geometry] if place.geometry else [place.longitude, place.latitude]
    if not set(names) <= set(header):
        return
    places = Places([header.index(name) for name in names], place.crs or crs, mapping.source)
    for row in rows:
        geometry = places.read(row).geometry
        if geometry is not None:
            west, south, east, north = bounds(geometry)
            yield (west + east) / 2, (south + north) / 2


def guess_source(path: Path) -> Source:
    """How a text file is written; other files say so themselves."""
    name = path.name.lower()
    if name.endswith(BOOK_ENDINGS):
        return Source(header_row=_book_header_row(path))
    if not name.endswith((".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")):
        return Source()
    sample = _sample(path)
    encoding = _encoding(sample)
    text = sample.decode(encoding, "replace")
    lines = text.splitlines()[:-1] if len(sample) == SAMPLE_BYTES else text.splitlines()
    delimiter = _delimiter(lines)
    return Source(delimiter=delimiter, encoding=encoding, header_row=_header_row(lines, delimiter))


def _sample(path: Path) -> bytes:
    """Raises InvalidMapping where it is packed and damaged."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as content:
            return content.read(SAMPLE_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidMapping(f"{path.name} cannot be read: {error}.") from error


def _encoding(sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    for encoding in _ENCODINGS:
        try:
            whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _split(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return []


def _delimiter(lines: Sequence[str]) -> str:
    """The one by which most lines have the same number of cells, and of those the one with the most cells."""

    def quality(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in _split(lines[:_ROWS_LOOKED_AT], delimiter) if row)
        wide = {width: count for width, count in widths.items() if width > 1}
        if not wide:
            return (0.0, 0)
        width, count = max(wide.items(), key=lambda one: one[1])
        return (round(count / widths.total(), 1), width)

    return max(_DELIMITERS, key=quality)


def _header_row(lines: Sequence[str], delimiter: str) -> int:
    rows = _split(lines[:_ROWS_LOOKED_AT], delimiter)
    return header_among([row if text.strip() else [] for row, text in zip(rows, lines, strict=False)])


def _book_header_row(path: Path) -> int:
    with open_table(path, Source()) as table:
        below = [row for _, row in islice(table.rows, _ROWS_LOOKED_AT - 1)]
        rows = [table.header, *(() if isinstance(row, Unreadable) else row for row in below)]
    return header_among([_without_empty_end([shown(cell) for cell in row]) for row in rows])


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def header_among(rows: Sequence[Sequence[str]]) -> int:
    """Above it may stand a title; it is the first row as wide as the table, whose cells are names."""
    widths = Counter(len(row) for row in rows if row)
    if not widths:
        return 1
    width = widths.most_common(1)[0][0]
    for number, row in enumerate(rows[:_MOST_PREAMBLE], 1):
        filled = [cell for cell in row if cell.strip()]
        if len(row) == width and len(filled) >= max(1, _ALMOST_ALL * width) and _are_names(filled):
            return number
    return 1


def _are_names(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells) and not any(number_of(cell, Source(decimal=",")) is not None for cell in cells)


def _decimal(rows: list[Row]) -> str:
    commas = points = 0
    for row in rows:
        for cell in row:
            if isinstance(cell, str):
                commas += bool(re.fullmatch(r"\s*-?\d[\d\s]*,\d+\s*", cell))
                points += bool(re.fullmatch(r"\s*-?\d[\d\s]*\.\d+\s*", cell))
    return "," if commas > points else "."


def _column(name: str, index: int, rows: list[Row], source: Source) -> Column:
    cells = [row[index] for row in rows if index < len(row)]
    filled = [cell for cell in cells if not _is_missing(cell, source)]
    if not filled:
        return Column(name, Kind.EMPTY)
    kind, written = _kind(name, filled, source)
    distinct = len({shown(cell) for cell in filled})
    return Column(name, kind, written, len(filled), distinct, shown(filled[0]), _has_hours(filled, written))


def _has_hours(cells: list[Cell], written: str) -> bool:
    moments = [moment_of(cell, written) for cell in cells] if written else []
    return any(one.time() != time() for one in moments if one is not None)


def _is_missing(cell: Cell, source: Source) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() in source.missing)


def _kind(name: str, cells: list[Cell], source: Source) -> tuple[Kind, str]:
    if name == GEOMETRY or _share(cells, _is_geometry):
        return Kind.GEOMETRY, ""
    if _share(cells, lambda cell: isinstance(cell, bool)):
        return Kind.BOOLEAN, ""
    if written := time_format(name, cells):
        return Kind.TIME, written
    if _share(cells, lambda cell: number_of(cell, source) is not None):
        return Kind.NUMBER, ""
    if {folded(shown(cell)) for cell in cells} <= {"oui", "non", "true", "false", "vrai", "faux", "yes", "no"}:
        return Kind.BOOLEAN, ""
    if _share(cells, lambda cell: isinstance(cell, str) and cell.startswith("urn:")):
        return Kind.URI, ""
    return Kind.TEXT, ""


def _share(cells: list[Cell], holds: Callable[[Cell], bool]) -> bool:
    return _is_most(sum(map(holds, cells)), len(cells))


def _is_most(hits: int, total: int) -> bool:
    """All but a tenth; of few, all but one."""
    misses = total - hits
    return misses <= max(1.0, (1 - _ALMOST_ALL) * total) and hits > 1.5 * misses


def _is_geometry(cell: Cell) -> bool:
    if isinstance(cell, dict | bytes):
        return True
    if not isinstance(cell, str):
        return False
    return bool(
        _WKT.match(cell)
        or WKB_IN_HEX.fullmatch(cell.strip())
        or _PAIR.fullmatch(cell)
        or (cell.startswith("{") and '"coordinates"' in cell)
    )


def time_format(name: str, cells: list[Cell]) -> str:
    """The first format in which almost all can be read; empty where there is none."""
    if _share(cells, lambda cell: not isinstance(cell, str | int | float | bytes | dict) and cell is not None):
        return "iso"
    texts = [shown(cell) for cell in cells[:100]]
    if all(text.isdecimal() for text in texts):
        word = folded(name)
        if not any(part in word for part in ("date", "time", "heure", "epoch", "ts", "horodat")):
            return ""
        for form, first, last in _EPOCHS:
            if all(first <= int(text[:16]) <= last for text in texts):
                return form
    for form in TIME_FORMATS:
        plain = form.isalpha() or "%" in form
        if plain and _is_most(sum(moment_of(text, form) is not None for text in texts), len(texts)):
            return form if form != "iso" or all(len(text) > 7 for text in texts) else ""
    return ""
