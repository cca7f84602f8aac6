"""What a network server tells beside frames: of devices, of its gateways, and of what was sent down."""

from enum import Enum

import msgspec

from parvis.fleet.model.uplink import Uplink
from parvis.kernel.time import Instant


class DeviceStatus(msgspec.Struct, frozen=True):
    """An answer to the network's DevStatusReq (LoRaWAN 1.0.4, 5.5). `battery_level` is 0 to 1, None where unknown."""

    hardware_id: str
    at: Instant
    battery_level: float | None = None
    margin_db: float | None = None
    has_external_power: bool = False


class DeviceJoined(msgspec.Struct, frozen=True):
    """The device begins a new session: its frames are counted from 0 again."""

    hardware_id: str
    at: Instant
    session: str = ""


class DeviceLocated(msgspec.Struct, frozen=True):
    """Where the network believes the device to be: WGS 84 in degrees, to within `accuracy_m` where that is known."""

    hardware_id: str
    at: Instant
    longitude: float
    latitude: float
    accuracy_m: float | None = None
    source: str = ""


class DeviceFault(msgspec.Struct, frozen=True):
    """What the network server has to complain about a device. `code` is its own word."""

    hardware_id: str
    at: Instant
    code: str
    detail: str = ""


class Delivery(Enum):
    """How far the network has brought a command."""

    TRANSMITTED = "transmitted"  # a gateway was told to send it
    ACKNOWLEDGED = "acknowledged"  # the device says that it has it
    NOT_ACKNOWLEDGED = "not-acknowledged"  # it has not said so; the network may try again
    FAILED = "failed"


class DeliveryReport(msgspec.Struct, frozen=True):
    """`command_id` is the platform's own, as it was given when the command was handed over. It is empty where the
    network does not give it back and the device has just acknowledged a command.
    """

    command_id: str
    hardware_id: str
    delivery: Delivery
    at: Instant
    detail: str = ""


class GatewayStats(msgspec.Struct, frozen=True):
    """What a gateway counted since its last report. Its place is WGS 84 in degrees."""

    gateway: str
    at: Instant
    frames_heard: int = 0
    frames_valid: int = 0
    frames_sent: int = 0
    longitude: float | None = None
    latitude: float | None = None


DeviceEvent = DeviceStatus | DeviceJoined | DeviceLocated | DeviceFault
NetworkEvent = DeviceEvent | DeliveryReport | GatewayStats
Told = Uplink | NetworkEvent
