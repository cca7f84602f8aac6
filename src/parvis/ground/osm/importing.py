"""From an extract to the two files an installation uses: its base map and its road graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import shapely

from parvis.ground.choosing import ROADS_FILE, USUAL_FILE
from parvis.ground.layers import LAYER_NAMES, Feature, MapLayer, degrees_to_world
from parvis.ground.osm.reading import Land, bounds_of, read_extract
from parvis.ground.osm.sea import Bounds, sea_within
from parvis.ground.osm.streets import build_roads
from parvis.ground.pmtiles import Credits, InvalidBaseMap, write_map
from parvis.ground.replacing import replacing
from parvis.ground.roads import RoadGraph

ATTRIBUTION: Final = '<a href="https://www.openstreetmap.org/copyright">© OpenStreetMap</a>'
"""As the licence of the data asks for (ODbL 1.0, 4.3)."""
Tell = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and of how much where that is known."""


@dataclass(frozen=True, slots=True)
class Imported:
    tiles: int
    roads: RoadGraph
    broken: int
    bounds: Bounds


def import_extract(extract: Path, data_dir: Path, bounds: Bounds | None, name: str, tell: Tell) -> Imported:
    """Replaces both files once both are whole and on disk. Raises InvalidExtract, InvalidBaseMap."""
    land = read_extract(extract, bounds, lambda count: tell("reading", count, None))
    within = bounds or bounds_of(extract) or _bounds(land)
    roads = build_roads(land.streets, land.restrictions)
    layers = _layers(land, within)
    credits_ = Credits(name, ATTRIBUTION)
    with replacing(data_dir, (USUAL_FILE, ROADS_FILE)) as workshop:
        roads.save(workshop / ROADS_FILE)
        tiles = write_map(
            workshop / USUAL_FILE, layers, within, credits_, lambda done, total: tell("drawing", done, total)
        )
    return Imported(tiles, roads, land.broken, within)


def _bounds(land: Land) -> Bounds:
    geometries = [feature.geometry for some in land.features.values() for feature in some]
    if not geometries:
        raise InvalidBaseMap("In this extract, within these bounds, there is nothing to draw.")
    west, south, east, north = shapely.total_bounds(geometries).tolist()
    return west, south, east, north


def _layers(land: Land, bounds: Bounds) -> list[MapLayer]:
    """Each is taken out of `land` when it is made: both at once would be twice the memory."""
    land.features["water"] += [Feature(sea, {"kind": "sea"}) for sea in sea_within(bounds, land.coasts)]
    return [MapLayer.of(name, land.features.pop(name, ()), degrees_to_world) for name in LAYER_NAMES]
