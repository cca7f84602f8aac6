"""Where devices stand: sorting points on streets, bays along kerbs, rooms in buildings, gauges in the water."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import shapely
from shapely.geometry import LineString, Point

from parvis.demo.land.facilities import Facility, FacilityKind
from parvis.demo.land.roads import Road, RoadClass
from parvis.demo.land.territory import Territory

ROOMS: dict[FacilityKind, tuple[str, ...]] = {
    FacilityKind.SCHOOL: ("Classe 1", "Classe 2", "Classe 3", "Cantine"),
    FacilityKind.COLLEGE: ("Salle 101", "Salle 102", "Salle 201", "Salle 204", "CDI", "Réfectoire"),
    FacilityKind.TOWN_HALL: ("Accueil", "Salle du conseil"),
    FacilityKind.LIBRARY: ("Salle de lecture",),
    FacilityKind.CARE_HOME: ("Salon", "Salle à manger"),
    FacilityKind.OFFICES: ("Plateau nord", "Plateau sud"),
    FacilityKind.COMMUNITY_HALL: ("Grande salle",),
    FacilityKind.HOSPITAL: ("Attente des urgences", "Consultations"),
    FacilityKind.FISH_AUCTION: ("Salle des ventes", "Bureau des mareyeurs"),
}


@dataclass(frozen=True, slots=True)
class Spot:
    x: float
    y: float
    address: str
    commune: int


def kerbside(rng: Random, street: Road, aside_m: float = 4.6) -> Spot:
    """Somewhere along the street, beside its carriageway."""
    at = rng.uniform(0.15, 0.85) * street.line.length
    x, y = _beside(street.line, at, rng.choice((-aside_m, aside_m)))
    return Spot(x, y, f"{2 * int(at / 11) + 1} {street.name}", street.commune or 0)


def _beside(line: LineString, at: float, aside_m: float) -> tuple[float, float]:
    here, ahead = line.interpolate(at), line.interpolate(min(at + 1, line.length))
    behind = line.interpolate(max(at - 1, 0))
    heading = float(np.arctan2(ahead.y - behind.y, ahead.x - behind.x))
    return here.x - float(np.sin(heading)) * aside_m, here.y + float(np.cos(heading)) * aside_m


def town_streets(territory: Territory, commune: int, shortest_m: float = 60) -> list[Road]:
    return [road for road in territory.towns[commune].streets if road.line.length > shortest_m]


def parking_bays(territory: Territory, facility: Facility, count: int) -> Iterator[Spot]:
    """Parallel bays, 6 m each, along the streets nearest to the facility."""
    streets = territory.towns[facility.commune].streets
    order = np.argsort(shapely.distance([street.line for street in streets], facility.footprint), kind="stable")
    left = count
    for index in order:
        street = streets[int(index)]
        for number in range(int((street.line.length - 24) // 6)):
            if left == 0:
                return
            x, y = _beside(street.line, 12 + 6.0 * number, 3.4)
            left -= 1
            yield Spot(x, y, street.name, facility.commune)


def rooms(facility: Facility) -> Iterator[tuple[str, Spot]]:
    names = ROOMS.get(facility.kind, ())
    points = _spread(facility, len(names))
    for name, point in zip(names, points, strict=True):
        yield name, Spot(point.x, point.y, f"1 {facility.street}", facility.commune)


def _spread(facility: Facility, count: int) -> list[Point]:
    """That many points well inside the footprint, apart from each other."""
    inner = facility.footprint.buffer(-2)
    inner = facility.footprint if inner.is_empty else inner
    cuts = shapely.get_parts(
        shapely.voronoi_polygons(
            shapely.multipoints(shapely.get_coordinates(inner.segmentize(4))[: 6 * count : 6])
        ).intersection(inner)
        if count > 1
        else inner
    )
    points = [part.representative_point() for part in shapely.get_parts(cuts)]
    return [points[number % len(points)] for number in range(count)]


def roadside(territory: Territory) -> Iterator[tuple[Road, Spot]]:
    """Counting stations on the departmental roads, at least 900 m apart, on dry land."""
    taken: list[tuple[float, float]] = []
    for road in territory.roads:
        if road.kind not in (RoadClass.PRIMARY, RoadClass.SECONDARY):
            continue
        for share in (0.28, 0.72):
            at = road.line.interpolate(share, normalized=True)
            commune = commune_at(territory, at.x, at.y)
            if commune is None or any((at.x - x) ** 2 + (at.y - y) ** 2 < 900**2 for x, y in taken):
                continue
            taken.append((at.x, at.y))
            x, y = _beside(road.line, share * road.line.length, 5.0)
            yield road, Spot(x, y, f"{road.ref}, {road.name}", commune)


def commune_at(territory: Territory, x: float, y: float) -> int | None:
    spot = Point(x, y)
    return next((index for index, commune in enumerate(territory.communes) if commune.area.contains(spot)), None)


def nearest_commune(territory: Territory, x: float, y: float) -> int:
    distances = [(commune.x - x) ** 2 + (commune.y - y) ** 2 for commune in territory.communes]
    return int(np.argmin(distances))
