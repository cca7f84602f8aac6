"""Areas of a height grid above a level, by marching squares."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.geometry import Coords

BOTTOM, RIGHT, TOP, LEFT = range(4)
# Edges of a cell that a contour joins; a cell's case sums 1, 2, 4, 8 for its corners above the level,
# counted from the lower left against the clock.
SEGMENTS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((LEFT, BOTTOM),),
    2: ((BOTTOM, RIGHT),),
    3: ((LEFT, RIGHT),),
    4: ((RIGHT, TOP),),
    5: ((LEFT, BOTTOM), (RIGHT, TOP)),
    6: ((BOTTOM, TOP),),
    7: ((LEFT, TOP),),
    8: ((TOP, LEFT),),
    9: ((TOP, BOTTOM),),
    10: ((BOTTOM, RIGHT), (TOP, LEFT)),
    11: ((TOP, RIGHT),),
    12: ((RIGHT, LEFT),),
    13: ((RIGHT, BOTTOM),),
    14: ((BOTTOM, LEFT),),
}


def area_above(height: Coords, xs: Coords, ys: Coords, level: float) -> BaseGeometry:
    """The (multi)polygon where `height[row, column]` at (`xs[column]`, `ys[row]`) exceeds the level."""
    shifted = np.pad(height - level, 1, constant_values=-1.0)
    shifted[np.abs(shifted) < 1e-3] = 1e-3
    xs = np.concatenate((xs[:1] - 1, xs, xs[-1:] + 1))
    ys = np.concatenate((ys[:1] - 1, ys, ys[-1:] + 1))
    segments = _segments(shifted, xs, ys)
    rings = shapely.line_merge(shapely.multilinestrings(shapely.linestrings(segments)))
    return shapely.make_valid(shapely.build_area(rings))


def _segments(height: Coords, xs: Coords, ys: Coords) -> Coords:
    above = (height > 0).astype(np.int8)
    case = above[:-1, :-1] + 2 * above[:-1, 1:] + 4 * above[1:, 1:] + 8 * above[1:, :-1]
    ends = []
    for number, pairs in SEGMENTS.items():
        rows, columns = np.nonzero(case == number)
        for start, end in pairs:
            ends.append(
                np.stack(
                    (
                        _crossing(start, rows, columns, height, xs, ys),
                        _crossing(end, rows, columns, height, xs, ys),
                    ),
                    axis=1,
                )
            )
    return np.concatenate(ends)


def _crossing(
    edge: int, rows: NDArray[np.intp], columns: NDArray[np.intp], height: Coords, xs: Coords, ys: Coords
) -> Coords:
    """Where the level cuts an edge; computed the same from both cells that share it, so that lines join."""
    if edge in (BOTTOM, TOP):
        row = rows + (edge == TOP)
        a, b = height[row, columns], height[row, columns + 1]
        return np.column_stack((xs[columns] + a / (a - b) * (xs[columns + 1] - xs[columns]), ys[row]))
    column = columns + (edge == RIGHT)
    a, b = height[rows, column], height[rows + 1, column]
    return np.column_stack((xs[column], ys[rows] + a / (a - b) * (ys[rows + 1] - ys[rows])))
