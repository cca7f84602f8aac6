"""A frame from a device as its way in delivers it."""

import re
from enum import Enum
from typing import Any

import msgspec
from msgspec.json import encode

from parvis.kernel.time import Instant


class Technology(Enum):
    """How a frame travelled, as far as its way in knows."""

    LORAWAN = "lorawan"
    SIGFOX = "sigfox"
    CELLULAR = "cellular"
    SATELLITE = "satellite"
    WIRED = "wired"
    UNKNOWN = "unknown"


NO_COUNTER = -1
_EUI = re.compile("[0-9a-f]{16}")
_SEPARATORS = re.compile(r"[\s:.-]")
HARDWARE_ID = re.compile(r"[0-9a-z][0-9a-z._-]{3,63}")
"""What `plain_hardware_id` makes of one that can be."""
EUI = r"^\s*([0-9A-Fa-f][\s:.-]?){15}[0-9A-Fa-f]\s*$"
"""As people and network servers write one; `plain_hardware_id` makes it the one that is known."""
MOST_RECEPTIONS = 16
"""Of one frame: more gateways tell nothing more."""


def plain_hardware_id(text: str) -> str:
    """As devices are known by everywhere: in lower case, of an EUI the sixteen digits however they were grouped."""
    if _EUI.fullmatch(text):
        return text
    told = text.strip().lower()
    bare = _SEPARATORS.sub("", told)
    return bare if _EUI.fullmatch(bare) else told


class Reception(msgspec.Struct, frozen=True, gc=False):
    """How one gateway heard a frame. Its place is WGS 84 in degrees, where the network knows it."""

    gateway: str
    rssi_dbm: float | None = None
    snr_db: float | None = None
    longitude: float | None = None
    latitude: float | None = None


class Uplink(msgspec.Struct, frozen=True, gc=False):
    """`hardware_id` is how the device names itself, in lower case: DevEUI, IMEI, serial number.

    `received_at` is the network's time, `measured_at` the device's own where it has a clock. A way in that reads the
    content itself gives it as `fields`: no codec is run then, and `payload` is what came, for the log. `f_cnt` is
    NO_COUNTER where frames are not numbered. `session` changes when the device joins anew (LoRaWAN: the DevAddr).
    `rssi_dbm` and `snr_db` are those of the gateway that heard it best, one of `gateways`, of which `receptions` tells
    the best. `data_rate` is the region's index of it, `device_class` A, B or C where known. `route` is what the way in
    needs to send something down to it.
    """

    hardware_id: str
    payload: bytes
    f_port: int
    f_cnt: int
    received_at: Instant
    session: str = ""
    rssi_dbm: float | None = None
    snr_db: float | None = None
    gateway: str = ""
    device_name: str = ""
    network_profile: str = ""
    gateways: int = 1
    spreading_factor: int = 0
    fields: dict[str, Any] | None = None
    measured_at: Instant | None = None
    technology: Technology = Technology.UNKNOWN
    way: str = ""
    receptions: tuple[Reception, ...] = ()
    frequency_hz: int = 0
    bandwidth_hz: int = 0
    data_rate: int | None = None
    device_class: str = ""
    route: str = ""

    @property
    def at(self) -> Instant:
        """When it was measured, as far as is known."""
        return self.received_at if self.measured_at is None else self.measured_at

    @property
    def number(self) -> int:
        """Its counter; of a frame that is not numbered one that other content would hardly have, in this process."""
        if self.f_cnt != NO_COUNTER:
            return self.f_cnt
        return hash(self.payload if self.fields is None else _told(self.fields))


def _told(fields: dict[str, Any]) -> bytes | str:
    try:
        return encode(fields)
    except (TypeError, ValueError, OverflowError):
        return repr(fields)  # what a way in read may be no JSON
