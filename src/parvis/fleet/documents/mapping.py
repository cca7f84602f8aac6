"""From documents of any shape to frames, as a mapping states: who sends, when, and what.

A mapping is a folder `<id>/` with `mapping.toml`, whose examples must hold.
"""

import math
import tomllib
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from parvis.fleet.documents.expressions import Expression, ExpressionFailed, InvalidExpression
from parvis.fleet.model.uplink import HARDWARE_ID, NO_COUNTER, Technology, Uplink, plain_hardware_id
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import SECOND, Instant, from_datetime, parse_instant

PACKAGED_MAPPINGS = Path(__file__).parent / "packaged"
MAPPING_FILE = "mapping.toml"
MAPPINGS_FOLDER = "mappings"
LARGEST_PAYLOAD_BYTES = 4096
_EARLIEST = parse_instant("1990-01-01T00:00:00Z")
_LATEST = parse_instant("2200-01-01T00:00:00Z")
_LARGEST_COUNTER = 2**53
_UNITS = {"s": SECOND, "ms": 1000, "us": 1}


class InvalidDocumentMapping(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-document-mapping"
    title = "The mapping cannot be used"
    status = 400


class Unread(msgspec.Struct, frozen=True):
    """An item of a document that is no frame, and why."""

    detail: str


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`records` finds the items: an array of them, or one."""

    id: str
    name: str
    technology: Technology = Technology.UNKNOWN
    records: str = "@"


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each an expression over an item. `time` is the device's own, `received` the network's.

    With `payload` the codec of the device's profile reads the bytes; else `fields` is an object for its attribute
    rules, and without it the whole item is.
    """

    hardware_id: str = ""
    time: str = ""
    received: str = ""
    time_unit: Literal["auto", "s", "ms", "us"] = "auto"
    counter: str = ""
    port: str = ""
    payload: str = ""
    payload_encoding: Literal["hex", "base64"] = "hex"
    fields: str = ""
    rssi_dbm: str = ""
    snr_db: str = ""
    gateway: str = ""
    device_name: str = ""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not told is not compared."""

    hardware_id: str
    at: datetime | None = None
    counter: int | None = None
    payload: str | None = None
    fields: dict[str, Any] | None = None


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    document: str
    gives: tuple[Expected, ...]


class MappingDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mapping: Header
    item: Rules = Rules()
    example: tuple[Example, ...] = ()


_EXPRESSIONS = tuple(name for name in Rules.__struct_fields__ if name not in ("time_unit", "payload_encoding"))


class DocumentMapping:
    def __init__(self, document: MappingDocument) -> None:
        """Raises InvalidExpression."""
        self.id = document.mapping.id
        self.header = document.mapping
        self.examples = document.example
        self._rules = document.item
        self._records = Expression(document.mapping.records)
        self._expressions = {name: Expression(text) for name in _EXPRESSIONS if (text := getattr(document.item, name))}

    def find_items(self, document: Any) -> list[Any]:
        """Raises ExpressionFailed where the document is not of the shape that the mapping is for."""
        records = self._records.evaluate(document)
        if records is None:
            raise ExpressionFailed(f"the mapping {self.id} finds nothing in it")
        return records if isinstance(records, list) else [records]

    def read_item(self, item: Any, received_at: Instant, device: str = "", way: str = "") -> Uplink | Unread:
        """`device` sends an item that does not say who does."""
        try:
            found = {name: one.evaluate(item) for name, one in self._expressions.items()}
            return self._uplink(item, found, received_at, device, way)
        except ExpressionFailed as fault:
            return Unread(fault.detail)

    def _uplink(self, item: Any, found: dict[str, Any], received_at: Instant, device: str, way: str) -> Uplink:
        unit = self._rules.time_unit
        received = read_moment(found.get("received"), unit)
        payload, fields = self._content(item, found)
        return Uplink(
            _hardware_id(found.get("hardware_id"), device),
            payload,
            _whole(found.get("port"), "port", 255) or 0,
            NO_COUNTER if (counter := _whole(found.get("counter"), "counter")) is None else counter,
            received_at if received is None else received,
            rssi_dbm=_number(found.get("rssi_dbm")),
            snr_db=_number(found.get("snr_db")),
            gateway=_text(found.get("gateway")),
            device_name=_text(found.get("device_name")),
            fields=fields,
            measured_at=read_moment(found.get("time"), unit),
            technology=self.header.technology,
            way=way,
        )

    def _content(self, item: Any, found: dict[str, Any]) -> tuple[bytes, dict[str, Any] | None]:
        if self._rules.payload:
            return _payload(found["payload"], self._rules.payload_encoding), None
        fields = found["fields"] if self._rules.fields else item
        if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
            raise ExpressionFailed(f"{_shown(fields)} is no object of fields")
        return msgspec.json.encode(fields)[:LARGEST_PAYLOAD_BYTES], fields


def _hardware_id(value: Any, device: str) -> str:
    told = plain_hardware_id(_text(value))
    if value is not None and value != "" and not told:
        raise ExpressionFailed(f"{_shown(value)} is no hardware identifier")
    told = told or device
    if not told:
        raise ExpressionFailed("it does not say which device sends")
    if not HARDWARE_ID.fullmatch(told):
        raise ExpressionFailed(f"{_shown(told)} is no hardware identifier")
    return told


def _text(value: Any) -> str:
    return str(value)[:200] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _number(value: Any) -> float | None:
    try:
        number = None if value is None or isinstance(value, bool | list | dict) else float(value)
    except (ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _whole(value: Any, name: str, largest: int = _LARGEST_COUNTER) -> int | None:
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None or number != int(number) or not 0 <= number <= largest:
        raise ExpressionFailed(f"{_shown(value)} is no {name}")
    return int(number)


def read_moment(value: Any, unit: str = "auto") -> Instant | None:
    """Text in ISO 8601, where UTC is meant if no zone is told, or a number of seconds (or of `unit`) since 1970."""
    if value is None or value == "":
        return None
    number = _number(value)
    moment = _of_text(value) if number is None else _of_number(number, unit)
    if not _EARLIEST <= moment < _LATEST:
        raise ExpressionFailed(f"{_shown(value)} is no time of this age")
    return moment


def _of_number(number: float, unit: str) -> Instant:
    if abs(number) > _LARGEST_COUNTER:
        raise ExpressionFailed(f"{number:g} is no time of this age")
    if unit != "auto":
        return round(number * _UNITS[unit])
    size = abs(number)
    return round(number * (SECOND if size < 1e11 else 1000 if size < 1e14 else 1))


def _of_text(value: Any) -> Instant:
    try:
        moment = datetime.fromisoformat(value.strip().replace("/", "-"))
    except (AttributeError, ValueError):
        raise ExpressionFailed(f"{_shown(value)} is no time") from None
    return from_datetime(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _payload(value: Any, encoding: str) -> bytes:
    if value is None:
        return b""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # of digits only, in a form or a table
    try:
        payload = bytes.fromhex(value) if encoding == "hex" else b64decode(value, validate=True)
    except (TypeError, ValueError, NoBase64):
        raise ExpressionFailed(f"{_shown(value)} is no {encoding}") from None
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        raise ExpressionFailed(f"a payload of {len(payload)} bytes, more than {LARGEST_PAYLOAD_BYTES}")
    return payload


def _shown(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, str | int | float) else f"a value of kind {type(value).__name__}"


def load_mappings(roots: Iterable[Path]) -> dict[str, DocumentMapping]:
    """Every mapping below the folders that exist, by id; a later folder wins.

    Raises:
        InvalidDocumentMapping: one of them cannot be used.
    """
    mappings = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{MAPPING_FILE}")):
            mapping = load_mapping(path.parent)
            mappings[mapping.id] = mapping
    return mappings


def load_mapping(folder: Path) -> DocumentMapping:
    """Raises InvalidDocumentMapping, which names the file and what is wrong with it."""
    path = folder / MAPPING_FILE
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), MappingDocument)
        mapping = DocumentMapping(document)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidDocumentMapping(f"{path}: {error}") from error
    except InvalidExpression as error:
        raise InvalidDocumentMapping(f"{path}: {error.detail}") from error
    if mapping.id != folder.name:
        raise InvalidDocumentMapping(f"{path}: id {mapping.id!r} is not the folder's name")
    failures = [
        f"example {number}: {failure}"
        for number, one in enumerate(mapping.examples, 1)
        if (failure := _check_example(mapping, one))
    ]
    if failures:
        raise InvalidDocumentMapping(f"{path}: {'; '.join(failures)}")
    return mapping


def _check_example(mapping: DocumentMapping, example: Example) -> str:
    try:
        items = mapping.find_items(msgspec.json.decode(example.document))
    except (msgspec.DecodeError, ExpressionFailed) as fault:
        return str(fault)
    read = [mapping.read_item(item, 0) for item in items]
    if len(read) != len(example.gives):
        return f"{len(read)} items, expected {len(example.gives)}"
    return "; ".join(_differences(read, example.gives))


def _differences(read: Sequence[Uplink | Unread], expected: Sequence[Expected]) -> list[str]:
    differences = []
    for one, wanted in zip(read, expected, strict=True):
        if isinstance(one, Unread):
            differences.append(one.detail)
            continue
        pairs = [
            (one.hardware_id, wanted.hardware_id),
            (one.at, None if wanted.at is None else from_datetime(wanted.at)),
            (one.f_cnt, wanted.counter),
            (one.payload.hex(), wanted.payload),
            (one.fields, wanted.fields),
        ]
        differences += [f"{found!r}, expected {told!r}" for found, told in pairs if told is not None and found != told]
    return differences
