"""Which tiles a map has."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pmtiles.tile import zxy_to_tileid

from parvis.ground.drawing import MARGIN

Bounds = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
Tile = tuple[int, int, int]
"""Zoom, column, row."""
MOST_TILES: Final = 1_000_000
"""Three times what all of France has in zoom 0 to 14."""
_LATITUDE_LIMIT: Final = 85.05
_AT_ONCE: Final = 20_000
_Places = NDArray[np.int64]
"""(n, 2) columns and rows of one zoom."""
_QUARTERS: Final = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=np.int64)


class TooManyTiles(Exception):
    """More than MOST_TILES."""


def list_touched(trees: Sequence[shapely.STRtree], bounds: Bounds, deepest: int) -> list[Tile]:
    """Within `bounds`, those that something in `trees` (of world units) touches, in the order of a PMTiles file.

    From the whole world downwards, for what a tile has not its quarters have not either: a lone rock overseas costs a
    few tiles, not all the sea between. Raises TooManyTiles.
    """
    touched: list[Tile] = []
    places = np.zeros((1, 2), dtype=np.int64)
    for zoom in range(deepest + 1):
        places = _within(places, span_at(bounds, zoom))
        places = places[_is_touched(trees, places, zoom)]
        if len(touched) + len(places) > MOST_TILES:
            raise TooManyTiles
        found = [(zoom, column, row) for column, row in places.tolist()]
        touched += sorted(found, key=lambda tile: zxy_to_tileid(*tile))
        places = (places[:, np.newaxis] * 2 + _QUARTERS).reshape(-1, 2)
    return touched


def span_at(bounds: Bounds, zoom: int) -> tuple[int, int, int, int]:
    """The first column and row, and the last ones."""
    west, south, east, north = bounds
    return *_tile_at(west, north, zoom), *_tile_at(east, south, zoom)


def _tile_at(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    across = 1 << zoom
    clipped = math.radians(max(-_LATITUDE_LIMIT, min(_LATITUDE_LIMIT, lat)))
    down = (1 - math.asinh(math.tan(clipped)) / math.pi) / 2
    column, row = int((lon + 180) / 360 * across), int(down * across)
    return max(0, min(across - 1, column)), max(0, min(across - 1, row))


def _within(places: _Places, span: tuple[int, int, int, int]) -> _Places:
    first, last = span[:2], span[2:]
    return places[np.all((places >= first) & (places <= last), axis=1)]


def _is_touched(trees: Sequence[shapely.STRtree], places: _Places, zoom: int) -> NDArray[np.bool_]:
    touched = np.zeros(len(places), dtype=np.bool_)
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        low, high = (some - MARGIN) / 2.0**zoom, (some + 1 + MARGIN) / 2.0**zoom
        boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        for tree in trees:
            touched[start + tree.query(boxes, predicate="intersects")[0]] = True
    return touched
