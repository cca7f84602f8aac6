import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import quickjs
from hypothesis import given
from hypothesis import strategies as st

import parvis.demo
from parvis.demo.devices.kinds import Kind
from parvis.demo.readings.layouts import _BOUNDS, LAYOUTS, Part

CODECS = Path(parvis.demo.__file__).parent / "codecs"
PERCENTS = {"battery_percent"}
"""Told as a voltage by some."""


@cache
def codec(profile: str) -> Callable[[str], str]:
    context = quickjs.Context()
    context.eval((CODECS / profile / "codec.js").read_text())
    context.eval("function run(text) { return JSON.stringify(decodeUplink(JSON.parse(text))); }")
    run: Callable[[str], str] = context.get("run")
    return run


def decode(profile: str, f_port: int, payload: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        codec(profile)(json.dumps({"bytes": list(payload), "fPort": f_port, "recvTime": "2026-01-01T00:00:00Z"}))
    )
    return answer


def values(part: Part) -> st.SearchStrategy[Any]:
    """All that it can say."""
    if part.codes:
        return st.sampled_from(sorted(part.codes))
    if part.name in PERCENTS:
        return st.integers(0, 100)
    if part.name == "leak":
        return st.integers(0, 1)
    low, high = _BOUNDS[part.form]
    least = 1 if part.name == "interval_s" else low
    return st.integers(least, high).map(lambda raw: (raw - part.base) / part.steps)


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
@given(data=st.data())
def test_a_frame_says_what_was_read(kind: Kind, data: st.DataObject) -> None:
    row = data.draw(st.fixed_dictionaries({part.name: values(part) for part in LAYOUTS[kind].parts}))
    frame = LAYOUTS[kind].frame(row)
    answer = decode(kind.value, frame.f_port, frame.payload)
    assert answer["errors"] == []
    told = answer["data"]
    expected = {name: value for name, value in row.items() if name != "speed_km_per_h" or row["vehicles"]}
    assert {name: told[name] for name in expected} == expected


@given(
    st.sampled_from(sorted(folder.parent.name for folder in CODECS.glob("*/codec.js"))),
    st.integers(1, 223),
    st.binary(max_size=60),
)
def test_no_frame_however_broken_makes_a_codec_throw(profile: str, f_port: int, payload: bytes) -> None:
    answer = decode(profile, f_port, payload)
    assert set(answer) == {"data", "warnings", "errors"}
