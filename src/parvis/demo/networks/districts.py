"""Distribution: which metered district each junction belongs to, and by which tree of streets it is supplied."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.communes import Commune
from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Reached, Ways, weighted
from parvis.demo.networks.customers import Customers
from parvis.demo.networks.sizes import diameter_mm, loss_m, peak_flow_l_per_s

INLETS_BY_POPULATION = ((10_000, 4), (6500, 3), (5000, 2), (0, 1))
DISTRIBUTION_COST = {RoadClass.TERTIARY: 1.15, RoadClass.PEDESTRIAN: 1.6}
FASTEST_M_PER_S = 0.8
COMPASS = ("Est", "Nord-Est", "Nord", "Nord-Ouest", "Ouest", "Sud-Ouest", "Sud", "Sud-Est")


@dataclass(frozen=True, slots=True)
class Inlet:
    name: str
    commune: int
    node: int


@dataclass(frozen=True)
class Distribution:
    """By node: the district (-1 where no pipe reaches), what flows through it to those beyond (mean), and the size in
    mm and peak loss in m of the pipe before it. `reached` holds the trees."""

    inlets: tuple[Inlet, ...]
    reached: Reached
    district: list[int]
    through_m3_per_day: Coords
    size_mm: list[int]
    loss_m: list[float]

    def members(self) -> list[int]:
        """Nodes that have pipes, those nearer to their inlet first."""
        return [node for node in self.reached.order if self.district[node] >= 0]


def choose_inlets(territory: Territory, ways: Ways) -> tuple[Inlet, ...]:
    """One in each bourg, several in towns: where the houses of a quarter have their middle."""
    inlets: list[Inlet] = []
    for index, commune in enumerate(territory.communes):
        count = next(wanted for least, wanted in INLETS_BY_POPULATION if commune.population >= least)
        urban = territory.towns[index].urban
        middles = _quarters(ways.xy[_inside(ways, urban)], count, commune)
        taken = {inlet.node for inlet in inlets}
        for number, (x, y) in enumerate(middles):
            node = ways.nearest_node(x, y)
            if node not in taken:
                inlets.append(Inlet(_name(commune, middles, number), index, node))
                taken.add(node)
    return tuple(inlets)


def _inside(ways: Ways, urban: BaseGeometry) -> Coords:
    shapely.prepare(urban)
    return np.asarray(shapely.contains_xy(urban, ways.xy[:, 0], ways.xy[:, 1]))


def _quarters(at: Coords, count: int, commune: Commune) -> list[tuple[float, float]]:
    """Middles of compact groups (Lloyd 1982), begun from the bourg and the places farthest from those chosen."""
    middles = np.array([(commune.x, commune.y)])
    while len(middles) < count:
        away = np.min(np.hypot(*(at[:, None] - middles[None]).transpose(2, 0, 1)), axis=1)
        middles = np.vstack((middles, at[np.argmax(away)]))
    for _ in range(8 if count > 1 else 0):
        nearest = np.argmin(np.hypot(*(at[:, None] - middles[None]).transpose(2, 0, 1)), axis=1)
        middles = np.array([at[nearest == number].mean(axis=0) for number in range(count)])
    return [(float(x), float(y)) for x, y in middles]


def _name(commune: Commune, middles: Sequence[tuple[float, float]], number: int) -> str:
    if len(middles) == 1:
        return f"{commune.name} bourg"
    order = sorted(range(len(middles)), key=lambda each: np.hypot(*np.subtract(middles[each], (commune.x, commune.y))))
    if order[0] == number:
        return f"{commune.name} Centre"
    dx, dy = np.subtract(middles[number], np.mean(middles, axis=0))
    return f"{commune.name} {COMPASS[round(float(np.arctan2(dy, dx)) / (np.pi / 4)) % 8]}"


def distribute(ways: Ways, inlets: tuple[Inlet, ...], customers: Customers) -> Distribution:
    reached = ways.reach((inlet.node for inlet in inlets), weighted(ways, DISTRIBUTION_COST))
    through = customers.m3_per_day.copy()
    beyond = customers.count.copy()
    for node in reversed(reached.order):
        if reached.before[node] >= 0:
            through[reached.before[node]] += through[node]
            beyond[reached.before[node]] += beyond[node]
    index = {inlet.node: number for number, inlet in enumerate(inlets)}
    district = [index[source] if beyond[node] > 0 else -1 for node, source in enumerate(reached.source)]
    size_mm, loss = _sizes(ways, reached, through, beyond.tolist())
    return Distribution(inlets, reached, district, through, size_mm, loss)


def _sizes(ways: Ways, reached: Reached, through: Coords, beyond: list[int]) -> tuple[list[int], list[float]]:
    sizes, losses = [0] * len(beyond), [0.0] * len(beyond)
    for node in reached.order:
        if reached.before[node] < 0 or beyond[node] == 0:
            continue
        flow = peak_flow_l_per_s(float(through[node]))
        least = 110 if beyond[node] >= 30 else 90 if beyond[node] >= 12 else 63
        sizes[node] = diameter_mm(flow, FASTEST_M_PER_S, least)
        losses[node] = loss_m(flow, ways.length(reached.edge[node]), sizes[node])
    return sizes, losses
