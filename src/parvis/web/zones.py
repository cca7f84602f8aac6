"""Zones: areas of the map in which objects are looked for, drawn for once or kept under a name (entities)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape as shapely_shape
from shapely.geometry.base import BaseGeometry

from parvis.broker.broker import Broker
from parvis.broker.model.entity import Entity
from parvis.broker.query.areas import AREAS
from parvis.broker.query.soundness import sound
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.web.views import EntityReader, ObjectView, one_text, short_id

ZONE = "Zone"
DRAWN = "drawn"
"""The zone that an address itself describes."""
MOST_ZONES = 200
MOST_CORNERS = 200
_DIGITS = 5
"""Of a degree: about a metre."""
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Zone:
    """`geometry` is a GeoJSON Polygon or MultiPolygon."""

    id: str
    name: str
    geometry: dict[str, Any]
    shape: BaseGeometry

    @classmethod
    def of(cls, zone_id: str, name: str, geometry: dict[str, Any]) -> "Zone | None":
        """None for what is no area."""
        if geometry.get("type") not in AREAS:
            return None
        try:
            area = sound(shapely_shape(geometry))
        except (ShapelyError, ValueError, TypeError):
            return None
        shapely.prepare(area)
        return cls(zone_id, name, geometry, area)

    def admits(self, view: ObjectView) -> bool:
        """What has a line or an area needs only reach into it."""
        if view.position is None:
            return False
        if view.shape is None:
            return bool(shapely.intersects_xy(self.shape, *view.position))
        try:
            return bool(self.shape.intersects(shapely_shape(view.shape)))
        except (ShapelyError, ValueError, TypeError):
            return bool(shapely.intersects_xy(self.shape, *view.position))


def parse_corners(text: str) -> tuple[Corner, ...]:
    """Of "longitude,latitude,longitude,latitude,..."; empty where that is no polygon."""
    try:
        numbers = [round(float(part), _DIGITS) for part in text.split(",") if part.strip()]
    except ValueError:
        return ()
    corners = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    is_on_earth = all(-180 <= longitude <= 180 and -90 <= latitude <= 90 for longitude, latitude in corners)
    is_polygon = 3 <= len(corners) <= MOST_CORNERS and len(numbers) % 2 == 0
    return corners if is_polygon and is_on_earth else ()


def corners_text(corners: Iterable[Corner]) -> str:
    return ",".join(f"{degrees:.{_DIGITS}f}" for corner in corners for degrees in corner)


def polygon(corners: Iterable[Corner]) -> dict[str, Any]:
    """A ring that is closed, as GeoJSON wants it."""
    ring = [list(corner) for corner in corners]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def drawn_zone(corners: tuple[Corner, ...]) -> Zone:
    """Raises BadRequestData."""
    found = Zone.of(DRAWN, "", polygon(corners))
    if found is None or found.shape.is_empty or not found.shape.area:
        raise BadRequestData("The corners enclose no area.")
    return found


async def list_zones(broker: Broker, caller: Caller, reader: EntityReader) -> list[Zone]:
    """Kept ones, by name."""
    page = await broker.query(caller, EntityQuery(types=TypeIs(reader.expand(ZONE)), limit=MOST_ZONES))
    zones = (zone_of(entity, reader) for entity in page.entities)
    return sorted((one for one in zones if one is not None), key=lambda one: one.name.casefold())


async def find_zone(broker: Broker, caller: Caller, zone_id: str, reader: EntityReader) -> Zone | None:
    """Of any entity that has an area: districts and networks' zones will do."""
    entity = await broker.find(caller, zone_id)
    return None if entity is None else zone_of(entity, reader)


def zone_of(entity: Entity, reader: EntityReader) -> Zone | None:
    """By its name in the reader's language. None for what has no area."""
    place, name = entity.find(reader.location), entity.find(reader.expand("name"))
    if place is None or not isinstance(place.value, dict):
        return None
    return Zone.of(
        entity.id, short_id(entity.id) if name is None else one_text(name.value, reader.language), place.value
    )
