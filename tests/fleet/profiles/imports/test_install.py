from pathlib import Path

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.codecs.codec import Decoded, Downlink
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.imports.guess import Leaf, draft_mapping, find_meaning
from parvis.fleet.profiles.imports.install import Installation, Installer
from parvis.fleet.profiles.imports.repository import DeviceRepository
from parvis.fleet.profiles.imports.trials import try_codec
from parvis.fleet.profiles.profile import load_profile, load_profiles
from tests.fleet.profiles.imports.checkout import write_checkout

EXPAND = Contexts().parvis.expand


def install(root: Path, to: Path, *, replace: bool = False) -> dict[str, Installation]:
    vendor = DeviceRepository(root).read_vendor("acme")
    installer = Installer(to, EXPAND, replace=replace)
    return {one.profile_id: one for codec in vendor.codecs for one in installer.install(try_codec(codec), vendor)}


def test_each_device_becomes_a_profile_that_holds_its_examples(tmp_path: Path) -> None:
    to = tmp_path / "data" / "profiles"
    made = install(write_checkout(tmp_path), to)
    assert {name: one.attributes for name, one in made.items()} == {
        "acme-climate": 2,
        "acme-climate-outdoor": 2,
        "acme-valve": 1,
    }
    profiles = load_profiles([to], EXPAND, is_thorough=True)
    assert list(profiles) == sorted(made)
    assert profiles["acme-valve"].header.name == 'Valve "V"'
    assert profiles["acme-climate"].entity_type == EXPAND("EnvironmentObserved")
    climate = profiles["acme-climate"]
    assert climate.codec is not None
    (decoded,) = climate.codec.decode([Uplink("", b"\x01\x0f\x64", 1, 0, 0)])
    assert isinstance(decoded, Decoded)
    assert [rule.field for rule in climate.rules] == ["normalized.air.temperature", "hum"]
    mapped = climate.fields.map(decoded.data, 0)
    assert {one.name: one.value for one in mapped.asset} == {
        EXPAND("temperature"): 27.1,
        EXPAND("relativeHumidity"): 0.5,
    }
    assert "#   BatV = 3.3" in (to / "acme-climate" / "profile.toml").read_text()
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["profiles"]


async def test_an_encoder_in_a_script_of_its_own_comes_along(tmp_path: Path) -> None:
    install(write_checkout(tmp_path), tmp_path / "profiles")
    profile = load_profile(tmp_path / "profiles" / "acme-valve", EXPAND)
    assert profile.has_encoder
    assert await profile.encode_downlink({"open": True}) == Downlink(2, b"\x01")


def test_a_profile_that_was_edited_is_left_alone_unless_asked_for(tmp_path: Path) -> None:
    root, to = write_checkout(tmp_path), tmp_path / "profiles"
    install(root, to)
    path = to / "acme-valve" / "profile.toml"
    path.write_text(path.read_text() + "# edited\n")
    assert install(root, to)["acme-valve"].why_not == "it is there already"
    assert "# edited" in path.read_text()
    assert install(root, to, replace=True)["acme-valve"].why_not == ""
    assert "# edited" not in path.read_text()


def test_a_codec_of_which_nothing_passes_becomes_no_profile(tmp_path: Path) -> None:
    root = write_checkout(tmp_path, **{"acme/valve.js": "function (", "acme/valve-encoder.js": "function ("})
    made = install(root, tmp_path / "profiles")
    assert made["acme-valve"].why_not == "none of its examples passes"
    assert not (tmp_path / "profiles" / "acme-valve").exists()


def test_a_device_with_codecs_for_several_versions_becomes_several_profiles(tmp_path: Path) -> None:
    valve = """
name: Valve
firmwareVersions:
  - version: '1.0'
    profiles: {EU863-870: {id: p, codec: valve-codec}}
  - version: '2.0'
    profiles: {EU863-870: {id: p, codec: valve-v2-codec}}
"""
    codec = "uplinkDecoder:\n  fileName: valve.js\n"
    root = write_checkout(tmp_path, **{"acme/valve.yaml": valve, "acme/valve-v2-codec.yaml": codec})
    assert {"acme-valve-valve", "acme-valve-v2"} < install(root, tmp_path / "profiles").keys()


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("temperature", 21.5, ("temperature", 1.0, "CEL")),
        ("TempC_SHT", 21.5, ("temperature", 1.0, "CEL")),
        ("air_temperature.value", 21.5, ("temperature", 1.0, "CEL")),
        ("temperatureF", 70.0, ("temperature", 5 / 9, "CEL")),
        ("soil.temperature", 12.0, ("soilTemperature", 1.0, "CEL")),
        ("humidity", 55.0, ("relativeHumidity", 0.01, "C62")),
        ("humidity", 0.55, ("relativeHumidity", 1.0, "C62")),
        ("battery", 90.0, ("batteryLevel", 0.01, "C62")),
        ("barometric_pressure", 96412.0, ("atmosphericPressure", 0.01, "A97")),
        ("atmospheric_pressure.value", 95.9, ("atmosphericPressure", 10.0, "A97")),
        ("PM2_5", 12.0, ("pm25", 1.0, "GQ")),
        ("co2_concentration.value", 663.0, ("co2", 1.0, "59")),
        ("distance", 8977.0, ("distance", 0.001, "MTR")),
    ],
)
def test_names_and_values_tell_a_term_and_its_scale(path: str, value: float, expected: tuple[str, float, str]) -> None:
    rule = find_meaning(Leaf(path, (value,)))
    assert rule is not None
    assert (rule.name, rule.scale, rule.unit_code) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("temperatureThreshold", 30.0), ("TempChange", 0.5), ("BatV", 3.4), ("battery", 3.4), ("pressure", 2.4),
        ("highHumidityThreshold", 95.0), ("humidity", 640.0), ("temperatureBoard", 22.0), ("co2_sensor_status", 0.0),
        ("uploadInterval", 16.0), ("temperature", 2713.0), ("id", 3.0), ("temperatureUnit", 0.0),
    ],
)  # fmt: skip
def test_what_could_be_something_else_is_left_to_a_person(path: str, value: float) -> None:
    assert find_meaning(Leaf(path, (value,))) is None


def test_a_place_is_an_object_with_latitude_and_longitude() -> None:
    draft = draft_mapping([{"gps": {"latitude": 48.1, "longitude": -1.6}, "speed": 3}])
    (rule,) = draft.rules
    assert (rule.field, rule.name, rule.kind) == ("gps", "location", "GeoProperty")
    assert [one.path for one in draft.unmapped] == ["speed"]


def test_a_place_may_be_told_by_the_data_themselves() -> None:
    draft = draft_mapping([{"latitude": 48.1, "longitude": -1.6}, {"speed": 3}])
    (rule,) = draft.rules
    assert (rule.field, rule.name, rule.kind) == ("*", "location", "GeoProperty")
