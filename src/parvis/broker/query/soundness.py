"""Geometries that cross themselves or each other, made sound and compared in little time, however often they do.

What crosses itself k times has k points more once it is sound, and k grows with the square of its positions: a thousand
positions at random take minutes. Those are taken for their convex hull; outlines with a slip here and there are not.
Two sound lines of a thousand positions may as well meet a million times: what takes that long is not compared.
"""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

MOST_CROSSINGS: Final = 2_000
"""As an estimate of how many edges may meet: then it is made sound in some 30 ms."""
MOST_MEETINGS: Final = 300_000
"""Of an edge of one with an edge of the other: to look at so many takes a second."""
_USUAL_MEETINGS: Final = 8
"""Of an edge, where two outlines run along one another."""
_LOOKED_AT: Final = 200
_Edges = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Of each, the least and the greatest longitude and latitude."""


def sound(geometry: BaseGeometry) -> BaseGeometry:
    """The same where it is sound."""
    if geometry.is_valid:
        return geometry
    if _crossings(geometry) > MOST_CROSSINGS:
        return geometry.convex_hull
    return shapely.make_valid(geometry, method="structure", keep_collapsed=True)


def _crossings(geometry: BaseGeometry) -> float:
    """How many pairs of edges have boxes that meet, neighbours aside, by some edges in regular distance."""
    edges = _edges(geometry)
    return max(0.0, _met_by_one(edges, edges) - 3) * len(edges[0]) / 2


def check_comparable(one: BaseGeometry, other: BaseGeometry) -> None:
    """Raises GEOSException where, by an estimate, too many of their edges may meet."""
    few, many = sorted((int(shapely.get_num_coordinates(one)), int(shapely.get_num_coordinates(other))))
    most = max(MOST_MEETINGS, _USUAL_MEETINGS * (few + many))
    if few * many <= most or shapely.box(*one.bounds).disjoint(shapely.box(*other.bounds)):
        return
    some, edges = _edges(one), _edges(other)
    if _met_by_one(some, edges) * len(some[0]) > most:
        raise GEOSException("The two geometries meet too often to be compared.")


def _edges(geometry: BaseGeometry) -> _Edges:
    positions = shapely.get_coordinates(geometry)
    return np.minimum(positions[:-1], positions[1:]), np.maximum(positions[:-1], positions[1:])


def _met_by_one(some: _Edges, edges: _Edges) -> float:
    """How many of the edges have boxes that meet that of one of some, by some of these in regular distance."""
    (some_low, some_high), (low, high) = some, edges
    looked_at = range(0, len(some_low), max(1, len(some_low) // _LOOKED_AT))
    met = (
        np.count_nonzero((low <= some_high[one]).all(axis=1) & (high >= some_low[one]).all(axis=1)) for one in looked_at
    )
    return sum(map(int, met)) / len(looked_at)
