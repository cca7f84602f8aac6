"""Where geometries stand to each other: the oracle of geo-queries.

NEAR measures from the nearest points, on the sphere of radius 6 371 008.8 m (haversine; WGS 84 mean radius,
off by at most 0.56 % from the ellipsoid); the nearest points of lines and areas are found on the plane that is true to
scale where the query's geometry lies. Both distances are inclusive. The other relations are planar on longitude and
latitude: `WITHIN`, `CONTAINS` and `OVERLAPS` say that the entity's geometry is within, contains, overlaps the query's.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, assert_never

import msgspec
import shapely
from shapely.errors import GEOSException
from shapely.geometry import shape as to_shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from parvis.broker.model.geometry import EARTH_RADIUS_M
from parvis.broker.query.soundness import check_comparable, sound
from parvis.broker.query.tree import (
    GeoQuery,
    GeoRelation,
)

_NARROWEST: Final = 1e-6
"""Of degrees of longitude, against those of latitude."""


def geometry_holds(geo: GeoQuery, geometry: dict[str, Any]) -> bool:
    """Whether a GeoJSON geometry of an entity stands in the relation to the query's."""
    if geo.relation is GeoRelation.NEAR and geometry["type"] == geo.geometry["type"] == "Point":
        return _is_in_reach(geo, distance_m(geometry["coordinates"], geo.geometry["coordinates"]))
    here, there = _shape(msgspec.json.encode(geometry)), _query_shape(msgspec.json.encode(geo.geometry))
    try:
        check_comparable(here, there)
        return _stands_in(geo, here, there)
    except GEOSException:  # what cannot be worked out is not found
        return False


def _stands_in(geo: GeoQuery, here: BaseGeometry, there: BaseGeometry) -> bool:
    match geo.relation:
        case GeoRelation.NEAR:
            return _is_near(geo, here, there)
        case GeoRelation.EQUALS:
            return bool(here.equals(there))
        case GeoRelation.DISJOINT:
            return bool(there.disjoint(here))
        case GeoRelation.INTERSECTS:
            return bool(there.intersects(here))
        case GeoRelation.WITHIN:
            return bool(there.contains(here))
        case GeoRelation.CONTAINS:
            return bool(here.contains(there))
        case GeoRelation.OVERLAPS:
            return bool(there.overlaps(here))
        case _:
            assert_never(geo.relation)


def geometry_distance_m(one: dict[str, Any], other: dict[str, Any]) -> float:
    """From the nearest points of two GeoJSON geometries; infinite where one is empty. Raises GEOSException."""
    if one["type"] == other["type"] == "Point":
        return distance_m(one["coordinates"], other["coordinates"])
    here, there = _shape(msgspec.json.encode(one)), _query_shape(msgspec.json.encode(other))
    check_comparable(here, there)
    return _nearest_m(here, there)


def distance_m(here: Sequence[float], there: Sequence[float]) -> float:
    """Great-circle distance of two positions, longitude and latitude in degrees (haversine, Sinnott 1984)."""
    longitude_1, latitude_1 = math.radians(here[0]), math.radians(here[1])
    longitude_2, latitude_2 = math.radians(there[0]), math.radians(there[1])
    across = math.sin((latitude_2 - latitude_1) / 2) ** 2
    along = math.cos(latitude_1) * math.cos(latitude_2) * math.sin((longitude_2 - longitude_1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(across + along)))


def _is_near(geo: GeoQuery, here: BaseGeometry, there: BaseGeometry) -> bool:
    return not here.is_empty and not there.is_empty and _is_in_reach(geo, _nearest_m(here, there))


def _nearest_m(here: BaseGeometry, there: BaseGeometry) -> float:
    if here.is_empty or there.is_empty:
        return math.inf
    narrow = max(math.cos(math.radians(there.centroid.y)), _NARROWEST)
    one, other = nearest_points(*(shapely.transform(shape, lambda at: at * (narrow, 1)) for shape in (here, there)))
    return distance_m((one.x / narrow, one.y), (other.x / narrow, other.y))


def _is_in_reach(geo: GeoQuery, distance: float) -> bool:
    is_within = geo.max_distance_m is None or distance <= geo.max_distance_m
    return is_within and (geo.min_distance_m is None or distance >= geo.min_distance_m)


def _shape(text: bytes) -> BaseGeometry:
    geometry = msgspec.json.decode(text)
    return sound(to_shape({"type": geometry["type"], "coordinates": _flat(geometry["coordinates"])}))


def _flat(coordinates: list[Any]) -> list[Any]:
    """Without heights, which one position may have and the next one not."""
    if isinstance(coordinates[0], list):
        return [_flat(one) for one in coordinates]
    return [float(coordinates[0]), float(coordinates[1])]


@lru_cache(maxsize=256)
def _query_shape(text: bytes) -> BaseGeometry:
    made = _shape(text)
    shapely.prepare(made)
    return made
