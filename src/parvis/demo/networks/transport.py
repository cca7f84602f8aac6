"""Transport mains: from the works at the lakes to the towers on the heights and the inlets of the districts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Reached, Ways, weighted
from parvis.demo.networks.sizes import diameter_mm

TRANSPORT_COST = {RoadClass.TERTIARY: 1.35, RoadClass.RESIDENTIAL: 1.7, RoadClass.PEDESTRIAN: 4.0}
WORKS_COUNT, TOWER_COUNT = 2, 5
TOWERS_APART_M = 4200.0
PEAK_DAY, PEAK_HOUR, FILLING = 1.3, 2.3, 0.6
"""Times the mean: pumps give the peak day and fill the towers in its night, towers give the peak hour."""
FASTEST_M_PER_S = 0.5
LEAST_MM, RING_MM = 200, 300


@dataclass(frozen=True)
class Transport:
    """`size_mm` by edge of the ways; `works` and `towers` are nodes."""

    works: tuple[int, ...]
    towers: tuple[int, ...]
    size_mm: dict[int, int]


def lay_transport(territory: Territory, ways: Ways, inlets: Sequence[int], demand_m3_per_day: Coords) -> Transport:
    """`demand_m3_per_day` by node: what each inlet's district draws."""
    works = _beside_lakes(territory, ways)
    towers = _on_heights(ways)
    cost = weighted(ways, TRANSPORT_COST)
    filling = demand_m3_per_day * PEAK_DAY
    filling[list(towers)] += FILLING * demand_m3_per_day.sum() / len(towers)
    sizes = dict.fromkeys(_rings(ways, towers), RING_MM)
    for sources, drawn in ((works, filling), (towers, demand_m3_per_day * PEAK_HOUR)):
        for edge, size in _tree(ways.reach(sources, cost), [*inlets, *towers], drawn).items():
            sizes[edge] = max(size, sizes.get(edge, LEAST_MM))
    return Transport(works, towers, sizes)


def _beside_lakes(territory: Territory, ways: Ways) -> tuple[int, ...]:
    """Raw water comes from the largest lakes within the agglomeration that a road passes."""
    land = shapely.union_all([commune.area for commune in territory.communes])
    lakes = [lake for lake in shapely.get_parts(territory.terrain.lakes) if land.intersects(lake)]
    nearest = {ways.nearest_node(*_shore(ways, lake)): lake.area for lake in lakes}
    return tuple(sorted(nearest, key=lambda node: -nearest[node])[:WORKS_COUNT])


def _shore(ways: Ways, lake: shapely.Polygon) -> tuple[float, float]:
    road = ways.lines[int(ways.tree.nearest(lake))]
    x, y = shapely.shortest_line(road, lake).coords[0]
    return float(x), float(y)


def _on_heights(ways: Ways) -> tuple[int, ...]:
    towers: list[int] = []
    for node in np.argsort(-ways.elevation_m, kind="stable").tolist():
        if all(np.hypot(*(ways.xy[node] - ways.xy[other])) > TOWERS_APART_M for other in towers):
            towers.append(node)
        if len(towers) == TOWER_COUNT:
            break
    return tuple(towers)


def _tree(reached: Reached, goals: Sequence[int], demand_m3_per_day: Coords) -> dict[int, int]:
    """The edges from the nearest source to all goals, wide enough for what flows to those beyond."""
    through = demand_m3_per_day.copy()
    used = set(goals)
    sizes: dict[int, int] = {}
    for node in reversed(reached.order):
        before = reached.before[node]
        if node in used and before >= 0:
            used.add(before)
            through[before] += through[node]
            flow_l_per_s = float(through[node]) / 86.4
            sizes[reached.edge[node]] = diameter_mm(flow_l_per_s, FASTEST_M_PER_S, LEAST_MM)
    return sizes


def _rings(ways: Ways, towers: Sequence[int]) -> set[int]:
    """Each tower is tied to its two nearest, so that one burst main leaves nobody dry."""
    edges: set[int] = set()
    cost = weighted(ways, TRANSPORT_COST)
    for tower in towers:
        reached = ways.reach([tower], cost)
        for other in sorted((each for each in towers if each != tower), key=reached.cost.__getitem__)[:2]:
            edges.update(reached.path(other))
    return edges
