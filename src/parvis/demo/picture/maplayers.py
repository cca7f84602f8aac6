"""The layers of the territory's base map: which features they hold, from which zoom, with which properties."""

from collections.abc import Iterator

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.geometry import M_PER_DEG_LAT, M_PER_DEG_LON, ORIGIN_LAT_DEG, ORIGIN_LON_DEG, Coords
from parvis.demo.land.roads import Road, RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.venues import VenueKind
from parvis.ground.layers import LAYER_NAMES, Feature, MapLayer, degrees_to_world
from parvis.ground.vectortile import Value

ROAD_MIN_ZOOM = {
    RoadClass.TRUNK: 5,
    RoadClass.PRIMARY: 8,
    RoadClass.RAIL: 9,
    RoadClass.SECONDARY: 9,
    RoadClass.TERTIARY: 11,
    RoadClass.RESIDENTIAL: 12,
    RoadClass.PEDESTRIAN: 13,
    RoadClass.TRACK: 13,
    RoadClass.PIER: 12,
}
GROUND_MIN_ZOOM = {"residential": 8, "industrial": 11, "mud": 9, "sand": 9}
PLACE_MIN_ZOOM = {1: 5, 2: 8, 3: 8, 4: 11, 5: 12}
NAMED_VENUES = (VenueKind.BEACH, VenueKind.QUAY, VenueKind.MARINA, VenueKind.STATION)
"""What has no grounds or building of its own to bear its name."""


def to_world(xy: Coords) -> Coords:
    """From the territory's frame to the unit square of Web Mercator."""
    return degrees_to_world(np.array((ORIGIN_LON_DEG, ORIGIN_LAT_DEG)) + xy / (M_PER_DEG_LON, M_PER_DEG_LAT))


def map_layers(territory: Territory) -> list[MapLayer]:
    """In drawing order."""
    features = (
        _fields, _landuse, _hedges, _water, _waterways, _roads, _buildings, _boundaries, _places, _points_of_interest,
    )  # fmt: skip
    return [MapLayer.of(name, of(territory), to_world) for name, of in zip(LAYER_NAMES, features, strict=True)]


def _fields(territory: Territory) -> Iterator[Feature]:
    for field in territory.fields:
        yield Feature(field.area, {"kind": field.kind}, 12)


def _hedges(territory: Territory) -> Iterator[Feature]:
    for line in territory.hedges:
        yield Feature(line, {}, 13)


def _landuse(territory: Territory) -> Iterator[Feature]:
    for kind, area in (("forest", territory.terrain.forest), ("heath", territory.terrain.heath)):
        for part in shapely.get_parts(area):
            yield Feature(part, {"kind": kind}, 5 if part.area > 500_000 else 10)
    for ground in territory.grounds:
        for part in _polygons(ground.area):
            properties: dict[str, Value] = {"kind": ground.kind}
            if ground.name:
                properties["name"] = ground.name
            hamlet = ground.kind == "residential" and part.area < 60_000
            yield Feature(part, properties, 13 if hamlet else GROUND_MIN_ZOOM.get(ground.kind, 12))


def _polygons(area: BaseGeometry) -> list[BaseGeometry]:
    return [part for part in shapely.get_parts(area) if part.geom_type == "Polygon"]


def _water(territory: Territory) -> Iterator[Feature]:
    terrain = territory.terrain
    for part in _polygons(terrain.sea):
        yield Feature(part, {"kind": "sea"})
    for level, depth in enumerate(terrain.depths):
        for part in _polygons(depth):
            yield Feature(part, {"kind": f"depth{level + 1}"})
    for part in _polygons(terrain.shallows):
        yield Feature(part, {"kind": "shallows"}, 9)
    for part in _polygons(terrain.lakes):
        yield Feature(part, {"kind": "lake"}, 8)


def _waterways(territory: Territory) -> Iterator[Feature]:
    for river in territory.terrain.rivers:
        head = river.line.length - river.tidal_m
        rank = 1 if head > 12_000 else 2
        inland = shapely.line_merge(river.line.intersection(territory.terrain.land))
        for part in shapely.get_parts(inland):
            if part.length > 150:
                yield Feature(part.reverse(), {"kind": "river", "name": river.name, "rank": rank}, 8 + rank)


def _roads(territory: Territory) -> Iterator[Feature]:
    for road in territory.roads:
        properties: dict[str, Value] = {"kind": road.kind.value, "name": road.name}
        if road.ref:
            properties["ref"] = road.ref
        yield Feature(road.line, properties, ROAD_MIN_ZOOM[road.kind])
    for road, part in _bridges(territory):
        yield Feature(part, {"kind": road.kind.value, "bridge": True}, max(11, ROAD_MIN_ZOOM[road.kind]))


def _bridges(territory: Territory) -> Iterator[tuple[Road, LineString]]:
    """Where a road leaves the land, and where it crosses a river."""
    wet = shapely.union_all([river.line.buffer(14) for river in territory.terrain.rivers] + [territory.terrain.sea])
    shapely.prepare(wet)
    for road in territory.roads:
        if road.kind is not RoadClass.PIER and wet.intersects(road.line):
            for part in shapely.get_parts(road.line.intersection(wet)):
                if part.geom_type == "LineString" and part.length > 12:
                    yield road, part


def _buildings(territory: Territory) -> Iterator[Feature]:
    for building in territory.buildings:
        properties: dict[str, Value] = {"kind": building.kind}
        if building.name:
            properties["name"] = building.name
        yield Feature(building.footprint, properties, 13)


def _boundaries(territory: Territory) -> Iterator[Feature]:
    """The agglomeration's outline, and the borders between its communes, each drawn once and not along the shore."""
    land = territory.terrain.land
    whole = shapely.union_all([commune.area for commune in territory.communes])
    outline = whole.boundary.difference(land.boundary.buffer(1))
    yield Feature(shapely.line_merge(outline), {"kind": "agglomeration"}, 8)
    every = shapely.union_all([commune.area.boundary for commune in territory.communes])
    inner = every.difference(whole.boundary.buffer(1)).difference(land.boundary.buffer(1))
    yield Feature(shapely.line_merge(inner), {"kind": "commune"}, 9)


def _places(territory: Territory) -> Iterator[Feature]:
    for place in territory.places:
        properties: dict[str, Value] = {"kind": place.kind, "name": place.name, "rank": place.rank}
        if place.population:
            properties["population"] = place.population
        yield Feature(Point(place.x, place.y), properties, PLACE_MIN_ZOOM[place.rank])


def _points_of_interest(territory: Territory) -> Iterator[Feature]:
    for facility in territory.facilities:
        at = facility.footprint.representative_point()
        yield Feature(at, {"kind": facility.kind.value, "name": facility.name}, 14)
    for ground in territory.grounds:
        if ground.name:
            yield Feature(ground.area.representative_point(), {"kind": ground.kind, "name": ground.name}, 13)
    for venue in territory.venues:
        if venue.kind in NAMED_VENUES:
            yield Feature(Point(venue.x, venue.y), {"kind": venue.kind.value, "name": venue.name}, 13)
