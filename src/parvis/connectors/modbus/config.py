"""`[connectors.modbus]`: which devices are asked, where, and by which register map."""

from typing import Annotated, Literal

import msgspec
from msgspec.structs import force_setattr

from parvis.fleet.devices.records import check_hardware_id
from parvis.kernel.identity import DEFAULT_TENANT

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
MOST_DEVICES = 2000


class ModbusDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`profile` is the folder of its register map. Devices of the same host and port share one connection."""

    hardware_id: str
    host: str
    profile: str
    port: _Port = 502
    unit: _Unit = 1
    framing: Literal["tcp", "rtu"] = "tcp"
    every_s: _Seconds = 60.0
    timeout_s: _Seconds = 3.0

    def __post_init__(self) -> None:
        force_setattr(self, "hardware_id", check_hardware_id(self.hardware_id))


class ModbusConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: Annotated[tuple[ModbusDevice, ...], msgspec.Meta(max_length=MOST_DEVICES)] = ()
    tenant: str = DEFAULT_TENANT
    longest_pause_s: _Seconds = 900.0
