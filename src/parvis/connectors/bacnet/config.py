"""`[connectors.bacnet]`: the platform's own address on the network of the building, and which controllers it reads."""

from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from parvis.fleet.devices.records import check_hardware_id
from parvis.kernel.identity import DEFAULT_TENANT

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Instance = Annotated[int, msgspec.Meta(ge=0, le=4_194_302)]
_V4 = r"\d{1,3}(\.\d{1,3}){3}"
MOST_DEVICES = 1000


class BacnetDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`instance` is the device's number; without `address` (IPv4 and port) it is looked for by Who-Is.

    `profile` is the folder of its list of points. With `follows_changes` it is asked to tell changes (COV) as well.
    """

    hardware_id: str
    instance: _Instance
    profile: str
    address: Annotated[str, msgspec.Meta(pattern=rf"^({_V4}(:\d{{1,5}})?)?$")] = ""
    every_s: _Seconds = 300.0
    follows_changes: bool = True

    def __post_init__(self) -> None:
        force_setattr(self, "hardware_id", check_hardware_id(self.hardware_id))


class BacnetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address` is an IPv4 address with its network and, where it is not 47808, its port: `10.1.2.3/24:47809`."""

    address: Annotated[str, msgspec.Meta(pattern=rf"^{_V4}/\d{{1,2}}(:\d{{1,5}})?$")]
    device: Annotated[tuple[BacnetDevice, ...], msgspec.Meta(max_length=MOST_DEVICES)] = ()
    instance: _Instance = 4_194_000
    tenant: str = DEFAULT_TENANT
    timeout_s: _Seconds = 3.0
    longest_pause_s: _Seconds = 900.0
    subscribe_for_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 600
