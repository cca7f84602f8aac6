"""ChirpStack v4's events (package integration) in the proto3 JSON form, which leaves out defaults, or as Protobuf."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from parvis.connectors.chirpstack import protobuf
from parvis.fleet.model.events import (
    Delivery,
    DeliveryReport,
    DeviceFault,
    DeviceJoined,
    DeviceLocated,
    DeviceStatus,
    GatewayStats,
    Told,
)
from parvis.fleet.model.uplink import EUI, MOST_RECEPTIONS, Reception, Technology, Uplink, plain_hardware_id
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import Instant, from_datetime

WAY = "chirpstack"
LARGEST_PAYLOAD_BYTES = 1024
"""LoRaWAN carries 242 at most. What is refused is kept, so nothing in an event may be of any size."""
_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Eui = Annotated[str, msgspec.Meta(pattern=EUI)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class _DeviceInfo(msgspec.Struct, frozen=True, rename="camel"):
    dev_eui: _Eui
    device_name: _Text = ""
    device_profile_name: _Text = ""
    application_id: _Text = ""
    device_class_enabled: _Text = "CLASS_A"


class _Location(msgspec.Struct, frozen=True, rename="camel"):
    latitude: _Latitude = 0
    longitude: _Longitude = 0
    accuracy: float = 0
    source: _Text = ""

    @property
    def is_known(self) -> bool:
        """A gateway without a place has one of zeros."""
        return bool(self.latitude or self.longitude)


class _RxInfo(msgspec.Struct, frozen=True, rename="camel"):
    gateway_id: _Text = ""
    rssi: float = 0
    snr: float = 0
    location: _Location | None = None


class _Lora(msgspec.Struct, frozen=True, rename="camel"):
    bandwidth: _Count = 0
    spreading_factor: Annotated[int, msgspec.Meta(ge=0, le=12)] = 0


class _Modulation(msgspec.Struct, frozen=True):
    lora: _Lora = _Lora()


class _TxInfo(msgspec.Struct, frozen=True):
    frequency: _Count = 0
    modulation: _Modulation = _Modulation()


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    device_info: _DeviceInfo
    time: _Moment | None = None


class _UplinkEvent(_Event, frozen=True, rename="camel"):
    dev_addr: _Text = ""
    dr: _Count = 0
    f_cnt: _Count = 0
    f_port: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    data: Annotated[bytes, msgspec.Meta(max_length=LARGEST_PAYLOAD_BYTES)] = b""
    rx_info: Annotated[list[_RxInfo], msgspec.Meta(max_length=protobuf.MOST_REPEATED)] = []
    tx_info: _TxInfo = _TxInfo()


class _JoinEvent(_Event, frozen=True, rename="camel"):
    dev_addr: _Text = ""


class _StatusEvent(_Event, frozen=True, rename="camel"):
    margin: int = 0
    external_power_source: bool = False
    battery_level_unavailable: bool = False
    battery_level: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0


class _AckEvent(_Event, frozen=True, rename="camel"):
    queue_item_id: _Text = ""
    acknowledged: bool = False


class _TxAckEvent(_Event, frozen=True, rename="camel"):
    queue_item_id: _Text = ""
    gateway_id: _Text = ""


class _LogEvent(_Event, frozen=True, rename="camel"):
    level: _Text = "INFO"
    code: _Text = "UNKNOWN"
    description: str = ""
    context: dict[str, str] = {}


class _LocationEvent(_Event, frozen=True, rename="camel", kw_only=True):
    location: _Location


class _GatewayStats(msgspec.Struct, frozen=True, rename="camel"):
    gateway_id: _Eui
    time: _Moment | None = None
    location: _Location = _Location()
    rx_packets_received: _Count = 0
    rx_packets_received_ok: _Count = 0
    tx_packets_emitted: _Count = 0


_Document = TypeVar("_Document", bound=msgspec.Struct)
_LOST_DOWNLINKS = frozenset({"DOWNLINK_PAYLOAD_SIZE", "F_CNT_DOWN", "EXPIRED"})
"""Codes of a log event that mean the end of the downlink named in its context."""
_LONGEST_DETAIL = 200


def decode_event(kind: str, payload: bytes, received_at: Instant) -> list[Told]:
    """What an event of this kind tells; nothing where it is of no use here. `received_at` stands in for a lacking time.

    Raises:
        MalformedMessage: it is no such event.
    """
    reader = _READERS.get(kind)
    return [] if reader is None else reader(payload, received_at)


def decode_gateway_stats(payload: bytes, received_at: Instant) -> list[Told]:
    """A gateway's report (gw.GatewayStats). Raises MalformedMessage."""
    stats = _gateway_stats.read(payload)
    place = stats.location
    return [
        GatewayStats(
            plain_hardware_id(stats.gateway_id),
            received_at if stats.time is None else from_datetime(stats.time),
            stats.rx_packets_received,
            stats.rx_packets_received_ok,
            stats.tx_packets_emitted,
            place.longitude if place.is_known else None,
            place.latitude if place.is_known else None,
        )
    ]


def decode_uplink(payload: bytes, received_at: Instant) -> Uplink:
    """The frame of an `up` event. Raises MalformedMessage."""
    event = _uplink.read(payload)
    device, lora = event.device_info, event.tx_info.modulation.lora
    receptions = _receptions(event.rx_info)
    best = receptions[0] if receptions else Reception("")
    return Uplink(
        plain_hardware_id(device.dev_eui),
        event.data,
        event.f_port,
        event.f_cnt,
        _time(event, received_at),
        event.dev_addr,
        best.rssi_dbm,
        best.snr_db,
        best.gateway,
        device.device_name,
        device.device_profile_name,
        len(event.rx_info),
        lora.spreading_factor,
        technology=Technology.LORAWAN,
        way=WAY,
        receptions=receptions,
        frequency_hz=event.tx_info.frequency,
        bandwidth_hz=lora.bandwidth,
        data_rate=event.dr,
        device_class=device.device_class_enabled.removeprefix("CLASS_"),
        route=device.application_id,
    )


def _receptions(heard: list[_RxInfo]) -> tuple[Reception, ...]:
    """The best first."""
    ordered = heard if len(heard) < 2 else sorted(heard, key=lambda one: one.rssi, reverse=True)[:MOST_RECEPTIONS]
    return tuple(map(_reception, ordered))


def _reception(heard: _RxInfo) -> Reception:
    gateway, place = plain_hardware_id(heard.gateway_id), heard.location
    if place is None or not place.is_known:
        return Reception(gateway, heard.rssi, heard.snr)
    return Reception(gateway, heard.rssi, heard.snr, place.longitude, place.latitude)


def _up(payload: bytes, received_at: Instant) -> list[Told]:
    return [decode_uplink(payload, received_at)]


def _joined(payload: bytes, received_at: Instant) -> list[Told]:
    event = _join.read(payload)
    return [DeviceJoined(_eui(event), _time(event, received_at), event.dev_addr)]


def _status(payload: bytes, received_at: Instant) -> list[Told]:
    event = _device_status.read(payload)
    has_level = not event.battery_level_unavailable and not event.external_power_source
    level = round(event.battery_level / 100, 4) if has_level else None
    return [DeviceStatus(_eui(event), _time(event, received_at), level, event.margin, event.external_power_source)]


def _acknowledged(payload: bytes, received_at: Instant) -> list[Told]:
    event = _ack.read(payload)
    if not event.queue_item_id:
        return []
    delivery = Delivery.ACKNOWLEDGED if event.acknowledged else Delivery.FAILED
    detail = "" if event.acknowledged else "the device did not acknowledge"
    return [DeliveryReport(event.queue_item_id, _eui(event), delivery, _time(event, received_at), detail)]


def _transmitted(payload: bytes, received_at: Instant) -> list[Told]:
    event = _tx_ack.read(payload)
    if not event.queue_item_id:
        return []
    at = _time(event, received_at)
    return [
        DeliveryReport(event.queue_item_id, _eui(event), Delivery.TRANSMITTED, at, plain_hardware_id(event.gateway_id))
    ]


def _logged(payload: bytes, received_at: Instant) -> list[Told]:
    event = _log.read(payload)
    at, detail = _time(event, received_at), event.description[:_LONGEST_DETAIL]
    told: list[Told] = [] if event.level == "INFO" else [DeviceFault(_eui(event), at, event.code, detail)]
    lost = event.context.get("queue_item_id", "")
    if event.code in _LOST_DOWNLINKS and lost:
        told.append(DeliveryReport(lost, _eui(event), Delivery.FAILED, at, f"{event.code}: {detail}"))
    return told


def _located(payload: bytes, received_at: Instant) -> list[Told]:
    event = _location.read(payload)
    place = event.location
    if not place.is_known:
        return []
    at, accuracy_m = _time(event, received_at), place.accuracy or None
    return [DeviceLocated(_eui(event), at, place.longitude, place.latitude, accuracy_m, place.source)]


_READERS: Mapping[str, Callable[[bytes, Instant], list[Told]]] = {
    "up": _up,
    "join": _joined,
    "status": _status,
    "ack": _acknowledged,
    "txack": _transmitted,
    "log": _logged,
    "location": _located,
}


class _Form(Generic[_Document]):
    """A document that comes as JSON or, where it does not begin like an object, as Protobuf."""

    def __init__(self, wanted: type[_Document], schema: protobuf.Schema) -> None:
        self._wanted = wanted
        self._decode_json = msgspec.json.Decoder(wanted).decode
        self._schema = schema

    def read(self, payload: bytes) -> _Document:
        try:
            if payload[:1] == b"{":
                return self._decode_json(payload)
            document = protobuf.read_message(payload, self._schema)
            return msgspec.convert(document, self._wanted)
        except (msgspec.DecodeError, UnicodeDecodeError, protobuf.InvalidProtobuf) as error:
            raise MalformedMessage(str(error)) from None


_uplink = _Form(_UplinkEvent, protobuf.UPLINK)
_join = _Form(_JoinEvent, protobuf.JOIN)
_device_status = _Form(_StatusEvent, protobuf.STATUS)
_ack = _Form(_AckEvent, protobuf.ACK)
_tx_ack = _Form(_TxAckEvent, protobuf.TX_ACK)
_log = _Form(_LogEvent, protobuf.LOG)
_location = _Form(_LocationEvent, protobuf.LOCATION)
_gateway_stats = _Form(_GatewayStats, protobuf.GATEWAY_STATS)


def _eui(event: _Event) -> str:
    return plain_hardware_id(event.device_info.dev_eui)


def _time(event: _Event, received_at: Instant) -> Instant:
    return received_at if event.time is None else from_datetime(event.time)


def encode_downlink(command_id: str, dev_eui: str, f_port: int, payload: bytes, *, is_confirmed: bool) -> bytes:
    """A DownlinkCommand. ChirpStack names the queue item after `command_id` and gives it back in its events."""
    document: dict[str, Any] = {
        "id": command_id,
        "devEui": dev_eui,
        "confirmed": is_confirmed,
        "fPort": f_port,
        "data": payload,
    }
    return msgspec.json.encode(document)
