"""Devices as lines of a CSV file: columns named in English or French, each fault told with its line."""

import csv
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum

import msgspec

from parvis.broker.model.entity import Iri, Json
from parvis.fleet.profiles import DeviceProfile
from parvis.fleet.records import HARDWARE_ID, DeviceRecord, check_entity_id, check_interval, check_words
from parvis.fleet.uplink import Technology
from parvis.kernel.errors import BadRequestData

MOST_LINES = 50_000
FAULTS_TOLD = 500
LONGEST_TEXT = 256
ATTRIBUTE = "attribute:"
"""Further columns that begin so give the asset a static attribute of that name."""
_INTERVAL = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*(s|sec|min|mn|h|d|j)?", re.IGNORECASE)
_UNITS_S = {"s": 1, "sec": 1, "min": 60, "mn": 60, "h": 3_600, "d": 86_400, "j": 86_400}
_DELIMITERS = ",;\t|"


class Column(Enum):
    """A column of the file: what it is called in English and French, and other names of it."""

    HARDWARE_ID = ("hardware_id", "identifiant", "deveui", "dev_eui", "imei", "id_materiel", "identifiant_materiel")
    PROFILE = ("profile", "profil", "device_profile", "modele_de_decodage")
    ENTITY_ID = ("entity_id", "objet", "asset", "asset_id", "id_objet")
    ENTITY_TYPE = ("entity_type", "type_objet", "type", "type_d_objet")
    NAME = ("name", "nom", "label", "libelle")
    LATITUDE = ("latitude", "lat", "y")
    LONGITUDE = ("longitude", "lon", "lng", "long", "x")
    TECHNOLOGY = ("technology", "technologie", "reseau", "network")
    GROUPS = ("groups", "groupes", "group", "groupe")
    TAGS = ("tags", "etiquettes", "tag", "etiquette")
    EXPECTED_INTERVAL = ("expected_interval", "intervalle_attendu", "interval", "intervalle", "periode")
    SERIAL_NUMBER = ("serial_number", "numero_de_serie", "serial", "sn")
    MANUFACTURER = ("manufacturer", "fabricant", "vendor", "maker")
    MODEL = ("model", "modele")

    @property
    def english(self) -> str:
        names: tuple[str, ...] = self.value
        return names[0]

    @property
    def french(self) -> str:
        """As a person writes it."""
        names: tuple[str, ...] = self.value
        return _FRENCH.get(names[1], names[1])


_FRENCH = {
    "type_objet": "type d’objet",
    "etiquettes": "étiquettes",
    "intervalle_attendu": "intervalle attendu",
    "numero_de_serie": "numéro de série",
    "modele": "modèle",
    "lat": "latitude",
    "lon": "longitude",
}


class LineFault(Enum):
    MISSING = "missing"  # nothing in a column that is needed
    NO_HARDWARE_ID = "no-hardware-id"
    REPEATED = "repeated"  # the device stands in an earlier line
    UNKNOWN_PROFILE = "unknown-profile"
    NO_ENTITY_ID = "no-entity-id"
    NO_PLACE = "no-place"  # latitude and longitude in degrees, both or neither
    UNKNOWN_TECHNOLOGY = "unknown-technology"
    NO_INTERVAL = "no-interval"
    TOO_MUCH = "too-much"  # too many words, or a text that is too long
    TOO_MANY_CELLS = "too-many-cells"
    NOT_WRITTEN = "not-written"  # the broker refused it


class Fault(msgspec.Struct, frozen=True):
    """`line` counts as a text editor does, the header being 1. `detail` is what a program wrote, for experts."""

    line: int
    column: str
    fault: LineFault
    text: str = ""
    detail: str = ""


class Line(msgspec.Struct, frozen=True):
    """`record` is None where there are faults."""

    number: int
    record: DeviceRecord | None
    faults: tuple[Fault, ...] = ()


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
    columns, left_out = _columns(header)
    if Column.HARDWARE_ID not in columns.values():
        names = ", ".join(Column.HARDWARE_ID.value)
        raise BadRequestData(f"The first line names no column for the device's identifier, such as: {names}.")
    reader = _LineReader(columns, len(header), profiles, compact)
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
    columns, _ = _columns(next(rows, (0, []))[1])
    return [
        {column: cells[index] for index, column in columns.items() if isinstance(column, Column) and index < len(cells)}
        for _, cells in rows
        if any(cells)
    ]


def split_words(text: str) -> tuple[str, ...]:
    """Groups or tags in one cell."""
    return tuple(word.strip() for word in re.split("[|,;]", text) if word.strip())


def write_sheet(records: Iterable[DeviceRecord], language: str = "en") -> str:
    """What `read_sheet` reads; in French with semicolons and decimal commas, as spreadsheets there expect."""
    is_french = language == "fr"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if is_french else ",")
    writer.writerow([one.french if is_french else one.english for one in Column])
    for record in records:
        writer.writerow([_inert(_number_text(cell, is_french)) for cell in _cells(record)])
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


def _number_text(cell: str | float, is_french: bool) -> str:
    text = f"{cell:g}" if isinstance(cell, float) and cell.is_integer() else str(cell)
    return text.replace(".", ",") if is_french and not isinstance(cell, str) else text


def _inert(text: str) -> str:
    """Text that a spreadsheet would run as a formula has an apostrophe put before it; `read_sheet` takes it away."""
    return f"'{text}" if text.startswith(("=", "+", "@", "\t", "\r")) else text


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
            yield number, [cell.strip() for cell in cells]
            number = reader.line_num + 1
    except csv.Error as fault:
        raise BadRequestData(f"Line {number} is no CSV: {fault}.") from fault


def _columns(header: Sequence[str]) -> tuple[dict[int, Column | str], tuple[str, ...]]:
    """By place; a text is a static attribute's name."""
    known = {alias: column for column in Column for alias in column.value}
    columns: dict[int, Column | str] = {}
    left_out = []
    for index, name in enumerate(header):
        column = known.get(_plain(name))
        if column is not None and column not in columns.values():
            columns[index] = column
        elif name.startswith(ATTRIBUTE) and name.removeprefix(ATTRIBUTE).strip():
            columns[index] = name.removeprefix(ATTRIBUTE).strip()
        elif name:
            left_out.append(name[:LONGEST_TEXT])
    return columns, tuple(left_out)


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.casefold())
    words = re.findall("[a-z0-9]+", "".join(one for one in bare if not unicodedata.combining(one)))
    return "_".join(words)


class _Refusing(Exception):
    def __init__(self, column: Column, fault: LineFault, detail: str = "") -> None:
        super().__init__(detail)
        self.column = column
        self.fault = fault
        self.detail = detail


class _LineReader:
    def __init__(
        self,
        columns: Mapping[int, Column | str],
        width: int,
        profiles: Mapping[str, DeviceProfile],
        compact: Callable[[Iri], str],
    ) -> None:
        self._columns = columns
        self._width = width
        self._profiles = profiles
        self._compact = compact
        self._seen: set[str] = set()

    def read(self, number: int, cells: Sequence[str]) -> Line:
        told = {column: cells[index] for index, column in self._columns.items() if index < len(cells) and cells[index]}
        if len(cells) > self._width and any(cells[self._width :]):
            return _faulty(number, told, [_Refusing(Column.HARDWARE_ID, LineFault.TOO_MANY_CELLS)])
        read: dict[str, Json] = {}
        faults = []
        for name, reading in _READINGS.items():
            try:
                read[name] = reading(self, told)
            except _Refusing as fault:
                faults.append(fault)
        if faults:
            return _faulty(number, told, faults)
        attributes = {column: value for column, value in told.items() if isinstance(column, str)}
        return Line(number, DeviceRecord(**read, attributes=attributes))

    def hardware_id(self, told: Mapping[Column | str, str]) -> str:
        hardware_id = re.sub(r"[\s:-]", "", needed) if _is_eui(needed := _needed(told, Column.HARDWARE_ID)) else needed
        hardware_id = hardware_id.lower()
        if not HARDWARE_ID.fullmatch(hardware_id):
            raise _Refusing(Column.HARDWARE_ID, LineFault.NO_HARDWARE_ID)
        if hardware_id in self._seen:
            raise _Refusing(Column.HARDWARE_ID, LineFault.REPEATED)
        self._seen.add(hardware_id)
        return hardware_id

    def profile(self, told: Mapping[Column | str, str]) -> str:
        profile = _needed(told, Column.PROFILE)
        if profile not in self._profiles:
            raise _Refusing(Column.PROFILE, LineFault.UNKNOWN_PROFILE)
        return profile

    def entity_id(self, told: Mapping[Column | str, str]) -> str:
        """Where there is none, one made of the type and the hardware id."""
        entity_id = told.get(Column.ENTITY_ID, "")
        if not entity_id:
            profile = self._profiles.get(told.get(Column.PROFILE, ""))
            of_type = told.get(Column.ENTITY_TYPE) or (self._compact(profile.entity_type) if profile else "Thing")
            return f"urn:ngsi-ld:{of_type}:{told.get(Column.HARDWARE_ID, '').lower()}"
        try:
            check_entity_id(entity_id)
        except BadRequestData as fault:
            raise _Refusing(Column.ENTITY_ID, LineFault.NO_ENTITY_ID) from fault
        return entity_id

    def location(self, told: Mapping[Column | str, str]) -> dict[str, Json] | None:
        if Column.LATITUDE not in told and Column.LONGITUDE not in told:
            return None
        latitude = _degrees(told, Column.LATITUDE, 90.0)
        longitude = _degrees(told, Column.LONGITUDE, 180.0)
        return {"type": "Point", "coordinates": [longitude, latitude]}

    def technology(self, told: Mapping[Column | str, str]) -> str:
        technology = told.get(Column.TECHNOLOGY, "").lower()
        if technology and technology not in {one.value for one in Technology}:
            raise _Refusing(Column.TECHNOLOGY, LineFault.UNKNOWN_TECHNOLOGY)
        return technology

    def interval_s(self, told: Mapping[Column | str, str]) -> float:
        """Seconds, or a number with s, min, h or d (French: j)."""
        text = told.get(Column.EXPECTED_INTERVAL, "")
        if not text:
            return 0.0
        found = _INTERVAL.fullmatch(text)
        seconds = float(found[1].replace(",", ".")) * _UNITS_S[(found[2] or "s").lower()] if found else math.nan
        try:
            check_interval(seconds)
        except BadRequestData as fault:
            raise _Refusing(Column.EXPECTED_INTERVAL, LineFault.NO_INTERVAL) from fault
        return seconds


_Reading = Callable[[_LineReader, Mapping[Column | str, str]], Json]


def _needed(told: Mapping[Column | str, str], column: Column) -> str:
    if column not in told:
        raise _Refusing(column, LineFault.MISSING)
    return told[column]


def _is_eui(text: str) -> bool:
    return re.fullmatch(r"([0-9A-Fa-f]{2}[\s:-]){7}[0-9A-Fa-f]{2}", text) is not None


def _degrees(told: Mapping[Column | str, str], column: Column, most: float) -> float:
    try:
        degrees = float(told.get(column, "").replace(",", "."))
    except ValueError:
        degrees = math.nan
    if not abs(degrees) <= most:
        raise _Refusing(column, LineFault.NO_PLACE)
    return degrees


def _words(column: Column) -> _Reading:
    def read(_reader: _LineReader, told: Mapping[Column | str, str]) -> tuple[str, ...]:
        try:
            return tuple(check_words(split_words(told.get(column, ""))))
        except BadRequestData as fault:
            raise _Refusing(column, LineFault.TOO_MUCH) from fault

    return read


def _plain_text(column: Column) -> _Reading:
    def read(_reader: _LineReader, told: Mapping[Column | str, str]) -> str:
        text = told.get(column, "")
        if len(text) > LONGEST_TEXT:
            raise _Refusing(column, LineFault.TOO_MUCH)
        return text[1:] if text.startswith(("'=", "'+", "'@")) else text

    return read


_READINGS: Mapping[str, _Reading] = {
    "hardware_id": _LineReader.hardware_id,
    "profile": _LineReader.profile,
    "entity_id": _LineReader.entity_id,
    "entity_type": _plain_text(Column.ENTITY_TYPE),
    "name": _plain_text(Column.NAME),
    "location": _LineReader.location,
    "technology": _LineReader.technology,
    "groups": _words(Column.GROUPS),
    "tags": _words(Column.TAGS),
    "expected_interval_s": _LineReader.interval_s,
    "serial_number": _plain_text(Column.SERIAL_NUMBER),
    "manufacturer": _plain_text(Column.MANUFACTURER),
    "model": _plain_text(Column.MODEL),
}


def _faulty(number: int, told: Mapping[Column | str, str], faults: Sequence[_Refusing]) -> Line:
    return Line(
        number,
        None,
        tuple(
            Fault(number, one.column.english, one.fault, told.get(one.column, "")[:LONGEST_TEXT], one.detail)
            for one in faults
        ),
    )
