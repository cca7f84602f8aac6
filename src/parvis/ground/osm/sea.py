"""The sea, from its coastline: OpenStreetMap draws coasts as lines with land on the left and water on the right."""

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

Bounds = tuple[float, float, float, float]
_ASIDE = 1e-3
"""Of a segment's length: so far beside its middle is surely one of its two faces."""


def sea_within(bounds: Bounds, coasts: Sequence[LineString]) -> list[Polygon]:
    """The faces of `bounds` (west, south, east, north) that lie right of a coast; none where there is no coast."""
    frame = shapely.box(*bounds)
    lines = [part for coast in coasts for part in _lines(coast.intersection(frame))]
    if not lines:
        return []
    cut = shapely.union_all([*lines, frame.boundary])
    faces = list(shapely.get_parts(shapely.polygonize(list(_lines(cut)))))
    if not faces:
        return []
    tree = shapely.STRtree(faces)
    wet = {int(face) for line in lines for point in _right_of(line) for face in tree.query(point, predicate="within")}
    return [faces[face] for face in sorted(wet)]


def _right_of(line: LineString) -> Iterator[Point]:
    """A point beside the longest segment, where a face is found most surely."""
    points = shapely.get_coordinates(line)
    steps = np.diff(points, axis=0)
    longest = int(np.argmax(np.hypot(steps[:, 0], steps[:, 1])))
    (x, y), (dx, dy) = points[longest], steps[longest]
    yield Point(x + dx / 2 + _ASIDE * dy, y + dy / 2 - _ASIDE * dx)


def _lines(geometry: shapely.Geometry) -> Iterator[LineString]:
    for part in shapely.get_parts(geometry):
        if part.geom_type == "LineString" and part.length > 0:
            yield part
        elif part.geom_type in ("MultiLineString", "GeometryCollection"):
            yield from _lines(part)
