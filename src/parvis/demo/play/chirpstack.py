"""What a ChirpStack v4 network server publishes for an uplink.

Shape: `UplinkEvent` in api/proto/integration/integration.proto of ChirpStack 4, in the JSON mapping of protocol
buffers, on the topic `application/<application id>/device/<DevEUI>/event/up`.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from parvis.demo.clockwork import US_PER_S, Instant, chance
from parvis.demo.devices.device import Device
from parvis.demo.play.radio import Reception

NAMESPACE = uuid5(NAMESPACE_DNS, "trevalan.example")
TENANT_ID = str(uuid5(NAMESPACE, "tenant"))
APPLICATION_ID = str(uuid5(NAMESPACE, "application"))
CHANNELS_HZ = (868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
"""EU868: the three default channels and the five that most networks add (RP002-1.0.4, 2.4.2)."""


class Uplink(msgspec.Struct, frozen=True):
    """`heard` has at least one gateway, the best first."""

    time: Instant
    dev_eui: str
    f_port: int
    payload: bytes
    f_cnt: int
    heard: Sequence[Reception]


class NetworkServer:
    def __init__(self, devices: Sequence[Device]) -> None:
        self._device_info = {device.hardware_id: _device_info(device) for device in devices}

    def message(self, uplink: Uplink) -> tuple[str, bytes]:
        """The topic and the JSON payload."""
        event = {
            "deduplicationId": _deduplication_id(uplink),
            "time": rfc3339(uplink.time),
            "deviceInfo": self._device_info[uplink.dev_eui],
            "devAddr": _dev_addr(uplink.dev_eui),
            "adr": True,
            "dr": 12 - _spreading_factor(uplink.heard[0].snr),
            "fCnt": uplink.f_cnt,
            "fPort": uplink.f_port,
            "confirmed": False,
            "data": b64encode(uplink.payload).decode(),
            "rxInfo": [_rx_info(uplink, one) for one in uplink.heard],
            "txInfo": _transmission(uplink),
        }
        return f"application/{APPLICATION_ID}/device/{uplink.dev_eui}/event/up", msgspec.json.encode(event)


def _rx_info(uplink: Uplink, reception: Reception) -> dict[str, object]:
    gateway = reception.gateway
    purpose = 16 * int(gateway.gateway_id[-4:], 16)
    return {
        "gatewayId": gateway.gateway_id,
        "uplinkId": _draw(uplink, purpose + 2, 2**32),
        "gwTime": rfc3339(uplink.time),
        "nsTime": rfc3339(uplink.time + 40_000 + _draw(uplink, purpose + 3, 60_000)),
        "rssi": reception.rssi,
        "snr": reception.snr,
        "channel": _draw(uplink, 1, len(CHANNELS_HZ)),
        "rfChain": 1,
        "location": {"latitude": gateway.lat, "longitude": gateway.lon},
        "context": b64encode(_draw(uplink, purpose + 4, 2**32).to_bytes(4, "big")).decode(),
        "metadata": {"region_config_id": "eu868", "region_common_name": "EU868"},
        "crcStatus": "CRC_OK",
    }


def rfc3339(time_us: int) -> str:
    seconds, micros = divmod(time_us, US_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}+00:00"


def _device_info(device: Device) -> dict[str, object]:
    return {
        "tenantId": TENANT_ID,
        "tenantName": "Trevalan Agglomération",
        "applicationId": APPLICATION_ID,
        "applicationName": "territoire",
        "deviceProfileId": str(uuid5(NAMESPACE, device.profile)),
        "deviceProfileName": device.profile,
        "deviceName": device.name,
        "devEui": device.hardware_id,
        "deviceClassEnabled": "CLASS_A",
        "tags": {"commune": device.commune},
    }


def _transmission(uplink: Uplink) -> dict[str, object]:
    return {
        "frequency": CHANNELS_HZ[_draw(uplink, 1, len(CHANNELS_HZ))],
        "modulation": {
            "lora": {
                "bandwidth": 125_000,
                "spreadingFactor": _spreading_factor(uplink.heard[0].snr),
                "codeRate": "CR_4_5",
            }
        },
    }


def _spreading_factor(snr: float) -> int:
    """The fastest factor whose demodulation floor (Semtech AN1200.22) leaves 5 dB of margin."""
    floors = ((7, -7.5), (8, -10.0), (9, -12.5), (10, -15.0), (11, -17.5))
    return next((factor for factor, floor in floors if snr >= floor + 5), 12)


def _dev_addr(dev_eui: str) -> str:
    """A NetID 0 address (type 0, seven bits of network) made of the device's last bytes."""
    return f"{int(dev_eui[-8:], 16) & 0x01FF_FFFF:08x}"


def _draw(uplink: Uplink, purpose: int, below: int) -> int:
    return int(chance(uplink.f_cnt, int(uplink.dev_eui, 16), purpose) * below)


def _deduplication_id(uplink: Uplink) -> str:
    """The same frame is the same event, so that playing it twice does not look like two."""
    high, low = _draw(uplink, 5, 2**64), _draw(uplink, 6, 2**64)
    return str(UUID(int=(high << 64) | low, version=4))
