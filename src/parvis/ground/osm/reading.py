"""One pass over an extract: what is drawn, what is driven on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import osmium
import shapely
from numpy.typing import NDArray
from osmium.filter import KeyFilter
from osmium.geom import WKBFactory
from shapely.geometry import LineString

from parvis.ground.layers import Feature
from parvis.ground.osm.sea import Bounds
from parvis.ground.osm.streets import Restriction, Street, restriction_of, street_of
from parvis.ground.osm.tags import KEYS, Drawn, Tags, drawn_of_area, drawn_of_line, drawn_of_point
from parvis.kernel.errors import ParvisError

TELL_EVERY: Final = 20_000
Tell = Callable[[int], None]
"""Called with the number of objects read so far."""


class InvalidExtract(ParvisError):
    title = "The OpenStreetMap extract cannot be read"


@dataclass(slots=True)
class Land:
    """Geometries in degrees, features by layer. `broken` counts objects whose geometry cannot be made."""

    features: dict[str, list[Feature]] = field(default_factory=lambda: defaultdict(list))
    streets: list[Street] = field(default_factory=list)
    restrictions: list[Restriction] = field(default_factory=list)
    coasts: list[LineString] = field(default_factory=list)
    broken: int = 0


def read_extract(path: Path, bounds: Bounds | None, tell: Tell) -> Land:
    """What touches `bounds` (west, south, east, north in degrees), or all. Raises InvalidExtract."""
    reading = _Reading(Land(), bounds)
    try:
        for count, one in enumerate(_objects(path)):
            reading.take(one)
            if count % TELL_EVERY == 0:
                tell(count)
    except (RuntimeError, OSError) as error:
        raise InvalidExtract(f"{path}: {error}. Give an extract in the format .osm.pbf.") from None
    return reading.land


def bounds_of(path: Path) -> Bounds | None:
    """As the file's header says them."""
    try:
        box = osmium.FileProcessor(str(path)).header.box()
    except (RuntimeError, OSError) as error:
        raise InvalidExtract(f"{path}: {error}. Give an extract in the format .osm.pbf.") from None
    if not box.valid():
        return None
    low, high = box.bottom_left, box.top_right
    return low.lon, low.lat, high.lon, high.lat


def _objects(path: Path) -> Iterable[Any]:
    drawn = KeyFilter(*KEYS, "restriction")
    return osmium.FileProcessor(str(path)).with_areas(KeyFilter(*KEYS)).with_filter(drawn)


class _Reading:
    def __init__(self, land: Land, bounds: Bounds | None) -> None:
        self.land = land
        self._bounds = bounds
        self._wkb = WKBFactory()
        self._known: dict[tuple[Any, ...], Drawn] = {}

    def take(self, one: Any) -> None:
        tags = dict(one.tags)
        if one.is_node():
            self._keep(lambda: self._wkb.create_point(one), drawn_of_point(tags))
        elif one.is_area():
            self._take_area(one, tags)
        elif one.is_way():
            self._take_way(one, tags)
        elif tags.get("type") == "restriction":
            self._take_restriction(one, tags)

    def _take_area(self, one: Any, tags: Tags) -> None:
        if self._is_ring_only(tags, one):
            return
        self._keep(lambda: self._wkb.create_multipolygon(one), drawn_of_area(tags))
        if tags.get("name"):
            self._keep(lambda: self._wkb.create_multipolygon(one), drawn_of_point(tags), as_point=True)

    def _is_ring_only(self, tags: Tags, one: Any) -> bool:
        """A closed way that is a road, not a square."""
        return bool(one.from_way()) and "highway" in tags and tags.get("area") != "yes"

    def _take_way(self, one: Any, tags: Tags) -> None:
        drawn, is_coast = list(drawn_of_line(tags)), tags.get("natural") == "coastline"
        lines = self._lines(one) if drawn or is_coast else []
        for line in lines:
            self._put(line, drawn)
        if is_coast:
            self.land.coasts += lines
        if "highway" in tags:
            self.land.streets += [street for street in _streets(one, tags) if self._is_near(street.points)]

    def _take_restriction(self, one: Any, tags: Tags) -> None:
        members = [(member.type, member.ref, member.role) for member in one.members]
        found = restriction_of(tags, members)
        if found is not None:
            self.land.restrictions.append(found)

    def _lines(self, one: Any) -> list[LineString]:
        """One, unless nodes of it lie beyond the extract."""
        if all(node.location.valid() for node in one.nodes):
            line = self._made(lambda: self._wkb.create_linestring(one))
            return [] if line is None else [line]
        parts = [LineString(points) for _, points in _known_parts(one) if len(points) > 1]
        self.land.broken += not parts
        return parts

    def _keep(self, make: Callable[[], str], drawn: Iterator[Drawn], *, as_point: bool = False) -> None:
        found = list(drawn)
        geometry = self._made(make) if found else None
        if geometry is not None:
            self._put(geometry, found, as_point=as_point)

    def _put(self, geometry: Any, drawn: Iterable[Drawn], *, as_point: bool = False) -> None:
        if not self._is_near(np.reshape(geometry.bounds, (2, 2))):
            return
        if as_point:
            geometry = geometry.representative_point()
        for one in drawn:
            same = self._known.setdefault((one.layer, one.min_zoom, *one.properties.items()), one)
            self.land.features[one.layer].append(Feature(geometry, same.properties, same.min_zoom))

    def _made(self, make: Callable[[], str]) -> Any:
        """None where nodes of it lie beyond the extract, or its rings do not close."""
        try:
            return shapely.from_wkb(make())
        except (RuntimeError, osmium.InvalidLocationError, shapely.errors.GEOSException):
            self.land.broken += 1
            return None

    def _is_near(self, points: Any) -> bool:
        if self._bounds is None:
            return True
        west, south, east, north = self._bounds
        (low_x, low_y), (high_x, high_y) = points.min(axis=0), points.max(axis=0)
        return bool(low_x <= east and high_x >= west and low_y <= north and high_y >= south)


def _streets(one: Any, tags: Tags) -> Iterator[Street]:
    """Two of a road that leaves the extract and comes back: nobody knows its way in between."""
    for nodes, points in _known_parts(one):
        if (street := street_of(one.id, nodes, points, tags)) is not None:
            yield street


def _known_parts(one: Any) -> Iterator[tuple[list[int], NDArray[np.float64]]]:
    """The runs of a way's nodes, and their places, that are in the extract."""
    for is_known, nodes in groupby(one.nodes, lambda node: bool(node.location.valid())):
        if is_known:
            known = [(node.ref, node.lon, node.lat) for node in nodes]
            yield [ref for ref, _, _ in known], np.array([place for _, *place in known], dtype=np.float64)
