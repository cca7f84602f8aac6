"""`[connectors.mbus]`: which meters are asked, through which gateway."""

from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from parvis.fleet.devices.records import check_hardware_id
from parvis.kernel.identity import DEFAULT_TENANT

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Primary = Annotated[int, msgspec.Meta(ge=1, le=250)]
_Secondary = Annotated[str, msgspec.Meta(pattern="^[0-9fF]{8}[0-9a-fA-F]{8}$")]
MOST_METERS = 2000


class Meter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By `address` (primary) or by `secondary`: 16 digits, those of the identification first, F for any."""

    hardware_id: str
    host: str
    port: _Port
    address: _Primary | None = None
    secondary: _Secondary | None = None
    every_s: _Seconds = 900.0
    timeout_s: _Seconds = 5.0

    def __post_init__(self) -> None:
        force_setattr(self, "hardware_id", check_hardware_id(self.hardware_id))
        if (self.address is None) == (self.secondary is None):
            raise ValueError("a meter has either an address or a secondary address")


class MBusConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    meter: Annotated[tuple[Meter, ...], msgspec.Meta(max_length=MOST_METERS)] = ()
    tenant: str = DEFAULT_TENANT
    longest_pause_s: _Seconds = 7200.0
