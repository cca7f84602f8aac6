"""A mapping to begin with: which objects or series the columns of a file may be."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from parvis.broker.jsonld.contexts import PARVIS_FILE, packaged
from parvis.connectors.files.config import (
    GEOJSON_ENDINGS,
    IN_ADDRESS,
    Attribute,
    InvalidMapping,
    Inventory,
    Mapping,
    Place,
    Series,
    Source,
    Time,
)
from parvis.connectors.files.config import PER_CENT as PER_CENT_CODE
from parvis.connectors.files.identified import (
    LATITUDES,
    LONGITUDES,
    MOSTLY_APART,
    find_key,
    identified,
    identify,
    tells_apart,
)
from parvis.connectors.files.look import PER_CENT, UNIT, UNIT_AT_END, Column, Kind, folded
from parvis.connectors.files.mapping import number_of
from parvis.connectors.files.table import GEOMETRY, Row
from parvis.connectors.files.wanted import ANYTHING, Wanted
from parvis.connectors.files.words import SYNONYMS, TYPE_SYNONYMS, UNIT_CODES

_NEAR = 0.84
_OF_OBJECTS = frozenset({"datePlanted", "dateInstalled", "dateServiceStarted", "dateManufactured", "dateFirstUsed"})
"""Dates of what is there, not of what was read of it."""


@cache
def list_terms() -> frozenset[str]:
    """The names that the platform's own context has, without prefixes."""
    terms: dict[str, Any] = msgspec.json.decode(packaged(PARVIS_FILE))["@context"]
    return frozenset(name for name, iri in terms.items() if not (isinstance(iri, str) and iri.endswith(("/", "#"))))


def propose(
    file: str,
    columns: Sequence[Column],
    rows: list[Row],
    source: Source,
    crs: str,
    terms: Collection[str],
    zone: str,
    wanted: Wanted = ANYTHING,
) -> Mapping:
    """Of observations where the file has a time that repeats no object, and numbers; else of objects.

    Rows with a geometry that no column names, or each with a place and a day of its own, are objects: a date in
    them is of the object. What is `wanted` is proposed whatever the file looks like.
    """
    place = wanted.place or _place(columns, rows, source, crs, file)
    times = [one for one in columns if one.kind is Kind.TIME and guess_term(one.name, terms) not in _OF_OBJECTS]
    used = _says_the_place(columns, place)
    numbers = [one for one in columns if one.kind is Kind.NUMBER and one.name not in used]
    key = find_key(columns)
    type_name = wanted.type or guess_type(file, [one.name for one in columns], terms)
    is_of_objects = _is_inventory(columns, key, times, terms) or (key is None and _are_apart(columns, place, times))
    seems_series = bool(times and numbers and not is_of_objects and (key is None or not key.is_key))
    if seems_series if wanted.is_series is None else wanted.is_series:
        measured = numbers or [one for one in columns if one.kind is Kind.TEXT and one is not key]
        time = _as_written(wanted.time, columns) if wanted.time else _time(times or columns, zone)
        return _series_mapping(time, key or _subject(columns), measured, type_name, source, terms)
    attributes = tuple(
        _attribute(one, terms) for one in columns if one.name and one.name not in used and _is_useful(one)
    )
    if not type_name.endswith("Parking"):
        attributes = tuple(_seats(one) for one in attributes)
    # An object that is read again and again is one.
    template = f"{{{key.name}}}" if seems_series and key else identified(columns, rows, key, place, used)
    said, entity_id = identify(type_name, template, columns)
    return Mapping(inventory=Inventory(wanted.type or said, entity_id, _apart(attributes), place), source=source)


def _time(columns: Sequence[Column], zone: str) -> Time | None:
    found = next((one for one in columns if one.kind is Kind.TIME), None)
    return None if found is None else Time(found.name, found.format, zone)


def _as_written(time: Time, columns: Sequence[Column]) -> Time:
    """Of a column that was chosen before anybody said how its times are written."""
    found = next((one.format for one in columns if one.name == time.column and one.kind is Kind.TIME), "")
    return msgspec.structs.replace(time, format=found) if found and time.format == "iso" else time


def _seats(attribute: Attribute) -> Attribute:
    """The places of a bench or a hall are not those of a car park."""
    is_spots = attribute.name == "totalSpotNumber" and folded(attribute.column) != "totalspotnumber"
    return msgspec.structs.replace(attribute, name="capacity") if is_spots else attribute


def _are_apart(columns: Sequence[Column], place: Place | None, times: Sequence[Column]) -> bool:
    """Whether each row is an object of its own, by where it is: what moves tells the hour too."""
    if place is None or place.geometry:
        return place is not None
    coordinates = [one for one in columns if one.name in (place.longitude, place.latitude)]
    return all(one.distinct >= MOSTLY_APART * one.filled for one in coordinates) and not any(
        one.has_hours for one in times
    )


def _is_inventory(
    columns: Sequence[Column], key: Column | None, times: Sequence[Column], terms: Collection[str]
) -> bool:
    """Whether each row has an id of its own and what it is called or where it stands, and no hour."""
    if key is None or not tells_apart(key) or any(one.has_hours for one in times):
        return False
    others = (guess_term(one.name, terms) for one in columns if one is not key and one.kind is Kind.TEXT)
    return any(one == "name" or one.startswith(IN_ADDRESS) for one in others)


def _subject(columns: Sequence[Column]) -> Column | None:
    """Of whom the rows tell, where no column is called so: a URI says it, else a text that comes again."""
    uri = next((one for one in columns if one.kind is Kind.URI), None)
    return uri or next((one for one in columns if one.kind is Kind.TEXT and not one.is_key), None)


def _says_the_place(columns: Sequence[Column], place: Place | None) -> set[str]:
    """Beside a geometry its coordinates say nothing more."""
    if place is None:
        return set()
    doubled = {one.name for one in columns if folded(one.name) in LONGITUDES | LATITUDES}
    return {place.geometry, place.longitude, place.latitude} | (doubled if place.geometry else set())


def _is_useful(column: Column) -> bool:
    return column.kind not in (Kind.EMPTY, Kind.GEOMETRY) and not column.name.startswith(("{", "}"))


def _series_mapping(
    time: Time | None,
    key: Column | None,
    measured: list[Column],
    type_name: str,
    source: Source,
    terms: Collection[str],
) -> Mapping:
    values = [one for one in measured if key is None or one.name != key.name]
    type_name, entity_id = identify(type_name, f"{{{key.name}}}" if key is not None else "1", [key] if key else [])
    series = tuple(
        Series(
            one.name.replace("{", "").replace("}", ""),
            entity_id,
            type_name,
            guess_term(one.name, terms).removeprefix(IN_ADDRESS),
            _unit_code(one.name),
            value="number" if one.kind is Kind.NUMBER else "text",
        )
        for one in values
    )
    return Mapping(time, _series_apart(series), source=source)


def _series_apart(series: tuple[Series, ...]) -> tuple[Series, ...]:
    seen: Counter[str] = Counter()
    apart = []
    for one in series:
        seen[one.attribute] += 1
        number = seen[one.attribute]
        apart.append(one if number == 1 else msgspec.structs.replace(one, attribute=f"{one.attribute}{number}"))
    return tuple(apart)


def _apart(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """No two columns are one attribute."""
    seen: Counter[str] = Counter()
    apart = []
    for one in attributes:
        seen[one.name] += 1
        number = seen[one.name]
        apart.append(one if number == 1 else msgspec.structs.replace(one, name=f"{one.name}{number}"))
    return tuple(apart)


def _attribute(column: Column, terms: Collection[str]) -> Attribute:
    value = column.kind.value if column.kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.TIME, Kind.URI) else "text"
    written = column.format or "iso"
    unit_code = _unit_code(column.name) if value == "number" else ""
    return Attribute(column.name, guess_term(column.name, terms), value, unit_code, format=written)  # type: ignore[arg-type]


def _place(columns: Sequence[Column], rows: list[Row], source: Source, crs: str, file: str) -> Place | None:
    by_word = {folded(one.name): one for one in columns if one.kind is not Kind.EMPTY}
    x = next((one for word, one in by_word.items() if word in LONGITUDES and one.kind is Kind.NUMBER), None)
    y = next((one for word, one in by_word.items() if word in LATITUDES and one.kind is Kind.NUMBER), None)
    geometry = next((one for one in columns if one.name == GEOMETRY), None)
    geometry = geometry or next((one for one in columns if one.kind is Kind.GEOMETRY), None)
    if geometry is not None:
        return Place(geometry.name, crs="" if crs or file.lower().endswith(GEOJSON_ENDINGS) else "EPSG:4326")
    if x is None or y is None:
        return None
    names = [one.name for one in columns]
    points = [
        (number_of(row[names.index(x.name)], source), number_of(row[names.index(y.name)], source))
        for row in rows
        if len(row) == len(names)
    ]
    return Place(longitude=x.name, latitude=y.name, crs=guess_crs([(a, b) for a, b in points if a and b]))


def guess_crs(points: Sequence[tuple[float, float]]) -> str:
    """Of metropolitan France the projection shows in the size of its numbers; elsewhere people say it."""
    if not points:
        return "EPSG:4326"
    x = sorted(one[0] for one in points)[len(points) // 2]
    y = sorted(one[1] for one in points)[len(points) // 2]
    if abs(x) <= 180 and abs(y) <= 90:
        return "EPSG:4326"
    if 0 < x < 1_300_000 and 6_000_000 < y < 7_200_000:
        return "EPSG:2154"
    if 1_000_000 < x < 2_400_000 and 1_000_000 < y < 9_400_000:
        return f"EPSG:{3942 + min(8, max(0, round(y - 1_200_000) // 1_000_000))}"
    if 0 < x < 1_300_000 and 1_500_000 < y < 2_800_000:
        return "EPSG:27572"
    return "EPSG:3857"


_TAKEN = {"id": "identifier", "type": "category", "scope": "area"}
"""What NGSI-LD keeps for itself can name no attribute."""


def guess_term(column: str, terms: Collection[str]) -> str:
    """The term of the context that a column's name means, else the name itself as a term is written."""
    by_word = {folded(term): term for term in terms if term[:1].islower()}
    known = {**by_word, **_TAKEN, **SYNONYMS}
    word = folded(column)
    for one in (word, folded(UNIT_AT_END.sub("", column)), folded(PER_CENT.sub(" ", column))):
        if one in known:
            return known[one]
    near = difflib.get_close_matches(word, by_word, 1, _NEAR) if len(word) > 4 else []
    return by_word[near[0]] if near else camel(column)


def guess_type(file: str, columns: Iterable[str], terms: Collection[str]) -> str:
    """By what the file or its columns are called; an object of no kind known is a PointOfInterest."""
    by_word = {folded(term): term for term in terms if term[:1].isupper() and len(term) > 4}
    words = [*re.split(r"[^\w]+|_|\d+", Path(file).stem), *columns]
    for text in words:
        word = folded(text)
        if not word:
            continue
        for part, name in TYPE_SYNONYMS.items():
            if word.startswith(part):
                return name
        near = difflib.get_close_matches(word.removesuffix("s"), by_word, 1, 0.9)
        if near:
            return by_word[near[0]]
    return "PointOfInterest"


def camel(text: str) -> str:
    plain = unicodedata.normalize("NFKD", UNIT.sub("", text)).encode("ascii", "ignore").decode()
    words = [word for word in re.split(r"[^A-Za-z0-9]+", plain) if word]
    if not words:
        return "value"
    first, *others = words
    joined = (first if first[1:] != first[1:].upper() or len(first) == 1 else first.lower()) + "".join(
        word[:1].upper() + word[1:].lower() for word in others
    )
    return joined[:1].lower() + joined[1:] if joined[:1].isalpha() else f"v{joined}"


def _unit_code(column: str) -> str:
    """UN/CEFACT Recommendation 20, of a unit at the end of the name, in brackets, after an underscore, or per cent."""
    found = UNIT.search(column) or UNIT_AT_END.search(column)
    told = UNIT_CODES.get(found[1].strip().lower(), "") if found else ""
    return told or (PER_CENT_CODE if PER_CENT.search(column) else "")


def check_terms(mapping: Mapping) -> None:
    """Raises InvalidMapping for names that no attribute may have."""
    names = [one.attribute for one in mapping.series]
    if mapping.inventory is not None:
        names += [one.name for one in mapping.inventory.attributes]
        if any(name.startswith(IN_ADDRESS) for name in names) and "address" in names:
            raise InvalidMapping("Two columns are to be the attribute 'address'.")
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise InvalidMapping(f"Two columns are to be the attribute {repeated[0]!r}.")
