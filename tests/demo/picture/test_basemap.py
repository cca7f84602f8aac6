import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import mapbox_vector_tile  # type: ignore[import-untyped]
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from parvis.demo.land.territory import Territory
from parvis.demo.picture.atelier import Atelier
from parvis.demo.picture.basemap import BaseMap
from parvis.demo.picture.maplayers import map_layers
from parvis.demo.picture.opening import ZOOMS, opening_tiles
from parvis.ground.drawing import draw_tile
from parvis.ground.layers import LAYER_NAMES, MapLayer
from parvis.ground.style import map_style
from parvis.ground.vectortile import EXTENT, Layer, encode_tile, varint, varints


def at_point(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    north = math.asinh(math.tan(math.radians(lat)))
    return z, int((lon + 180) / 360 * 2**z), int((1 - north / math.pi) / 2 * 2**z)


@pytest.fixture(scope="module")
def layers(territory: Territory) -> list[MapLayer]:
    return map_layers(territory)


@pytest.fixture(scope="module")
def base_map(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseMap]:
    drawn = BaseMap(1, tmp_path_factory.mktemp("map") / "base.mbtiles")
    yield drawn
    drawn.close()


def decoded(tile: bytes) -> dict[str, Any]:
    layers: dict[str, Any] = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})
    return layers


@pytest.mark.parametrize("zoom", range(5, 15))
def test_every_tile_over_the_old_town_is_readable_and_light(layers: list[MapLayer], zoom: int) -> None:
    tile = draw_tile(layers, *at_point(-3.28, 47.728, zoom))
    assert len(tile) < 120_000
    assert decoded(tile)["place"]["features"]


def test_the_deepest_tile_over_the_old_town_shows_streets_with_names_and_houses(layers: list[MapLayer]) -> None:
    tile = decoded(draw_tile(layers, *at_point(-3.28, 47.728, 14)))
    assert len(tile["building"]["features"]) > 500
    named = [feature for feature in tile["road"]["features"] if feature["properties"].get("name")]
    assert len(named) > 50
    assert {"townhall", "school", "hospital"} <= {each["properties"]["kind"] for each in tile["poi"]["features"]}


def test_a_tile_of_open_sea_holds_water_and_nothing_of_the_town(layers: list[MapLayer]) -> None:
    tile = decoded(draw_tile(layers, *at_point(-3.3, 47.3, 12)))
    assert set(tile) == {"water"}


def test_a_tile_far_inland_is_empty(layers: list[MapLayer]) -> None:
    assert draw_tile(layers, *at_point(2.0, 49.5, 12)) == b""


def test_tiles_outside_the_pyramid_are_empty(base_map: BaseMap) -> None:
    assert base_map.tile(15, 16084, 11426) == b""
    assert base_map.tile(3, 8, 0) == b""
    assert base_map.tile(-1, 0, 0) == b""


def test_a_tile_is_kept_with_the_facts_of_the_map(base_map: BaseMap, layers: list[MapLayer], tmp_path: Path) -> None:
    place = at_point(-3.28, 47.728, 11)
    first = base_map.tile(*place)
    assert first == draw_tile(layers, *place)
    assert base_map.tile(*place) == first
    west, south, east, north = base_map.bounds
    assert west < -3.3 < east
    assert south < 47.7 < north


def test_what_is_seen_first_is_drawn_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.demo.picture.opening.ZOOMS", (11,))
    path = tmp_path / "base.mbtiles"
    with closing(BaseMap(1, path)) as first:
        drawn = first.warm_up(Event())
    assert drawn >= 15
    with closing(BaseMap(1, path)) as second:
        monkeypatch.setattr(Atelier, "_call", None)
        assert second.warm_up(Event()) == 0
        assert second.tile(*at_point(-3.30, 47.70, 11))


def test_drawing_ahead_ends_when_told(base_map: BaseMap) -> None:
    stop = Event()
    stop.set()
    assert base_map.warm_up(stop) == 0


def test_the_tiles_seen_first_surround_the_centre_and_the_towns() -> None:
    tiles = list(opening_tiles((-3.30, 47.70), [(-3.28, 47.728)]))
    assert len(tiles) == len(set(tiles))
    assert [zoom for zoom, _, _ in tiles] == sorted((zoom for zoom, _, _ in tiles), key=ZOOMS.index)
    for zoom in ZOOMS:
        assert at_point(-3.30, 47.70, zoom) in tiles
        _, column, row = at_point(-3.28, 47.728, zoom)
        assert {(zoom, column + 1, row + 1), (zoom, column - 1, row - 1)} <= set(tiles)


def test_communes_are_valid_geojson_polygons(base_map: BaseMap) -> None:
    features: Any = base_map.communes()["features"]
    assert len(features) == 12
    for feature in features:
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.area > 0


def test_the_style_names_only_layers_that_exist() -> None:
    for theme in ("light", "dark"):
        style: Any = map_style("http://127.0.0.1/{z}/{x}/{y}", theme)
        used = {layer["source-layer"] for layer in style["layers"] if "source-layer" in layer}
        assert used <= set(LAYER_NAMES)
        names = [layer["id"] for layer in style["layers"]]
        assert len(names) == len(set(names))


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30))
def test_varints_packed_at_once_equal_varints_written_one_by_one(numbers: list[int]) -> None:
    assert varints(np.array(numbers, dtype=np.int64)) == b"".join(map(varint, numbers))


coordinate = st.integers(-64, EXTENT + 64)
value = st.one_of(st.text(max_size=12), st.integers(-(2**31), 2**31), st.booleans())


@given(
    st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=12, unique=True),
    st.dictionaries(st.text(min_size=1, max_size=6), value, max_size=4),
)
def test_a_line_and_its_properties_survive_the_tile(
    path: list[tuple[int, int]], properties: dict[str, str | int | bool]
) -> None:
    layer = Layer("line")
    layer.add(shapely.LineString(path), properties)
    feature = decoded(encode_tile([layer]))["line"]["features"][0]
    assert [tuple(point) for point in feature["geometry"]["coordinates"]] == path
    assert feature["properties"] == properties


def test_a_polygon_keeps_its_hole_and_its_orientation() -> None:
    square = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    layer = Layer("area")
    layer.add(square, {})
    feature = decoded(encode_tile([layer]))["area"]["features"][0]
    assert shapely.geometry.shape(feature["geometry"]).equals(square)
