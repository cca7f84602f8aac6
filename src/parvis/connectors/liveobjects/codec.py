"""Data messages of Orange Live Objects from its LoRa connector (developer guide, "Data message" and "LoRa")."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from parvis.fleet.model.delivery import Message
from parvis.fleet.model.events import Delivery, DeliveryReport, DeviceLocated, Told
from parvis.fleet.model.uplink import EUI, Technology, Uplink, plain_hardware_id
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import Instant, from_datetime

WAY = "liveobjects"
LARGEST_PAYLOAD_BYTES = 1024
_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Location(msgspec.Struct, frozen=True):
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] = 0
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] = 0
    accuracy: float | None = None
    provider: _Text = ""


class _Lora(msgspec.Struct, frozen=True):
    dev_eui: Annotated[str, msgspec.Meta(pattern=EUI)] = msgspec.field(name="devEUI")
    port: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    fcnt: _Count = 0
    rssi: float | None = None
    snr: float | None = None
    sf: Annotated[int, msgspec.Meta(ge=0, le=12)] = 0
    gateways: _Count = msgspec.field(default=1, name="gatewayCnt")
    frequency_mhz: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = msgspec.field(default=0, name="frequency")
    ack: bool = False
    location: _Location | None = None


class _Network(msgspec.Struct, frozen=True):
    lora: _Lora | None = None


class _Metadata(msgspec.Struct, frozen=True):
    connector: _Text = ""
    encoding: _Text = ""
    network: _Network = _Network()


class _DataMessage(msgspec.Struct, frozen=True):
    metadata: _Metadata
    timestamp: _Moment | None = None
    value: dict[str, Any] = {}


_read = msgspec.json.Decoder(_DataMessage).decode


def read_message(message: Message) -> list[Told]:
    """Raises MalformedMessage."""
    return decode_message(message.payload, message.received_at)


def decode_message(payload: bytes, received_at: Instant) -> list[Told]:
    """The frame of a data message and what comes with it; nothing of messages of other connectors.

    Raises:
        MalformedMessage: it is no data message.
    """
    try:
        message = _read(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(str(error)) from None
    lora = message.metadata.network.lora
    if lora is None:
        return []
    at = received_at if message.timestamp is None else from_datetime(message.timestamp)
    told: list[Told] = [_uplink(message, lora, at)]
    if lora.ack:
        told.append(DeliveryReport("", _eui(lora), Delivery.ACKNOWLEDGED, at))
    if lora.location is not None and (lora.location.lat or lora.location.lon):
        place = lora.location
        told.append(DeviceLocated(_eui(lora), at, place.lon, place.lat, place.accuracy, place.provider or "lora"))
    return told


def _eui(lora: _Lora) -> str:
    return plain_hardware_id(lora.dev_eui)


def _uplink(message: _DataMessage, lora: _Lora, at: Instant) -> Uplink:
    payload, fields = _content(message)
    return Uplink(
        _eui(lora),
        payload,
        lora.port,
        lora.fcnt,
        at,
        rssi_dbm=lora.rssi,
        snr_db=lora.snr,
        gateways=lora.gateways,
        spreading_factor=lora.sf,
        fields=fields,
        technology=Technology.LORAWAN,
        way=WAY,
        frequency_hz=round(lora.frequency_mhz * 1_000_000),
        route="device",
    )


def _content(message: _DataMessage) -> tuple[bytes, dict[str, Any] | None]:
    """The frame as hexadecimal digits; or, where Live Objects has decoded it, the fields that it found."""
    digits = message.value.get("payload")
    if isinstance(digits, str):
        try:
            payload = bytes.fromhex(digits)
        except ValueError:
            raise MalformedMessage("value.payload is no hexadecimal") from None
        if len(payload) > LARGEST_PAYLOAD_BYTES:
            raise MalformedMessage(f"value.payload has more than {LARGEST_PAYLOAD_BYTES} bytes")
        return payload, None
    if not message.metadata.encoding:
        return b"", None
    written = msgspec.json.encode(message.value)
    if len(written) > LARGEST_PAYLOAD_BYTES * 4:
        raise MalformedMessage("value is too large")
    return written, message.value


def encode_command(f_port: int, payload: bytes, expires_in_s: int, *, is_confirmed: bool) -> bytes:
    """The body of a command to a LoRa device."""
    value: dict[str, Any] = {"data": payload.hex(), "port": f_port, "confirmed": is_confirmed}
    document = {
        "request": {"connector": "lora", "value": value},
        "policy": {"expirationInSeconds": expires_in_s, "ackMode": "NONE"},
    }
    return msgspec.json.encode(document)
