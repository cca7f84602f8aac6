"""What is written in CoAP messages, without I/O: CBOR, SenML, LwM2M TLV and JSON, lists of links."""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import cbor2
import msgspec

from parvis.connectors.coap.ipso import OBJECTS, SENSOR_VALUE, Path
from parvis.kernel.errors import Detailed
from parvis.kernel.time import SECOND, Instant

TEXT, LINKS, BYTES, JSON, CBOR = 0, 40, 42, 50, 60
SENML_JSON, SENML_CBOR = 110, 112
TLV, LWM2M_JSON = 11_542, 11_543
_RELATIVE_BELOW_S = 2**28
"""SenML times below it count from now (RFC 8428, 4.5.3)."""
_MOST_VALUES = 10_000
_DEEPEST = 32
_LARGEST_WHOLE = 2**63
_SENML_LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs"} | dict(
    enumerate(("n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"))
)
_LINK = re.compile(r"<(/[^<>\s]{0,100})>")
_WHOLE_RESOURCES = frozenset({(3, 9), *((one, 5500) for one in (3200, 3302))})


class MalformedContent(Detailed):
    pass


class Reading(msgspec.Struct, frozen=True):
    """One SenML record resolved; `at` is None where it says no time."""

    name: str
    value: Any
    at: Instant | None = None


def decode_cbor(body: bytes) -> Any:
    """As JSON would have it: bytes in hexadecimal, moments as text."""
    try:
        return _plain(cbor2.loads(body, max_depth=_DEEPEST), _Budget(_MOST_VALUES))
    except MalformedContent:
        raise
    except Exception as fault:  # whatever a tag's decoder meets in hostile content
        raise MalformedContent(f"no CBOR: {str(fault)[:100]}") from None


class _Budget:
    """Parts that are shared may be few bytes and many values."""

    def __init__(self, values: int) -> None:
        self._left = values

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise MalformedContent(f"more than {_MOST_VALUES} values")


def _plain(value: Any, budget: _Budget, depth: int = 0) -> Any:
    budget.take()
    if depth > _DEEPEST:
        raise MalformedContent("nested too deeply")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < _LARGEST_WHOLE else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(name)[:200]: _plain(one, budget, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one, budget, depth + 1) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)[:200]


def encode_cbor(value: Any) -> bytes:
    return cbor2.dumps(value)


def decode_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise MalformedContent(f"no JSON: {str(fault)[:100]}") from None


def decode_senml(body: bytes, content_format: int, now: Instant) -> list[Reading]:
    """The pack's records resolved (RFC 8428, 4.6)."""
    records: Any
    if content_format == SENML_CBOR:
        pack = decode_cbor(body)
        labels = {str(number): name for number, name in _SENML_LABELS.items()}
        records = [
            {labels.get(name, name): value for name, value in one.items()} if isinstance(one, dict) else one
            for one in (pack if isinstance(pack, list) else [])
        ]
    else:
        records = decode_json(body)
    if not isinstance(records, list) or not records or not all(isinstance(one, dict) for one in records):
        raise MalformedContent("a SenML pack is an array of records")
    return list(_resolve(records, now))


def _resolve(records: list[dict[str, Any]], now: Instant) -> Iterator[Reading]:
    base_name, base_time, base_value = "", 0.0, 0.0
    for record in records:
        base_name = _text(record.get("bn", base_name))
        base_time = _number(record.get("bt", base_time))
        base_value = _number(record.get("bv", base_value))
        name = base_name + _text(record.get("n", ""))
        value = _value(record, base_value)
        if value is None:
            continue
        if not name:
            raise MalformedContent("a SenML record without a name")
        time_s = base_time + _number(record.get("t", 0.0))
        yield Reading(name, value, _moment(time_s, now) if time_s or "t" in record or base_time else None)


def _value(record: Mapping[str, Any], base_value: float) -> Any:
    if "v" in record:
        value = record["v"]
        return _number(value) + base_value if base_value else value
    return next((record[name] for name in ("vs", "vb", "vd") if name in record), None)


def _moment(time_s: float, now: Instant) -> Instant:
    if abs(time_s) >= _LARGEST_WHOLE / SECOND:
        raise MalformedContent(f"{time_s:g} is no time")
    offset = round(time_s * SECOND)
    return now + offset if time_s < _RELATIVE_BELOW_S else offset


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedContent("a SenML name is text")
    return value[:200]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MalformedContent("a SenML number is a number")
    return value


def to_documents(readings: list[Reading]) -> list[dict[str, Any]]:
    """Readings of the same sender and moment together, as a mapping reads documents. The name's last part, after `/` or
    `:`, is the field; the part before it, if any, names the sender."""
    documents: dict[tuple[str, Instant | None], dict[str, Any]] = {}
    for one in readings:
        cut = max(one.name.rfind("/"), one.name.rfind(":")) + 1
        sender = one.name[:cut].rstrip("/:").rpartition("/")[2].rpartition(":")[2]
        document = documents.setdefault((sender, one.at), {"values": {}})
        document["values"][one.name[cut:] or "value"] = one.value
        if sender:
            document["device"] = sender
        if one.at is not None:
            document["timestamp"] = one.at
    return list(documents.values())


def by_moment(readings: list[Reading]) -> dict[Instant | None, dict[Path, Any]]:
    """Readings whose names are paths of LwM2M. Raises MalformedContent."""
    moments: dict[Instant | None, dict[Path, Any]] = {}
    for one in readings:
        moments.setdefault(one.at, {})[_path(one.name)] = one.value
    return moments


def decode_values(body: bytes, content_format: int | None, path: Path, now: Instant) -> dict[Path, Any]:
    """What an LwM2M device tells of `path`, by the path of each resource.

    Raises:
        MalformedContent: it is none of text, opaque, TLV, SenML (LwM2M 1.1) and LwM2M 1.0's JSON.
    """
    match content_format:
        case None | 0:
            return {path: _of_text(body)}
        case 11_542 if path:
            return dict(_tlv_values(body, path))
        case 110 | 112:
            assert content_format is not None
            return {_path(one.name): one.value for one in decode_senml(body, content_format, now)}
        case 11_543:
            return _of_lwm2m_json(body)
        case other:
            raise MalformedContent(f"content of format {other} is not read")


def _of_text(body: bytes) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedContent("text that is not UTF-8") from None
    try:
        number = float(text)
    except ValueError:
        return text[:1000]
    return number if math.isfinite(number) else text[:1000]


def _of_lwm2m_json(body: bytes) -> dict[Path, Any]:
    """`{"bn": "/3303/0/", "e": [{"n": "5700", "v": 21.5}]}` (LwM2M 1.0, 6.4.4)."""
    document = decode_json(body)
    elements = document.get("e") if isinstance(document, dict) else None
    if not isinstance(elements, list) or not all(isinstance(one, dict) for one in elements):
        raise MalformedContent("LwM2M's JSON has an array e")
    base = _text(document.get("bn", ""))
    values = {}
    for one in elements:
        value = next((one[name] for name in ("v", "sv", "bv", "ov") if name in one), None)
        if value is not None:
            values[_path(base + _text(one.get("n", "")))] = value
    return values


def _path(name: str) -> Path:
    parts = [one for one in name.split("/") if one]
    if not parts or not all(one.isascii() and one.isdigit() and len(one) <= 5 for one in parts):
        raise MalformedContent(f"{name[:60]!r} is no path")
    return tuple(map(int, parts))


def decode_links(body: bytes) -> list[Path]:
    """Object instances of a registration (RFC 6690 with LwM2M's paths); other links are passed over."""
    text = body.decode("utf-8", "replace")
    paths: list[Path] = []
    for found in _LINK.finditer(text):
        parts = [one for one in found[1].split("/") if one]
        if len(parts) >= 2 and all(one.isascii() and one.isdigit() and len(one) <= 5 for one in parts[-2:]):
            paths.append((int(parts[-2]), int(parts[-1])))
    return paths


_INSTANCE, _RESOURCE = 0, 3
"""Kinds of TLV records; resources with several instances are no readings here."""


def _tlv_values(body: bytes, path: Path) -> Iterator[tuple[Path, Any]]:
    """LwM2M 1.0, 6.4.3: a value has no type on the wire; the resource says which."""
    for kind, identifier, value in _tlv(body):
        if kind == _INSTANCE:
            yield from _tlv_values(value, (path[0], identifier))
        elif kind == _RESOURCE:
            object_id, instance = (*path, 0)[:2]
            yield (object_id, instance, identifier), _typed(object_id, identifier, value)


def _tlv(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(body):
        head = body[at]
        id_bytes = 2 if head & 0x20 else 1
        length_bytes = head >> 3 & 3
        start = at + 1 + id_bytes + length_bytes
        if start > len(body):
            raise MalformedContent("a TLV record ends within its head")
        identifier = int.from_bytes(body[at + 1 : at + 1 + id_bytes])
        length = int.from_bytes(body[at + 1 + id_bytes : start]) if length_bytes else head & 7
        if start + length > len(body):
            raise MalformedContent("a TLV record is longer than its content")
        yield head >> 6, identifier, body[start : start + length]
        at = start + length


def _typed(object_id: int, resource: int, value: bytes) -> Any:
    """Readings are floats of 4 or 8 bytes; states and percents whole numbers."""
    if (object_id, resource) in _WHOLE_RESOURCES:
        return int.from_bytes(value, signed=True)
    if resource in OBJECTS.get(object_id, {}) or resource == SENSOR_VALUE:
        if len(value) not in (4, 8):
            raise MalformedContent(f"a reading of {len(value)} bytes")
        (number,) = struct.unpack(">f" if len(value) == 4 else ">d", value)
        if not math.isfinite(number):
            raise MalformedContent("a reading that is no number")
        return float(f"{number:.7g}") if len(value) == 4 else number
    return value.hex()
