"""Geometries that cross themselves, made sound in little time, however often they do.

What crosses itself k times has k points more once it is sound, and k grows with the square of its positions: a thousand
positions at random take minutes. Those are taken for their convex hull; outlines with a slip here and there are not.
"""

from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

MOST_CROSSINGS: Final = 2_000
"""As an estimate of how many edges may meet: then it is made sound in some 30 ms."""
_LOOKED_AT: Final = 200


def sound(geometry: BaseGeometry) -> BaseGeometry:
    """The same where it is sound."""
    if geometry.is_valid:
        return geometry
    if _crossings(geometry) > MOST_CROSSINGS:
        return geometry.convex_hull
    return shapely.make_valid(geometry, method="structure", keep_collapsed=True)


def _crossings(geometry: BaseGeometry) -> float:
    """How many pairs of edges have boxes that meet, neighbours aside, by some edges in regular distance."""
    positions = shapely.get_coordinates(geometry)
    low, high = np.minimum(positions[:-1], positions[1:]), np.maximum(positions[:-1], positions[1:])
    some = range(0, len(low), max(1, len(low) // _LOOKED_AT))
    met = sum(int(np.count_nonzero((low <= high[one]).all(axis=1) & (high >= low[one]).all(axis=1))) for one in some)
    return max(0.0, met / len(some) - 3) * len(low) / 2
