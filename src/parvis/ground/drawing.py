"""One tile of the base map from its layers."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from parvis.ground.layers import MapLayer
from parvis.ground.vectortile import EXTENT, Layer, encode_tile

MAX_ZOOM = 14
MARGIN = 64 / EXTENT


def draw_tile(layers: Sequence[MapLayer], z: int, x: int, y: int) -> bytes:
    return encode_tile(_draw_layer(layer, z, x, y) for layer in layers)


def _draw_layer(layer: MapLayer, z: int, x: int, y: int) -> Layer:
    """Cut to the tile with a margin, simplified to half a screen pixel, in tile coordinates."""
    tiles = 2.0**z
    west, north = (x - MARGIN) / tiles, (y - MARGIN) / tiles
    east, south = (x + 1 + MARGIN) / tiles, (y + 1 + MARGIN) / tiles
    found = np.sort(layer.tree.query(shapely.box(west, north, east, south)))
    found = found[layer.min_zoom[found] <= z]
    geometries = layer.geometries[found]
    if z < MAX_ZOOM:
        geometries = shapely.simplify(geometries, 0.5 / 512 / tiles)
    geometries = shapely.clip_by_rect(geometries, west, north, east, south)
    geometries = shapely.transform(geometries, lambda at: (at * tiles - (x, y)) * EXTENT)
    drawn = Layer(layer.name)
    smallest = 0.0 if z == MAX_ZOOM else 40.0
    for geometry, index in zip(geometries, found, strict=True):
        for part in _parts(geometry, smallest):
            drawn.add(part, layer.properties[index])
    return drawn


def _parts(geometry: BaseGeometry, smallest: float) -> list[BaseGeometry]:
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type == "GeometryCollection":
        return [each for part in geometry.geoms for each in _parts(part, smallest)]
    if "Polygon" in geometry.geom_type and geometry.area < smallest:
        return []
    return [geometry]
