"""Trevalan Agglomeration as one value, generated from a seed."""

import random
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry import LineString, box
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.addresses import Gazetteer, number_buildings
from parvis.demo.land.buildings import Building, build_houses
from parvis.demo.land.communes import Character, Commune, share_land
from parvis.demo.land.countryside import Place, name_shore, plough_fields, shore_grounds
from parvis.demo.land.facilities import (
    BusinessPark,
    Facility,
    Ground,
    lay_business_parks,
    place_facilities,
    town_grounds,
)
from parvis.demo.land.gatherings import list_venues, meadow_grounds
from parvis.demo.land.roads import Hamlet, Road, RoadClass, connect_bourgs, settle_hamlets
from parvis.demo.land.streets import Town, lay_streets, urban_area
from parvis.demo.land.terrain import Terrain, shape_terrain
from parvis.demo.land.venues import Venue

NAME = "Trevalan Agglomeration"
DEFAULT_SEED = 1
NEIGHBOUR_TOWNS = (
    ("Kergroas-Plage", -31_000, -3300), ("Plomorvan", -24_500, 6300), ("Rosvilien", -17_000, 15_500),
    ("Saint-Drenek", 1200, 17_500), ("Guiscoual", 17_500, 9500), ("Larmezel", 21_900, 1500),
    ("Quistivoal", 29_500, 9800),    ("Penmorgat", 33_000, -3200), ("Trégoulven", -10_200, 21_000),
    ("Landrezic", 13_500, 20_500),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Territory:
    seed: int
    terrain: Terrain
    communes: tuple[Commune, ...]
    roads: tuple[Road, ...]
    towns: tuple[Town, ...]
    hamlets: tuple[Hamlet, ...]
    facilities: tuple[Facility, ...]
    parks: tuple[BusinessPark, ...]
    buildings: tuple[Building, ...]
    grounds: tuple[Ground, ...]
    fields: tuple[Ground, ...]
    hedges: tuple[BaseGeometry, ...]
    places: tuple[Place, ...]
    venues: tuple[Venue, ...] = ()

    def commune_index(self, slug: str) -> int:
        return next(index for index, commune in enumerate(self.communes) if commune.slug == slug)


def generate_territory(seed: int = DEFAULT_SEED) -> Territory:
    """The same value for the same seed, on every machine."""
    rng = np.random.default_rng(seed)
    names = random.Random(seed)
    terrain = shape_terrain(rng)
    communes = share_land(rng, terrain)
    roads = connect_bourgs(rng, terrain, communes)
    towns = _lay_towns(rng, names, terrain, communes, roads)
    town_area = shapely.union_all([town.urban for town in towns])
    hamlets, lanes = settle_hamlets(rng, names, communes, roads, town_area, terrain.lakes)
    facilities = [facility for town in towns for facility in place_facilities(communes[town.commune], town)]
    parks = lay_business_parks(rng, roads)
    grounds = _grounds(rng, terrain, communes, towns, hamlets, facilities, parks)
    occupied = [ground.area for ground in grounds if ground.kind not in ("residential", "mud", "sand")]
    near = box(-18_000, -12_000, 18_000, 15_000)
    wet = [terrain.sea.intersection(near), terrain.lakes, *(river.line.buffer(9) for river in terrain.rivers)]
    keep_out = shapely.union_all([*wet, roads[0].line, roads[1].line])
    houses = build_houses(rng, towns, lanes, hamlets, roads, occupied, keep_out.buffer(9))
    fields, hedges = plough_fields(rng, terrain)
    piers = _harbour(communes, terrain)
    every_road = (*roads, *lanes, *_town_roads(towns, parks), *piers)
    grown = Territory(
        seed=seed,
        terrain=terrain,
        communes=tuple(communes),
        roads=every_road,
        towns=tuple(towns),
        hamlets=tuple(hamlets),
        facilities=tuple(facilities),
        parks=tuple(parks),
        buildings=tuple(number_buildings([*houses, *_public_buildings(facilities, parks)], every_road)),
        grounds=tuple(_dredged(grounds, piers)),
        fields=tuple(fields),
        hedges=tuple(hedges),
        places=tuple(_places(communes, hamlets, terrain)),
    )
    return _with_venues(grown)


def _dredged(grounds: list[Ground], piers: list[Road]) -> list[Ground]:
    """Harbours keep their water at low tide: what the tide leaves bare ends at their moles."""
    basins = [
        shapely.union_all([pier.line for pier in piers if pier.commune == commune]).convex_hull.buffer(12)
        for commune in sorted({pier.commune or 0 for pier in piers})
    ]
    basin = shapely.union_all(basins)
    return [
        replace(ground, area=ground.area.difference(basin)) if ground.kind in ("sand", "mud") else ground
        for ground in grounds
    ]


def _with_venues(grown: Territory) -> Territory:
    gazetteer = Gazetteer(grown.buildings, grown.roads)
    meadows = [ground for ground, *_ in meadow_grounds(grown)]
    return replace(grown, venues=list_venues(grown, gazetteer), grounds=(*grown.grounds, *meadows))


def _lay_towns(
    rng: np.random.Generator, names: random.Random, terrain: Terrain, communes: list[Commune], roads: list[Road]
) -> list[Town]:
    mains = shapely.union_all([road.line for road in roads if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)])
    near = box(-16_000, -11_000, 16_000, 13_000)
    dry = terrain.land.intersection(near).buffer(-30).difference(terrain.lakes)
    rivers = shapely.union_all([river.line for river in terrain.rivers]).intersection(near)
    return [
        lay_streets(rng, names, index, commune, urban_area(rng, commune, roads, dry), mains, rivers)
        for index, commune in enumerate(communes)
    ]


def _grounds(
    rng: np.random.Generator, terrain: Terrain, communes: list[Commune], towns: list[Town], hamlets: list[Hamlet],
    facilities: list[Facility], parks: list[BusinessPark],
) -> list[Ground]:  # fmt: skip
    grounds = [*shore_grounds(terrain)]
    grounds += [Ground("residential", town.urban) for town in towns]
    grounds += [Ground("residential", shapely.Point(hamlet.x, hamlet.y).buffer(85, 5)) for hamlet in hamlets]
    grounds += [Ground("industrial", park.area, park.name) for park in parks]
    for town in towns:
        own = [facility for facility in facilities if facility.commune == town.commune]
        grounds += town_grounds(rng, communes[town.commune], town, own)
    return grounds


def _town_roads(towns: list[Town], parks: list[BusinessPark]) -> list[Road]:
    streets = [street for town in towns for street in town.streets]
    return streets + [road for park in parks for road in park.roads]


def _public_buildings(facilities: list[Facility], parks: list[BusinessPark]) -> list[Building]:
    public = [
        Building(facility.footprint, facility.kind.value, facility.street, 1, facility.commune, facility.name)
        for facility in facilities
    ]
    halls = [
        Building(hall, "industrial", park.roads[0].name, 2 * number + 1, park.commune)
        for park in parks
        for number, hall in enumerate(park.halls)
    ]
    return public + halls


def _harbour(communes: list[Commune], terrain: Terrain) -> list[Road]:
    """Two moles and a row of pontoons where each coastal bourg is nearest to the water."""
    piers = []
    for index, commune in enumerate(communes):
        if commune.character not in (Character.PORT, Character.RESORT):
            continue
        to_shore = shapely.shortest_line(shapely.Point(commune.x, commune.y), terrain.land.boundary)
        (x, y), (shore_x, shore_y) = to_shore.coords
        out = np.array((shore_x - x, shore_y - y)) / max(to_shore.length, 1.0)
        aside = np.array((-out[1], out[0]))
        foot = np.array((shore_x, shore_y)) - 25 * out
        reach = 260.0 if commune.character is Character.PORT else 130.0
        for side in (-1.0, 1.0):
            start = foot + side * 0.8 * reach * aside
            bend = start + 0.75 * reach * out
            line = LineString([start, bend, bend + 0.45 * reach * (0.5 * out - side * aside)])
            piers.append(Road(line, RoadClass.PIER, "Môle", commune=index))
        for number in range(5 if commune.character is Character.PORT else 2):
            root = foot + (number - 2) * 0.24 * reach * aside
            piers.append(Road(LineString([root, root + 0.55 * reach * out]), RoadClass.PIER, "", commune=index))
    return piers


def _places(communes: list[Commune], hamlets: list[Hamlet], terrain: Terrain) -> list[Place]:
    places = [
        Place(
            commune.name, "town" if commune.population > 5000 else "village", commune.x, commune.y,
            1 if commune.population > 5000 else 2, commune.population,
        )
        for commune in communes
    ]  # fmt: skip
    places += [Place(name, "village", x, y, 3, 2500) for name, x, y in NEIGHBOUR_TOWNS]
    places += [Place(hamlet.name, "hamlet", hamlet.x, hamlet.y, 5) for hamlet in hamlets]
    return places + name_shore(terrain)
