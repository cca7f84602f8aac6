"""ChirpStack's messages in the Protobuf wire form, read into what their JSON form says.

Wire form: "Encoding" of Google's Protocol Buffers documentation. Field numbers: the files integration.proto, gw.proto
and common.proto that ChirpStack publishes. Fields that are not listed are skipped.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

MOST_REPEATED = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class InvalidProtobuf(ValueError):
    pass


Value = int | bytes
Read = Callable[[Value], Any]


class Field(NamedTuple):
    """`wire` is the wire type that its values have; `most` of them are read, of several the last where it is 1."""

    name: str
    wire: int
    read: Read
    most: int = 1
    is_map: bool = False


Schema = Mapping[int, Field]


def read_message(body: bytes, schema: Schema) -> dict[str, Any]:
    """The fields of a message by the names of the JSON form. Raises InvalidProtobuf."""
    document: dict[str, Any] = {}
    for number, wire, value in _list_fields(body):
        field = schema.get(number)
        if field is None:
            continue
        if field.wire != wire:
            raise InvalidProtobuf(f"field {number} is of another type")
        _put(document, field, field.read(value))
    return document


def _put(document: dict[str, Any], field: Field, value: Any) -> None:
    if field.most == 1:
        document[field.name] = value
        return
    held = document.setdefault(field.name, {} if field.is_map else [])
    if len(held) == field.most:
        raise InvalidProtobuf(f"{field.name} comes more than {field.most} times")
    if field.is_map:
        held[value.get("key", "")] = value.get("value", "")
    else:
        held.append(value)


def _list_fields(body: bytes) -> Iterator[tuple[int, int, Value]]:
    at = 0
    while at < len(body):
        key, at = _read_varint(body, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _read_varint(body, at)
            yield key >> 3, wire, value
            continue
        size, at = _size_of(wire, body, at)
        if at + size > len(body):
            raise InvalidProtobuf("it ends within a field")
        yield key >> 3, wire, body[at : at + size]
        at += size


def _size_of(wire: int, body: bytes, at: int) -> tuple[int, int]:
    if wire == _LENGTH:
        return _read_varint(body, at)
    if wire == _FIXED_64:
        return 8, at
    if wire == _FIXED_32:
        return 4, at
    raise InvalidProtobuf(f"there is no wire type {wire} here")


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(body[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise InvalidProtobuf("a number does not end")


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise InvalidProtobuf("a text is no UTF-8") from None


def _signed(value: Value) -> int:
    """int32 and int64: two's complement in 64 bits."""
    assert isinstance(value, int)
    return value - (1 << 64) if value >> 63 & 1 else value & ((1 << 64) - 1)


def _float(value: Value) -> float:
    return float(struct.unpack("<f", _bytes(value))[0])


def _double(value: Value) -> float:
    return float(struct.unpack("<d", _bytes(value))[0])


def _moment(value: Value) -> datetime:
    """google.protobuf.Timestamp."""
    parts = read_message(_bytes(value), {1: Field("s", _VARINT, _signed), 2: Field("ns", _VARINT, _signed)})
    try:
        return _EPOCH + timedelta(seconds=parts.get("s", 0), microseconds=round(parts.get("ns", 0) / 1000))
    except OverflowError:
        raise InvalidProtobuf("a time is beyond all calendars") from None


def _message(schema: Schema) -> Read:
    return lambda value: read_message(_bytes(value), schema)


def _choice(*names: str) -> Read:
    """Of an enumeration the name; the number of one that is newer than this list."""
    return lambda value: names[value] if isinstance(value, int) and value < len(names) else str(value)


def text(name: str) -> Field:
    return Field(name, _LENGTH, _text)


def blob(name: str) -> Field:
    return Field(name, _LENGTH, _bytes)


def number(name: str) -> Field:
    return Field(name, _VARINT, _signed)


def flag(name: str) -> Field:
    return Field(name, _VARINT, bool)


def single(name: str) -> Field:
    return Field(name, _FIXED_32, _float)


def double(name: str) -> Field:
    return Field(name, _FIXED_64, _double)


def moment(name: str) -> Field:
    return Field(name, _LENGTH, _moment)


def choice(name: str, *names: str) -> Field:
    return Field(name, _VARINT, _choice(*names))


def message(name: str, schema: Schema) -> Field:
    return Field(name, _LENGTH, _message(schema))


def messages(name: str, schema: Schema) -> Field:
    return Field(name, _LENGTH, _message(schema), MOST_REPEATED)


def text_map(name: str) -> Field:
    """map<string, string>, on the wire a repeated message of key and value; the JSON form has one object."""
    return Field(name, _LENGTH, _message({1: text("key"), 2: text("value")}), MOST_REPEATED, is_map=True)


_DEVICE = message(
    "deviceInfo",
    {
        3: text("applicationId"),
        6: text("deviceProfileName"),
        7: text("deviceName"),
        8: text("devEui"),
        10: choice("deviceClassEnabled", "CLASS_A", "CLASS_B", "CLASS_C"),
    },
)
_SOURCES = ("UNKNOWN", "GPS", "CONFIG", *(f"GEO_RESOLVER_{way}" for way in ("TDOA", "RSSI", "GNSS", "WIFI")))
_LOCATION = message(
    "location", {1: double("latitude"), 2: double("longitude"), 4: choice("source", *_SOURCES), 5: single("accuracy")}
)
_LOG_CODES = (
    *("UNKNOWN", "DOWNLINK_PAYLOAD_SIZE", "UPLINK_CODEC", "DOWNLINK_CODEC", "OTAA", "UPLINK_F_CNT_RESET", "UPLINK_MIC"),
    *("UPLINK_F_CNT_RETRANSMISSION", "DOWNLINK_GATEWAY", "RELAY_NEW_END_DEVICE", "F_CNT_DOWN", "EXPIRED"),
)
_TIME = moment("time")
_EVENT: Schema = {2: _TIME, 3: _DEVICE}
_LORA = message("lora", {1: number("bandwidth"), 2: number("spreadingFactor")})
UPLINK: Schema = {
    **_EVENT,
    4: text("devAddr"),
    6: number("dr"),
    7: number("fCnt"),
    8: number("fPort"),
    10: blob("data"),
    12: messages("rxInfo", {1: text("gatewayId"), 6: number("rssi"), 7: single("snr"), 12: _LOCATION}),
    13: message("txInfo", {1: number("frequency"), 2: message("modulation", {3: _LORA})}),
}
JOIN: Schema = {**_EVENT, 4: text("devAddr")}
STATUS: Schema = {
    **_EVENT,
    5: number("margin"),
    6: flag("externalPowerSource"),
    7: flag("batteryLevelUnavailable"),
    8: single("batteryLevel"),
}
ACK: Schema = {**_EVENT, 4: text("queueItemId"), 5: flag("acknowledged")}
TX_ACK: Schema = {**_EVENT, 4: text("queueItemId"), 6: text("gatewayId")}
LOCATION: Schema = {**_EVENT, 4: _LOCATION}
LOG: Schema = {
    1: _TIME,
    2: _DEVICE,
    3: choice("level", "INFO", "WARNING", "ERROR"),
    4: choice("code", *_LOG_CODES),
    5: text("description"),
    6: text_map("context"),
}
GATEWAY_STATS: Schema = {
    2: _TIME,
    3: _LOCATION,
    5: number("rxPacketsReceived"),
    6: number("rxPacketsReceivedOk"),
    8: number("txPacketsEmitted"),
    17: text("gatewayId"),
}
