"""The road network as a graph: junctions and the stretches between them, for all that runs along or under roads."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString

from parvis.demo.land.communes import Commune
from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import Road, RoadClass
from parvis.demo.land.territory import Territory

GRID_M = 0.5
MARGIN_M = 150.0
DRIVEN = (RoadClass.PRIMARY, RoadClass.SECONDARY, RoadClass.TERTIARY, RoadClass.RESIDENTIAL, RoadClass.PEDESTRIAN)
Cost = Callable[[int], float]


@dataclass(frozen=True)
class Ways:
    """By node: `xy`, `elevation_m`, `node_commune`; by edge the rest, `road` an index of `Territory.roads`."""

    xy: Coords
    elevation_m: Coords
    node_commune: NDArray[np.intp]
    ends: NDArray[np.intp]
    lines: NDArray[np.object_]
    length_m: Coords
    road: NDArray[np.intp]
    kind: tuple[RoadClass, ...]

    @cached_property
    def at_node(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """By node: the edges that meet there, each with the node at its other end."""
        met: list[list[tuple[int, int]]] = [[] for _ in self.xy]
        for edge, (a, b) in enumerate(self.ends.tolist()):
            met[a].append((edge, b))
            met[b].append((edge, a))
        return tuple(map(tuple, met))

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Of the edges."""
        return shapely.STRtree(self.lines)

    @cached_property
    def node_tree(self) -> shapely.STRtree:
        return shapely.STRtree(shapely.points(self.xy))

    def nearest_node(self, x: float, y: float) -> int:
        return int(self.node_tree.nearest(shapely.Point(x, y)))

    def nearest_edges(self, points: NDArray[np.object_]) -> NDArray[np.intp]:
        return np.asarray(self.tree.nearest(points), dtype=np.intp)

    def length(self, edge: int) -> float:
        return float(self.length_m[edge])

    def reach(self, sources: Iterable[int], cost: Cost | None = None) -> "Reached":
        """Ways of least cost from the nearest of the sources to every node (Dijkstra 1959)."""
        cost = cost or self.length
        count = len(self.xy)
        reached = Reached([np.inf] * count, [-1] * count, [-1] * count, [-1] * count, [])
        queue = []
        for source in sources:
            reached.cost[source], reached.source[source] = 0.0, source
            queue.append((0.0, source))
        heapq.heapify(queue)
        while queue:
            so_far, here = heapq.heappop(queue)
            if so_far > reached.cost[here]:
                continue
            reached.order.append(here)
            for edge, other in self.at_node[here]:
                total = so_far + cost(edge)
                if total < reached.cost[other]:
                    reached.settle(other, total, edge, here)
                    heapq.heappush(queue, (total, other))
        return reached

    def line_of(self, edges: Iterable[int], start: int) -> LineString:
        """One line along the edges, from the node `start` on."""
        here, pieces = start, []
        for edge in edges:
            coords = shapely.get_coordinates(self.lines[edge])
            a, b = self.ends[edge]
            pieces.append(coords if a == here else coords[::-1])
            here = int(b if a == here else a)
        path = np.concatenate(pieces)
        keep = np.append(True, np.abs(np.diff(path, axis=0)).sum(axis=1) > 0)
        return LineString(path[keep])


@dataclass(slots=True)
class Reached:
    """By node: cost from its source, the edge and node before it, its source; `order` is that of rising cost."""

    cost: list[float]
    edge: list[int]
    before: list[int]
    source: list[int]
    order: list[int]

    def settle(self, node: int, cost: float, edge: int, before: int) -> None:
        self.cost[node], self.edge[node], self.before[node] = cost, edge, before
        self.source[node] = self.source[before]

    def path(self, node: int) -> list[int]:
        """The edges from its source to the node."""
        edges = []
        while self.before[node] >= 0:
            edges.append(self.edge[node])
            node = self.before[node]
        return edges[::-1]


def survey_ways(territory: Territory) -> Ways:
    """The roads within the agglomeration, cut where they meet; what is not joined to the rest is left out."""
    area = shapely.union_all([commune.area for commune in territory.communes]).buffer(MARGIN_M)
    used = [index for index, road in enumerate(territory.roads) if road.kind in DRIVEN]
    roads = np.array([territory.roads[index].line for index in used])
    lines = shapely.get_parts(shapely.union_all(shapely.intersection(roads, area), grid_size=GRID_M))
    road = np.array(used)[shapely.STRtree(roads).nearest(shapely.line_interpolate_point(lines, 0.5, normalized=True))]
    xy, ends = _noded(lines)
    kept = _largest_part(len(xy), ends)
    lines, road, ends = lines[kept], road[kept], ends[kept]
    nodes, flat = np.unique(ends, return_inverse=True)
    xy = xy[nodes]
    elevation_m = np.maximum(territory.terrain.relief.at(xy[:, 0], xy[:, 1]), 1.5)
    return Ways(
        xy, elevation_m, communes_at(territory.communes, xy), flat.reshape(-1, 2), lines, shapely.length(lines), road,
        tuple(territory.roads[index].kind for index in road),
    )  # fmt: skip


def _noded(lines: NDArray[np.object_]) -> tuple[Coords, NDArray[np.intp]]:
    coords, owner = shapely.get_coordinates(lines, return_index=True)
    first = np.searchsorted(owner, np.arange(len(lines)))
    last = np.append(first[1:], len(coords)) - 1
    ends = np.stack((coords[first], coords[last]), axis=1).reshape(-1, 2)
    xy, flat = np.unique(ends, axis=0, return_inverse=True)
    return xy, flat.reshape(-1, 2)


def _largest_part(count: int, ends: NDArray[np.intp]) -> NDArray[np.bool_]:
    label = np.arange(count)
    while True:
        low = np.minimum(label[ends[:, 0]], label[ends[:, 1]])
        before = label.copy()
        np.minimum.at(label, ends[:, 0], low)
        np.minimum.at(label, ends[:, 1], low)
        label = label[label]
        if (label == before).all():
            break
    return np.asarray(label[ends[:, 0]] == np.bincount(label).argmax(), dtype=bool)


def communes_at(communes: tuple[Commune, ...], xy: Coords) -> NDArray[np.intp]:
    """The commune of each point; just outside of all, the one whose bourg is nearest."""
    away = np.hypot(xy[:, None, 0] - [each.x for each in communes], xy[:, None, 1] - [each.y for each in communes])
    found: NDArray[np.intp] = np.argmin(away, axis=1).astype(np.intp)
    for index, commune in enumerate(communes):
        shapely.prepare(commune.area)
        found[shapely.contains_xy(commune.area, xy[:, 0], xy[:, 1])] = index
    return found


def weighted(ways: Ways, dear: Mapping[RoadClass, float]) -> Cost:
    """Lengths, each class of road counted by its factor (1 where none is given)."""
    cost = [length * dear.get(kind, 1.0) for length, kind in zip(ways.length_m.tolist(), ways.kind, strict=True)]
    return cost.__getitem__


def street_of(road: Road) -> str:
    """How an address names it: departmental roads with their number."""
    return f"{road.name} ({road.ref})" if road.ref else road.name
