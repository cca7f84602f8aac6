"""Devices as lines of a CSV file: columns named in English or French, each fault told with its line."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from parvis.broker.model.entity import Iri, Json
from parvis.fleet.devices.columns import Column, Fault, Line, LineFault, find_columns
from parvis.fleet.devices.lines import LineReader
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.errors import BadRequestData
from parvis.kernel.spreadsheet import inert, without_apostrophe

MOST_LINES = 50_000
FAULTS_TOLD = 500
_DELIMITERS = ",;\t|"


class Sheet(msgspec.Struct, frozen=True):
    lines: tuple[Line, ...]
    columns_left_out: tuple[str, ...] = ()

    @property
    def records(self) -> list[tuple[int, DeviceRecord]]:
        return [(line.number, line.record) for line in self.lines if line.record is not None]

    @property
    def faults(self) -> list[Fault]:
        return [fault for line in self.lines for fault in line.faults]


class SheetReport(msgspec.Struct, frozen=True):
    """What a file would do, or has done. `faults` are the first FAULTS_TOLD, `fault_counts` all of them."""

    lines: int
    new: int
    known: int
    left_out: int
    fault_counts: Mapping[LineFault, int]
    faults: Sequence[Fault]
    columns_left_out: Sequence[str] = ()


def report_of(sheet: Sheet, new: int, known: int, more: Iterable[Fault] = ()) -> SheetReport:
    faults = sorted([*sheet.faults, *more], key=lambda one: one.line)
    return SheetReport(
        lines=len(sheet.lines),
        new=new,
        known=known,
        left_out=len({one.line for one in faults}),
        fault_counts=dict(Counter(one.fault for one in faults).most_common()),
        faults=faults[:FAULTS_TOLD],
        columns_left_out=sheet.columns_left_out,
    )


def read_sheet(body: bytes, profiles: Mapping[str, DeviceProfile], compact: Callable[[Iri], str]) -> Sheet:
    """Raises BadRequestData for what is no such file at all."""
    rows = _rows(_text(body))
    header = next(rows, (0, []))[1]
    columns, left_out = find_columns(header)
    if Column.HARDWARE_ID not in columns.values():
        names = ", ".join(Column.HARDWARE_ID.value)
        raise BadRequestData(f"The first line names no column for the device's identifier, such as: {names}.")
    reader = LineReader(columns, len(header), profiles, compact)
    lines = []
    for number, cells in rows:
        if any(cells):
            lines.append(reader.read(number, cells))
        if len(lines) > MOST_LINES:
            raise BadRequestData(f"The file has more than {MOST_LINES} lines: split it.")
    return Sheet(tuple(lines), left_out)


def read_cells(body: bytes) -> list[dict[Column, str]]:
    """The cells of each line as they are written. Raises BadRequestData."""
    rows = _rows(_text(body))
    columns, _ = find_columns(next(rows, (0, []))[1])
    return [
        {column: cells[index] for index, column in columns.items() if isinstance(column, Column) and index < len(cells)}
        for _, cells in rows
        if any(cells)
    ]


def write_sheet(records: Iterable[DeviceRecord], language: str = "en") -> str:
    """What `read_sheet` reads; in French with semicolons and decimal commas, as spreadsheets there expect."""
    is_french = language == "fr"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if is_french else ",")
    writer.writerow([one.french if is_french else one.english for one in Column])
    for record in records:
        writer.writerow([_cell_text(cell, is_french) for cell in _cells(record)])
    return text.getvalue()


def _cells(record: DeviceRecord) -> list[str | float]:
    longitude, latitude = _point_of(record.location)
    return [
        record.hardware_id,
        record.profile,
        record.entity_id,
        record.entity_type,
        record.name,
        latitude,
        longitude,
        record.technology,
        "|".join(record.groups),
        "|".join(record.tags),
        record.expected_interval_s or "",
        record.serial_number,
        record.manufacturer,
        record.model,
    ]


def _point_of(location: dict[str, Json] | None) -> tuple[str | float, str | float]:
    if location is None or location.get("type") != "Point":
        return "", ""
    longitude, latitude = location["coordinates"][:2]
    return longitude, latitude


def _cell_text(cell: str | float, is_french: bool) -> str:
    if isinstance(cell, str):
        return inert(cell)
    text = str(cell).removesuffix(".0")
    return text.replace(".", ",") if is_french else text


def _text(body: bytes) -> str:
    """UTF-8, else what Windows writes in Western Europe."""
    if b"\0" in body:
        raise BadRequestData("The file is no text: save the sheet as CSV (UTF-8).")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """With the number of each one's first line."""
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    try:
        for cells in reader:
            yield number, [without_apostrophe(cell.strip()) for cell in cells]
            number = reader.line_num + 1
    except csv.Error as fault:
        raise BadRequestData(f"Line {number} is no CSV: {fault}.") from fault
