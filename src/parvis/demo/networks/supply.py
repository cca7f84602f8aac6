"""Lays the power grid: substations where people are, feeders from two sources, charging stations, roofs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

import numpy as np
import shapely
from numpy.typing import NDArray

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.facilities import Facility, FacilityKind
from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, weighted
from parvis.demo.networks.power import (
    ChargingPoint,
    ChargingStation,
    Feeder,
    PowerGrid,
    Roof,
    Socket,
    Substation,
)

FEEDER_COST = {RoadClass.PEDESTRIAN: 1.5}
CUSTOMERS_AT_MOST, CUSTOMERS_AT_LEAST, SMALLEST_CELL_M = 160, 3, 300.0
WIDEST_CELL_M = 2200.0
SUBSTATIONS_A_FEEDER = 20
RATED_KVA = (100, 160, 250, 400, 630, 1000)
KVA_A_CUSTOMER = 3.2
PV_KINDS = (
    FacilityKind.SCHOOL, FacilityKind.COLLEGE, FacilityKind.SPORTS_HALL, FacilityKind.COMMUNITY_HALL,
    FacilityKind.MARKET, FacilityKind.OFFICES, FacilityKind.POOL, FacilityKind.HOSPITAL, FacilityKind.CARE_HOME,
    FacilityKind.LIBRARY, FacilityKind.TOWN_HALL, FacilityKind.FISH_AUCTION,
)  # fmt: skip
FLAT_KINDS = ("fish_auction", "sports_hall", "swimming_pool", "college", "hospital", "offices", "industrial")
KW_PER_M2, SMALLEST_ROOF_M2 = 0.2, 180.0
AC22 = (ChargingPoint(1, 22.0, Socket.TYPE2), ChargingPoint(2, 22.0, Socket.TYPE2))
AC7 = (ChargingPoint(1, 7.4, Socket.TYPE2), ChargingPoint(2, 7.4, Socket.TYPE2))
DC50 = (ChargingPoint(1, 50.0, Socket.COMBO), ChargingPoint(2, 50.0, Socket.CHADEMO), AC22[1])
DC150 = (ChargingPoint(1, 150.0, Socket.COMBO), ChargingPoint(2, 150.0, Socket.COMBO))
CHARGED_AT = {
    FacilityKind.TOWN_HALL: (1, AC22), FacilityKind.HOSPITAL: (3, AC22), FacilityKind.MARKET: (1, DC50),
    FacilityKind.POOL: (2, AC22), FacilityKind.COLLEGE: (1, AC7), FacilityKind.SPORTS_HALL: (1, AC7),
    FacilityKind.TOURIST_OFFICE: (2, AC22), FacilityKind.HARBOUR_OFFICE: (2, AC22), FacilityKind.OFFICES: (1, AC22),
}  # fmt: skip
STREET_STATIONS = {"trevalan": 6, "port-trevalan": 4, "kervoalan": 3}


def lay_power(territory: Territory, ways: Ways, gazetteer: Gazetteer) -> PowerGrid:
    rng = Random(territory.seed * 4001 + 7)
    at = shapely.get_coordinates(shapely.centroid([building.footprint for building in territory.buildings]))
    nodes, nearest = _substation_nodes(ways, at)
    feeders, feeder_of = _feeders(territory, ways, nodes)
    customers = np.bincount(nearest, minlength=len(nodes)).tolist()
    substations = tuple(
        _substation(territory, ways, gazetteer, number, node, feeder_of[number], customers[number])
        for number, node in enumerate(nodes)
    )
    grid = _Grid(territory, gazetteer, shapely.STRtree(shapely.points(ways.xy[nodes])))
    return PowerGrid(
        feeders=tuple(feeders),
        substations=substations,
        charging=tuple(grid.charging(rng)),
        roofs=tuple(grid.roofs(rng, nearest.tolist())),
        substation_of_building=tuple(nearest.tolist()),
    )


def _substation_nodes(ways: Ways, at: Coords) -> tuple[list[int], NDArray[np.intp]]:
    """One in each patch of at most so many buildings; lone houses draw from the nearest."""
    middles = [
        at[patch].mean(axis=0)
        for patch in patches(at, CUSTOMERS_AT_MOST, SMALLEST_CELL_M, WIDEST_CELL_M)
        if len(patch) >= CUSTOMERS_AT_LEAST
    ]
    nodes = list(dict.fromkeys(ways.nearest_node(float(x), float(y)) for x, y in middles))
    return nodes, np.asarray(shapely.STRtree(shapely.points(ways.xy[nodes])).nearest(shapely.points(at)))


def patches(at: Coords, most: int, smallest_m: float, widest_m: float = inf) -> list[NDArray[np.intp]]:
    """The points by squares, halved both ways while they hold too many or are too wide (Finkel and Bentley 1974)."""
    west, south = at.min(axis=0)
    size = float(max(at.max(axis=0) - (west, south))) + 1.0
    found: list[NDArray[np.intp]] = []
    waiting = [(float(west), float(south), size, np.arange(len(at)))]
    while waiting:
        x, y, size, members = waiting.pop()
        if (len(members) <= most and size <= widest_m) or size < 2 * smallest_m:
            found += [members] if len(members) else []
            continue
        half = size / 2
        east, north = at[members, 0] >= x + half, at[members, 1] >= y + half
        for right, up in ((False, False), (True, False), (False, True), (True, True)):
            waiting.append((x + half * right, y + half * up, half, members[(east == right) & (north == up)]))
    return found


def _substation(
    territory: Territory, ways: Ways, gazetteer: Gazetteer, number: int, node: int, feeder: int, customers: int
) -> Substation:
    x, y = ways.xy[node].tolist()
    address = gazetteer.near(x, y)
    wanted = KVA_A_CUSTOMER * customers
    return Substation(
        id=f"P{number + 1:03d}", name=f"Poste {address.lstrip('0123456789 ')}", x=x, y=y, address=address,
        commune=int(ways.node_commune[node]), feeder=feeder,
        rated_kva=next((rating for rating in RATED_KVA if rating >= wanted), RATED_KVA[-1]),
    )  # fmt: skip


def _feeders(territory: Territory, ways: Ways, nodes: Sequence[int]) -> tuple[list[Feeder], dict[int, int]]:
    """From each source its substations by the direction in which they lie, some sixteen on a feeder."""
    sources = [ways.nearest_node(*park.area.centroid.coords[0]) for park in (territory.parks[0], territory.parks[2])]
    reached = ways.reach(sources, weighted(ways, FEEDER_COST))
    feeders: list[Feeder] = []
    feeder_of: dict[int, int] = {}
    for source, park in zip(sources, (territory.parks[0], territory.parks[2]), strict=True):
        own = [number for number, node in enumerate(nodes) if reached.source[node] == source]
        away = {number: ways.xy[nodes[number]] - ways.xy[source] for number in own}
        own.sort(key=lambda number: float(np.arctan2(away[number][1], away[number][0])))
        for group in _even(own, SUBSTATIONS_A_FEEDER):
            feeder_of |= dict.fromkeys(group, len(feeders))
            edges = sorted({edge for number in group for edge in reached.path(nodes[number])})
            line = shapely.line_merge(shapely.union_all(ways.lines[edges]))
            commune = Counter(int(ways.node_commune[nodes[number]]) for number in group).most_common(1)[0][0]
            name = f"Départ {territory.communes[commune].name} {len(feeders) + 1}"
            place = park.name.split(" de ", 1)[-1]
            feeders.append(Feeder(f"HTA{len(feeders) + 1:02d}", name, f"Poste source de {place}", line, tuple(group)))
    return feeders, feeder_of


def _even(items: Sequence[int], about: int) -> Iterator[list[int]]:
    count = max(1, round(len(items) / about))
    for part in np.array_split(np.array(items, dtype=int), count):
        yield part.tolist()


@dataclass(frozen=True)
class _Place:
    x: float
    y: float
    name: str
    commune: int
    points: tuple[ChargingPoint, ...]
    kind: str


@dataclass(frozen=True)
class _Grid:
    territory: Territory
    gazetteer: Gazetteer
    tree: shapely.STRtree

    def nearest(self, x: float, y: float) -> int:
        return int(self.tree.nearest(shapely.Point(x, y)))

    def charging(self, rng: Random) -> Iterator[ChargingStation]:
        number: Counter[int] = Counter()
        for place in (*self._at_facilities(), *self._at_parks(), *self._in_streets(rng)):
            number[place.commune] += 1
            short = self.territory.communes[place.commune].short
            yield ChargingStation(
                id=f"IRVE-{short}-{number[place.commune]:02d}", name=f"Borne {place.name}", x=place.x, y=place.y,
                address=self.gazetteer.near(place.x, place.y), commune=place.commune,
                substation=self.nearest(place.x, place.y), points=place.points, place=place.kind,
            )  # fmt: skip

    def _at_facilities(self) -> Iterator[_Place]:
        for facility in self.territory.facilities:
            count, points = CHARGED_AT.get(facility.kind, (0, AC22))
            for number, (x, y) in enumerate(_kerb(self.territory, facility, count)):
                name = f"{facility.name} {number + 1}" if count > 1 else facility.name
                yield _Place(x, y, name, facility.commune, points, facility.kind.value)

    def _at_parks(self) -> Iterator[_Place]:
        for park in self.territory.parks:
            for number, points in enumerate((DC150, AC22)):
                at = park.roads[number].line.interpolate(0.5, normalized=True)
                yield _Place(at.x + 4, at.y, f"{park.name} {number + 1}", park.commune, points, "business park")

    def _in_streets(self, rng: Random) -> Iterator[_Place]:
        for slug, count in STREET_STATIONS.items():
            commune = self.territory.commune_index(slug)
            streets = [street for street in self.territory.towns[commune].streets if street.line.length > 90]
            for street in rng.sample(streets, count):
                x, y = beside(street.line, 0.5 * street.line.length, 3.6)
                yield _Place(x, y, street.name, commune, AC22, "street")

    def roofs(self, rng: Random, substation_of: Sequence[int]) -> Iterator[Roof]:
        kinds = {kind.value for kind in PV_KINDS}
        number: Counter[int] = Counter()
        for index, building in enumerate(self.territory.buildings):
            public = building.kind in kinds and rng.random() < 0.62
            hall = building.kind == "industrial" and rng.random() < 0.25
            if not (public or hall) or building.footprint.area < SMALLEST_ROOF_M2:
                continue
            number[building.commune] += 1
            short = self.territory.communes[building.commune].short
            at = building.footprint.representative_point()
            flat = building.kind in FLAT_KINDS
            yield Roof(
                id=f"PV-{short}-{number[building.commune]:02d}",
                name=f"Photovoltaïque {building.name or f'{building.number} {building.street}'}",
                x=at.x, y=at.y, address=f"{building.number} {building.street}", commune=building.commune,
                building=index, substation=substation_of[index],
                peak_kw=round(min(250.0, building.footprint.area * KW_PER_M2 * (0.6 if flat else 0.45)), 1),
                tilt_deg=10.0 if flat else float(rng.choice((25, 30, 35))),
                azimuth_deg=180.0 if flat else _most_southern(building.footprint),
            )  # fmt: skip


def _kerb(territory: Territory, facility: Facility, count: int) -> Iterable[tuple[float, float]]:
    """Beside the nearest street, some metres apart."""
    streets = territory.towns[facility.commune].streets
    street = min(streets, key=lambda each: float(each.line.distance(facility.footprint)))
    at = street.line.project(facility.footprint.centroid)
    for number in range(count):
        yield beside(street.line, min(street.line.length - 2, at + 6 * number), 3.6)


def beside(line: shapely.LineString, at_m: float, aside_m: float) -> tuple[float, float]:
    """A point of the line, moved to its left (right if negative)."""
    at_m = min(max(at_m, 0.5), line.length - 0.5)
    (ax, ay), (bx, by) = line.interpolate(at_m - 0.5).coords[0], line.interpolate(at_m + 0.5).coords[0]
    heading = float(np.arctan2(by - ay, bx - ax))
    return (ax + bx) / 2 - float(np.sin(heading)) * aside_m, (ay + by) / 2 + float(np.cos(heading)) * aside_m


def _most_southern(footprint: shapely.Polygon) -> float:
    """Where the roof's slope that sees most sun looks: square to the longer side of the building."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(footprint))
    sides = np.diff(corners, axis=0)
    longer = sides[int(np.argmax(np.hypot(sides[:, 0], sides[:, 1])))]
    along_deg = float(np.degrees(np.arctan2(longer[0], longer[1])))
    facing = ((along_deg + 90) % 360, (along_deg + 270) % 360)
    best = min(facing, key=lambda each: abs(each - 180))
    return round(float(best), 0)
