"""The layers of a base map: features in world units, found by place.

The names of layers and of their properties (`kind`, `name`, `ref`, `rank`) are what the style refers to; see `style`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from parvis.ground.vectortile import Value

LAYER_NAMES: Final = (
    "field", "landuse", "hedge", "water", "waterway", "road", "building", "boundary", "place", "poi",
)  # fmt: skip
Coords = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feature:
    """What is drawn from `min_zoom` on."""

    geometry: BaseGeometry
    properties: dict[str, Value]
    min_zoom: int = 0


@dataclass(frozen=True, slots=True)
class MapLayer:
    """Geometries in world units (Web Mercator, 0..1, y down) with an index; columns go by position."""

    name: str
    geometries: NDArray[np.object_]
    properties: tuple[dict[str, Value], ...]
    min_zoom: NDArray[np.int_]
    tree: shapely.STRtree

    @classmethod
    def of(cls, name: str, features: Iterable[Feature], to_world: Callable[[Coords], Coords]) -> "MapLayer":
        listed = [feature for feature in features if not feature.geometry.is_empty]
        geometries = shapely.transform(np.array([feature.geometry for feature in listed], dtype=object), to_world)
        return cls(
            name,
            geometries,
            tuple(feature.properties for feature in listed),
            np.array([feature.min_zoom for feature in listed], dtype=np.int_),
            shapely.STRtree(geometries),
        )


def degrees_to_world(lon_lat: Coords) -> Coords:
    """From WGS 84 to the unit square of Web Mercator."""
    lat = np.radians(np.clip(lon_lat[:, 1], -85, 85))
    north = np.log(np.tan(lat) + 1 / np.cos(lat))
    return np.column_stack(((lon_lat[:, 0] + 180) / 360, (1 - north / np.pi) / 2))
