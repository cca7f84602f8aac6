"""Where an object stands on the map: a point that stands for it, and its line or area where it has one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import cos, hypot, radians
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import shape as shapely_shape

from parvis.broker.model.entity import Instance
from parvis.broker.query.areas import AREAS

Place = tuple[float, float]
"""Longitude and latitude in degrees."""
LINES = frozenset({"LineString", "MultiLineString"})


def shape_of(location: Instance | None) -> dict[str, Any] | None:
    """The GeoJSON geometry of what is more than a point."""
    if location is None or not isinstance(location.value, dict):
        return None
    return location.value if location.value.get("type") in LINES | AREAS else None


def position_of(location: Instance | None) -> Place | None:
    """The point; half way along the longest line; a place inside the area; else the middle of the bounds."""
    if location is None or not isinstance(location.value, dict):
        return None
    points = list(_points(location.value.get("coordinates", ())))
    if not points:
        return None
    kind = location.value.get("type")
    if kind in LINES:
        return half_way(max(_lines(location.value), key=_length))
    if kind in AREAS and (inside := _inside(location.value)) is not None:
        return inside
    longitudes, latitudes = zip(*points, strict=True)
    return ((min(longitudes) + max(longitudes)) / 2, (min(latitudes) + max(latitudes)) / 2)


def half_way(line: Sequence[Place]) -> Place:
    rest = _length(line) / 2
    for start, end in pairwise(line):
        step = _length((start, end))
        if step >= rest and step:
            share = rest / step
            return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
        rest -= step
    return line[-1]


def _length(line: Sequence[Place]) -> float:
    """In degrees of latitude: enough to compare with."""
    squeeze = cos(radians(line[0][1]))
    return sum(hypot((b[0] - a[0]) * squeeze, b[1] - a[1]) for a, b in pairwise(line))


def _lines(geometry: dict[str, Any]) -> list[list[Place]]:
    parts = geometry["coordinates"] if geometry["type"] == "MultiLineString" else [geometry["coordinates"]]
    return [[(one[0], one[1]) for one in part] for part in parts if part]


def _inside(geometry: dict[str, Any]) -> Place | None:
    try:
        point = shapely_shape(geometry).representative_point()
    except (ShapelyError, ValueError, TypeError):
        return None
    return None if point.is_empty else (point.x, point.y)


def _points(coordinates: Iterable[Any]) -> Iterator[Place]:
    content = list(coordinates)
    if content and isinstance(content[0], int | float):
        yield (content[0], content[1])
        return
    for part in content:
        yield from _points(part)
