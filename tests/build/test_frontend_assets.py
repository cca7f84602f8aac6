import gzip
import shutil
from pathlib import Path

import pytest

import frontend_assets
from frontend_assets import DATA, RUNTIME, TEST, Asset, copy_assets, is_current, list_assets

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "frontend", tmp_path / "frontend")
    return tmp_path


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """What npm would have installed, each file holding its own name."""
    folder = tmp_path / "node_modules"
    for asset in [*list_assets(ROOT, RUNTIME), *list_assets(ROOT, DATA), *list_assets(ROOT, TEST)]:
        path = folder / asset.package / asset.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(asset.source, encoding="utf-8")
    return folder


def test_an_icon_named_in_the_list_is_copied() -> None:
    assert Asset("lucide-static", "icons/map.svg", "icons/map.svg") in list_assets(ROOT, RUNTIME)


def test_what_only_tests_need_is_not_served() -> None:
    assert {asset.package for asset in list_assets(ROOT, TEST)} == {"axe-core"}
    assert "axe-core" not in {asset.package for asset in list_assets(ROOT, RUNTIME)}


def test_the_licence_of_every_package_goes_with_its_files() -> None:
    for wanted in (RUNTIME, DATA, TEST):
        assets = list_assets(ROOT, wanted)
        licensed = {asset.package for asset in assets if Path(asset.source).stem == "LICENSE"}
        assert licensed == {asset.package for asset in assets}


def test_copied_files_are_current_until_the_pins_change(checkout: Path, packages: Path) -> None:
    assert not is_current(checkout, RUNTIME)
    copy_assets(checkout, RUNTIME, packages)
    assert is_current(checkout, RUNTIME)
    assert (RUNTIME.destination(checkout) / "uplot/uPlot.min.css").read_text() == "dist/uPlot.min.css"
    with (checkout / "frontend/icons.txt").open("a") as icons:
        icons.write("anchor\n")
    assert not is_current(checkout, RUNTIME)


def test_a_file_that_is_no_longer_named_goes(checkout: Path, packages: Path) -> None:
    copy_assets(checkout, RUNTIME, packages)
    (checkout / "frontend/icons.txt").write_text("map\n")
    copy_assets(checkout, RUNTIME, packages)
    icons = sorted(path.name for path in (RUNTIME.destination(checkout) / "icons").iterdir())
    assert icons == ["LICENSE", "map.svg"]


def test_nothing_is_fetched_where_everything_is_current(
    checkout: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_assets(checkout, RUNTIME, packages)
    monkeypatch.delattr(frontend_assets, "install_packages")
    assert frontend_assets.build(checkout, RUNTIME) == []


def test_tables_are_kept_packed_where_no_browser_fetches_them(checkout: Path, packages: Path) -> None:
    copy_assets(checkout, DATA, packages)
    assert gzip.decompress((DATA.destination(checkout) / "france/epci.json.gz").read_bytes()) == b"data/epci.json"
    assert not DATA.folder.startswith(RUNTIME.folder)
