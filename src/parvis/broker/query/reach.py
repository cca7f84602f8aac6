"""Where on the map the matches of a geo-query lie, for stores that look there first."""

import math
from typing import Final

from parvis.broker.model.geometry import EARTH_RADIUS_M, Bounds, bounds
from parvis.broker.query.tree import GeoQuery, GeoRelation

METRES_PER_DEGREE: Final = EARTH_RADIUS_M * math.pi / 180


def search_box(geo: GeoQuery) -> Bounds | None:
    """What the bounds of every match touch, or None where everything may match."""
    if geo.relation is GeoRelation.DISJOINT or (geo.relation is GeoRelation.NEAR and geo.max_distance_m is None):
        return None
    west, south, east, north = bounds(geo.geometry)
    if geo.max_distance_m is None:
        return (west, south, east, north)
    up = geo.max_distance_m / METRES_PER_DEGREE * 1.01
    steepest = min(89.9, max(abs(south), abs(north)) + up)
    aside = up / math.cos(math.radians(steepest))
    if west - aside < -180 or east + aside > 180:
        west, east, aside = -180.0, 180.0, 0.0
    return (west - aside, south - up, east + aside, north + up)
