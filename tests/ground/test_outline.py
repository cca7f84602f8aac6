import json
from pathlib import Path
from typing import Any

import mapbox_vector_tile  # type: ignore[import-untyped]
import pytest

from parvis.ground.choosing import find_ground
from parvis.ground.outline import OutlineMap
from parvis.ground.pmtiles import InvalidBaseMap, PmtilesMap
from parvis.ground.tiling import span_at

SQUARE = {"type": "Polygon", "coordinates": [[[-3.3, 47.7], [-3.2, 47.7], [-3.2, 47.8], [-3.3, 47.8], [-3.3, 47.7]]]}


def outlines(folder: Path, document: Any) -> Path:
    path = folder / "communes.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_borders_and_names_are_drawn(tmp_path: Path) -> None:
    feature = {"type": "Feature", "properties": {"nom": "Trevalan"}, "geometry": SQUARE}
    ground = OutlineMap(outlines(tmp_path, {"type": "FeatureCollection", "features": [feature]}))
    middle = span_at((-3.25, 47.75, -3.25, 47.75), 10)[:2]
    tile = mapbox_vector_tile.decode(ground.tile(10, *middle))
    assert [one["properties"] for one in tile["boundary"]["features"]] == [{"kind": "commune"}]
    assert [one["properties"]["name"] for one in tile["place"]["features"]] == ["Trevalan"]
    assert ground.overview()["bounds"] == pytest.approx([-3.3, 47.7, -3.2, 47.8])
    assert ground.tile(10, 0, 0) == b""


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": [{"geometry": None}]},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[1, 2]]}},
    ],
)
def test_what_is_no_outline_is_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(InvalidBaseMap):
        OutlineMap(outlines(tmp_path, document))


@pytest.mark.parametrize("place", ["[253000, 6745000]", "[-3.3, 91]", "[NaN, 47.7]", "[-3.3, 1e999]"])
def test_coordinates_that_are_no_degrees_are_refused_with_what_is_wanted(tmp_path: Path, place: str) -> None:
    path = tmp_path / "communes.geojson"
    path.write_text(f'{{"type": "Feature", "geometry": {{"type": "Point", "coordinates": {place}}}}}')
    with pytest.raises(InvalidBaseMap, match="WGS 84"):
        OutlineMap(path)


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"type":"GeometryCollection","geometries":[' * 400])
def test_what_is_nested_without_end_is_refused(tmp_path: Path, nested: str) -> None:
    path = tmp_path / "communes.geojson"
    closing = "]}" * 400 if nested.startswith("{") else ""
    path.write_text(f'{{"type": "Feature", "geometry": {nested}{closing}}}')
    with pytest.raises(InvalidBaseMap):
        OutlineMap(path)


def test_an_installation_without_a_map_has_a_plain_ground(tmp_path: Path) -> None:
    assert find_ground(tmp_path, "") is None


def test_a_map_that_is_asked_for_and_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidBaseMap, match="is not there"):
        find_ground(tmp_path, "town.pmtiles")


@pytest.mark.parametrize("content", [b"", b"PMTiles", b"PMTiles\x02" + bytes(200), b"PMTiles\x03" + bytes(200)])
def test_another_file_is_no_base_map(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "base-map.pmtiles"
    path.write_bytes(content)
    with pytest.raises(InvalidBaseMap):
        PmtilesMap(path)
