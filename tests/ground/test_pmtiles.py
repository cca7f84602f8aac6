import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from parvis.ground.choosing import Ground
from parvis.ground.kept_tiles import KeptTiles
from parvis.ground.layers import Feature, MapLayer, degrees_to_world
from parvis.ground.pmtiles import MOST_TILE_BYTES, Credits, InvalidBaseMap, PmtilesMap, write_map
from parvis.ground.tiling import list_touched, span_at

BREST, RÉUNION = (-4.49, 48.39), (55.45, -20.88)
TOWN = (0, 0, 0)


def layer_of(*geometries: Any) -> MapLayer:
    return MapLayer.of("water", (Feature(one, {"kind": "lake"}) for one in geometries), degrees_to_world)


def drawn(path: Path) -> Path:
    layer = layer_of(shapely.Point(BREST).buffer(0.02))
    write_map(path, [layer], (-4.6, 48.3, -4.4, 48.5), Credits("Brest", ""), lambda *_: None)
    return path


def packed(path: Path, content: bytes, compression: Compression) -> Path:
    """A map of one tile, its content as it is given."""
    with path.open("wb") as file:
        writer: Any = Writer(file)  # type: ignore[no-untyped-call]
        writer.write_tile(zxy_to_tileid(*TOWN), content)
        place = dict.fromkeys(
            ["min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7", "center_zoom", "center_lon_e7", "center_lat_e7"], 0
        )
        writer.finalize({"tile_type": TileType.MVT, "tile_compression": compression, **place}, {})
    return path


@pytest.fixture
def town(tmp_path: Path) -> Iterator[PmtilesMap]:
    ground = PmtilesMap(drawn(tmp_path / "base-map.pmtiles"))
    yield ground
    ground.close()


def test_a_file_that_is_shortened_in_place_is_told_of_and_ends_nothing(town: PmtilesMap) -> None:
    column, row = span_at((*BREST, *BREST), 14)[:2]
    known = town.tile(14, column, row)
    with town.file.open("r+b") as file:
        file.truncate(200)
    assert known
    assert town.tile(14, column, row) == known, "it was read before"
    with pytest.raises(InvalidBaseMap, match="ends before"):
        town.tile(14, column + 1, row)


def test_a_file_that_is_written_over_in_place_is_told_of(town: PmtilesMap) -> None:
    with town.file.open("r+b") as file:
        file.seek(127)
        file.write(b"\xff" * (town.file.stat().st_size - 127))
    with pytest.raises(InvalidBaseMap, match="unreadable tile"):
        town.tile(*TOWN)


def test_another_map_copied_over_it_is_taken_as_soon_as_it_is_whole(tmp_path: Path) -> None:
    path = drawn(tmp_path / "base-map.pmtiles")
    ground = Ground(tmp_path, str)
    old, fresh = ground.now, packed(tmp_path / "fresh.pmtiles", b"fresh", Compression.NONE).read_bytes()
    path.write_bytes(fresh[:150])
    ground.follow()
    assert ground.now is old
    path.write_bytes(fresh)
    ground.follow()
    assert ground.now is not None
    assert ground.now.tile(*TOWN) == b"fresh"
    ground.close()


@pytest.mark.parametrize("compression", [Compression.BROTLI, Compression.ZSTD, Compression.UNKNOWN])
def test_tiles_that_no_browser_could_read_are_refused(tmp_path: Path, compression: Compression) -> None:
    with pytest.raises(InvalidBaseMap, match=f"another way than gzip.*{compression.name.lower()}"):
        PmtilesMap(packed(tmp_path / "other.pmtiles", b"tile", compression))


@pytest.mark.parametrize(
    "content",
    [gzip.compress(bytes(MOST_TILE_BYTES + 1), mtime=0), gzip.compress(b"tile" * 99, mtime=0)[:-12]],
    ids=["without measure", "without end"],
)
def test_a_tile_without_measure_or_end_is_not_unpacked(tmp_path: Path, content: bytes) -> None:
    ground = PmtilesMap(packed(tmp_path / "other.pmtiles", content, Compression.GZIP))
    with pytest.raises(InvalidBaseMap, match="cut off, or larger than 8 MB"):
        ground.tile(*TOWN)
    ground.close()


def test_kept_tiles_take_no_more_than_they_may() -> None:
    kept = KeptTiles(1000)
    for column in range(3):
        kept.keep((3, column, 0), bytes(200))
        kept.find((3, 0, 0))
    assert [kept.find((3, column, 0)) is not None for column in range(3)] == [True, False, True]
    kept.keep((9, 9, 9), bytes(2000))
    assert kept.find((9, 9, 9)) is None


def test_a_lone_rock_overseas_costs_a_few_tiles() -> None:
    layer = layer_of(shapely.Point(BREST).buffer(0.001), shapely.Point(RÉUNION).buffer(0.001))
    tiles = list_touched([layer.tree], (-4.6, -21.0, 55.6, 48.5), 14)
    assert {zoom for zoom, _, _ in tiles} == set(range(15))
    assert len(tiles) < 100
    for place in (BREST, RÉUNION):
        assert (14, *span_at((*place, *place), 14)[:2]) in tiles


def test_more_tiles_than_anybody_waits_for_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.ground.tiling.MOST_TILES", 200)
    layer = layer_of(shapely.box(-5, 45, 8, 49))
    with pytest.raises(InvalidBaseMap, match="--bounds"):
        write_map(tmp_path / "a.pmtiles", [layer], (-5, 45, 8, 49), Credits("France", ""), lambda *_: None)
