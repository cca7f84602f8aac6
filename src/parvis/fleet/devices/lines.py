"""A line of a file of devices becomes a record, or faults."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from parvis.broker.model.entity import Iri, Json
from parvis.fleet.devices.columns import LONGEST_TEXT, Column, Fault, Line, LineFault
from parvis.fleet.devices.records import DeviceRecord, check_entity_id, check_interval, check_words
from parvis.fleet.model.uplink import HARDWARE_ID, Technology, plain_hardware_id
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.errors import BadRequestData

_INTERVAL = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*(s|sec|min|mn|h|d|j)?", re.IGNORECASE)
_UNITS_S = {"s": 1, "sec": 1, "min": 60, "mn": 60, "h": 3_600, "d": 86_400, "j": 86_400}


def split_words(text: str) -> tuple[str, ...]:
    """Groups or tags in one cell."""
    return tuple(word.strip() for word in re.split("[|,;]", text) if word.strip())


class _Refusing(Exception):
    def __init__(self, column: Column, fault: LineFault, detail: str = "") -> None:
        super().__init__(detail)
        self.column = column
        self.fault = fault
        self.detail = detail


class LineReader:
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
        hardware_id = plain_hardware_id(_needed(told, Column.HARDWARE_ID))
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
            return f"urn:ngsi-ld:{of_type}:{plain_hardware_id(told.get(Column.HARDWARE_ID, ''))}"
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


_Reading = Callable[[LineReader, Mapping[Column | str, str]], Json]


def _needed(told: Mapping[Column | str, str], column: Column) -> str:
    if column not in told:
        raise _Refusing(column, LineFault.MISSING)
    return told[column]


def _degrees(told: Mapping[Column | str, str], column: Column, most: float) -> float:
    try:
        degrees = float(told.get(column, "").replace(",", "."))
    except ValueError:
        degrees = math.nan
    if not abs(degrees) <= most:
        raise _Refusing(column, LineFault.NO_PLACE)
    return degrees


def _words(column: Column) -> _Reading:
    def read(_reader: LineReader, told: Mapping[Column | str, str]) -> tuple[str, ...]:
        try:
            return tuple(check_words(split_words(told.get(column, ""))))
        except BadRequestData as fault:
            raise _Refusing(column, LineFault.TOO_MUCH) from fault

    return read


def _plain_text(column: Column) -> _Reading:
    def read(_reader: LineReader, told: Mapping[Column | str, str]) -> str:
        text = told.get(column, "")
        if len(text) > LONGEST_TEXT:
            raise _Refusing(column, LineFault.TOO_MUCH)
        return text

    return read


_READINGS: Mapping[str, _Reading] = {
    "hardware_id": LineReader.hardware_id,
    "profile": LineReader.profile,
    "entity_id": LineReader.entity_id,
    "entity_type": _plain_text(Column.ENTITY_TYPE),
    "name": _plain_text(Column.NAME),
    "location": LineReader.location,
    "technology": LineReader.technology,
    "groups": _words(Column.GROUPS),
    "tags": _words(Column.TAGS),
    "expected_interval_s": LineReader.interval_s,
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
