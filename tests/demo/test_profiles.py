import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import quickjs

import parvis.demo
from parvis.demo.devices.kinds import Kind, traits_of
from parvis.demo.readings.layouts import LAYOUTS

CODECS = Path(parvis.demo.__file__).parent / "codecs"
ALL = sorted(CODECS.glob("*/profile.toml"))
PROFILES = [path for path in ALL if tomllib.loads(path.read_text())["profile"]["codec"]]
"""Those of devices that send bytes."""


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_example_of_a_profile_decodes_to_what_it_states(path: Path) -> None:
    document = tomllib.loads(path.read_text())
    context = quickjs.Context()
    context.eval((path.parent / document["profile"]["codec"]).read_text())
    assert len(document["example"]) >= 2
    for example in document["example"]:
        assert decode(context, example) == {"data": example["data"], "errors": []}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_mapped_field_occurs_in_an_example(path: Path) -> None:
    document = tomllib.loads(path.read_text())
    seen = {field for example in document["example"] for field in example["data"]}
    assert {attribute["field"] for attribute in document["attribute"]} <= seen
    assert document["profile"]["id"] == path.parent.name


def test_every_kind_has_a_profile_of_its_entity_type_and_period() -> None:
    for kind in set(Kind) - {Kind.CHARGING}:
        document = tomllib.loads((CODECS / kind.value / "profile.toml").read_text())
        assert document["profile"]["entity_type"] == traits_of(kind).entity_type
        assert document["expect"]["interval_s"] == traits_of(kind).period_s


def test_the_wind_comes_from_0_to_359_degrees() -> None:
    context = quickjs.Context()
    context.eval((CODECS / Kind.AIR.value / "codec.js").read_text())
    row = {part.name: 1.0 for part in LAYOUTS[Kind.AIR].parts}
    for degrees in (0, 180, 326, 359):
        frame = LAYOUTS[Kind.AIR].frame({**row, "wind_from_deg": degrees})
        data = decode(context, {"bytes": frame.payload.hex(), "f_port": frame.f_port})["data"]
        assert data["wind_from_deg"] == degrees


def test_what_is_beyond_a_counter_is_told_as_its_end() -> None:
    layout = LAYOUTS[Kind.BIKES]
    assert layout.frame({"bikes_in": 1e9, "bikes_out": -5, "battery_percent": 80}).payload.hex() == "010fffff000050"


def decode(context: quickjs.Context, example: dict[str, Any]) -> dict[str, Any]:
    frame = json.dumps({"bytes": list(bytes.fromhex(example["bytes"])), "fPort": example["f_port"]})
    answer = json.loads(context.eval(f"JSON.stringify(decodeUplink({frame}))"))
    return {"data": answer["data"], "errors": answer["errors"]}
