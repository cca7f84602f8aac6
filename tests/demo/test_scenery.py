"""The territory is made once and kept: other processes, and later starts, take what is there."""

from pathlib import Path

import pytest

from parvis.demo import scenery
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
