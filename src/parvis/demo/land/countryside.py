"""Fields and hedges of the bocage, beaches and mudflats, and names for the shore."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.facilities import Ground
from parvis.demo.land.geometry import Noise
from parvis.demo.land.terrain import Terrain

FIELD_M = 235.0
SHORE_NAMES = (
    ("Pointe de Beg Avel", "Pointe de Penn Loarn", "Beg ar Vran", "Pointe du Sulved", "Beg Lagatjar Vihan"),
    ("Anse de Porz Gwenn", "Anse du Stivel", "Baie de Lezavel", "Porz Morvez", "Anse des Avocettes"),
)
ISLAND_NAMES = ("Île Vran", "Enez Louet", "Île aux Sternes", "Enez Gouled", "Le Ranveur", "Île Drenek")


@dataclass(frozen=True, slots=True)
class Place:
    """`kind` follows OpenStreetMap's `place` and `natural` values; a lower `rank` is shown first."""

    name: str
    kind: str
    x: float
    y: float
    rank: int
    population: int = 0


def plough_fields(rng: np.random.Generator, terrain: Terrain) -> tuple[list[Ground], list[BaseGeometry]]:
    """Fields as cells of a stretched Voronoi diagram, and the hedges on about half of their borders."""
    x, y = np.meshgrid(np.arange(-17_500, 17_501, FIELD_M), np.arange(-11_500, 15_001, FIELD_M))
    seeds = np.column_stack((x.ravel(), y.ravel())) + rng.uniform(-0.46, 0.46, (x.size, 2)) * FIELD_M
    seeds = seeds[shapely.contains_xy(terrain.land.buffer(60), seeds[:, 0], seeds[:, 1])]
    points = shapely.multipoints(seeds)
    noise = Noise(rng)
    tone = noise.octaves(seeds[:, 0], seeds[:, 1], 1900, 2) + rng.normal(0, 0.45, len(seeds))
    kinds = np.select([tone < -0.75, tone < -0.1, tone < 0.85], ["orchard", "meadow", "farmland"], "fallow")
    frame = box(-17_500, -11_500, 17_500, 15_000).intersection(terrain.land)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, ordered=True))
    inside = shapely.contains_properly(box(-18_000, -12_000, 18_000, 15_500), cells)
    fields = [Ground(str(kind), cell) for kind, cell in zip(kinds[inside], cells[inside], strict=True)]
    edges = shapely.get_parts(shapely.voronoi_polygons(points, only_edges=True))
    open_country = frame.difference(terrain.forest)
    shapely.prepare(open_country)
    hedged = edges[rng.random(len(edges)) < 0.5]
    return fields, list(hedged[shapely.contains(open_country, hedged)])


def shore_grounds(terrain: Terrain) -> list[Ground]:
    """What the tide leaves bare: mud in the rias, sand along the open coast."""
    sheltered = shapely.union_all(
        [shapely.line_merge(river.line).buffer(650) for river in terrain.rivers]
    ).intersection(terrain.land.buffer(2500).buffer(-2400))
    flats = shapely.get_parts(terrain.shallows)
    small = shapely.area(flats) < 300_000
    muddy = shapely.intersects(sheltered, flats)
    large = shapely.union_all(flats[~small])
    mud = shapely.union_all([*flats[small & muddy], large.intersection(sheltered)])
    sand = shapely.union_all([*flats[small & ~muddy], large.difference(sheltered)])
    return [Ground("mud", mud), Ground("sand", sand)]


def name_shore(terrain: Terrain) -> list[Place]:
    """Headlands where little land lies within a kilometre, coves where much does, at least 2.2 km apart."""
    mainland = max(shapely.get_parts(terrain.land), key=lambda part: part.area)
    shapely.prepare(mainland)
    shore = shapely.get_coordinates(mainland.exterior)
    open_coast = (np.abs(shore[:, 0]) < 17_000) & (shore[:, 1] < -2200) & (shore[:, 1] > -12_000)
    stations = shore[open_coast][::6]
    places: list[Place] = []
    for kind, names, sign in (("cape", SHORE_NAMES[0], 1.0), ("bay", SHORE_NAMES[1], -1.0)):
        land_share = np.array([Point(at).buffer(1100, 8).intersection(mainland).area for at in stations]) * sign
        for index in np.argsort(land_share, kind="stable"):
            x, y = (float(value) for value in stations[index])
            if all((x - other.x) ** 2 + (y - other.y) ** 2 > 2200**2 for other in places):
                used = sum(place.kind == kind for place in places)
                if used == len(names):
                    break
                places.append(Place(names[used], kind, x, y - (420 if kind == "bay" else 0), 4))
    return places + _islands(terrain, mainland)


def _islands(terrain: Terrain, mainland: BaseGeometry) -> list[Place]:
    parts = [part for part in shapely.get_parts(terrain.land) if part is not mainland and part.area > 60_000]
    parts = sorted((part for part in parts if not part.equals(mainland)), key=lambda part: -part.area)
    return [
        Place(name, "island", part.centroid.x, part.centroid.y, 4)
        for name, part in zip(ISLAND_NAMES, parts, strict=False)
    ]
