"""Areas of the map, and which of them a place is in."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape as to_shape

from parvis.broker.model.geometry import bounds
from parvis.broker.query.soundness import sound

AREAS = frozenset({"Polygon", "MultiPolygon"})
Ring = tuple[tuple[float, float], ...]
Rings = tuple[Ring, ...]
"""An outline, then its holes; each closed."""


class Area(msgspec.Struct, frozen=True):
    """`polygons` are sound: they cross neither themselves nor each other."""

    id: str
    polygons: tuple[Rings, ...]


def find_area(area_id: str, geometry: dict[str, Any]) -> Area | None:
    """None for what is no area (GeoJSON, RFC 7946)."""
    if geometry.get("type") not in AREAS:
        return None
    try:
        parts = shapely.get_parts(sound(shapely.force_2d(to_shape(geometry)))).tolist()
    except (ShapelyError, ValueError, TypeError):
        return None
    polygons = tuple(_rings(one) for one in parts if isinstance(one, shapely.Polygon) and not one.is_empty)
    return Area(area_id, polygons) if polygons else None


def _rings(polygon: shapely.Polygon) -> Rings:
    rings = (polygon.exterior, *polygon.interiors)
    return tuple(tuple((float(x), float(y)) for x, y in ring.coords) for ring in rings)


class AreaIndex:
    """Finds the areas of many places; edges belong to the areas."""

    def __init__(self, areas: Iterable[Area]) -> None:
        parts = [(one.id, shapely.Polygon(rings[0], rings[1:])) for one in areas for rings in one.polygons]
        self._ids = [area_id for area_id, _ in parts]
        self._tree = shapely.STRtree([polygon for _, polygon in parts])

    def list_at(self, geometry: dict[str, Any]) -> Sequence[str]:
        """The areas in which the middle of its bounds is, each once."""
        west, south, east, north = bounds(geometry)
        middle = shapely.Point((west + east) / 2, (south + north) / 2)
        return sorted({self._ids[number] for number in self._tree.query(middle, predicate="intersects")})
