"""Examples of a connector's codec: a message as it comes, and what it must tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from parvis.fleet.codecs.examples import is_same
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.events import Told
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ways.intake import MalformedMessage, ReadMessage
from parvis.kernel.identity import system_caller
from parvis.kernel.time import SECOND, format_instant

EXAMPLES_FILE = "examples.json"
RECEIVED_AT = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z, of every example."""
_CALLER = system_caller("example")
_INSTANTS = ("at", "received_at", "measured_at")
_WHERE_NAMED = ("payload", "received_at")
"""Only compared where the example names them: of most frames they are those of the message."""


class _Example(msgspec.Struct, forbid_unknown_fields=True):
    """`payload` is text as it comes, or any other JSON to be written so; `payload_hex` is bytes. Times are ISO 8601.

    `refused` is to be found in the reason of the refusal.
    """

    description: Annotated[str, msgspec.Meta(min_length=1)]
    payload: Any = msgspec.UNSET
    payload_hex: str | msgspec.UnsetType = msgspec.UNSET
    topic: str = ""
    told: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    refused: str | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if (self.payload is msgspec.UNSET) is (self.payload_hex is msgspec.UNSET):
            raise ValueError("an example has either payload or payload_hex")
        if (self.told is msgspec.UNSET) is (self.refused is msgspec.UNSET):
            raise ValueError("an example has either told or refused")
        self.to_bytes()

    def to_bytes(self) -> bytes:
        if not isinstance(self.payload_hex, msgspec.UnsetType):
            return bytes.fromhex(self.payload_hex)
        return self.payload.encode() if isinstance(self.payload, str) else msgspec.json.encode(self.payload)


_read_examples = msgspec.json.Decoder(Annotated[list[_Example], msgspec.Meta(min_length=1)]).decode


def find_example_faults(document: bytes, read: ReadMessage) -> Iterator[str]:
    """Of `examples.json`, each run through the codec."""
    try:
        examples = _read_examples(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        yield f"{EXAMPLES_FILE}: {fault}"
        return
    for number, example in enumerate(examples, 1):
        if wrong := _try(example, read):
            yield f"{EXAMPLES_FILE}: {number} ({example.description}): {wrong}"


def count_examples(folder: Path) -> int:
    """Of a folder whose examples can be read."""
    path = folder / EXAMPLES_FILE
    return len(_read_examples(path.read_bytes())) if path.is_file() else 0


def _try(example: _Example, read: ReadMessage) -> str:
    """What is wrong; empty where it holds."""
    try:
        told = list(read(Message(_CALLER, example.topic, example.to_bytes(), RECEIVED_AT)))
    except MalformedMessage as refusal:
        if isinstance(example.refused, msgspec.UnsetType):
            return f"is refused: {refusal.detail}"
        return "" if example.refused in refusal.detail else f"is refused because {refusal.detail!r}"
    except Exception as fault:
        return f"the codec fails: {fault!r}"
    if isinstance(example.told, msgspec.UnsetType):
        return "is not refused"
    if len(told) != len(example.told):
        return f"tells {len(told)} things, expected {len(example.told)}"
    return "; ".join(filter(None, map(_difference, told, example.told)))


def _difference(told: Told, expected: dict[str, Any]) -> str:
    actual = _shown(told, expected)
    wrong = sorted(name for name in actual.keys() | expected.keys() if not _agrees(name, actual, expected))
    return ", ".join(f"{name}: {_value(actual, name)}, expected {_value(expected, name)}" for name in wrong)


def _shown(told: Told, expected: dict[str, Any]) -> dict[str, Any]:
    """`kind` is given of what is no frame; members that say nothing new are left out unless the example names them."""
    kind = type(told).__name__
    shown: dict[str, Any] = {"kind": kind} if "kind" in expected or not isinstance(told, Uplink) else {}
    for info in msgspec.structs.fields(told):
        value = getattr(told, info.name)
        if info.name in expected or (value != info.default and info.name not in _WHERE_NAMED):
            is_instant = info.name in _INSTANTS and value is not None
            shown[info.name] = format_instant(value) if is_instant else _as_json(value)
    return shown


def _as_json(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else msgspec.json.decode(msgspec.json.encode(value))


def _agrees(name: str, actual: dict[str, Any], expected: dict[str, Any]) -> bool:
    return name in actual and name in expected and is_same(actual[name], expected[name])


def _value(members: dict[str, Any], name: str) -> str:
    return repr(members[name]) if name in members else "nothing"
