import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import quickjs

import parvis.demo
from parvis.demo.devices.installation import Kind
from parvis.demo.payloads import AirReading, encode

ALL = sorted((Path(parvis.demo.__file__).parent / "codecs").glob("*/profile.toml"))
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


def test_the_wind_comes_from_0_to_359_degrees() -> None:
    (path,) = (path for path in PROFILES if path.parent.name == Kind.AIR)
    attributes = {one["name"]: one for one in tomllib.loads(path.read_text())["attribute"]}
    context = quickjs.Context()
    context.eval((path.parent / "codec.js").read_text())
    for degrees in (0, 180, 326, 359):
        frame = encode(AirReading(wind_from_deg=degrees))
        data = decode(context, {"bytes": frame.payload.hex(), "f_port": frame.f_port})["data"]
        assert data[attributes["windDirection"]["field"]] == degrees


def decode(context: quickjs.Context, example: dict[str, Any]) -> dict[str, Any]:
    frame = json.dumps({"bytes": list(bytes.fromhex(example["bytes"])), "fPort": example["f_port"]})
    answer = json.loads(context.eval(f"JSON.stringify(decodeUplink({frame}))"))
    return {"data": answer["data"], "errors": answer["errors"]}
