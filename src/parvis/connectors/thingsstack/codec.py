"""The Things Stack v3's application messages as JSON (ttn.lorawan.v3.ApplicationUp, which leaves out defaults)."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from parvis.fleet.model.events import Delivery, DeliveryReport, DeviceJoined, DeviceLocated, DeviceStatus, Told
from parvis.fleet.model.uplink import EUI, MOST_RECEPTIONS, Reception, Technology, Uplink, plain_hardware_id
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import Instant, from_datetime

WAY = "thingsstack"
CORRELATION = "parvis:command:"
"""Before the id of a command: The Things Stack gives our correlation ids back with what becomes of it."""
LARGEST_PAYLOAD_BYTES = 1024
_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Name = Annotated[str, msgspec.Meta(max_length=100)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Eui = Annotated[str, msgspec.Meta(pattern=EUI)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class _Application(msgspec.Struct, frozen=True):
    application_id: _Name = ""


class _Device(msgspec.Struct, frozen=True):
    dev_eui: _Eui
    device_id: _Name = ""
    application_ids: _Application = _Application()
    dev_addr: _Text = ""


class _Location(msgspec.Struct, frozen=True):
    latitude: _Latitude = 0
    longitude: _Longitude = 0
    accuracy: float = 0
    source: _Text = ""

    @property
    def is_known(self) -> bool:
        return bool(self.latitude or self.longitude)


class _GatewayIds(msgspec.Struct, frozen=True):
    gateway_id: _Text = ""
    eui: _Text = ""


class _PacketBroker(msgspec.Struct, frozen=True):
    """Of a gateway of another network, whose `gateway_ids` are those of the broker between them."""

    forwarder_gateway_eui: _Text = ""
    forwarder_gateway_id: _Text = ""


class _RxMetadata(msgspec.Struct, frozen=True):
    gateway_ids: _GatewayIds = _GatewayIds()
    packet_broker: _PacketBroker | None = None
    rssi: float | None = None
    snr: float | None = None
    location: _Location | None = None


class _Lora(msgspec.Struct, frozen=True):
    bandwidth: _Count = 0
    spreading_factor: Annotated[int, msgspec.Meta(ge=0, le=12)] = 0


class _DataRate(msgspec.Struct, frozen=True):
    lora: _Lora = _Lora()


class _Settings(msgspec.Struct, frozen=True):
    """`frequency` is a 64-bit number of hertz, which proto3 JSON writes as text."""

    data_rate: _DataRate = _DataRate()
    frequency: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,11}$")] = "0"
    time: _Moment | None = None


class _Battery(msgspec.Struct, frozen=True):
    value: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    received_at: _Moment | None = None


class _UplinkMessage(msgspec.Struct, frozen=True):
    f_port: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    f_cnt: _Count = 0
    frm_payload: Annotated[bytes, msgspec.Meta(max_length=LARGEST_PAYLOAD_BYTES)] = b""
    rx_metadata: list[_RxMetadata] = []
    settings: _Settings = _Settings()
    received_at: _Moment | None = None
    last_battery_percentage: _Battery = _Battery()


class _JoinAccept(msgspec.Struct, frozen=True):
    received_at: _Moment | None = None


class _Downlink(msgspec.Struct, frozen=True):
    correlation_ids: list[str] = []


class _Error(msgspec.Struct, frozen=True):
    name: _Text = ""
    message_format: str = ""


class _FailedDownlink(msgspec.Struct, frozen=True):
    downlink: _Downlink = _Downlink()
    error: _Error = _Error()


class _InvalidatedDownlinks(msgspec.Struct, frozen=True):
    downlinks: list[_Downlink] = []


class _LocationSolved(msgspec.Struct, frozen=True):
    location: _Location
    service: _Text = ""


class _ApplicationUp(msgspec.Struct, frozen=True):
    end_device_ids: _Device
    received_at: _Moment | None = None
    simulated: bool = False
    uplink_message: _UplinkMessage | None = None
    join_accept: _JoinAccept | None = None
    downlink_sent: _Downlink | None = None
    downlink_ack: _Downlink | None = None
    downlink_nack: _Downlink | None = None
    downlink_failed: _FailedDownlink | None = None
    downlink_queue_invalidated: _InvalidatedDownlinks | None = None
    location_solved: _LocationSolved | None = None


_read = msgspec.json.Decoder(_ApplicationUp).decode
_LONGEST_DETAIL = 200


def decode_message(payload: bytes, received_at: Instant, tenant_id: str = "") -> list[Told]:
    """What a message tells; nothing where it is of no use here, or simulated. The content says of which kind it is.

    `tenant_id` is that of The Things Stack's own tenant, where the topic names one.

    Raises:
        MalformedMessage: it is none.
    """
    try:
        message = _read(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(str(error)) from None
    if message.simulated:
        return []
    at = received_at if message.received_at is None else from_datetime(message.received_at)
    if message.uplink_message is not None:
        return _uplink(message.end_device_ids, message.uplink_message, at, tenant_id)
    return _beside_frames(message, plain_hardware_id(message.end_device_ids.dev_eui), at)


def _beside_frames(message: _ApplicationUp, eui: str, at: Instant) -> list[Told]:
    if (join := message.join_accept) is not None:
        return [DeviceJoined(eui, _or(join.received_at, at), message.end_device_ids.dev_addr)]
    if (solved := message.location_solved) is not None:
        place = solved.location
        if not place.is_known:
            return []
        return [DeviceLocated(eui, at, place.longitude, place.latitude, place.accuracy or None, place.source)]
    if (lost := message.downlink_failed) is not None:
        detail = (lost.error.message_format or lost.error.name)[:_LONGEST_DETAIL]
        return _reports(eui, [lost.downlink], Delivery.FAILED, at, detail)
    if (invalid := message.downlink_queue_invalidated) is not None:
        return _reports(eui, invalid.downlinks, Delivery.FAILED, at, "the session ended before it was sent")
    return _followed(message, eui, at)


def _followed(message: _ApplicationUp, eui: str, at: Instant) -> list[Told]:
    for downlink, delivery in (
        (message.downlink_sent, Delivery.TRANSMITTED),
        (message.downlink_ack, Delivery.ACKNOWLEDGED),
        (message.downlink_nack, Delivery.NOT_ACKNOWLEDGED),
    ):
        if downlink is not None:
            return _reports(eui, [downlink], delivery, at)
    return []


def _reports(eui: str, downlinks: list[_Downlink], delivery: Delivery, at: Instant, detail: str = "") -> list[Told]:
    """Of the commands that were given here: others may use the same application."""
    return [
        DeliveryReport(correlation.removeprefix(CORRELATION), eui, delivery, at, detail)
        for downlink in downlinks
        for correlation in downlink.correlation_ids
        if correlation.startswith(CORRELATION)
    ]


def _uplink(device: _Device, frame: _UplinkMessage, at: Instant, tenant_id: str) -> list[Told]:
    eui, lora = plain_hardware_id(device.dev_eui), frame.settings.data_rate.lora
    receptions = _receptions(frame.rx_metadata)
    best = receptions[0] if receptions else Reception("")
    uplink = Uplink(
        eui,
        frame.frm_payload,
        frame.f_port,
        frame.f_cnt,
        _or(frame.received_at, at),
        device.dev_addr,
        best.rssi_dbm,
        best.snr_db,
        best.gateway,
        device.device_id,
        "",
        len(frame.rx_metadata),
        lora.spreading_factor,
        technology=Technology.LORAWAN,
        way=WAY,
        receptions=receptions,
        frequency_hz=int(frame.settings.frequency),
        bandwidth_hz=lora.bandwidth,
        route=encode_route(device.application_ids.application_id, tenant_id, device.device_id),
    )
    return [uplink, *_status(eui, frame.last_battery_percentage)]


def _status(eui: str, battery: _Battery) -> list[Told]:
    """The last answer to a DevStatusReq comes along with every frame: it is dated when it came."""
    if battery.value is None or battery.received_at is None:
        return []
    return [DeviceStatus(eui, from_datetime(battery.received_at), round(battery.value / 100, 4))]


def _receptions(heard: list[_RxMetadata]) -> tuple[Reception, ...]:
    """The best first."""
    ordered = sorted(heard, key=_strength, reverse=True)[:MOST_RECEPTIONS]
    return tuple(map(_reception, ordered))


def _strength(heard: _RxMetadata) -> float:
    return float("-inf") if heard.rssi is None else heard.rssi


def _reception(heard: _RxMetadata) -> Reception:
    name, place = _gateway_of(heard), heard.location
    if place is None or not place.is_known:
        return Reception(name, heard.rssi, heard.snr)
    return Reception(name, heard.rssi, heard.snr, place.longitude, place.latitude)


def _gateway_of(heard: _RxMetadata) -> str:
    """By its EUI, under which every network knows it."""
    broker = heard.packet_broker
    if broker is not None:
        return plain_hardware_id(broker.forwarder_gateway_eui) or broker.forwarder_gateway_id
    return plain_hardware_id(heard.gateway_ids.eui) or heard.gateway_ids.gateway_id


def _or(moment: datetime | None, at: Instant) -> Instant:
    return at if moment is None else from_datetime(moment)


def encode_route(application_id: str, tenant_id: str, device_id: str) -> str:
    """What `decode_route` takes apart; empty where the message did not name them."""
    if not application_id or not device_id:
        return ""
    return f"{application_id}@{tenant_id}/{device_id}" if tenant_id else f"{application_id}/{device_id}"


def encode_downlinks(command_id: str, f_port: int, payload: bytes, *, is_confirmed: bool) -> bytes:
    """The body of a DownlinkQueueRequest."""
    downlink: dict[str, Any] = {
        "f_port": f_port,
        "frm_payload": payload,
        "confirmed": is_confirmed,
        "priority": "NORMAL",
        "correlation_ids": [CORRELATION + command_id],
    }
    return msgspec.json.encode({"downlinks": [downlink]})
