from pathlib import Path

import pytest

import parvis.demo
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.entity import Kind
from parvis.fleet.profiles.mapping import AttributeRule, FieldMap, MappingFailure
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, InvalidProfile, check_profile, load_profile, load_profiles

EXPAND = Contexts().parvis.expand
DEMO_PROFILES = Path(parvis.demo.__file__).parent / "codecs"
BATTERY = EXPAND("batteryLevel")
GOOD = """
[profile]
id = "bin"
name = "Bin"
entity_type = "WasteContainer"
[[attribute]]
field = "fill.percent"
name = "fillingLevel"
scale = 0.01
unit_code = "C62"
[[example]]
f_port = 1
bytes = "37"
data = { fill = { percent = 55 } }
"""
CODEC = "function decodeUplink(i) { return {data: {fill: {percent: i.bytes[0]}}}; }"


def write(root: Path, profile: str = GOOD, codec: str = CODEC, name: str = "bin") -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "profile.toml").write_text(profile)
    (folder / "codec.js").write_text(codec)
    return folder


def test_packaged_profiles_and_those_of_the_demonstration_hold_their_examples() -> None:
    profiles = load_profiles([PACKAGED_PROFILES, DEMO_PROFILES], EXPAND)
    assert {"cayenne-lpp", "generic-climate"} < set(profiles)
    assert all(profile.examples for profile in profiles.values() if profile.header.codec)


def test_a_decoded_frame_becomes_attributes(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path), EXPAND)
    (instance,) = profile.fields.map({"fill": {"percent": 55}}, 1_000_000).asset
    assert profile.entity_type == EXPAND("WasteContainer")
    assert (instance.name, instance.kind, instance.value) == (EXPAND("fillingLevel"), Kind.PROPERTY, 0.55)
    assert (instance.unit_code, instance.observed_at) == ("C62", 1_000_000)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('id = "bin"', 'id = "tin"'), "folder's name"),
        (('name = "Bin"', ""), "name"),
        (('name = "Bin"', 'nom = "Bin"'), "nom"),
        (("scale = 0.01", 'scale = "1%"'), "scale"),
        (('unit_code = "C62"', 'kind = "Number"'), "Number"),
        (('"fillingLevel"', '"filling level"'), "filling level"),
        (("[profile]", "[profile"), "profile.toml"),
        (('"WasteContainer"', '"WasteContainer"\ncodec = "missing.js"'), "missing.js"),
    ],
)
def test_a_broken_profile_says_what_is_wrong_and_where(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    folder = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(InvalidProfile, match=expected) as raised:
        load_profile(folder, EXPAND)
    assert "bin" in raised.value.detail


def test_a_broken_codec_is_a_broken_profile(tmp_path: Path) -> None:
    with pytest.raises(InvalidProfile, match="SyntaxError"):
        load_profile(write(tmp_path, codec="function ("), EXPAND)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('bytes = "37"', 'bytes = "38"'), "'percent': 56"),
        (('bytes = "37"', 'bytes = "3"'), "hexadecimal"),
    ],
)
def test_an_example_that_does_not_hold_is_told(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    folder = write(tmp_path, GOOD.replace(*change))
    (failure,) = check_profile(load_profile(folder, EXPAND))
    assert expected in failure
    with pytest.raises(InvalidProfile, match="example 1"):
        load_profiles([tmp_path], EXPAND)


def test_a_later_folder_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for root, name in ((first, "Bin"), (second, "Better bin")):
        root.mkdir()
        write(root, GOOD.replace('name = "Bin"', f'name = "{name}"'))
    assert load_profiles([first, second, tmp_path / "none"], EXPAND)["bin"].header.name == "Better bin"


def field_map(**rule: object) -> FieldMap:
    made = AttributeRule("v", "temperature", **rule)  # type: ignore[arg-type]
    return FieldMap([made], EXPAND, frozenset({BATTERY}))


def test_fields_a_frame_does_not_have_give_no_attribute() -> None:
    assert field_map().map({"other": 1}, 0).asset == []
    assert field_map().map({"v": None}, 0).asset == []


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("25.1", 25.1),
        ("-0.50", -0.5),
        (" 7 ", 7.0),
        ("1e999", "1e999"),
        ("1e3", 1000.0),
        ("n/a", "n/a"),
        ("", ""),
        ("0x1F", "0x1F"),
        (5, 5),
    ],
)
def test_a_quantity_that_a_codec_tells_as_text_is_a_number(told: object, value: object) -> None:
    assert field_map(unit_code="CEL").map({"v": told}, 0).asset[0].value == value
    assert field_map().map({"v": told}, 0).asset[0].value == told


@pytest.mark.parametrize("value", ["5 V", True, [5]])
def test_only_numbers_are_scaled(value: object) -> None:
    with pytest.raises(MappingFailure):
        field_map(scale=2.0).map({"v": value}, 0)


@pytest.mark.parametrize(
    "value",
    [
        {"latitude": 48.1, "longitude": -3.2, "altitude": 5},
        {"lat": 48.1, "lon": -3.2},
        {"type": "Point", "coordinates": [-3.2, 48.1]},
    ],
)
def test_places_become_points(value: dict[str, float]) -> None:
    (instance,) = field_map(kind="GeoProperty").map({"v": value}, 0).asset
    assert instance.kind is Kind.GEO_PROPERTY
    assert instance.value == {"type": "Point", "coordinates": [-3.2, 48.1]}


def test_a_place_may_lie_in_the_data_themselves() -> None:
    places = FieldMap([AttributeRule("*", "location", kind="GeoProperty")], EXPAND, frozenset())
    (instance,) = places.map({"latitude": 48.1, "longitude": -3.2, "speed": 4}, 0).asset
    assert instance.value == {"type": "Point", "coordinates": [-3.2, 48.1]}
    assert places.map({"speed": 4, "latitude": None}, 0).asset == []


@pytest.mark.parametrize(
    "value", [5, {"latitude": 48.1}, {"lat": 95, "lon": 0}, {"type": "Point", "coordinates": ["x"]}]
)
def test_what_is_no_place_is_refused(value: object) -> None:
    with pytest.raises(MappingFailure):
        field_map(kind="GeoProperty").map({"v": value}, 0)


def test_a_relationship_needs_a_uri() -> None:
    (instance,) = field_map(kind="Relationship").map({"v": "urn:ngsi-ld:Zone:1"}, 0).asset
    assert instance.kind is Kind.RELATIONSHIP
    with pytest.raises(MappingFailure):
        field_map(kind="Relationship").map({"v": "zone 1"}, 0)


def test_the_battery_belongs_to_the_device() -> None:
    mapped = FieldMap([AttributeRule("b", "batteryLevel")], EXPAND, frozenset({BATTERY})).map({"b": 0.9}, 0)
    assert mapped.asset == []
    assert [one.value for one in mapped.device] == [0.9]
