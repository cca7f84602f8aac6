"""The store of each version that was released is migrated, and answers as it did (scripts/keep_store.py keeps one)."""

import json
import lzma
from pathlib import Path

import pytest

from parvis import __version__
from parvis.stores.sqlite.integrity import find_faults
from tests.stores.sqlite.keeping import ACCESS, STORE, answers_of, fingerprint

KEPT = Path(__file__).resolve().parents[2] / "kept_stores"
MOST_BYTES = 200_000
FOLDERS = sorted(path.parent for path in KEPT.glob("*/answers.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
async def test_a_kept_store_answers_as_it_did(folder: Path, tmp_path: Path) -> None:
    kept = json.loads((folder / "answers.json").read_text("utf-8"))
    if not kept["released"] and kept["schema"] != fingerprint():
        pytest.skip("the schema of an unreleased version has changed: scripts/keep_store.py keeps its store anew")
    for name in (STORE, ACCESS):
        (tmp_path / name).write_bytes(lzma.decompress((folder / f"{name}.xz").read_bytes()))

    answers = await answers_of(tmp_path)

    assert json.loads(json.dumps(answers)) == kept["answers"]
    assert find_faults(tmp_path / STORE) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
def test_what_is_kept_for_ever_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES


def test_there_is_one_of_this_version() -> None:
    assert {"next", __version__} & {folder.name for folder in FOLDERS}
