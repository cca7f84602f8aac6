"""Lays the power grid: substations where people are, on feeders from two sources."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf
from random import Random

import numpy as np
import shapely
from numpy.typing import NDArray

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, weighted
from parvis.demo.networks.connections import Connections
from parvis.demo.networks.power import Feeder, PowerGrid, Substation

FEEDER_COST = {RoadClass.PEDESTRIAN: 1.5}
CUSTOMERS_AT_MOST, CUSTOMERS_AT_LEAST, SMALLEST_CELL_M = 160, 3, 300.0
WIDEST_CELL_M = 2200.0
SUBSTATIONS_A_FEEDER = 20
RATED_KVA = (100, 160, 250, 400, 630, 1000)
KVA_A_CUSTOMER = 3.2


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
    connections = Connections(territory, gazetteer, shapely.STRtree(shapely.points(ways.xy[nodes])))
    return PowerGrid(
        feeders=tuple(feeders),
        substations=substations,
        charging=tuple(connections.charging(rng)),
        roofs=tuple(connections.roofs(rng, nearest.tolist())),
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
