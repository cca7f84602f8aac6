"""What people install holds everything that the checkout has."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from frontend_assets import DATA, RUNTIME, list_assets

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = {"__pycache__"}


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_in_the_wheel(packaged: set[str]) -> None:
    files = (path for path in (ROOT / "src/parvis").rglob("*") if path.is_file())
    names = {str(path.relative_to(ROOT / "src")) for path in files if not LEFT_OUT.intersection(path.parts)}
    assert names - packaged == set()


def test_the_front_end_libraries_are_in_the_wheel(packaged: set[str]) -> None:
    for wanted in (RUNTIME, DATA):
        folder = wanted.folder.removeprefix("src/")
        assert {f"{folder}/{asset.target}" for asset in list_assets(ROOT, wanted)} <= packaged


def test_the_licence_is_in_the_wheel(packaged: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in packaged)
