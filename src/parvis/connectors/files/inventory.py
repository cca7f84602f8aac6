"""Rows of a table as entities, by the mapping; what is none goes into the report."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, assert_never
from urllib.parse import quote

import msgspec

from parvis.connectors.files.config import (
    Attribute,
    InvalidMapping,
    Inventory,
    Mapping,
    placeholders,
    stored_number,
)
from parvis.connectors.files.doubting import Bounds, bounds_of_date, bounds_of_number
from parvis.connectors.files.mapping import moment_of, number_of, text_of
from parvis.connectors.files.places import Places
from parvis.connectors.files.report import FaultReason, Report
from parvis.connectors.files.rows import RowReader
from parvis.connectors.files.table import GEOMETRY, Cell, Row, Table
from parvis.kernel.time import from_datetime

Value = int | float | str | bool | dict[str, Any]
MOST_IDS = 1_000_000
"""So many ids are remembered to tell that one comes twice."""
_TRUE = frozenset({"true", "t", "yes", "y", "oui", "o", "vrai", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "non", "faux", "0"})
_SAFE_IN_ID = "-._~:"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`]+")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What one row says of one entity: values by the names that the mapping gives them. `row` is where it stood."""

    entity_id: str
    values: dict[str, Value]
    place: dict[str, Any] | None
    row: int


class InventoryReader(RowReader):
    def __init__(self, mapping: Mapping, file: str, table: Table, report: Report) -> None:
        super().__init__(file, table.header, report)
        if mapping.inventory is None:
            raise InvalidMapping("There is no [inventory].")
        self._inventory: Inventory = mapping.inventory
        self._source = mapping.source
        self._missing = frozenset(mapping.source.missing)
        self._attributes = [(self._index(one.column), one) for one in self._inventory.attributes]
        self._bounds = {one.name: _bounds_of(one, report) for one in self._inventory.attributes}
        self._id = [(name, self._index(name)) for name in dict.fromkeys(placeholders(self._inventory.id))]
        self._seen: set[int] = set()
        self._places = None
        if (place := self._inventory.place) is not None:
            columns = [place.geometry] if place.geometry else [place.longitude, place.latitude]
            self._places = Places([self._index(one) for one in columns], place.crs or table.crs, mapping.source)

    def read(self, table: Table, on_row: Callable[[], None] = lambda: None) -> Iterator[Entry]:
        for number, row in self._rows(table, on_row):
            entry = self._entry(number, row)
            if entry is not None:
                yield entry

    def _entry(self, number: int, row: Row) -> Entry | None:
        """A value that cannot be read is left out, and told; without its id or its place there is no entity."""
        entity_id = self._entity_id(row)
        if entity_id is None:
            self._fault(number, self._inventory.id, "", FaultReason.INCOMPLETE_ROW)
            return None
        place = None
        if self._places is not None:
            place, told = self._places.read(row)
            if told:
                self._fault(number, GEOMETRY, told, FaultReason.UNREADABLE_PLACE)
                return None
        if self._is_repeated(entity_id):
            self._fault(number, self._inventory.id, entity_id, FaultReason.REPEATED_ID)
            return None
        values: dict[str, Value] = {}
        for index, attribute in self._attributes:
            cell = row[index] if index < len(row) else None
            if cell is None or (isinstance(cell, str) and cell.strip() in self._missing):
                continue
            value = self._value(cell, attribute)
            if value is None:
                self._fault(number, attribute.column, str(cell), FaultReason.UNREADABLE_VALUE)
            else:
                values[attribute.name] = value
                self._judge(attribute, value, number, cell)
        if place is None:
            self._report.note_unplaced(number, entity_id)
        return Entry(entity_id, values, place, number)

    def _judge(self, attribute: Attribute, value: Value, row: int, cell: Cell) -> None:
        if attribute.value == "number" and isinstance(value, int | float):
            self._bounds[attribute.name].judge(value, row, cell)
        elif attribute.value == "date" and isinstance(value, str):
            moment = datetime.fromisoformat(value)
            at = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            self._bounds[attribute.name].judge(at, row, cell)

    def _is_repeated(self, entity_id: str) -> bool:
        mark = hash(entity_id)
        if mark in self._seen:
            return True
        if len(self._seen) < MOST_IDS:
            self._seen.add(mark)
        return False

    def _entity_id(self, row: Row) -> str | None:
        entity_id = self._inventory.id
        for name, index in self._id:
            cell = row[index] if index < len(row) else None
            text = "" if cell is None else identifying(cell)
            if not text:
                return None
            entity_id = entity_id.replace(f"{{{name}}}", text)
        return entity_id

    def _value(self, cell: Cell, attribute: Attribute) -> Value | None:
        match attribute.value:
            case "number":
                number = number_of(cell, self._source)
                return None if number is None else stored_number(attribute.name, attribute, number)
            case "text":
                return cell if isinstance(cell, dict) else _storable(text_of(cell))
            case "boolean":
                return _boolean(cell)
            case "date":
                moment = moment_of(cell, attribute.format)
                return None if moment is None else moment.isoformat()
            case "uri":
                text = text_of(cell)
                return text if _URI.fullmatch(text) else None
            case unknown:
                assert_never(unknown)


def _bounds_of(attribute: Attribute, report: Report) -> Bounds:
    if attribute.value == "date":
        return bounds_of_date(attribute.column, report)
    return bounds_of_number(attribute, report)


def identifying(cell: Cell) -> str:
    """A cell as a part of a URI: 12.0 of a spreadsheet is 12, spaces are hyphens, a point is its two coordinates."""
    if isinstance(cell, dict) and cell.get("type") == "Point" and isinstance(cell.get("coordinates"), list):
        cell = "_".join(str(one) for one in reversed(cell["coordinates"][:2]))
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return quote("-".join(text_of(cell).split()), safe=_SAFE_IN_ID, errors="replace")


def _boolean(cell: Cell) -> bool | None:
    if isinstance(cell, bool):
        return cell
    word = text_of(cell).lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _storable(text: str) -> str | None:
    return None if "\0" in text else text
