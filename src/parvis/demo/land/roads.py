"""The roads between places: expressway, departmental roads, lanes to the hamlets, the railway."""

import random
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.communes import Commune
from parvis.demo.land.geometry import meander
from parvis.demo.land.names import hamlet_names
from parvis.demo.land.routing import Surveyor
from parvis.demo.land.terrain import Terrain


class RoadClass(StrEnum):
    """OpenStreetMap's `highway` values, the common tongue of base-map styles."""

    TRUNK = "trunk"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    TERTIARY = "tertiary"
    RESIDENTIAL = "residential"
    PEDESTRIAN = "pedestrian"
    TRACK = "track"
    RAIL = "rail"
    PIER = "pier"


@dataclass(frozen=True, slots=True)
class Road:
    line: LineString
    kind: RoadClass
    name: str
    ref: str = ""
    commune: int | None = None


@dataclass(frozen=True, slots=True)
class Hamlet:
    name: str
    x: float
    y: float
    commune: int


TRUNK_STATIONS = (
    (-60_000, 1500), (-38_000, 4300), (-24_000, 5200), (-14_500, 5600), (-8200, 5300), (-2600, 4400), (1100, 5000),
    (5500, 4100), (11_000, 5400), (19_000, 5000), (27_000, 6600), (38_000, 5200), (60_000, 6500),
)  # fmt: skip
RAIL_STATIONS = (
    (-60_000, 3500), (-30_000, 2500), (-14_000, 3900), (-6600, 2350), (-2900, 2900), (400, 2350), (1900, 3900),
    (6000, 2900), (9400, 3950), (12_500, 3900), (24_000, 4200), (60_000, 4000),
)  # fmt: skip
LINKS: tuple[tuple[str, str, RoadClass, str], ...] = (
    ("trevalan", "kervoalan", RoadClass.PRIMARY, "D 31"),
    ("kervoalan", "port-trevalan", RoadClass.PRIMARY, "D 31"),
    ("trevalan", "quelvennec", RoadClass.PRIMARY, "D 40"),
    ("trevalan", "penhervan", RoadClass.PRIMARY, "D 17"),
    ("kervoalan", "plouvarec", RoadClass.PRIMARY, "D 22"),
    ("quelvennec", "saint-gwenvred", RoadClass.SECONDARY, "D 40"),
    ("port-trevalan", "trezavel", RoadClass.SECONDARY, "D 152"),
    ("trezavel", "guervalon", RoadClass.SECONDARY, "D 152"),
    ("guervalon", "plouvarec", RoadClass.SECONDARY, "D 163"),
    ("penhervan", "saint-gwenvred", RoadClass.SECONDARY, "D 152"),
    ("trevalan", "bodvelan", RoadClass.SECONDARY, "D 48"),
    ("trevalan", "locvelan", RoadClass.SECONDARY, "D 53"),
    ("quelvennec", "locvelan", RoadClass.SECONDARY, "D 170"),
    ("locvelan", "bodvelan", RoadClass.SECONDARY, "D 171"),
    ("bodvelan", "lanzuhel", RoadClass.SECONDARY, "D 171"),
    ("lanzuhel", "plouvarec", RoadClass.SECONDARY, "D 172"),
    ("kervoalan", "lanzuhel", RoadClass.SECONDARY, "D 61"),
    ("trezavel", "kervoalan", RoadClass.SECONDARY, "D 158"),
)
OUTWARD: tuple[tuple[str, tuple[tuple[float, float], ...], str], ...] = (
    ("bodvelan", ((3000, 13_500), (1800, 20_000), (4000, 30_000)), "D 48"),
    ("lanzuhel", ((-5200, 13_000), (-9000, 19_000), (-10_000, 30_000)), "D 61"),
    ("locvelan", ((11_000, 9500), (16_000, 13_500), (24_000, 19_000), (30_000, 30_000)), "D 53"),
    ("guervalon", ((-15_500, 300), (-22_500, 1200), (-31_000, -800), (-45_000, -500)), "D 152"),
    ("saint-gwenvred", ((14_500, -1200), (21_500, 900), (31_500, 0), (45_000, -600)), "D 152"),
    ("plouvarec", ((-12_500, 8500), (-18_500, 13_500), (-27_000, 22_500)), "D 22"),
)


def connect_bourgs(rng: np.random.Generator, terrain: Terrain, communes: list[Commune]) -> list[Road]:
    surveyor = Surveyor(rng, terrain)
    centre = {commune.slug: (commune.x, commune.y) for commune in communes}
    roads = [
        Road(LineString(meander(rng, TRUNK_STATIONS, 180)), RoadClass.TRUNK, "Voie express", "N 765"),
        Road(LineString(meander(rng, RAIL_STATIONS, 120)), RoadClass.RAIL, "Ligne de Trevalan"),
    ]
    for start, end, kind, ref in LINKS:
        roads.append(Road(surveyor.survey(centre[start], centre[end]), kind, f"Route de {_title(end, communes)}", ref))
    for start, stations, ref in OUTWARD:
        line = LineString(meander(rng, (centre[start], *stations), 350))
        roads.append(Road(line, RoadClass.SECONDARY, "Route du Haut Pays", ref))
    return roads


def _title(slug: str, communes: list[Commune]) -> str:
    return next(commune.name for commune in communes if commune.slug == slug)


def settle_hamlets(
    rng: np.random.Generator,
    names: random.Random,
    communes: list[Commune],
    roads: list[Road],
    town: BaseGeometry,
    lakes: BaseGeometry,
) -> tuple[list[Hamlet], list[Road]]:
    """Hamlets about a kilometre apart, each with a lane to the nearest road and most with one to a neighbour."""
    name_of = hamlet_names(names)
    hamlets: list[Hamlet] = []
    for index, commune in enumerate(communes):
        dry = commune.area.buffer(-130).difference(town.buffer(450)).difference(lakes.buffer(150))
        for x, y in _scatter(rng, dry, wanted=int(commune.area.area / 2.4e6)):
            if all((x - other.x) ** 2 + (y - other.y) ** 2 > 850**2 for other in hamlets):
                hamlets.append(Hamlet(next(name_of), x, y, index))
    land = shapely.union_all([commune.area for commune in communes]).buffer(25).difference(lakes.buffer(40))
    shapely.prepare(land)
    network = shapely.union_all([road.line for road in roads if road.kind not in (RoadClass.TRUNK, RoadClass.RAIL)])
    lanes: list[Road] = []
    for hamlet in hamlets:
        spot = Point(hamlet.x, hamlet.y)
        for target in (network, *_neighbours(hamlet, hamlets)):
            lane = _lane(rng, spot, target)
            if lane is not None and land.contains(lane) and not _beside_another(lane, lanes[-8:]):
                lanes.append(Road(lane, RoadClass.TERTIARY, f"Route de {hamlet.name}", commune=hamlet.commune))
    reached = shapely.union_all([lane.line for lane in lanes]).buffer(1)
    shapely.prepare(reached)
    return [hamlet for hamlet in hamlets if reached.intersects(Point(hamlet.x, hamlet.y))], lanes


def _scatter(rng: np.random.Generator, area: BaseGeometry, wanted: int) -> list[tuple[float, float]]:
    west, south, east, north = area.bounds
    points = np.column_stack((rng.uniform(west, east, 12 * wanted), rng.uniform(south, north, 12 * wanted)))
    inside = points[shapely.contains_xy(area, points[:, 0], points[:, 1])]
    return [(float(x), float(y)) for x, y in inside[: 3 * wanted]]


def _neighbours(hamlet: Hamlet, hamlets: list[Hamlet]) -> list[Point]:
    near = sorted(
        (other for other in hamlets if other is not hamlet),
        key=lambda other: (other.x - hamlet.x) ** 2 + (other.y - hamlet.y) ** 2,
    )
    return [Point(other.x, other.y) for other in near[:2] if (other.x, other.y) > (hamlet.x, hamlet.y)]


def _beside_another(lane: LineString, others: list[Road]) -> bool:
    return any(lane.difference(other.line.buffer(110)).length < 0.5 * lane.length for other in others)


def _lane(rng: np.random.Generator, start: Point, target: BaseGeometry) -> LineString | None:
    straight = shapely.shortest_line(start, target)
    if not 60 < straight.length < 2400:
        return None
    return LineString(meander(rng, straight.coords, 0.085 * straight.length))
