"""A ground made of outlines alone: borders and names from a GeoJSON file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException

from parvis.ground.drawing import MAX_ZOOM, draw_tile
from parvis.ground.layers import Feature, MapLayer, degrees_to_world
from parvis.ground.palette import Theme
from parvis.ground.pmtiles import InvalidBaseMap
from parvis.ground.style import map_style

NAME_KEYS: Final = ("name", "nom", "nom_commune", "libelle", "label")
LARGEST_BYTES: Final = 64 << 20


class OutlineMap:
    """Port BaseMap: tiles are drawn when they are asked for, of few features."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidBaseMap."""
        features = list(_features(path))
        borders = [one for one in features if one.geometry.geom_type != "Point"]
        self._name = path.stem
        self._bounds = tuple(shapely.total_bounds([one.geometry for one in features]).tolist())
        self._layers = [
            MapLayer.of("boundary", (Feature(_line(one), {"kind": "commune"}) for one in borders), degrees_to_world),
            MapLayer.of("place", _labels(features), degrees_to_world),
        ]

    @property
    def file(self) -> None:
        """It is drawn."""

    def tile(self, z: int, x: int, y: int) -> bytes:
        return draw_tile(self._layers, z, x, y) if z <= MAX_ZOOM else b""

    def style(self, tiles_url: str, theme: Theme) -> dict[str, Any]:
        return map_style(tiles_url, theme, self._name)

    def overview(self) -> dict[str, Any]:
        return {
            "tilejson": "3.0.0",
            "name": self._name,
            "bounds": list(self._bounds),
            "minzoom": 0,
            "maxzoom": MAX_ZOOM,
            "vector_layers": [{"id": layer.name, "fields": {}} for layer in self._layers],
        }

    def close(self) -> None:
        """Nothing is held open."""


def _features(path: Path) -> Iterator[Feature]:
    try:
        members = read_members(path)
        found = [Feature(shapely.geometry.shape(one["geometry"]), {"name": _name(one)}) for one in members]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, GEOSException) as error:
        raise InvalidBaseMap(f"{path} is no GeoJSON file with outlines ({error!r}).") from None
    if not any(not one.geometry.is_empty for one in found):
        raise InvalidBaseMap(f"{path} holds no outline.")
    _check_places(path, shapely.get_coordinates([one.geometry for one in found]))
    yield from (one for one in found if not one.geometry.is_empty)


def read_members(path: Path) -> list[dict[str, Any]]:
    """The features of a GeoJSON file. Raises InvalidBaseMap, OSError, RecursionError, and ValueError, KeyError or
    TypeError where it is no such file."""
    if path.stat().st_size > LARGEST_BYTES:
        raise InvalidBaseMap(f"{path} is larger than {LARGEST_BYTES >> 20} MB: simplify its outlines.")
    document = json.loads(path.read_bytes())
    return list(document["features"]) if document["type"] == "FeatureCollection" else [document]


def _check_places(path: Path, places: NDArray[np.float64]) -> None:
    """Raises InvalidBaseMap where one is not on Earth: not a number is neither."""
    is_on_earth = np.all(np.abs(places) <= (180, 90), axis=1)
    if not np.all(is_on_earth):
        x, y = places[int(np.argmin(is_on_earth))].tolist()
        raise InvalidBaseMap(
            f"{path} has a point at {x:g}, {y:g}: GeoJSON wants longitude and latitude in degrees (WGS 84, EPSG:4326),"
            " not a projection such as Lambert-93. Convert it first."
        )


def _name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    return next((str(properties[key]) for key in NAME_KEYS if properties.get(key)), "")


def _line(feature: Feature) -> Any:
    polygonal = feature.geometry.geom_type in ("Polygon", "MultiPolygon")
    return feature.geometry.boundary if polygonal else feature.geometry


def _labels(features: list[Feature]) -> Iterator[Feature]:
    for one in features:
        if name := one.properties["name"]:
            yield Feature(one.geometry.representative_point(), {"kind": "village", "name": name, "rank": 3}, 6)
