"""Coordinates of every projection as GeoJSON geometries in WGS 84 (RFC 7946)."""

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape

from parvis.broker.jsonld.geojson import check_geometry
from parvis.connectors.files.config import InvalidMapping, Source
from parvis.connectors.files.mapping import number_of
from parvis.connectors.files.table import Cell, Row
from parvis.kernel.errors import BadRequestData

WGS84 = "EPSG:4326"
DECIMALS = 7
"""Of a degree: a centimetre."""
_SAME_AS_WGS84 = frozenset({"", WGS84, "OGC:CRS84", "EPSG:4979"})
WKB_IN_HEX = re.compile("0[01](?:[0-9A-Fa-f]{2}){20,}")
"""As PostGIS writes a geometry where nobody asks for another form."""
_NOT_ON_EARTH = "This is not on Earth: is the projection right?"

Project = Callable[[Any, Any], tuple[Any, Any]]


class Place(NamedTuple):
    """No geometry and no fault: the row says nothing of it."""

    geometry: dict[str, Any] | None
    fault: str = ""


class Places:
    """`columns` is that of the geometry, or those of longitude (or x) and latitude (or y)."""

    def __init__(self, columns: list[int], crs: str, source: Source) -> None:
        self._columns = columns
        self._source = source
        self._project = projection(crs)

    def read(self, row: Row) -> Place:
        cells = [row[index] if index < len(row) else None for index in self._columns]
        if all(cell is None or cell == "" for cell in cells):
            return Place(None)
        try:
            return Place(self._point(cells) if len(cells) == 2 else self._geometry(cells[0]))
        except BadRequestData as fault:
            return Place(None, fault.detail)
        except (ShapelyError, ValueError, TypeError, AttributeError, IndexError, KeyError) as fault:
            return Place(None, str(fault) or type(fault).__name__)

    def _point(self, cells: list[Cell]) -> dict[str, Any]:
        x, y = (number_of(cell, self._source) for cell in cells)
        if x is None or y is None:
            raise ValueError(f"{cells[0]!s:.30}, {cells[1]!s:.30}")
        return self._placed_point(float(x), float(y))

    def _placed_point(self, x: float, y: float) -> dict[str, Any]:
        if self._project is not None:
            x, y = self._project(x, y)
        if not (abs(x) <= 180.0 and abs(y) <= 90.0):
            raise ValueError(_NOT_ON_EARTH)
        return {"type": "Point", "coordinates": [round(x, DECIMALS), round(y, DECIMALS)]}

    def _geometry(self, cell: Cell) -> dict[str, Any]:
        if isinstance(cell, str) and (pair := _pair(cell)) is not None:
            return self._placed_point(pair[1], pair[0])
        geometry = shapely.force_2d(_shape(cell))
        if geometry.is_empty:
            raise ValueError("it is empty")
        if self._project is not None:
            project = self._project
            geometry = shapely.transform(geometry, lambda points: np.column_stack(project(points[:, 0], points[:, 1])))
        west, south, east, north = geometry.bounds
        if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
            raise ValueError(_NOT_ON_EARTH)
        geometry = shapely.transform(geometry, lambda points: points.round(DECIMALS))
        told = msgspec.json.decode(shapely.to_geojson(geometry))
        return check_geometry(told, "the geometry")


def _shape(cell: Cell) -> Any:
    if isinstance(cell, dict):
        return shape(cell)
    if isinstance(cell, bytes):
        return shapely.from_wkb(cell)
    text = str(cell).strip()
    if WKB_IN_HEX.fullmatch(text):
        return shapely.from_wkb(text)
    return shapely.from_geojson(text) if text.startswith("{") else shapely.from_wkt(text.partition(";")[2] or text)


def _pair(text: str) -> tuple[float, float] | None:
    """ "48.85, 2.35", as the portals of open data write a point: latitude first."""
    parts = text.replace(";", ",").split(",")
    if len(parts) != 2:
        return None
    try:
        first, second = (float(part) for part in parts)
    except ValueError:
        return None
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None


@lru_cache(maxsize=64)
def projection(crs: str) -> Project | None:
    """From `crs` (an EPSG code, WKT, PROJJSON) to WGS 84; None where it is WGS 84. Raises InvalidMapping."""
    if crs.strip().upper() in _SAME_AS_WGS84:
        return None
    try:
        from pyproj import CRS, Transformer
        from pyproj.exceptions import CRSError
    except ModuleNotFoundError as error:
        raise InvalidMapping("Other projections than WGS 84 need more: pip install 'parvis[files]'.") from error
    try:
        known = CRS.from_user_input(crs)
        transformer = Transformer.from_crs(known, WGS84, always_xy=True)
    except CRSError as error:
        raise InvalidMapping(f"There is no projection {crs[:80]!r}.") from error
    if known.equals(CRS.from_user_input(WGS84), ignore_axis_order=True):
        return None
    return transformer.transform
