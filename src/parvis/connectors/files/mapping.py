"""Rows of a table as observations, by the mapping; what is no observation goes into the report."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import assert_never

import msgspec

from parvis.connectors.files.config import (
    InvalidMapping,
    Mapping,
    Series,
    Source,
    filled,
    nearest,
    pattern_of,
    placeholders,
    stored_number,
    zone_of,
)
from parvis.connectors.files.doubting import bounds_of_measuring, bounds_of_number
from parvis.connectors.files.local_time import LocalClock, NoInstant
from parvis.connectors.files.report import FaultReason, Report, SeriesKey
from parvis.connectors.files.rows import RowReader
from parvis.connectors.files.table import Cell, Row, Table
from parvis.kernel.time import Instant, from_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS = 18
_LARGEST = 2**53
"""A whole number beyond what JSON keeps exact becomes a float."""
_EPOCHS = {"epoch-s": 1, "epoch-ms": 1000}
_THOUSANDS = str.maketrans("", "", " \u00a0\u202f\u2009'\u2019")
_NUMBER = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)


class Observation(msgspec.Struct, frozen=True):
    """One value at one time; names as the mapping file writes them. `row` is where it stood."""

    series: Series
    entity_id: str
    at: Instant
    value: int | float | str
    row: int

    @property
    def key(self) -> SeriesKey:
        return (self.entity_id, self.series.attribute, self.series.dataset)


class _Column(msgspec.Struct, frozen=True):
    """A value column found in the header. `entity_id` is None where the row decides it."""

    series: Series
    index: int
    name: str
    known: dict[str, str]
    entity_id: str | None
    where: tuple[tuple[int, str], ...]


class TableReader(RowReader):
    """`known` are placeholders' values from the file's path."""

    def __init__(self, mapping: Mapping, file: str, header: tuple[str, ...], known: dict[str, str], report: Report):
        super().__init__(file, header, report)
        if mapping.time is None:
            raise InvalidMapping("Series need [time].")
        self._source = mapping.source
        self._time = mapping.time
        self._missing = frozenset(mapping.source.missing)
        self._bounds = {id(one): bounds_of_number(one, report) for one in mapping.series}
        self._measuring = bounds_of_measuring(mapping.time.column, report)
        zone = zone_of(mapping.time)
        self._clock = LocalClock(zone, mapping.time.repeated_hour) if zone else None
        self._time_index = self._index(mapping.time.column)
        self._columns = [column for series in mapping.series for column in self._find_columns(series, known)]
        self._row_decides = any(column.entity_id is None for column in self._columns)

    def read(self, table: Table, on_row: Callable[[], None] = lambda: None) -> Iterator[Observation]:
        for number, row in self._rows(table, on_row):
            yield from self._read_row(number, row)
        if self._clock is not None:
            self._report.repeated_hours += self._clock.repeats

    def _read_row(self, number: int, row: Row) -> Iterator[Observation]:
        if len(row) <= self._time_index:
            self._fault(number, self._time.column, "", FaultReason.INCOMPLETE_ROW)
            return
        shared = None if self._row_decides else self._instant(row[self._time_index], "", number)
        if shared is None and not self._row_decides:
            return
        for column in self._columns:
            if any(index >= len(row) or str(row[index]).strip() != text for index, text in column.where):
                continue
            observation = self._observation(column, number, row, shared)
            if observation is not None:
                yield observation

    def _observation(self, column: _Column, number: int, row: Row, shared: Instant | None) -> Observation | None:
        entity_id = column.entity_id or self._entity_of_row(column, row)
        if entity_id is None or len(row) <= column.index:
            self._fault(number, column.name, "", FaultReason.INCOMPLETE_ROW)
            return None
        key = (entity_id, column.series.attribute, column.series.dataset)
        at = self._instant(row[self._time_index], "\0".join(key), number) if shared is None else shared
        if at is None:
            return None
        cell = row[column.index]
        if cell is None or (isinstance(cell, str) and cell.strip() in self._missing):
            self._report.of(key).gaps += 1
            return None
        value = text_of(cell) if column.series.value == "text" else number_of(cell, self._source)
        if value is None:
            self._fault(number, column.name, str(cell), FaultReason.UNREADABLE_VALUE)
            return None
        stored = _scaled(value, column.series)
        if not isinstance(stored, str):
            self._bounds[id(column.series)].judge(stored, number, cell)
        return Observation(column.series, entity_id, at, stored, number)

    def _entity_of_row(self, column: _Column, row: Row) -> str | None:
        values = dict(column.known)
        for name in placeholders(column.series.entity):
            if name not in values:
                index = self._header.index(name)
                text = "" if len(row) <= index or row[index] is None else str(row[index]).strip()
                if not text:
                    return None
                values[name] = text
        return filled(column.series.entity, values)

    def _instant(self, cell: Cell, series: str, number: int) -> Instant | None:
        moment = moment_of(cell, self._time.format)
        at = None if moment is None else self._placed(moment, series)
        if at is None or isinstance(at, NoInstant):
            reason = FaultReason.UNREADABLE_TIME if at is None else _reason_of(at)
            self._fault(number, self._time.column, str(cell), reason)
            return None
        self._measuring.judge(at, number, cell)
        return at

    def _placed(self, moment: datetime, series: str) -> Instant | NoInstant | None:
        """None where neither it nor the mapping names a zone."""
        if moment.tzinfo is not None:
            return from_datetime(moment)
        return None if self._clock is None else self._clock.instant(moment, series)

    def _find_columns(self, series: Series, known: dict[str, str]) -> Iterator[_Column]:
        pattern = pattern_of(filled_where_known(series.column, known))
        matches = [(index, name, pattern.find(name)) for index, name in enumerate(self._header)]
        found = [(index, name, match) for index, name, match in matches if match is not None]
        if not found:
            raise InvalidMapping(f"{self._file} has no column {series.column!r}.{nearest(series.column, self._header)}")
        where = tuple((self._index(name), text) for name, text in series.where.items())
        for index, name, match in found:
            values = known | match
            open_names = [one for one in placeholders(series.entity) if one not in values]
            for one in open_names:
                self._index(one)
            entity_id = None if open_names else filled(series.entity, values)
            yield _Column(series, index, name, values, entity_id, where)


def filled_where_known(template: str, known: dict[str, str]) -> str:
    return filled(template, {name: known.get(name, f"{{{name}}}") for name in placeholders(template)})


def moment_of(cell: Cell, written: str) -> datetime | None:
    """`written` is the format of a time; a date is its midnight. None where it cannot be read."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - the mapping's zone is put on later
    text = "" if cell is None else str(cell).strip()
    try:
        if written == "iso":
            return datetime.fromisoformat(text)
        if written in _EPOCHS:
            return _EPOCH + timedelta(seconds=float(text) / _EPOCHS[written])
        return datetime.strptime(text, written)  # noqa: DTZ007 - the mapping's zone is put on later
    except (ValueError, OverflowError):
        return None


def number_of(cell: Cell, source: Source) -> int | float | None:
    """With the separators of thousands that are no doubt: spaces of every width, and apostrophes."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return (cell if -_LARGEST <= cell <= _LARGEST else _finite(float(cell))) if isfinite(cell) else None
    if not isinstance(cell, str):
        return None
    text = cell.strip().translate(_THOUSANDS)
    if source.decimal == ",":
        text = text.replace(".", "\0").replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    try:
        is_whole = len(text) <= _MOST_DIGITS and text.lstrip("+-").isdecimal()
        return int(text) if is_whole else _finite(float(text))
    except ValueError:
        return None


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None


def text_of(cell: Cell) -> str:
    return cell.isoformat() if isinstance(cell, date) else str(cell).strip()


def _scaled(value: float | str, series: Series) -> int | float | str:
    return value if isinstance(value, str) else stored_number(series.attribute, series, value)


def _reason_of(found: NoInstant) -> FaultReason:
    match found:
        case NoInstant.SKIPPED:
            return FaultReason.SKIPPED_HOUR
        case NoInstant.REPEATED | NoInstant.THIRD:
            return FaultReason.REPEATED_HOUR
        case _:
            assert_never(found)
