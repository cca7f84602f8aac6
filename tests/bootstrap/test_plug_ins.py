"""Connectors that packages of others bring."""

import sys
from pathlib import Path

import pytest

from parvis.bootstrap import open_platform
from parvis.bootstrap.plug_ins import get_plug_in
from parvis.kernel.settings import InvalidSettings, MqttSettings, Settings

MANIFEST = 'name = "tide"\nsummary = "Levels of the harbour"\n'
PLUGIN = """
from parvis.fleet.ways.connector import Connector


def build(surroundings):
    return Connector("tide")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where packages are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def bring(site: Path, package: str, *, name: str = "tide", manifest: str = MANIFEST, plugin: str = PLUGIN) -> None:
    """As pip installs it."""
    distribution = site / f"{package}-0.1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n")
    (distribution / "entry_points.txt").write_text(f"[parvis.connectors]\n{name} = {package}\n")
    (site / package).mkdir()
    (site / package / "__init__.py").touch()
    (site / package / "manifest.toml").write_text(manifest)
    (site / package / "plugin.py").write_text(plugin)


async def start(data_dir: Path, **connectors: dict[str, object]) -> set[str]:
    settings = Settings(data_dir, mqtt=MqttSettings(enabled=False), connectors=connectors)
    async with open_platform(settings, listen=False) as platform:
        return set(platform.connectors)


async def test_it_is_on_where_the_settings_name_it_and_nowhere_else(site: Path, tmp_path: Path) -> None:
    bring(site, "parvis_tide_on", manifest=MANIFEST + "is_always_on = true\n")
    assert "tide" not in await start(tmp_path / "off")
    assert "parvis_tide_on" not in sys.modules
    assert "tide" in await start(tmp_path / "on", tide={})


async def test_one_that_bears_a_name_of_ours_is_not_reached(site: Path) -> None:
    bring(site, "parvis_modbus_of_others", name="modbus", manifest=MANIFEST.replace("tide", "modbus"))
    assert get_plug_in("modbus").module == "parvis.connectors.modbus"


def test_those_of_others_are_among_those_there_are(site: Path) -> None:
    bring(site, "parvis_tide_told")
    with pytest.raises(InvalidSettings, match=r"no connector 'pigeon': there are bacnet, .*thingsstack, tide\."):
        get_plug_in("pigeon")


@pytest.mark.parametrize(
    ("package", "manifest", "fault"),
    [
        ("parvis_tide_one", "name =", "tide of parvis_tide_one cannot be used: manifest.toml: "),
        ("parvis_tide_two", MANIFEST.replace("tide", "ebb"), "tide of parvis_tide_two calls itself ebb"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(site: Path, package: str, manifest: str, fault: str) -> None:
    bring(site, package, manifest=manifest)
    with pytest.raises(InvalidSettings, match=fault):
        get_plug_in("tide")


@pytest.mark.parametrize("value", ["not_there", "not.there", "json:loads", "this"])
def test_an_entry_that_leads_to_no_package_is_told(site: Path, value: str) -> None:
    bring(site, "parvis_tide_lost")
    (site / "parvis_tide_lost-0.1.0.dist-info/entry_points.txt").write_text(f"[parvis.connectors]\ntide = {value}\n")
    with pytest.raises(InvalidSettings, match="of parvis_tide_lost is no package"):
        get_plug_in("tide")


def test_two_of_one_name_are_told(site: Path) -> None:
    bring(site, "parvis_tide_north")
    bring(site, "parvis_tide_south")
    with pytest.raises(InvalidSettings, match="Several packages bring a connector 'tide': parvis_tide_"):
        get_plug_in("tide")


@pytest.mark.parametrize(
    ("package", "plugin", "fault"),
    [
        ("parvis_tide_needs", "import a_library_that_is_not_there", "pip install 'parvis_tide_needs'"),
        ("parvis_tide_old", "from parvis.fleet.ways.connector import Gone", "does not fit this version of Parvis"),
        ("parvis_tide_bare", "", "does not fit this version of Parvis"),
    ],
)
async def test_a_package_that_cannot_be_loaded_is_told_in_a_sentence(
    site: Path, tmp_path: Path, package: str, plugin: str, fault: str
) -> None:
    bring(site, package, plugin=plugin)
    with pytest.raises(InvalidSettings, match=fault):
        await start(tmp_path / "data", tide={})
