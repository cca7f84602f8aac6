"""What tells the objects of a file apart: a column, or some together, as a template of their ids."""

import re
from collections.abc import Collection, Sequence

from parvis.connectors.files.config import Place
from parvis.connectors.files.look import Column, Kind, folded, shown
from parvis.connectors.files.table import Row

LONGITUDES = frozenset({"lon", "long", "lng", "longitude", "x", "coordx", "xlambert", "xl93", "coordonneex", "xwgs84"})
LATITUDES = frozenset({"lat", "latitude", "y", "coordy", "ylambert", "yl93", "coordonneey", "ywgs84"})
MOSTLY_APART = 0.9
"""Files of towns name an object twice now and then."""
_IDS = ("id", "ref", "reference", "code", "numero", "num", "identifiant", "matricule", "gid", "objectid", "fid", "nom")
_NUMBERED = re.compile(r"\s*n\s?[°º]", re.IGNORECASE)
_TYPE_IN_URN = re.compile(r"urn:ngsi-ld:([A-Z][A-Za-z0-9]*):.+")
_WELL_APART = 0.95
_MOST_PARTS = 4
_FEW = 5


def find_key(columns: Sequence[Column]) -> Column | None:
    """The column that says which object: by its name."""
    able = [one for one in columns if one.kind in (Kind.TEXT, Kind.NUMBER, Kind.URI)]
    words = {folded(one.name): one for one in able}
    for wanted in _IDS[:-1]:
        if wanted in words:
            return words[wanted]
    numbered = next((one for one in able if _NUMBERED.match(one.name)), None)
    if numbered is not None or "nom" in words:
        return numbered or words["nom"]
    for word, one in words.items():
        if word.startswith(("id", "code", "ref", "num")) and word[2:3] != "e":
            return one
    return None


def tells_apart(column: Column) -> bool:
    """Of few rows one may be there twice."""
    is_once_twice = column.filled >= _FEW and column.distinct == column.filled - 1
    return is_once_twice or column.distinct >= MOSTLY_APART * column.filled


def identify(type_name: str, template: str, columns: Sequence[Column]) -> tuple[str, str]:
    """The type and the id: where the column holds whole ids of NGSI-LD, those say the type."""
    column = next((one for one in columns if template == f"{{{one.name}}}" and one.kind is Kind.URI), None)
    said = None if column is None else _TYPE_IN_URN.fullmatch(column.example)
    return (said[1], template) if said else (type_name, f"urn:ngsi-ld:{type_name}:{template}")


def identified(
    columns: Sequence[Column], rows: Sequence[Row], key: Column | None, place: Place | None, used: Collection[str]
) -> str:
    """A column named so, else one that never repeats, else where they stand, else columns that together do."""
    named = [one for one in columns if one.kind not in (Kind.EMPTY, Kind.GEOMETRY, Kind.TIME)]
    others = [one for one in named if one.name not in used]
    found = key if key is not None and tells_apart(key) else None
    found = found or next((one for one in others if one.is_key and one.kind is not Kind.NUMBER), None)
    if found is not None:
        return f"{{{found.name}}}"
    if where := _where(columns, named, place):
        return where
    found = next((one for one in others if one.is_key), None)
    if found is None and key is not None:
        return _together(columns, rows, key, others)
    found = found or next(iter(named), None)
    return f"{{{found.name if found else ''}}}"


def _where(columns: Sequence[Column], named: Sequence[Column], place: Place | None) -> str:
    if (point := _point_column(columns, place)) is not None:
        return f"{{{point}}}"
    latitude = next((one.name for one in named if folded(one.name) in LATITUDES), "")
    longitude = next((one.name for one in named if folded(one.name) in LONGITUDES), "")
    return f"{{{latitude}}}_{{{longitude}}}" if place is not None and latitude and longitude else ""


def _point_column(columns: Sequence[Column], place: Place | None) -> str | None:
    """That of a map whose objects are points, no two at one place."""
    wanted = "" if place is None else place.geometry
    points = (one for one in columns if one.name == wanted and one.is_key)
    return next((one.name for one in points if one.example.startswith('{"type":"Point"')), None)


def _together(columns: Sequence[Column], rows: Sequence[Row], key: Column, others: Sequence[Column]) -> str:
    """With the key that repeats, the fewest columns that are always filled and tell almost all rows apart."""
    position = {one.name: index for index, one in enumerate(columns)}
    whole = [row for row in rows if len(row) == len(columns)]

    def apart(names: Sequence[str]) -> int:
        return len({tuple(shown(row[position[name]]) for name in names) for row in whole})

    parts = [key.name]
    left = [one.name for one in others if one.filled == len(whole) and not {"{", "}"} & set(one.name)]
    left = [name for name in left if name != key.name]
    while left and len(parts) < _MOST_PARTS and apart(parts) < _WELL_APART * len(whole):
        best = max(left, key=lambda name: apart([*parts, name]))
        if apart([*parts, best]) == apart(parts):
            break
        parts.append(best)
        left.remove(best)
    return "_".join(f"{{{name}}}" for name in parts)
