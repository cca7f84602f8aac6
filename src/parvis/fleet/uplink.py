"""A frame from a device as the network server delivers it."""

import msgspec

from parvis.kernel.time import Instant


class Uplink(msgspec.Struct, frozen=True, gc=False):
    """`received_at` is the network's time. `session` changes when the device joins anew (LoRaWAN: the DevAddr).

    `rssi_dbm` and `snr_db` are those of the gateway that heard it best.
    """

    dev_eui: str
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
