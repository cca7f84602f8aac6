"""From a codec of the device repository to profile folders, one for each of its devices."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from parvis.fleet.codec_engine import Routine
from parvis.fleet.codec_examples import CodecExample, Verdict
from parvis.fleet.codec_import.guess import Draft, Leaf, draft_mapping
from parvis.fleet.codec_import.repository import RepositoryCodec, RepositoryDevice
from parvis.fleet.codec_import.trials import CodecTrials, read_script
from parvis.fleet.mapping import AttributeRule
from parvis.fleet.profiles import CODEC_FILE, ENCODER_FILE, EXAMPLES_FILE, PROFILE_FILE

_UNMAPPED_SHOWN = 40


class Installation(msgspec.Struct, frozen=True):
    """What became of a device. `why_not` says why it was left out, `attributes` how many were guessed."""

    profile_id: str
    attributes: int = 0
    why_not: str = ""


def install_codec(tried: CodecTrials, vendor_name: str, root: Path, *, replace: bool = False) -> list[Installation]:
    """Write a profile folder for each device of the codec; one that is there is left alone unless `replace`."""
    codec = tried.codec
    if Routine.DECODE_UPLINK not in codec.scripts:
        return [Installation(_id(codec, device), why_not="no uplink decoder") for device in codec.devices]
    passed = [one.example for one in tried.trials if one.verdict is Verdict.PASSED]
    decoded = list(_decoded(passed))
    if not decoded:
        return [Installation(_id(codec, device), why_not="no example of it passes") for device in codec.devices]
    draft = draft_mapping(decoded)
    return [_install(codec, device, vendor_name, root, draft, passed, replace) for device in codec.devices]


def _id(codec: RepositoryCodec, device: RepositoryDevice) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", f"{codec.vendor}-{device.id}".lower()).strip("-")


def _decoded(passed: list[CodecExample]) -> Iterator[dict[str, Any]]:
    for example in passed:
        if example.routine is Routine.DECODE_UPLINK and isinstance(example.expected, dict):
            data = example.expected.get("data")
            if isinstance(data, dict) and not example.expected.get("errors"):
                yield data


def _install(
    codec: RepositoryCodec,
    device: RepositoryDevice,
    vendor_name: str,
    root: Path,
    draft: Draft,
    passed: list[CodecExample],
    replace: bool,
) -> Installation:
    profile_id = _id(codec, device)
    folder = root / profile_id
    if (folder / PROFILE_FILE).exists() and not replace:
        return Installation(profile_id, why_not="it is there already")
    folder.mkdir(parents=True, exist_ok=True)
    decoder = codec.scripts[Routine.DECODE_UPLINK].path
    encoder = _encoder(codec)
    has_encoder = encoder is not None and encoder != decoder
    (folder / CODEC_FILE).write_text(read_script(decoder), encoding="utf-8")
    if has_encoder and encoder is not None:
        (folder / ENCODER_FILE).write_text(read_script(encoder), encoding="utf-8")
    (folder / EXAMPLES_FILE).write_text(_examples(passed), encoding="utf-8")
    # Last: a folder without it is no profile.
    (folder / PROFILE_FILE).write_text(
        _profile(profile_id, device, vendor_name, codec, draft, has_encoder), encoding="utf-8"
    )
    return Installation(profile_id, len(draft.rules))


def _encoder(codec: RepositoryCodec) -> Path | None:
    script = codec.scripts.get(Routine.ENCODE_DOWNLINK) or codec.scripts.get(Routine.DECODE_DOWNLINK)
    return None if script is None else script.path


def _examples(passed: list[CodecExample]) -> str:
    listed = [
        {
            "routine": one.routine.value,
            "description": one.description,
            "input": one.given,
            "output": one.expected,
        }
        for one in passed
    ]
    return json.dumps(listed, ensure_ascii=False, indent=1) + "\n"


def _profile(
    profile_id: str,
    device: RepositoryDevice,
    vendor_name: str,
    codec: RepositoryCodec,
    draft: Draft,
    has_encoder: bool,
) -> str:
    lines = [
        f"# From The Things Network's device repository: vendor/{codec.vendor}/{codec.id}.yaml.",
        "# Attributes were guessed from names and values of the examples: look at them before they are used.",
        "",
        "[profile]",
        f"id = {_quoted(profile_id)}",
        f"name = {_quoted(device.name)}",
        f"vendor = {_quoted(vendor_name)}",
        f"model = {_quoted(device.id)}",
        f"entity_type = {_quoted(draft.entity_type)}",
        f"codec = {_quoted(CODEC_FILE)}",
    ]
    if has_encoder:
        lines.append(f"encoder = {_quoted(ENCODER_FILE)}")
    if not draft.rules:
        lines.insert(3, "attribute = []")
    for rule in draft.rules:
        lines += ["", *_rule(rule)]
    lines += ["", *_left_out(draft.unmapped)]
    return "\n".join(lines).rstrip() + "\n"


def _rule(rule: AttributeRule) -> Iterator[str]:
    yield "[[attribute]]"
    yield f"field = {_quoted(rule.field)}"
    yield f"name = {_quoted(rule.name)}"
    if rule.scale != 1.0:
        yield f"scale = {rule.scale!r}"
    if rule.offset:
        yield f"offset = {rule.offset!r}"
    if rule.unit_code:
        yield f"unit_code = {_quoted(rule.unit_code)}"
    if rule.kind != "Property":
        yield f"kind = {_quoted(rule.kind)}"


def _left_out(unmapped: tuple[Leaf, ...]) -> Iterator[str]:
    if unmapped:
        yield "# Numbers of the examples that no attribute was guessed for:"
    for leaf in unmapped[:_UNMAPPED_SHOWN]:
        yield f"#   {leaf.path.encode('unicode_escape').decode()} = {leaf.values[0]:.10g}"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among its own, but for those of DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
