"""GeoJSON geometries as NGSI-LD takes them (RFC 7946; NGSI-LD 1.9.1, 4.7): WGS 84, no GeometryCollection."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from parvis.kernel.errors import BadRequestData

MAX_POSITIONS: Final = 100_000

Geometry = dict[str, Any]
_NUMBERS = (float, int)


def is_geometry(value: Any) -> bool:
    """Whether `value` means to be a geometry; `check_geometry` says whether it is sound."""
    if type(value) is not dict or "coordinates" not in value:
        return False
    named = value.get("type")
    return type(named) is str and named in GEOMETRY_TYPES


def check_geometry(value: Any, where: str) -> Geometry:
    """Gives the geometry; one written as JSON in a string is decoded (4.7.2).

    Raises:
        BadRequestData: it is not sound.
    """
    geometry = _decoded(value, where) if type(value) is str else value
    if type(geometry) is not dict:
        raise BadRequestData(f"{where} must be a GeoJSON geometry, an object with type and coordinates.")
    named = geometry.get("type")
    check = _CHECKS.get(named) if isinstance(named, str) else None
    if check is None:
        raise BadRequestData(f"{where} must be a GeoJSON geometry of type {', '.join(sorted(GEOMETRY_TYPES))}.")
    check(geometry.get("coordinates"), where)
    return geometry


def _decoded(text: str, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as failure:
        raise BadRequestData(f"{where} is a string, but not the JSON of a GeoJSON geometry.") from failure


def _check_position(position: Any, where: str) -> None:
    if (
        type(position) is not list
        or not 2 <= len(position) <= 4
        or type(position[0]) not in _NUMBERS
        or type(position[1]) not in _NUMBERS
        or not all(type(number) in _NUMBERS for number in position)
    ):
        raise BadRequestData(f"{where} has a position that is not [longitude, latitude] or [longitude, latitude, m].")
    if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
        raise BadRequestData(
            f"{where} has the position {position[:2]}: longitude (-180 to 180) comes first, then latitude (-90 to 90)."
        )


def _check_positions(positions: Any, least: int, where: str) -> None:
    if type(positions) is not list or not least <= len(positions) <= MAX_POSITIONS:
        raise BadRequestData(f"{where} needs an array of {least} to {MAX_POSITIONS} positions.")
    for position in positions:
        _check_position(position, where)


def _check_multi_point(coordinates: Any, where: str) -> None:
    _check_positions(coordinates, 1, where)


def _check_line(coordinates: Any, where: str) -> None:
    _check_positions(coordinates, 2, where)


def _check_ring(ring: Any, where: str) -> None:
    _check_positions(ring, 4, where)
    if ring[0] != ring[-1]:
        raise BadRequestData(f"{where} has a ring that is not closed: its last position must equal its first.")


def _each(check: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def check_all(parts: Any, where: str) -> None:
        if type(parts) is not list or not parts:
            raise BadRequestData(f"{where} needs coordinates, an array that is not empty.")
        for part in parts:
            check(part, where)

    return check_all


_CHECKS: Mapping[str, Callable[[Any, str], None]] = {
    "Point": _check_position,
    "MultiPoint": _check_multi_point,
    "LineString": _check_line,
    "MultiLineString": _each(_check_line),
    "Polygon": _each(_check_ring),
    "MultiPolygon": _each(_each(_check_ring)),
}
GEOMETRY_TYPES: Final = frozenset(_CHECKS)
