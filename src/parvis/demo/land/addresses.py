"""Addresses as the French write them: odd numbers on one side of the street, even ones on the other."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Point

from parvis.demo.land.buildings import Building
from parvis.demo.land.geometry import Coords
from parvis.demo.land.roads import Road, RoadClass

NEAR_M = 70.0


@dataclass(frozen=True, slots=True)
class Address:
    """`building` and `commune` are indices of the territory's tuples; hamlets are addressed by number and name too."""

    number: int
    street: str
    commune: int
    building: int
    x: float
    y: float

    @property
    def text(self) -> str:
        return f"{self.number} {self.street}"


def number_buildings(buildings: Sequence[Building], roads: Sequence[Road]) -> list[Building]:
    """Renumber along each street of each commune, whatever stands there: houses, schools, workshops."""
    at = shapely.get_coordinates(shapely.centroid([building.footprint for building in buildings]))
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index, building in enumerate(buildings):
        groups[building.commune, building.street].append(index)
    lines = _lines_by_name(roads)
    numbered = list(buildings)
    for (commune, street), members in groups.items():
        line = lines.get((commune, street), lines.get((None, street)))
        along, side = _hamlet(at[members]) if line is None else _along(shapely.points(at[members]), np.array(line))
        for parity in (1, 0):
            row = np.array(members)[side == parity][np.argsort(along[side == parity], kind="stable")]
            for position, index in enumerate(row.tolist()):
                numbered[index] = replace(buildings[index], number=2 * position + 2 - parity)
    return numbered


def _lines_by_name(roads: Iterable[Road]) -> dict[tuple[int | None, str], list[object]]:
    lines: dict[tuple[int | None, str], list[object]] = defaultdict(list)
    for road in roads:
        if road.kind not in (RoadClass.PIER, RoadClass.TRUNK, RoadClass.RAIL):
            lines[road.commune, road.name].append(road.line)
    return lines


def _along(points: NDArray[np.object_], lines: NDArray[np.object_]) -> tuple[Coords, NDArray[np.intp]]:
    """How far along its line each point is, and on which side (1 left, 0 right)."""
    nearest = shapely.STRtree(lines).nearest(points)
    own = lines[nearest]
    begin = np.concatenate(([0.0], np.cumsum(shapely.length(lines))))[nearest]
    along = shapely.line_locate_point(own, points)
    foot = shapely.get_coordinates(shapely.line_interpolate_point(own, np.maximum(along - 1, 0)))
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(own, along + 1)) - foot
    aside = shapely.get_coordinates(points) - foot
    left = ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0] > 0
    return begin + along, left.astype(np.intp)


def _hamlet(at: Coords) -> tuple[Coords, NDArray[np.intp]]:
    """Around the middle of the place, all in one row."""
    out = at - at.mean(axis=0)
    order: Coords = np.arctan2(out[:, 1], out[:, 0])
    return order, np.arange(len(at)) % 2


class Gazetteer:
    """What people call a spot: the nearest address, else the nearest road."""

    def __init__(self, buildings: Sequence[Building], roads: Sequence[Road]) -> None:
        self._roads = [road for road in roads if road.kind not in (RoadClass.PIER, RoadClass.RAIL)]
        self._road_tree = shapely.STRtree([road.line for road in self._roads])
        at = shapely.get_coordinates(shapely.centroid([building.footprint for building in buildings]))
        self.addresses = [
            Address(building.number, building.street, building.commune, index, float(at[index, 0]), float(at[index, 1]))
            for index, building in enumerate(buildings)
        ]
        self._tree = shapely.STRtree(shapely.points(at))

    def near(self, x: float, y: float) -> str:
        found = self.find_address(x, y)
        return self._road(x, y) if found is None else found.text

    def find_address(self, x: float, y: float, within_m: float = NEAR_M) -> Address | None:
        nearest = self._tree.query_nearest(Point(x, y), max_distance=within_m)
        return self.addresses[int(nearest[0])] if len(nearest) else None

    def _road(self, x: float, y: float) -> str:
        road = self._roads[int(self._road_tree.nearest(Point(x, y)))]
        return f"{road.name} ({road.ref})" if road.ref else road.name
