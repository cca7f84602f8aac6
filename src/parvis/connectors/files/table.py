"""What every kind of file is read as: a header and numbered rows of cells."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

import msgspec

from parvis.connectors.files.config import InvalidMapping

Item = TypeVar("Item")
Cell = str | int | float | bool | datetime | date | bytes | dict[str, Any] | None
"""A geometry is a dict (GeoJSON) or bytes (WKB)."""
Row = Sequence[Cell]
GEOMETRY = "geometry"
"""The column of the geometry that a map file has of itself."""
ROWS_LOOKED_AT = 1000
DEEPEST_NAME = 4


class Unreadable(msgspec.Struct, frozen=True):
    """A row that is none; the rest of the file can be read."""

    text: str


class Table(msgspec.Struct):
    """`rows` come with their number in the file, the first being 1; `expected` is how many there may be.

    `crs` is what the file says of its coordinates; empty where it says nothing.
    """

    header: tuple[str, ...]
    rows: Iterator[tuple[int, Row | Unreadable]]
    expected: int
    crs: str = ""


NumberedRecord = tuple[int, dict[str, Cell] | Unreadable]


def table_of_records(records: Iterator[NumberedRecord], expected: int, crs: str = "") -> Table:
    """The columns are those of the first thousand records."""
    first = list(islice(records, ROWS_LOOKED_AT))
    header = tuple(dict.fromkeys(name for _, one in first if not isinstance(one, Unreadable) for name in one))

    def rows() -> Iterator[tuple[int, Row | Unreadable]]:
        for some in (iter(first), records):
            for number, record in some:
                yield number, record if isinstance(record, Unreadable) else [record.get(name) for name in header]

    return Table(header, rows(), expected, crs)


def flattened(document: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, Cell]:
    """Members of members as `address.street`; geometries whole, lists as JSON."""
    flat: dict[str, Cell] = {}
    for name, value in document.items():
        if isinstance(value, dict) and not is_geometry(value) and depth < DEEPEST_NAME:
            flat |= flattened(value, f"{prefix}{name}.", depth + 1)
        else:
            flat[prefix + name] = plain(value)
    return flat


def is_geometry(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str) and isinstance(value.get("coordinates"), list)


def plain(value: Any) -> Cell:
    """What any reader gave as a cell."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list) or (isinstance(value, dict) and not is_geometry(value)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    if value is None or isinstance(value, str | int | float | datetime | date | bytes | dict):
        return value
    return str(value)


@contextmanager
def damaged_where_it_fails(name: str) -> Iterator[None]:
    """What a library of others raises at a damaged file is in no list: whatever it is, it is the file's fault."""
    try:
        yield
    except (InvalidMapping, MemoryError):
        raise
    except Exception as error:
        raise InvalidMapping(f"{name} cannot be read: {type(error).__name__} {str(error)[:300]}") from error


def read_by_library(rows: Iterator[Item], name: str) -> Iterator[Item]:
    with damaged_where_it_fails(name):
        yield from rows
