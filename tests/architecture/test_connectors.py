"""Every connector folder has one shape, so that who has read one has read all."""

import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE

SHAPE = {"__init__.py", "config.py", "codec.py", "mapping.py", "client.py", "plugin.py"}
FOLDERS = sorted(path.parent for path in (PACKAGE / "connectors").glob("*/__init__.py"))

each_connector = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def manifest(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))


def test_there_are_connectors() -> None:
    assert FOLDERS


@each_connector
def test_it_explains_itself(folder: Path) -> None:
    title, _, body = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    assert title.startswith("# ")
    assert body.strip()


@each_connector
def test_its_manifest_names_it_after_its_folder(folder: Path) -> None:
    assert manifest(folder)["name"] == folder.name


@each_connector
def test_a_file_outside_the_shape_has_a_reason(folder: Path) -> None:
    reasons = manifest(folder).get("extra_files", {})
    assert isinstance(reasons, dict)
    assert {path.name for path in folder.glob("*.py")} - SHAPE == set(reasons)
    assert all(isinstance(reason, str) and len(reason) > 10 for reason in reasons.values())
