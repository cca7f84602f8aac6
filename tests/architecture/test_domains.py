"""Every domain folder has one shape, so that who has read one has read all."""

import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, imported_modules

SHAPE = frozenset({"model", "rules", "service", "events", "jobs", "routes", "simulate", "plugin"})
"""Any may be left out. What outgrows its file becomes a folder of the same name; another name needs a reason."""
BESIDE = frozenset({"README.md", "manifest.toml", "__init__.py", "__pycache__", "pages"})
MANIFEST = {"name", "summary", "standards", "extra_files"}
FOLDERS = sorted(path.parent for path in (PACKAGE / "domains").glob("*/__init__.py"))


def test_there_are_domains() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_holds_what_the_shape_names_or_gives_a_reason(folder: Path) -> None:
    manifest = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
    assert manifest["name"] == folder.name
    assert manifest["summary"]
    assert manifest.keys() <= MANIFEST
    reasons = manifest.get("extra_files", {})
    others = {path.name for path in folder.iterdir() if path.stem not in SHAPE} - BESIDE
    assert others == reasons.keys()
    assert all(len(reason) > 10 for reason in reasons.values())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_page_begins_with_a_title_and_says_what_it_does(folder: Path) -> None:
    title, _, body = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    assert title.startswith("# ")
    assert body.strip()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_models_and_rules_have_no_clock_and_no_chance_of_their_own(folder: Path) -> None:
    """Now and the seed are given to them: the past can be replayed, and a test needs no waiting."""
    pure = [
        path for part in ("model", "rules") for path in (*folder.glob(f"{part}.py"), *folder.glob(f"{part}/**/*.py"))
    ]
    assert pure
    for path in pure:
        assert imported_modules(path).isdisjoint({"random", "secrets"})
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in (".now(", ".today(", "time_ns(", "system_clock"))
