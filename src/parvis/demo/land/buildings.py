"""Footprints along streets: terraces in the core, detached houses outside, farms at the hamlets."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import Hamlet, Road, RoadClass
from parvis.demo.land.streets import Town


@dataclass(frozen=True, slots=True)
class Manner:
    """How houses stand along a street: frontage and depth, how far back, how much room between (metres)."""

    front_m: tuple[float, float]
    depth_m: tuple[float, float]
    back_m: tuple[float, float]
    gap_m: tuple[float, float]
    built_share: float


TERRACE = Manner((7, 12), (9, 13), (4.6, 5.2), (0, 0.4), 0.96)
DETACHED = Manner((9, 14), (8, 11), (9, 13), (8, 16), 0.86)
RIBBON = Manner((9, 15), (8, 11), (13, 24), (16, 60), 0.6)


@dataclass(frozen=True, slots=True)
class Building:
    footprint: BaseGeometry
    kind: str
    street: str
    number: int
    commune: int
    name: str = ""


@dataclass(slots=True)
class _Lots:
    """Rectangles to build, as columns: centre, heading, front, depth."""

    xy: list[Coords]
    heading: list[Coords]
    front: list[Coords]
    depth: list[Coords]
    street: list[NDArray[np.intp]]


def build_houses(
    rng: np.random.Generator, towns: list[Town], lanes: list[Road], hamlets: list[Hamlet], mains: list[Road],
    occupied: list[BaseGeometry], keep_out: BaseGeometry,
) -> list[Building]:  # fmt: skip
    """Houses that touch neither each other, nor a carriageway, nor `occupied`, nor `keep_out`."""
    streets: list[Road] = []
    lots = _Lots([], [], [], [], [])
    for town in towns:
        for street in town.streets:
            centre = street.line.interpolate(0.5, normalized=True)
            core = np.hypot(centre.x - town.x, centre.y - town.y) < town.core_m
            _stake_out(rng, lots, street, len(streets), TERRACE if core else DETACHED)
            streets.append(street)
        for main in _inside(mains, town):
            _stake_out(rng, lots, main, len(streets), DETACHED)
            streets.append(main)
    for hamlet in hamlets:
        for lane in _near(lanes, hamlet):
            _stake_out(rng, lots, lane, len(streets), RIBBON)
            streets.append(lane)
    footprints = _rectangles(rng, lots)
    owner = np.concatenate(lots.street)
    carriageways = [road.line for road in (*streets, *mains, *lanes)]
    free = _free_of_each_other(footprints, carriageways, occupied, keep_out)
    return _numbered(footprints, owner, streets, free)


def _inside(mains: list[Road], town: Town) -> list[Road]:
    return [
        Road(part, road.kind, road.name, road.ref, town.commune)
        for road in mains
        if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)
        for part in _pieces(road, town.urban, shortest_m=60)
    ]


def _near(lanes: list[Road], hamlet: Hamlet) -> list[Road]:
    around = shapely.Point(hamlet.x, hamlet.y).buffer(170)
    return [
        Road(part, lane.kind, hamlet.name, commune=hamlet.commune)
        for lane in lanes
        if lane.line.intersects(around)
        for part in _pieces(lane, around, shortest_m=40)
    ]


def _pieces(road: Road, area: BaseGeometry, shortest_m: float) -> list[shapely.LineString]:
    parts = shapely.get_parts(road.line.intersection(area))
    return [part for part in parts if part.geom_type == "LineString" and part.length > shortest_m]


def _stake_out(rng: np.random.Generator, lots: _Lots, street: Road, number: int, manner: Manner) -> None:
    length = street.line.length
    room = int(length / (manner.front_m[0] + manner.gap_m[0])) + 1
    for side in (-1.0, 1.0):
        front = rng.uniform(*manner.front_m, room)
        gap = rng.uniform(*manner.gap_m, room)
        middle = 4 + np.cumsum(front + gap) - front / 2
        chosen = (middle + front / 2 < length - 4) & (rng.random(room) < manner.built_share)
        middle, front = middle[chosen], front[chosen]
        if len(middle) == 0:
            continue
        depth = rng.uniform(*manner.depth_m, len(middle))
        at = shapely.get_coordinates(shapely.line_interpolate_point(street.line, middle))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(street.line, np.minimum(middle + 3, length)))
        behind = shapely.get_coordinates(shapely.line_interpolate_point(street.line, np.maximum(middle - 3, 0)))
        heading = np.arctan2(*(ahead - behind).T[::-1])
        away = side * (rng.uniform(*manner.back_m) + depth / 2)
        at = at + np.column_stack((-np.sin(heading), np.cos(heading))) * away[:, None]
        lots.xy.append(at)
        lots.heading.append(heading)
        lots.front.append(front)
        lots.depth.append(depth)
        lots.street.append(np.full(len(middle), number))


def _rectangles(rng: np.random.Generator, lots: _Lots) -> NDArray[np.object_]:
    """Most footprints are rectangles; a fifth carry a wing (the L of a Breton longère)."""
    xy, heading = np.concatenate(lots.xy), np.concatenate(lots.heading)
    front, depth = np.concatenate(lots.front) / 2, np.concatenate(lots.depth) / 2
    wing = np.where(rng.random(len(front)) < 0.2, rng.uniform(0.3, 0.6, len(front)), 0.0)
    reach = np.where(wing > 0, 1.0 + wing, 1.0)
    split = np.where(wing > 0, -0.1, 0.999)
    u = np.column_stack((-front, front, front, split * front, split * front, -front))
    v = np.column_stack((-depth, -depth, depth, depth, reach * depth, reach * depth))
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x, y = xy[:, :1] + u * cos - v * sin, xy[:, 1:] + u * sin + v * cos
    polygons: NDArray[np.object_] = shapely.polygons(np.stack((x, y), axis=2))
    return polygons


def _free_of_each_other(
    footprints: NDArray[np.object_], carriageways: list[BaseGeometry], occupied: list[BaseGeometry],
    keep_out: BaseGeometry,
) -> NDArray[np.bool_]:  # fmt: skip
    free = np.ones(len(footprints), dtype=bool)
    tree = shapely.STRtree(footprints)
    free[tree.query(np.array(carriageways), predicate="dwithin", distance=3.6)[1]] = False
    if occupied:
        free[tree.query(np.array(occupied), predicate="intersects")[1]] = False
    shapely.prepare(keep_out)
    free &= ~shapely.intersects(keep_out, footprints)
    one, other = tree.query(shapely.buffer(footprints, -0.5, quad_segs=1), predicate="intersects")
    for a, b in zip(one, other, strict=True):
        if a < b and free[a] and free[b]:
            free[b] = False
    return free


def _numbered(
    footprints: NDArray[np.object_], owner: NDArray[np.intp], streets: list[Road], free: NDArray[np.bool_]
) -> list[Building]:
    count: dict[tuple[int | None, str], int] = {}
    houses = []
    for footprint, number in zip(footprints[free], owner[free], strict=True):
        street = streets[number]
        key = (street.commune, street.name)
        count[key] = count.get(key, 0) + 1
        kind = "farm" if street.kind is RoadClass.TERTIARY else "house"
        houses.append(Building(footprint, kind, street.name, count[key], street.commune or 0))
    return houses
