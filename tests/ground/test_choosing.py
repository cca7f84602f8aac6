import json
from contextlib import closing
from pathlib import Path

import pytest

from parvis.ground.choosing import Ground
from parvis.ground.outline import OutlineMap
from parvis.ground.pmtiles import InvalidBaseMap


def outline(path: Path, name: str) -> Path:
    ring = [[-3.4, 47.7], [-3.3, 47.7], [-3.3, 47.8], [-3.4, 47.7]]
    feature = {
        "type": "Feature",
        "properties": {"nom": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path.write_text(json.dumps(feature), encoding="utf-8")
    return path


def test_another_ground_is_there_as_soon_as_it_is_chosen(tmp_path: Path) -> None:
    given = [""]
    with closing(Ground(tmp_path, lambda: given[0])) as ground:
        assert (ground.now, ground.version) == (None, "")
        outline(tmp_path / "communes.geojson", "Lorient")
        given[0] = "communes.geojson"
        ground.follow()
        assert isinstance(ground.now, OutlineMap)
        before = ground.version
        outline(tmp_path / "communes.geojson", "Lanester and its surroundings")
        ground.follow()
        assert ground.version != before


def test_one_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    outline(tmp_path / "communes.geojson", "Lorient")
    with closing(Ground(tmp_path, lambda: "communes.geojson")) as ground:
        before = ground.now
        (tmp_path / "communes.geojson").write_text("{")
        ground.follow()
        assert ground.now is before


def test_at_the_start_a_ground_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidBaseMap):
        Ground(tmp_path, lambda: "nowhere.pmtiles")


def test_what_a_demonstration_brings_gives_way_to_what_is_chosen(tmp_path: Path) -> None:
    given, brought = [""], OutlineMap(outline(tmp_path / "demo.json", "Trevalan"))
    with closing(Ground(tmp_path, lambda: given[0], brought)) as ground:
        assert ground.now is brought
        given[0] = str(outline(tmp_path / "own.json", "Lorient"))
        ground.follow()
        assert ground.now is not brought
