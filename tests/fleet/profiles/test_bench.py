from pathlib import Path

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.codecs.codec import CodecFailure, Decoded
from parvis.fleet.profiles.bench import CodecBench
from parvis.fleet.profiles.mapping import AttributeRule
from parvis.fleet.profiles.profile import DeviceProfile, InvalidProfile, load_profiles
from parvis.fleet.profiles.text import with_rules
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, OPERATOR, Caller

EXPAND = Contexts().parvis.expand
ADMIN = Caller("default", "admin", ADMINISTRATOR)
AT = 1_700_000_000_000_000
PROFILE = """# What our bins say.
[profile]
id = "bin"
name = "Bin"
entity_type = "WasteContainer"

# Percent.
[[attribute]]
field = "fill"
name = "fillingLevel"
scale = 0.01

[expect]
interval_s = 600.0

[[example]]
f_port = 1
bytes = "37"
data = { fill = 55 }
"""
CODEC = """
function decodeUplink(i) {
  if (i.bytes[0] > 100) return {errors: ["no percentage"]};
  return {data: {fill: i.bytes[0]}, warnings: []};
}
"""
DEGREES = AttributeRule("fill", "temperature", unit_code="CEL", minimum=-10, maximum=50)


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    folder = tmp_path / "package" / "bin"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "codec.js").write_text(CODEC)
    return folder


@pytest.fixture
def profiles(packaged: Path) -> dict[str, DeviceProfile]:
    return load_profiles([packaged.parent], EXPAND)


@pytest.fixture
def bench(profiles: dict[str, DeviceProfile], tmp_path: Path) -> CodecBench:
    return CodecBench(profiles, tmp_path / "data" / "profiles", EXPAND, lambda: AT)


async def test_a_frame_is_shown_decoded_and_mapped(bench: CodecBench) -> None:
    run = await bench.run("bin", 1, b"\x37")
    assert run.result == Decoded({"fill": 55})
    assert [(one.name, one.value) for one in run.asset] == [(EXPAND("fillingLevel"), 0.55)]


async def test_other_rules_may_be_tried_without_being_kept(
    bench: CodecBench, profiles: dict[str, DeviceProfile]
) -> None:
    run = await bench.run("bin", 1, b"\x5a", [DEGREES])
    assert [(one.name, one.value, one.unit_code) for one in run.impossible] == [(EXPAND("temperature"), 90, "CEL")]
    assert (await bench.run("bin", 1, b"\x01", [AttributeRule("fill", "location", kind="GeoProperty")])).problem
    assert profiles["bin"].rules[0].name == "fillingLevel"


async def test_a_frame_that_the_codec_refuses_says_why(bench: CodecBench) -> None:
    run = await bench.run("bin", 1, b"\xff")
    assert isinstance(run.result, CodecFailure)
    assert run.result.detail == "no percentage"
    with pytest.raises(ResourceNotFound):
        await bench.run("other", 1, b"\x01")
    with pytest.raises(BadRequestData):
        await bench.run("bin", 1, b"")


def test_an_example_is_held_from_then_on(bench: CodecBench, tmp_path: Path, packaged: Path) -> None:
    bench.keep_example(ADMIN, "bin", 1, b"\x10", "a sixteenth")
    own = tmp_path / "data" / "profiles"
    (profile,) = load_profiles([own], EXPAND).values()
    assert [(one.description, one.expected["data"]) for one in profile.further_examples] == [
        ("a sixteenth", {"fill": 16})
    ]
    assert not (packaged / "examples.json").exists()
    (own / "bin" / "codec.js").write_text(CODEC.replace("i.bytes[0]}", "i.bytes[0] === 16 ? 17 : i.bytes[0]}"))
    with pytest.raises(InvalidProfile, match=r"examples\.json 1: DIFFERS: data\.fill: 17, expected 16"):
        load_profiles([own], EXPAND, is_thorough=True)
    load_profiles([own], EXPAND)


def test_kept_rules_map_the_next_frame_and_those_after_a_restart(
    bench: CodecBench, profiles: dict[str, DeviceProfile], tmp_path: Path
) -> None:
    in_use = profiles["bin"]
    bench.keep_rules(ADMIN, "bin", [DEGREES])
    bench.keep_example(ADMIN, "bin", 1, b"\x10")
    assert [one.name for one in in_use.fields.map({"fill": 20}, AT).asset] == [EXPAND("temperature")]
    (restarted,) = load_profiles([tmp_path / "data" / "profiles"], EXPAND).values()
    assert restarted.rules == (DEGREES,)
    assert restarted.expect.interval_s == 600
    text = (tmp_path / "data/profiles/bin/profile.toml").read_text()
    assert text.startswith("# What our bins say.")


def test_rules_with_which_an_example_does_not_hold_are_not_kept(
    bench: CodecBench, profiles: dict[str, DeviceProfile], tmp_path: Path
) -> None:
    with pytest.raises(InvalidProfile):
        bench.keep_rules(ADMIN, "bin", [AttributeRule("fill", "location", kind="GeoProperty")])
    assert profiles["bin"].rules[0].name == "fillingLevel"
    assert list((tmp_path / "data" / "profiles").iterdir()) == []


def test_only_administrators_change_profiles(bench: CodecBench) -> None:
    operator = Caller("default", "operator", OPERATOR)
    with pytest.raises(Forbidden):
        bench.keep_rules(operator, "bin", [])
    with pytest.raises(Forbidden):
        bench.keep_example(operator, "bin", 1, b"\x10")


def test_who_administers_another_tenant_changes_no_profile_that_all_share(bench: CodecBench) -> None:
    neighbour = Caller("neighbour", "admin", ADMINISTRATOR)
    with pytest.raises(Forbidden):
        bench.keep_rules(neighbour, "bin", [DEGREES])
    with pytest.raises(Forbidden):
        bench.keep_example(neighbour, "bin", 1, b"\x10")


def test_what_is_no_example_is_not_kept(bench: CodecBench) -> None:
    with pytest.raises(BadRequestData, match="no percentage"):
        bench.keep_example(ADMIN, "bin", 1, b"\xff")


@pytest.mark.parametrize("rules", [[], [DEGREES], [DEGREES, AttributeRule('a"\\b', "x", scale=0.1, offset=-2)]])
def test_the_text_of_a_profile_takes_any_rules_and_takes_them_back(rules: list[AttributeRule]) -> None:
    once = with_rules(PROFILE, rules)
    assert with_rules(once, rules) == once
    assert with_rules(with_rules(once, []), rules).count("[[attribute]]") == len(rules)
