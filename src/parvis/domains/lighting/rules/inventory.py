"""Reads the inventory that a town or its operator has: a CSV or a GeoJSON file, light point by light point.

A value that cannot be read is left out, and told; a light point without a name is none.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from io import StringIO
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from parvis.domains.lighting.model.inventory import LightPoint, Place, Technology
from parvis.domains.lighting.rules.columns import TECHNOLOGIES, UNKNOWN, find_columns, plain
from parvis.domains.lighting.rules.lambert93 import is_lambert93, place_of
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError

MOST_POINTS = 500_000
MOST_FAULTS = 1_000
"""So many are told one by one; all are counted."""
_DELIMITERS = ";,\t|"
_LONGEST_TEXT = 200
_PLACES = ("latitude", "longitude", "x", "y", "point")
_YES, _NO = frozenset({"oui", "o", "vrai", "true", "1", "yes"}), frozenset({"non", "n", "faux", "false", "0", "no"})
BOUNDS: Mapping[str, tuple[float, float]] = {
    "power_w": (0.5, 5_000), "luminous_flux_lm": (1, 500_000), "color_temperature_k": (1_000, 10_000),
    "upward_light_ratio": (0, 1), "height_m": (0, 60),
}  # fmt: skip
"""Beyond them it was written in another unit, or is none."""


class FaultReason(StrEnum):
    NO_NAME = "no-name"
    REPEATED_NAME = "repeated-name"
    UNREADABLE_VALUE = "unreadable-value"
    OUT_OF_BOUNDS = "out-of-bounds"
    UNREADABLE_PLACE = "unreadable-place"


class Fault(msgspec.Struct, frozen=True):
    """`row` counts from 1, the line of titles apart."""

    row: int
    field: str
    value: str
    reason: FaultReason


class Reading(msgspec.Struct, frozen=True):
    """`unused` are titles of columns that nothing was taken from."""

    points: tuple[LightPoint, ...]
    faults: tuple[Fault, ...]
    fault_counts: dict[FaultReason, int]
    unused: tuple[str, ...]


class InvalidInventory(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-inventory"
    title = "The file is no inventory of light points"
    status = 400


class _Table(NamedTuple):
    """`geometries` is there, one for each row, where the file brings them."""

    header: list[str]
    rows: Iterator[list[str]]
    geometries: list[Any] | None = None


class _Feature(msgspec.Struct):
    properties: dict[str, Any] | None = None
    geometry: dict[str, Any] | None = None


class _Collection(msgspec.Struct):
    features: list[_Feature]


class _Refused(Exception):
    def __init__(self, reason: FaultReason) -> None:
        self.reason = reason


def read_inventory(content: bytes) -> Reading:
    """Raises InvalidInventory."""
    table = _features(content) if content.lstrip()[:1] == b"{" else _lines(content)
    columns = find_columns(table.header)
    if "name" not in columns:
        raise InvalidInventory("No column names the light points: call one identifiant, numero or id.")
    reader = _Reader(columns)
    try:
        for number, cells in enumerate(table.rows, 1):
            if number > MOST_POINTS:
                raise InvalidInventory(f"There are more than {MOST_POINTS} light points: bring them in parts.")
            reader.read(number, cells, table.geometries[number - 1] if table.geometries is not None else None)
    except csv.Error as fault:
        raise InvalidInventory(f"The table cannot be read: {fault}") from None
    unused = [title for index, title in enumerate(table.header) if index not in columns.values()]
    return Reading(tuple(reader.points), tuple(reader.faults), dict(reader.counts), tuple(unused))


class _Reader:
    def __init__(self, columns: Mapping[str, int]) -> None:
        self._columns = columns
        self._names: set[str] = set()
        self.points: list[LightPoint] = []
        self.faults: list[Fault] = []
        self.counts: Counter[FaultReason] = Counter()

    def read(self, row: int, cells: Sequence[str], geometry: Any) -> None:
        if not any(cells) and geometry is None:
            return None
        told = {field: cells[at].strip() for field, at in self._columns.items() if at < len(cells)}
        told = {field: text for field, text in told.items() if text.casefold() not in UNKNOWN}
        name = told.pop("name", "")
        if not name or len(name) > _LONGEST_TEXT or "\0" in name:
            return self._fault(row, "name", name, FaultReason.NO_NAME)
        if name in self._names:
            return self._fault(row, "name", name, FaultReason.REPEATED_NAME)
        self._names.add(name)
        values = {field: self._value(row, field, text) for field, text in told.items() if field not in _PLACES}
        self.points.append(LightPoint(name=name, place=self._place(row, told, geometry), **values))
        return None

    def _value(self, row: int, field: str, text: str) -> Any:
        try:
            return _READERS.get(field, _text)(field, text)
        except _Refused as refused:
            self._fault(row, field, text, refused.reason)
            return None

    def _place(self, row: int, told: Mapping[str, str], geometry: Any) -> Place | None:
        where = " ".join(told[one] for one in _PLACES if one in told) or ("" if geometry is None else str(geometry))
        if not where:
            return None
        try:
            return _drawn(geometry) if geometry is not None else _told(told)
        except (ValueError, TypeError, KeyError, LookupError):
            self._fault(row, "place", where, FaultReason.UNREADABLE_PLACE)
            return None

    def _fault(self, row: int, field: str, value: str, reason: FaultReason) -> None:
        self.counts[reason] += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(row, field, value[:_LONGEST_TEXT], reason))


def _lines(content: bytes) -> _Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.lstrip().partition("\n")[0]
    rows = csv.reader(StringIO(text.lstrip(), newline=""), delimiter=max(_DELIMITERS, key=first.count))
    try:
        header = next(rows, [])
    except csv.Error as fault:
        raise InvalidInventory(f"The table cannot be read: {fault}") from None
    return _Table(header, rows)


def _features(content: bytes) -> _Table:
    try:
        features = msgspec.json.decode(content, type=_Collection).features
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInventory("This is no GeoJSON collection of features.") from None
    told = [one.properties or {} for one in features]
    geometries = [one.geometry for one in features]
    header = list(dict.fromkeys(title for one in told for title in one))
    rows = ([_written(one.get(title)) for title in header] for one in told)
    return _Table(header, rows, geometries)


def _written(value: Any) -> str:
    return "" if value is None else str(value)


def _drawn(geometry: Any) -> Place:
    if geometry["type"] not in ("Point", "MultiPoint"):
        raise ValueError
    first, second = (geometry["coordinates"] if geometry["type"] == "Point" else geometry["coordinates"][0])[:2]
    return _placed(float(first), float(second))


def _told(told: Mapping[str, str]) -> Place:
    if "point" in told:
        latitude, longitude = told["point"].split(",")
        return _placed(float(longitude), float(latitude))
    if "latitude" in told:
        return _placed(_float(told["longitude"]), _float(told["latitude"]))
    return _placed(_float(told["x"]), _float(told["y"]))


def _placed(x: float, y: float) -> Place:
    """Degrees, or metres of the Lambert-93 plane."""
    if abs(x) <= 180 and abs(y) <= 90:
        return Place(y, x)
    if is_lambert93(x, y):
        return place_of(x, y)
    raise ValueError


def _float(text: str) -> float:
    value = float("".join(text.split()).replace(",", "."))
    if not isfinite(value):
        raise ValueError
    return value


def _text(field: str, text: str) -> str:
    if len(text) > _LONGEST_TEXT or "\0" in text:
        raise _Refused(FaultReason.UNREADABLE_VALUE)
    return text


def _number(field: str, text: str) -> float:
    """A share may be told in per cent; a unit after the number is passed over."""
    bare = text.rstrip("%WwKkmMlL° ")
    try:
        value = _float(bare) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise _Refused(FaultReason.UNREADABLE_VALUE) from None
    low, high = BOUNDS[field]
    if not low <= value <= high:
        raise _Refused(FaultReason.OUT_OF_BOUNDS)
    return value


def _technology(field: str, text: str) -> Technology:
    found = TECHNOLOGIES.get(plain(text))
    if found is None:
        raise _Refused(FaultReason.UNREADABLE_VALUE)
    return found


def _flag(field: str, text: str) -> bool:
    word = plain(text)
    if word not in _YES | _NO:
        raise _Refused(FaultReason.UNREADABLE_VALUE)
    return word in _YES


def _date(field: str, text: str) -> date:
    """2014-05-12, 12/05/2014, or the year alone, which is its first day."""
    try:
        if text.isdecimal() and len(text) == 4:
            return date(int(text), 1, 1)
        if "/" in text:
            day, month, year = (int(part) for part in text.split("/"))
            return date(year, month, day)
        return date.fromisoformat(text[:10])
    except (ValueError, OverflowError):
        raise _Refused(FaultReason.UNREADABLE_VALUE) from None


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(BOUNDS, _number),
    "technology": _technology,
    "is_dimmable": _flag,
    "installed": _date,
}
