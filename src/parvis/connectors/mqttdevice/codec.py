"""What a device that speaks MQTT says, and what it is told."""

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any

import msgspec

from parvis.fleet.commands.downlink import Order
from parvis.fleet.model.events import Delivery, DeliveryReport
from parvis.fleet.model.uplink import NO_COUNTER, Uplink, plain_hardware_id
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import Instant, from_datetime

WAY = "mqttdevice"
LARGEST_PAYLOAD_BYTES = 65_536
MOST_AT_ONCE = 1000
DEFAULT_PORT = 1
_LARGEST_FRAME_BYTES = 1024
_HIGHEST_PORT = 223
_ROUTE = "down"
"""The level of its own topic on which a device hears."""
_Fields = dict[str, Any]
_Counter = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Measured(msgspec.Struct, forbid_unknown_fields=True):
    """One set of readings. `time` is the device's own clock, `counter` makes sending it again harmless."""

    fields: _Fields
    time: _Moment | None = None
    counter: _Counter | None = None


class _Outcome(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(max_length=64)]
    state: Delivery
    detail: Annotated[str, msgspec.Meta(max_length=300)] = ""


_read_object = msgspec.json.Decoder(_Fields).decode
_read_several = msgspec.json.Decoder(Annotated[list[_Measured], msgspec.Meta(max_length=MOST_AT_ONCE)]).decode
_read_outcome = msgspec.json.Decoder(_Outcome).decode


def decode_up(topic: str, payload: bytes, received_at: Instant) -> list[Uplink]:
    """Of `device/<hardware_id>/up`: a JSON object, an array of such with their times, or bytes for the profile's codec.

    Raises:
        MalformedMessage
    """
    hardware_id = hardware_id_of(topic)
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        raise MalformedMessage(f"a message of {len(payload)} bytes: {LARGEST_PAYLOAD_BYTES} are taken")
    begin = payload.lstrip()[:1]
    try:
        if begin == b"{":
            return [_uplink(hardware_id, payload, received_at, _measured_of(_read_object(payload)))]
        if begin == b"[":
            return [_uplink(hardware_id, payload, received_at, one) for one in _read_several(payload)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None
    return [_frame(hardware_id, payload, DEFAULT_PORT, received_at)]


def decode_frame(topic: str, payload: bytes, received_at: Instant) -> list[Uplink]:
    """Of `device/<hardware_id>/up/<port>`: bytes for the profile's codec. Raises MalformedMessage."""
    port = topic.rpartition("/")[2]
    if not (port.isascii() and port.isdigit() and len(port) <= 3 and 1 <= int(port) <= _HIGHEST_PORT):
        raise MalformedMessage(f"the port of a frame is 1 to {_HIGHEST_PORT}, not {port[:20]!r}")
    return [_frame(hardware_id_of(topic), payload, int(port), received_at)]


def decode_outcome(topic: str, payload: bytes, received_at: Instant) -> DeliveryReport:
    """Of `device/<hardware_id>/ack`: what became of a command. Raises MalformedMessage."""
    try:
        outcome = _read_outcome(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None
    return DeliveryReport(outcome.id, hardware_id_of(topic), outcome.state, received_at, outcome.detail)


def encode_command(order: Order) -> bytes:
    """For `device/<hardware_id>/down`."""
    return msgspec.json.encode(
        {
            "id": order.command_id,
            "port": order.f_port,
            "payload": b64encode(order.payload).decode(),
            "confirm": order.is_confirmed,
        }
    )


def hardware_id_of(topic: str) -> str:
    return plain_hardware_id(topic.split("/", 2)[1])


def _measured_of(given: _Fields) -> _Measured:
    """An object whose `fields` are an object says time and counter beside them; any other is the fields themselves."""
    if isinstance(given.get("fields"), dict):
        return msgspec.convert(given, _Measured)
    return _Measured(given)


def _uplink(hardware_id: str, payload: bytes, received_at: Instant, measured: _Measured) -> Uplink:
    return Uplink(
        hardware_id,
        payload[:_LARGEST_FRAME_BYTES],
        DEFAULT_PORT,
        NO_COUNTER if measured.counter is None else measured.counter,
        received_at,
        fields=measured.fields,
        measured_at=None if measured.time is None else from_datetime(measured.time),
        way=WAY,
        route=_ROUTE,
    )


def _frame(hardware_id: str, payload: bytes, f_port: int, received_at: Instant) -> Uplink:
    if len(payload) > _LARGEST_FRAME_BYTES:
        raise MalformedMessage(f"a frame of {len(payload)} bytes: {_LARGEST_FRAME_BYTES} are taken")
    return Uplink(hardware_id, payload, f_port, NO_COUNTER, received_at, way=WAY, route=_ROUTE)
