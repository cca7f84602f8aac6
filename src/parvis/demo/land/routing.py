"""Ways over land that avoid water, bend with the ground and join roads already built (A* on a coarse grid)."""

import heapq
import itertools

import numpy as np
import shapely
from shapely.geometry import LineString

from parvis.demo.land.geometry import Coords, Noise, chaikin
from parvis.demo.land.terrain import Terrain

WEST_M, SOUTH_M, STEP_M, COLUMNS, ROWS = -15_000.0, -10_500.0, 250.0, 121, 101
BUILT_COST, WATER_COST = 0.4, 9.0
NEIGHBOURS = tuple((dx, dy, float(np.hypot(dx, dy))) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))


class Surveyor:
    def __init__(self, rng: np.random.Generator, terrain: Terrain) -> None:
        xs = WEST_M + STEP_M * np.arange(COLUMNS)
        ys = SOUTH_M + STEP_M * np.arange(ROWS)
        x, y = np.meshgrid(xs, ys)
        dry = terrain.land.buffer(-60)
        shapely.prepare(dry)
        effort = 1.35 + 0.8 * Noise(rng).octaves(x, y, 1500, 2)
        cost = np.where(shapely.contains_xy(dry, x.ravel(), y.ravel()).reshape(x.shape), effort, WATER_COST)
        cost[shapely.contains_xy(terrain.lakes, x.ravel(), y.ravel()).reshape(x.shape)] = WATER_COST
        self._cost: list[list[float]] = np.maximum(cost, BUILT_COST).tolist()

    def survey(self, start: tuple[float, float], end: tuple[float, float]) -> LineString:
        """The line between exactly these ends; later ways will follow it where that is cheaper."""
        cells = self._path(_cell(*start), _cell(*end))
        for column, row in cells:
            self._cost[row][column] = BUILT_COST
        inner = [(WEST_M + STEP_M * column, SOUTH_M + STEP_M * row) for column, row in cells[1:-1]]
        return LineString(_eased(np.array([start, *inner, end], dtype=np.float64)))

    def _path(self, start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
        counter = itertools.count()
        reached = {start: 0.0}
        came: dict[tuple[int, int], tuple[int, int]] = {}
        queue = [(0.0, next(counter), start)]
        while queue:
            _, _, here = heapq.heappop(queue)
            if here == end:
                break
            self._expand(here, end, reached, came, queue, counter)
        path = [end]
        while path[-1] != start:
            path.append(came[path[-1]])
        return path[::-1]

    def _expand(
        self,
        here: tuple[int, int],
        end: tuple[int, int],
        reached: dict[tuple[int, int], float],
        came: dict[tuple[int, int], tuple[int, int]],
        queue: list[tuple[float, int, tuple[int, int]]],
        counter: "itertools.count[int]",
    ) -> None:
        for dx, dy, length in NEIGHBOURS:
            column, row = here[0] + dx, here[1] + dy
            if not (0 <= column < COLUMNS and 0 <= row < ROWS):
                continue
            total = reached[here] + length * self._cost[row][column]
            if total < reached.get((column, row), float("inf")):
                reached[column, row] = total
                came[column, row] = here
                remaining = float(np.hypot(column - end[0], row - end[1])) * BUILT_COST
                heapq.heappush(queue, (total + remaining, next(counter), (column, row)))


def _cell(x: float, y: float) -> tuple[int, int]:
    return round((x - WEST_M) / STEP_M), round((y - SOUTH_M) / STEP_M)


def _eased(line: Coords) -> Coords:
    """The staircase of the grid drawn as a road: neighbours averaged, corners cut."""
    for _ in range(3):
        if len(line) > 3:
            line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    if len(line) > 6:
        line = np.vstack((line[:1], line[2:-2:2], line[-1:]))
    return chaikin(line, 3)
