from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import mapbox_vector_tile  # type: ignore[import-untyped]
import numpy as np
import pytest

from parvis.ground.osm.importing import ATTRIBUTION, Imported, import_extract
from parvis.ground.osm.reading import InvalidExtract
from parvis.ground.pmtiles import InvalidBaseMap, PmtilesMap
from parvis.ground.roads import KINDS, RoadGraph, load_roads
from parvis.ground.tiling import span_at
from tests.ground.osm.conftest import Extract

AROUND = (-3.31, 47.685, -3.28, 47.71)
Said = list[tuple[str, int, int | None]]


@pytest.fixture
def imported(village: Path, tmp_path: Path, said: Said) -> Imported:
    return import_extract(village, tmp_path, AROUND, "Kerlann", lambda *what: said.append(what))


def deepest_tiles(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All features of the deepest zoom by layer."""
    found: dict[str, list[dict[str, Any]]] = {}
    with closing(PmtilesMap(path)) as ground:
        left, top, right, bottom = span_at(AROUND, 14)
        for x, y in product(range(left, right + 1), range(top, bottom + 1)):
            if content := ground.tile(14, x, y):
                for layer, drawn in mapbox_vector_tile.decode(content).items():
                    found.setdefault(layer, []).extend(one["properties"] for one in drawn["features"])
    return found


def test_the_base_map_shows_streets_houses_sea_and_names(imported: Imported, tmp_path: Path) -> None:
    layers = deepest_tiles(tmp_path / "base-map.pmtiles")
    assert {one["name"] for one in layers["road"] if one["kind"] != "pedestrian"} >= {"Rue du Port", "Rue Haute"}
    assert {one["kind"] for one in layers["building"]} == {"church"}
    assert {one["kind"] for one in layers["water"]} == {"sea"}
    assert {one["name"] for one in layers["place"]} == {"Kerlann"}
    assert any(one.get("bridge") for one in layers["road"])


def test_the_map_says_whose_data_it_shows(imported: Imported, tmp_path: Path) -> None:
    with closing(PmtilesMap(tmp_path / "base-map.pmtiles")) as ground:
        style = ground.style("http://here/{z}/{x}/{y}.mvt", "light")
        assert style["sources"]["basemap"]["attribution"] == ATTRIBUTION
        assert ground.overview()["bounds"] == pytest.approx(AROUND)


def test_the_sea_lies_south_of_this_coast_and_the_village_on_land(imported: Imported, tmp_path: Path) -> None:
    with closing(PmtilesMap(tmp_path / "base-map.pmtiles")) as ground:
        tile = ground.tile(12, *tile_of(-3.298, 47.70, 12))
    layers = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})
    sea = layers["water"]["features"][0]["geometry"]["coordinates"][0]
    village = layers["place"]["features"][0]["geometry"]["coordinates"]
    assert max(y for _, y in sea) > village[1] > 0
    assert min(y for _, y in sea) > village[1]


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    return span_at((lon, lat, lon, lat), zoom)[:2]


def edges(roads: RoadGraph) -> set[tuple[str, int]]:
    """Street and whole seconds of arc that it leads northwards."""
    return {
        (roads.name_of(edge), round(3600 * float(roads.shape_of(edge)[-1, 1] - roads.shape_of(edge)[0, 1])))
        for edge in range(len(roads.source))
    }


def test_streets_are_cut_where_they_meet_and_led_as_they_are_open(imported: Imported, tmp_path: Path) -> None:
    roads = load_roads(tmp_path / "roads.npz")
    names = [roads.name_of(edge) for edge in range(len(roads.source))]
    assert names.count("Rue du Port") == 4
    assert names.count("Rue de l'Église") == 4
    assert {one for one in edges(roads) if one[0] in ("Rue Haute", "Venelle")} == {("Rue Haute", -7), ("Venelle", -7)}
    assert len(roads.junctions) == 7


def test_what_vehicles_may_not_use_is_no_road(imported: Imported, tmp_path: Path) -> None:
    roads = load_roads(tmp_path / "roads.npz")
    assert {KINDS[kind] for kind in roads.kind} == {"secondary", "residential"}


def test_lengths_and_limits(imported: Imported, tmp_path: Path) -> None:
    roads = load_roads(tmp_path / "roads.npz")
    port = [edge for edge in range(len(roads.source)) if roads.name_of(edge) == "Rue du Port"]
    assert roads.length_m[port] == pytest.approx(149.67, abs=0.5)
    assert set(roads.speed_km_per_h[port]) == {50.0}


def test_a_forbidden_turn_is_forbidden_from_either_side_of_the_road(imported: Imported, tmp_path: Path) -> None:
    roads = load_roads(tmp_path / "roads.npz")
    turns = {(roads.name_of(before), roads.name_of(after)) for before, after in roads.banned}
    assert turns == {("Rue du Port", "Venelle")}
    assert len(roads.banned) == 2
    assert np.all(roads.target[roads.banned[:, 0]] == roads.source[roads.banned[:, 1]])


def test_a_no_entry_forbids_each_of_the_roads_that_lead_to_it(tmp_path: Path) -> None:
    """Two roads meet a third at node 1."""
    extract = Extract(tmp_path / "fork.osm.pbf")
    for node, place in {1: (-3.3, 47.7), 2: (-3.301, 47.7), 3: (-3.3, 47.701), 4: (-3.299, 47.7)}.items():
        extract.node(node, place)
    for way, (node, name) in {100: (2, "West"), 101: (3, "North"), 102: (4, "East")}.items():
        extract.way([node, 1], way, highway="residential", name=name)
    members = [("w", 100, "from"), ("w", 101, "from"), ("n", 1, "via"), ("w", 102, "to")]
    extract.relation(members, type="restriction", restriction="no_entry")
    extract.close()
    roads = import_extract(tmp_path / "fork.osm.pbf", tmp_path, None, "Fork", lambda *_: None).roads
    turns = {(roads.name_of(before), roads.name_of(after)) for before, after in roads.banned}
    assert turns == {("West", "East"), ("North", "East")}


def test_a_road_that_leaves_the_extract_and_comes_back_is_not_led_straight_across(tmp_path: Path) -> None:
    extract = Extract(tmp_path / "edge.osm.pbf")
    for node, lon in {1: -3.300, 2: -3.299, 5: -3.290, 6: -3.289}.items():
        extract.node(node, (lon, 47.7))
    extract.way([1, 2, 3, 4, 5, 6], 100, highway="residential", name="Rue du Bord", oneway="yes")
    extract.way([1, 2], 101, highway="footway")
    extract.close()
    roads = import_extract(tmp_path / "edge.osm.pbf", tmp_path, None, "Edge", lambda *_: None).roads
    assert roads.length_m == pytest.approx([74.8, 74.8], abs=0.5)
    assert len(roads.junctions) == 4
    with closing(PmtilesMap(tmp_path / "base-map.pmtiles")) as ground:
        assert ground.tile(14, *tile_of(-3.2995, 47.7, 14))
        column, row = tile_of(-3.2895, 47.7, 14)
        drawn = mapbox_vector_tile.decode(ground.tile(14, column, row))["road"]["features"]
    (street,) = (one["geometry"]["coordinates"] for one in drawn if one["properties"]["kind"] == "residential")
    assert len(street) == 2


def test_progress_is_told_to_the_end(imported: Imported, said: Said) -> None:
    assert said[0][0] == "reading"
    stage, done, total = said[-1]
    assert stage == "drawing"
    assert done == total


def test_what_lies_beyond_the_bounds_is_left_out(village: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidBaseMap):
        import_extract(village, tmp_path, (2.0, 48.0, 2.1, 48.1), "Elsewhere", lambda *_: None)
    assert {one.name for one in tmp_path.iterdir()} == {"village.osm.pbf", ".ground.lock"}


def test_neither_file_is_replaced_where_the_second_cannot_be_made(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("base-map.pmtiles", "roads.npz"):
        (tmp_path / name).write_text("the older one")

    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(RoadGraph, "save", fail)
    with pytest.raises(OSError, match="No space"):
        import_extract(village, tmp_path, AROUND, "Kerlann", lambda *_: None)
    assert {(tmp_path / name).read_text() for name in ("base-map.pmtiles", "roads.npz")} == {"the older one"}


@pytest.mark.parametrize("content", [b"", b"no extract", b"\x00\x00\x00\x0d\x0a\x09OSMHeader"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.osm.pbf"
    path.write_bytes(content)
    with pytest.raises((InvalidExtract, InvalidBaseMap)):
        import_extract(path, tmp_path, None, "Nowhere", lambda *_: None)
