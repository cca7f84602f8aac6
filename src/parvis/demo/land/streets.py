"""Town streets: the edges of a Voronoi diagram whose seeds stand close and irregular in the core, in rows outside."""

import random
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.communes import Character, Commune
from parvis.demo.land.geometry import Coords
from parvis.demo.land.names import StreetNames
from parvis.demo.land.roads import Road, RoadClass

CORE_BLOCK_M = 66.0
STRAIGHT_ON_RAD = 0.6
Edges = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Town:
    """`blocks` are the faces between the streets, nearest to the centre first."""

    commune: int
    x: float
    y: float
    core_m: float
    urban: BaseGeometry
    streets: tuple[Road, ...]
    blocks: tuple[BaseGeometry, ...]


def urban_radius_m(commune: Commune) -> float:
    return 150 + 7.4 * float(np.sqrt(commune.population))


def core_radius_m(commune: Commune) -> float:
    share = {Character.OLD_TOWN: 0.4, Character.PORT: 0.38, Character.SUBURB: 0.22}.get(commune.character, 0.3)
    return share * urban_radius_m(commune)


def urban_area(rng: np.random.Generator, commune: Commune, roads: list[Road], dry: BaseGeometry) -> BaseGeometry:
    """A ragged disc with ribbons along the roads that leave it, on dry ground."""
    centre = Point(commune.x, commune.y)
    radius = urban_radius_m(commune)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    reach = radius * rng.uniform(0.72, 1.12, 20)
    disc = shapely.polygons(np.column_stack((commune.x + reach * np.cos(angle), commune.y + reach * np.sin(angle))))
    around = centre.buffer(1.5 * radius)
    leaving = [
        road.line.intersection(around) for road in roads if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)
    ]
    ribbons = shapely.union_all(leaving).buffer(0.17 * radius)
    town = disc.union(ribbons).buffer(40).buffer(-40).intersection(dry)
    largest = max(shapely.get_parts(town), key=lambda part: part.area)
    return shapely.Polygon(largest.exterior)


def lay_streets(
    rng: np.random.Generator, names: random.Random, index: int, commune: Commune, urban: BaseGeometry,
    mains: BaseGeometry, rivers: BaseGeometry,
) -> Town:  # fmt: skip
    mains = mains.intersection(urban.envelope.buffer(100))
    points, edges = _street_graph(rng, commune, urban, mains, rivers)
    core_m = core_radius_m(commune)
    street_names = StreetNames(names)
    streets = []
    for chain in _strokes(points, edges):
        line = LineString(points[chain])
        core = line.centroid.distance(Point(commune.x, commune.y)) < core_m
        foot = core and commune.population > 7000 and line.length < 140 and names.random() < 0.4
        kind = RoadClass.PEDESTRIAN if foot else RoadClass.RESIDENTIAL
        streets.append(Road(line, kind, street_names.draw(core=core), commune=index))
    lines = shapely.linestrings(points[edges])
    noded = shapely.union_all(np.append(lines, mains.intersection(urban)))
    blocks = [face for face in shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))) if face.area > 900]
    blocks.sort(key=lambda face: face.distance(Point(commune.x, commune.y)) + 0.01 * face.centroid.x % 1)
    return Town(index, commune.x, commune.y, core_m, urban, tuple(streets), tuple(blocks))


def _street_graph(
    rng: np.random.Generator, commune: Commune, urban: BaseGeometry, mains: BaseGeometry, rivers: BaseGeometry
) -> tuple[Coords, Edges]:
    """Junctions and the streets between them; only main roads cross a river."""
    seeds = _block_seeds(rng, commune, urban)
    cells = shapely.voronoi_polygons(shapely.multipoints(seeds), only_edges=True)
    lines = shapely.get_parts(cells)
    inner = urban.buffer(-6)
    shapely.prepare(inner)
    lines = lines[shapely.contains_properly(inner, lines)]
    lines = lines[~shapely.contains(mains.buffer(34), lines) & ~shapely.intersects(rivers.buffer(16), lines)]
    ends = np.round(shapely.get_coordinates(lines), 1)
    points, flat = np.unique(ends, axis=0, return_inverse=True)
    points, edges = _contracted(points, flat.reshape(-1, 2), shortest_m=24)
    edges = _thinned(rng, edges, len(points), drop=0.09)
    points, edges = _run_into(mains, points, edges, reach_m=75)
    return points, _connected(points, edges, mains)


def _run_into(mains: BaseGeometry, points: Coords, edges: Edges, reach_m: float) -> tuple[Coords, Edges]:
    """Carry dead ends on to the main road beside them."""
    degree = np.bincount(edges.ravel(), minlength=len(points))
    ends = np.nonzero(degree == 1)[0]
    crossing = np.unique(edges[shapely.intersects(mains, shapely.linestrings(points[edges]))])
    ends = ends[~np.isin(ends, crossing)]
    ways = shapely.shortest_line(shapely.points(points[ends]), mains)
    near = shapely.length(ways) < reach_m
    feet = shapely.get_coordinates(ways[near]).reshape(-1, 2, 2)
    beyond = feet[:, 1] + (feet[:, 1] - feet[:, 0]) * 0.01
    added = np.column_stack((ends[near], np.arange(len(points), len(points) + len(beyond))))
    return np.vstack((points, beyond)), np.vstack((edges, added))


def _block_seeds(rng: np.random.Generator, commune: Commune, urban: BaseGeometry) -> Coords:
    """Quarters, each a grid with its own direction and block size, around a core of small crooked blocks."""
    core_m = core_radius_m(commune)
    reach = 1.6 * urban_radius_m(commune)
    quarters = rng.uniform(-reach, reach, (7, 2))
    quarters[0] = 0
    seeds = []
    grid_u, grid_v = np.meshgrid(np.arange(-60, 61), np.arange(-60, 61))
    for number in range(len(quarters)):
        angle = rng.uniform(0, np.pi / 2)
        along, across = rng.uniform(105, 150), rng.uniform(72, 92)
        u = grid_u.ravel() * along
        v = grid_v.ravel() * across
        rotated = np.column_stack((u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)))
        rotated += rng.normal(0, 8, rotated.shape)
        near = rotated[np.abs(rotated).max(axis=1) < reach]
        nearest = np.argmin(np.hypot(*(near[:, None] - quarters[None]).transpose(2, 0, 1)), axis=1)
        seeds.append(near[(nearest == number) & (np.hypot(near[:, 0], near[:, 1]) > core_m)])
    count = int(np.ceil(core_m / CORE_BLOCK_M))
    core_u, core_v = np.meshgrid(np.arange(-count, count + 1), np.arange(-count, count + 1))
    core = np.column_stack((core_u.ravel(), core_v.ravel())) * CORE_BLOCK_M
    core += rng.uniform(-0.36, 0.36, core.shape) * CORE_BLOCK_M
    seeds.append(core[np.hypot(core[:, 0], core[:, 1]) <= core_m])
    every = np.concatenate(seeds) + np.array((commune.x, commune.y))
    wide = urban.buffer(200)
    chosen: Coords = every[shapely.contains_xy(wide, every[:, 0], every[:, 1])]
    return chosen


def _contracted(points: Coords, edges: Edges, shortest_m: float) -> tuple[Coords, Edges]:
    """Join junctions that lie closer than `shortest_m`, as a planner would."""
    parent = np.arange(len(points))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = int(parent[node])
        return node

    length = np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T)
    for a, b in edges[length < shortest_m]:
        parent[root(int(a))] = root(int(b))
    roots = np.array([root(node) for node in range(len(points))])
    _, group = np.unique(roots, return_inverse=True)
    count = np.bincount(group)
    merged = np.column_stack([np.bincount(group, points[:, axis]) / count for axis in (0, 1)])
    joined = np.sort(group[edges], axis=1)
    joined = np.unique(joined[joined[:, 0] != joined[:, 1]], axis=0)
    return merged, joined


def _thinned(rng: np.random.Generator, edges: Edges, nodes: int, drop: float) -> Edges:
    """Some blocks are double: leave out streets between junctions that keep two others."""
    degree = np.bincount(edges.ravel(), minlength=nodes)
    kept = np.ones(len(edges), dtype=bool)
    for number in np.nonzero(rng.random(len(edges)) < drop)[0]:
        a, b = edges[number]
        if degree[a] > 2 and degree[b] > 2:
            degree[a] -= 1
            degree[b] -= 1
            kept[number] = False
    return edges[kept]


def _connected(points: Coords, edges: Edges, mains: BaseGeometry) -> Edges:
    """Only streets from which one can reach a main road."""
    lines = shapely.linestrings(points[edges])
    touched = shapely.intersects(mains, lines)
    at_node: dict[int, list[int]] = defaultdict(list)
    for number, (a, b) in enumerate(edges):
        at_node[int(a)].append(number)
        at_node[int(b)].append(number)
    open_ends = [int(number) for number in np.nonzero(touched)[0]]
    reached = set(open_ends)
    while open_ends:
        a, b = edges[open_ends.pop()]
        for number in (*at_node[int(a)], *at_node[int(b)]):
            if number not in reached:
                reached.add(number)
                open_ends.append(number)
    return edges[sorted(reached)]


def _strokes(points: Coords, edges: Edges) -> list[list[int]]:
    """Chains of edges that run straight on through junctions: what people call one street."""
    follower: dict[tuple[int, int], int] = {}
    at_node: dict[int, list[int]] = defaultdict(list)
    for number, (a, b) in enumerate(edges):
        at_node[int(a)].append(number)
        at_node[int(b)].append(number)
    for node, numbers in at_node.items():
        _pair_straightest(points, edges, node, numbers, follower)
    used: set[int] = set()
    return [_chain(edges, number, follower, used) for number in range(len(edges)) if number not in used]


def _pair_straightest(
    points: Coords, edges: Edges, node: int, numbers: list[int], follower: dict[tuple[int, int], int]
) -> None:
    heading = {}
    for number in numbers:
        a, b = edges[number]
        dx, dy = points[b if a == node else a] - points[node]
        heading[number] = float(np.arctan2(dy, dx))
    pairs = sorted(
        (abs((heading[one] - heading[other]) % (2 * np.pi) - np.pi), one, other)
        for position, one in enumerate(numbers)
        for other in numbers[position + 1 :]
    )
    taken: set[int] = set()
    for bend, one, other in pairs:
        if bend < STRAIGHT_ON_RAD and one not in taken and other not in taken:
            taken |= {one, other}
            follower[one, node] = other
            follower[other, node] = one


def _chain(edges: Edges, number: int, follower: dict[tuple[int, int], int], used: set[int]) -> list[int]:
    used.add(number)
    nodes = [int(node) for node in edges[number]]
    for _ in range(2):
        current = number
        while (following := follower.get((current, nodes[-1]))) is not None and following not in used:
            used.add(following)
            a, b = (int(node) for node in edges[following])
            nodes.append(b if nodes[-1] == a else a)
            current = following
        nodes.reverse()
    return nodes
