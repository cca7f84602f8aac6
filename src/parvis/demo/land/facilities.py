"""Public buildings, parks and business parks, each in a block of its town."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.communes import Character, Commune
from parvis.demo.land.roads import Road, RoadClass
from parvis.demo.land.streets import Town


class FacilityKind(StrEnum):
    TOWN_HALL = "townhall"
    CHURCH = "church"
    MARKET = "market"
    LIBRARY = "library"
    SCHOOL = "school"
    COLLEGE = "college"
    HOSPITAL = "hospital"
    CARE_HOME = "care_home"
    SPORTS_HALL = "sports_hall"
    POOL = "swimming_pool"
    COMMUNITY_HALL = "community_hall"
    FISH_AUCTION = "fish_auction"
    HARBOUR_OFFICE = "harbour_office"
    TOURIST_OFFICE = "tourist_office"
    STATION = "station"
    OFFICES = "offices"


@dataclass(frozen=True, slots=True)
class Facility:
    kind: FacilityKind
    name: str
    footprint: BaseGeometry
    grounds: BaseGeometry
    street: str
    commune: int


@dataclass(frozen=True, slots=True)
class Ground:
    """A patch of land use; `kind` follows the values common in OpenStreetMap."""

    kind: str
    area: BaseGeometry
    name: str = ""


SPACIOUS = {
    FacilityKind.COLLEGE, FacilityKind.HOSPITAL, FacilityKind.SPORTS_HALL, FacilityKind.POOL, FacilityKind.CARE_HOME,
    FacilityKind.SCHOOL,
}  # fmt: skip
SCHOOL_NAMES = (
    "École Anna-Kervella", "École du Vieux-Lavoir", "École des Sternes", "École Gwenola-Madezo", "École du Menhir",
    "École des Hortensias", "École de la Fontaine", "École Youenn-Penvern", "École des Embruns", "École du Colombier",
)  # fmt: skip


def _wanted(commune: Commune, number: int) -> Iterator[tuple[FacilityKind, str]]:
    """What a commune of this size and character has, the most central first."""
    kinds = FacilityKind
    yield kinds.TOWN_HALL, f"Mairie de {commune.name}"
    yield kinds.CHURCH, f"Église Saint-{('Gwenvred', 'Tudon', 'Maelan', 'Ronvel')[number % 4]}"
    if commune.population > 5000:
        yield kinds.MARKET, f"Halles de {commune.name}"
        yield kinds.OFFICES, "Trevalan Agglomération" if number == 0 else "Maison des services"
    yield kinds.LIBRARY, f"Médiathèque de {commune.name}"
    if commune.character is Character.RESORT or commune.character is Character.PORT:
        yield kinds.TOURIST_OFFICE, f"Office de tourisme de {commune.name}"
    if commune.character is Character.PORT:
        yield kinds.HARBOUR_OFFICE, "Capitainerie"
        yield kinds.FISH_AUCTION, f"Criée de {commune.name}"
    for school in range(1 + commune.population // 2400):
        yield kinds.SCHOOL, SCHOOL_NAMES[(number * 3 + school) % len(SCHOOL_NAMES)]
    yield kinds.COMMUNITY_HALL, "Salle polyvalente"
    if commune.population > 1500:
        yield kinds.SPORTS_HALL, "Complexe sportif"
    if commune.population > 2000:
        yield kinds.CARE_HOME, "Résidence autonomie des Camélias"
    if commune.population > 5000:
        yield kinds.COLLEGE, f"Collège {('Rozenn-Tremeur', 'Alan-Kerdavid', 'Louise-Morvanic')[number % 3]}"
    if commune.character is Character.SUBURB:
        yield kinds.POOL, "Piscine communautaire Stervenn"
    if commune.character is Character.OLD_TOWN:
        yield kinds.COLLEGE, "Lycée du Stervenn"
        yield kinds.HOSPITAL, "Centre hospitalier de Trevalan"


def place_facilities(commune: Commune, town: Town) -> list[Facility]:
    free = [block for block in town.blocks if 1300 < block.area < 26_000]
    lines = np.array([street.line for street in town.streets])
    found = []
    for kind, name in _wanted(commune, town.commune):
        smallest = 7000 if kind in SPACIOUS else 1300
        block = next((block for block in free if block.area >= smallest), None)
        if block is None:
            continue
        free.remove(block)
        footprint = _footprint(kind, block)
        nearest = town.streets[int(np.argmin(shapely.distance(lines, footprint)))]
        grounds = block.buffer(-4)
        found.append(Facility(kind, name, footprint, grounds, nearest.name, town.commune))
    return found


def _footprint(kind: FacilityKind, block: BaseGeometry) -> BaseGeometry:
    """A plan typical of the kind, turned like the block and scaled to lie well inside it."""
    plot = block.buffer(-9)
    plot = plot if not plot.is_empty else block
    frame = shapely.minimum_rotated_rectangle(plot)
    corners = shapely.get_coordinates(frame)
    along = corners[1] - corners[0]
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    length, width = float(np.hypot(*along)), float(np.hypot(*(corners[2] - corners[1])))
    limit = 46.0 if kind in SPACIOUS else 30.0
    if kind is FacilityKind.HOSPITAL:
        limit = 90.0
    plan = affinity.scale(_plan(kind), 0.68 * min(length, 1.6 * limit), 0.68 * min(width, limit), origin=(0, 0))
    anchor = plot.centroid if plot.contains(plot.centroid) else plot.representative_point()
    turned = affinity.translate(affinity.rotate(plan, angle, origin=(0, 0)), anchor.x, anchor.y)
    return max(shapely.get_parts(turned.intersection(plot)), key=lambda part: part.area)


def _plan(kind: FacilityKind) -> BaseGeometry:
    """Outline in a unit square around the origin."""
    if kind is FacilityKind.CHURCH:
        return box(-0.5, -0.16, 0.5, 0.16).union(box(0.05, -0.42, 0.28, 0.42))
    if kind in (FacilityKind.SCHOOL, FacilityKind.COLLEGE):
        return box(-0.5, -0.5, 0.5, 0.5).difference(box(-0.28, -0.2, 0.28, 0.6))
    if kind is FacilityKind.HOSPITAL:
        return box(-0.5, -0.14, 0.5, 0.14).union(box(-0.36, -0.5, -0.16, 0.5)).union(box(0.14, -0.5, 0.34, 0.5))
    if kind is FacilityKind.TOWN_HALL:
        return box(-0.5, -0.28, 0.5, 0.28).union(box(-0.16, -0.42, 0.16, 0.42))
    return box(-0.5, -0.42, 0.5, 0.42)


def town_grounds(rng: np.random.Generator, commune: Commune, town: Town, facilities: list[Facility]) -> list[Ground]:
    """School yards, gardens, a park, a cemetery and playing fields in blocks that no facility took."""
    grounds = [_yard(facility) for facility in facilities]
    taken = shapely.union_all([facility.grounds for facility in facilities])
    free = [block for block in town.blocks if block.area > 2500 and not block.intersects(taken)]
    parks = 1 + commune.population // 2500
    for number, block in enumerate(free[:: max(1, len(free) // (parks + 1))][1 : parks + 1]):
        grounds.append(Ground("park", block.buffer(-3), f"Jardin {_garden(rng)}" if number < 3 else ""))
    outer = [block for block in free[len(free) // 2 :] if 6000 < block.area < 20_000]
    for kind, name, block in zip(("cemetery", "pitch", "allotments"), ("Cimetière", "Stade", ""), outer, strict=False):
        grounds.append(Ground(kind, block.buffer(-5), name))
    return grounds


def _yard(facility: Facility) -> Ground:
    match facility.kind:
        case FacilityKind.SCHOOL | FacilityKind.COLLEGE:
            return Ground("school", facility.grounds)
        case FacilityKind.HOSPITAL | FacilityKind.CARE_HOME:
            return Ground("hospital", facility.grounds)
        case FacilityKind.SPORTS_HALL | FacilityKind.POOL:
            return Ground("pitch", facility.grounds)
        case _:
            return Ground("square", facility.grounds)


def _garden(rng: np.random.Generator) -> str:
    names = ("des Camélias", "de la Source", "du Manoir", "des Hortensias", "du Colombier", "des Simples", "du Lavoir")
    return names[int(rng.integers(len(names)))]


@dataclass(frozen=True, slots=True)
class BusinessPark:
    name: str
    area: BaseGeometry
    roads: tuple[Road, ...]
    halls: tuple[BaseGeometry, ...]
    commune: int


PARKS = (
    ("Parc d’activités de Kerdrouz", 0, 3400.0, 4150.0, 0.12),
    ("Zone de Mezvilin", 2, -4700.0, 2650.0, -0.35),
    ("Zone portuaire de Lezavel", 1, -3900.0, -2750.0, 0.5),
)


PARK_STREETS = ("Rue des Entrepreneurs", "Rue de l’Industrie", "Allée des Ateliers", "Avenue du Parc")


def lay_business_parks(rng: np.random.Generator, roads: list[Road]) -> list[BusinessPark]:
    main = shapely.union_all([road.line for road in roads if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)])
    parks = []
    for name, commune, x, y, angle in PARKS:
        lots = [
            (column * 92.0 - 230, row * 96.0 - 96 + (14 if row == 0 else 0))
            for column in range(6)
            for row in range(3)
            if rng.random() < 0.88
        ]
        halls = [
            box(u - a, v - b, u + a, v + b)
            for u, v in lots
            for a, b in [(float(rng.uniform(18, 39)), float(rng.uniform(14, 30)))]
        ]
        spines = [shapely.LineString([(-300, v), (300, v)]) for v in (-44.0, 58.0)]
        cross = shapely.LineString([(-300, -44), (-300, 58)])

        def put(shape: BaseGeometry, at: tuple[float, float, float] = (x, y, angle)) -> BaseGeometry:
            turned = affinity.rotate(shape, at[2], origin=(0, 0), use_radians=True)
            return affinity.translate(turned, at[0], at[1])

        lines = [put(line) for line in (*spines, cross)]
        lines.append(shapely.shortest_line(Point(lines[2].coords[0]), main))
        ways = tuple(
            Road(line, RoadClass.RESIDENTIAL, street, commune=commune)
            for street, line in zip(PARK_STREETS, lines, strict=True)
        )
        parks.append(
            BusinessPark(name, put(box(-320, -150, 320, 160)), ways, tuple(put(hall) for hall in halls), commune)
        )
    return parks
