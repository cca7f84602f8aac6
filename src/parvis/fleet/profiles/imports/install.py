"""From a codec of the device repository to profile folders, one for each of its devices."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from parvis.broker.model.entity import Iri
from parvis.fleet.codecs.codec import Codec, CodecFailure
from parvis.fleet.codecs.examples import CodecExample, Verdict
from parvis.fleet.codecs.program import Routine
from parvis.fleet.profiles.imports.guess import NORMALIZED, Draft, Leaf, draft_mapping
from parvis.fleet.profiles.imports.repository import RepositoryCodec, RepositoryDevice, RepositoryVendor
from parvis.fleet.profiles.imports.trials import CodecTrials, read_script
from parvis.fleet.profiles.profile import (
    CODEC_FILE,
    ENCODER_FILE,
    EXAMPLES_FILE,
    PROFILE_FILE,
    InvalidProfile,
    check_profile,
    load_profile,
)
from parvis.fleet.profiles.text import quoted, rule_lines

_UNMAPPED_SHOWN = 40


class Installation(msgspec.Struct, frozen=True):
    """What became of a device. `why_not` says why it was left out, `attributes` how many were guessed."""

    profile_id: str
    attributes: int = 0
    why_not: str = ""


class Installer:
    """Makes profile folders below `root`; one that is there is left alone unless `replace`."""

    def __init__(self, root: Path, expand: Callable[[str], Iri], *, replace: bool = False) -> None:
        self._root = root
        self._expand = expand
        self._replace = replace

    def install(self, tried: CodecTrials, vendor: RepositoryVendor) -> list[Installation]:
        """A profile for each device of the codec that was tried."""
        codec = tried.codec
        why_not = _why_not(tried)
        passed = [one.example for one in tried.trials if one.verdict is Verdict.PASSED]
        draft = draft_mapping(_with_normalized(tried, list(_decoded(passed))))
        return [
            self._install(_Making(codec, device, vendor.name, draft, passed), _id(codec, device, vendor), why_not)
            for device in codec.devices
        ]

    def _install(self, making: "_Making", profile_id: str, why_not: str) -> Installation:
        folder = self._root / profile_id
        if not why_not and folder.exists() and not self._replace:
            why_not = "it is there already"
        if why_not:
            return Installation(profile_id, why_not=why_not)
        self._root.mkdir(parents=True, exist_ok=True)
        # Beside the profiles, not among them: whoever starts meanwhile finds whole ones only.
        with TemporaryDirectory(dir=self._root.parent, prefix=".profiles-") as beside:
            made = Path(beside) / profile_id
            _write(made, making)
            try:
                faults = check_profile(load_profile(made, self._expand))
            except InvalidProfile as error:
                faults = [error.detail]
            if faults:
                return Installation(profile_id, why_not=f"as a profile it does not hold: {faults[0][:200]}")
            if folder.exists():
                rmtree(folder)
            made.rename(folder)
        return Installation(profile_id, len(making.draft.rules))


def _why_not(tried: CodecTrials) -> str:
    if Routine.DECODE_UPLINK not in tried.codec.scripts:
        return "no uplink decoder"
    if tried.trials and not any(one.verdict is Verdict.PASSED for one in tried.trials):
        return "none of its examples passes"
    return ""


def _id(codec: RepositoryCodec, device: RepositoryDevice, vendor: RepositoryVendor) -> str:
    """A device that has several codecs, for versions of it, is several profiles."""
    served_by = [one.id for one in vendor.codecs if device in one.devices]
    name = f"{vendor.id}-{device.id}"
    if len(served_by) > 1:
        name += "-" + codec.id.removesuffix("-codec").removeprefix(f"{device.id}-")
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")


def _decoded(passed: list[CodecExample]) -> Iterator[dict[str, Any]]:
    for example in passed:
        if example.routine is Routine.DECODE_UPLINK and isinstance(example.expected, dict):
            data = example.expected.get("data")
            if isinstance(data, dict) and not example.expected.get("errors"):
                yield data


def _with_normalized(tried: CodecTrials, decoded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The data with what the codec makes of them in fixed terms and units, where it does."""
    script = tried.codec.scripts.get(Routine.DECODE_UPLINK)
    if script is None or not decoded:
        return decoded
    codec = Codec(read_script(script.path))
    if not codec.has(Routine.NORMALIZE_UPLINK):
        return decoded
    return [{**data, NORMALIZED: _normalized(codec, data)} for data in decoded]


def _normalized(codec: Codec, data: dict[str, Any]) -> Any:
    answer = codec.call(Routine.NORMALIZE_UPLINK, {"data": data})
    normalized = None if isinstance(answer, CodecFailure) else json.loads(answer).get("data")
    if isinstance(normalized, list):
        return normalized[0] if len(normalized) == 1 else None
    return normalized


class _Making(msgspec.Struct, frozen=True):
    codec: RepositoryCodec
    device: RepositoryDevice
    vendor_name: str
    draft: Draft
    passed: list[CodecExample]


def _write(folder: Path, making: _Making) -> None:
    folder.mkdir()
    codec = making.codec
    decoder = codec.scripts[Routine.DECODE_UPLINK].path
    encoder = _encoder(codec)
    has_encoder = encoder is not None and encoder != decoder and encoder.is_file()
    (folder / CODEC_FILE).write_text(read_script(decoder), encoding="utf-8")
    if has_encoder and encoder is not None:
        (folder / ENCODER_FILE).write_text(read_script(encoder), encoding="utf-8")
    (folder / EXAMPLES_FILE).write_text(_examples(making.passed), encoding="utf-8")
    (folder / PROFILE_FILE).write_text(_profile(folder.name, making, has_encoder), encoding="utf-8")


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


def _profile(profile_id: str, making: _Making, has_encoder: bool) -> str:
    codec, device, draft = making.codec, making.device, making.draft
    lines = [
        f"# From The Things Network's device repository: vendor/{codec.vendor}/{codec.id}.yaml.",
        "# Attributes were guessed from names and values of the examples: look at them before they are used.",
        "",
        "[profile]",
        f"id = {quoted(profile_id)}",
        f"name = {quoted(device.name)}",
        f"vendor = {quoted(making.vendor_name)}",
        f"model = {quoted(device.id)}",
        f"entity_type = {quoted(draft.entity_type)}",
        f"codec = {quoted(CODEC_FILE)}",
    ]
    if draft.is_normalized:
        lines.append("normalized = true")
    if has_encoder:
        lines.append(f"encoder = {quoted(ENCODER_FILE)}")
    if not draft.rules:
        lines.insert(3, "attribute = []")
    for rule in draft.rules:
        lines += ["", *rule_lines(rule)]
    lines += ["", *_left_out(draft.unmapped)]
    return "\n".join(lines).rstrip() + "\n"


def _left_out(unmapped: tuple[Leaf, ...]) -> Iterator[str]:
    if unmapped:
        yield "# Numbers of the examples that no attribute was guessed for:"
    for leaf in unmapped[:_UNMAPPED_SHOWN]:
        yield f"#   {leaf.path.encode('unicode_escape').decode()} = {leaf.values[0]:.10g}"
