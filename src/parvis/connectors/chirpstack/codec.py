"""ChirpStack v4's uplink event as JSON (integration.UplinkEvent in the proto3 JSON form, which leaves out defaults)."""

from datetime import datetime
from typing import Annotated

import msgspec

from parvis.fleet.intake import MalformedMessage
from parvis.fleet.uplink import Technology, Uplink
from parvis.kernel.time import Instant, from_datetime

LARGEST_PAYLOAD_BYTES = 1024
"""LoRaWAN carries 242 at most. What is refused is kept, so nothing in an event may be of any size."""
_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _DeviceInfo(msgspec.Struct, rename="camel"):
    dev_eui: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{16}$")]
    device_name: _Text = ""
    device_profile_name: _Text = ""


class _RxInfo(msgspec.Struct, rename="camel"):
    gateway_id: _Text = ""
    rssi: float = 0
    snr: float = 0


class _UplinkEvent(msgspec.Struct, rename="camel"):
    device_info: _DeviceInfo
    time: _Moment | None = None
    dev_addr: _Text = ""
    f_cnt: Annotated[int, msgspec.Meta(ge=0)] = 0
    f_port: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    data: Annotated[bytes, msgspec.Meta(max_length=LARGEST_PAYLOAD_BYTES)] = b""
    rx_info: list[_RxInfo] = []


_read_event = msgspec.json.Decoder(_UplinkEvent).decode


def decode_uplink(payload: bytes, received_at: Instant) -> Uplink:
    """The frame of an `up` event; `received_at` stands in where the event has no time.

    Raises:
        MalformedMessage: it is none.
    """
    try:
        event = _read_event(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(str(error)) from None
    device = event.device_info
    best = _best(event.rx_info)
    return Uplink(
        device.dev_eui.lower(),
        event.data,
        event.f_port,
        event.f_cnt,
        received_at if event.time is None else from_datetime(event.time),
        event.dev_addr,
        None if best is None else best.rssi,
        None if best is None else best.snr,
        "" if best is None else best.gateway_id,
        device.device_name,
        device.device_profile_name,
        len(event.rx_info),
        technology=Technology.LORAWAN,
        way="chirpstack",
    )


def _best(receptions: list[_RxInfo]) -> _RxInfo | None:
    if len(receptions) == 1:
        return receptions[0]
    return max(receptions, key=lambda one: one.rssi, default=None)
