import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.cli import commands
from parvis.fleet.ways.check import check_connector
from parvis.kernel.settings import InvalidSettings

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("parvis")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(commands, list(map(str, arguments)))


def run(folder: Path, *words: object, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "" if site is None else str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(word) for word in words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new package `parvis-tide`, as it was made, and `site`, where it is installed."""
    folder = tmp_path_factory.mktemp("plug-in")
    assert call("new", "connector", "tide", "--into", folder).exit_code == 0
    install(folder)
    return folder


def install(folder: Path) -> None:
    """`parvis-tide`, into `site`, without asking any registry."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    done = run(folder, *pip, "--target", "site", "./parvis-tide")
    assert done.returncode == 0, done.stderr


def test_the_tests_of_a_new_package_pass_at_once(installed: Path) -> None:
    pytest_in = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "parvis-tide"]
    done = run(installed, *pytest_in, site=installed / "site")
    assert "3 passed" in done.stdout, done.stdout


def test_a_new_package_is_sound(installed: Path) -> None:
    done = run(installed, PROGRAM, "check", "tide", site=installed / "site")
    assert (done.returncode, done.stdout) == (0, "tide: sound, 3 examples hold\n"), done.stderr


def test_a_package_is_on_where_the_settings_name_it(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text("[connectors.tide]\n")
    done = run(tmp_path, PROGRAM, "check", "--data", tmp_path, site=installed / "site")
    assert "connectors: sound" in done.stdout, done.stderr
    elsewhere = call("check", "--data", tmp_path)
    assert "connectors: There is no connector 'tide'" in elsewhere.stdout
    assert elsewhere.exit_code == 1


def test_the_tests_of_a_new_part_of_parvis_pass_at_once(tmp_path: Path) -> None:
    copy_package(ROOT / "src/parvis", tmp_path / "src/parvis")
    assert call("new", "connector", "tide", "--checkout", tmp_path).exit_code == 0
    pytest_in = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/connectors/tide"]
    done = run(tmp_path, *pytest_in, site=tmp_path / "src")
    assert "3 passed" in done.stdout, done.stdout


def copy_package(source: Path, target: Path) -> None:
    """Links to what is there, in folders of its own where a connector is added."""
    (target / "connectors").mkdir(parents=True)
    for folder in (Path(), Path("connectors")):
        for path in (source / folder).iterdir():
            if path.name != "connectors":
                (target / folder / path.name).symlink_to(path)


@pytest.mark.parametrize("name", ["Tide", "t", "tide-gauge", "7tides", "../tide", "t" * 32])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    result = call("new", "connector", name, "--into", tmp_path)
    assert result.exit_code == 2
    assert "small letters and digits" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["modbus", "mqtt"])
def test_a_name_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    result = call("new", "connector", name, "--into", tmp_path)
    assert result.exit_code == 1
    assert f"There is a connector {name} already." in result.stderr


def test_nothing_is_written_over(tmp_path: Path) -> None:
    readme = tmp_path / "parvis-tide/src/parvis_tide/README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("mine")
    result = call("new", "connector", "tide", "--into", tmp_path)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [readme]
    assert readme.read_text() == "mine"


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    result = call("new", "connector", "tide", "--checkout", tmp_path)
    assert result.exit_code == 1
    assert "is no checkout of Parvis" in result.stderr


def test_our_own_are_checked_by_name() -> None:
    result = call("check", "modbus")
    assert (result.exit_code, result.stdout) == (0, "modbus: sound, 0 examples hold\n")


def test_what_is_wrong_with_a_connector_is_told(tmp_path: Path) -> None:
    call("new", "connector", "tide", "--into", tmp_path)
    folder = tmp_path / "parvis-tide/src/parvis_tide"
    (folder / "README.md").unlink()
    (folder / "tables.py").touch()
    result = call("check", tmp_path / "parvis-tide")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == check_connector(folder)
    assert len(result.stdout.splitlines()) == 2


def test_a_name_of_no_connector_is_told() -> None:
    result = call("check", "pigeon")
    assert isinstance(result.exception, InvalidSettings)
    assert "There is no connector 'pigeon': there are bacnet, " in result.exception.detail
