"""The territory is made once and kept: other processes, and later starts, take what is there."""

from contextlib import closing
from pathlib import Path

import pytest

import parvis.demo
from parvis.demo import scenery
from parvis.demo.edition import digest, edition
from parvis.demo.picture.basemap import BaseMap
from parvis.demo.scenery import Scenery, open_scenery


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Scenerys too small to take time."""
    seeds: list[int] = []

    def make(seed: int) -> Scenery:
        seeds.append(seed)
        return Scenery(seed, None, None, ())  # type: ignore[arg-type]

    monkeypatch.setattr(scenery, "make_scenery", make)
    return seeds


def test_it_is_made_once_for_a_seed(tmp_path: Path, made: list[int]) -> None:
    for seed in (7, 7, 8, 8):
        assert open_scenery(seed, tmp_path).seed == seed

    assert made == [7, 8]
    assert len(list(tmp_path.glob("*.pickle"))) == 1


def test_what_cannot_be_read_is_made_anew(tmp_path: Path, made: list[int]) -> None:
    open_scenery(7, tmp_path)
    [kept] = tmp_path.glob("*.pickle")
    kept.write_bytes(b"torn")

    assert open_scenery(7, tmp_path).seed == 7
    assert made == [7, 7]


def test_what_a_killed_process_left_half_made_is_swept(tmp_path: Path, made: list[int]) -> None:
    for name in ("scenery-0123456789ab-7.4711", "scenery-0123456789ab-7.pickle"):
        (tmp_path / name).write_bytes(b"half")

    open_scenery(7, tmp_path)

    assert [one.name for one in tmp_path.glob("scenery-*")] == [f"scenery-{edition()}-7.pickle"]


def test_another_edition_makes_territory_and_map_anew(
    tmp_path: Path, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_one_tile() -> bytes | None:
        open_scenery(7, tmp_path)
        with closing(BaseMap(7, tmp_path / "map.mbtiles", tmp_path)) as base_map:
            found = base_map.kept.find(3, 1, 1)
            base_map.kept.keep(3, 1, 1, b"tile")
            return found

    assert [keep_one_tile(), keep_one_tile()] == [None, b"tile"]
    for module in ("scenery", "picture.basemap"):
        monkeypatch.setattr(f"parvis.demo.{module}.edition", lambda: "another")
    assert keep_one_tile() is None
    assert made == [7, 7]


def test_the_edition_is_of_all_files_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[Path] = []

    def note(files: list[Path], versions: list[str]) -> str:
        digested.extend(files)
        return ",".join(versions)

    monkeypatch.setattr("parvis.demo.edition.digest", note)
    versions = edition.__wrapped__()
    named = {path.relative_to(parvis.demo.__path__[0]).as_posix() for path in digested if "demo" in path.parts}
    assert {
        "clockwork.py",
        "story/story.toml",
        "story/line.py",
        "land/roads.py",
        "codecs/trevalan-bus/profile.toml",
    } <= named
    assert not any("__pycache__" in name for name in named)
    assert all(part.count(".") >= 1 for part in versions.split(",")), versions


def test_each_file_its_name_and_each_version_count(tmp_path: Path) -> None:
    def mark(name: str, text: str, version: str) -> str:
        (path := tmp_path / name).write_text(text)
        return digest([path], [version])

    told = [("a.py", "1", "2.0"), ("b.py", "1", "2.0"), ("a.py", "2", "2.0"), ("a.py", "1", "2.1")]
    assert len({mark(*one) for one in told}) == 4
    assert mark(*told[0]) == mark(*told[0])
