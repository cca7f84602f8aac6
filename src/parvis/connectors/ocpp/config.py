"""`[connectors.ocpp]`: where stations connect, and which may."""

from typing import Annotated, Literal

import msgspec

from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.identity import DEFAULT_TENANT

STATION_ID = "^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$"
MOST_STATIONS = 5000


class Station(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` is the last part of the address it connects to. Without a password of its own it has the common one."""

    id: Annotated[str, msgspec.Meta(pattern=STATION_ID)]
    password: str = ""


class OcppConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`password` is of all stations that have none of their own; empty: those need none (only on a closed network).

    `accepts_unlisted` lets in any station that knows the common password. `id_tags` are cards that may charge, empty:
    any. Who charged is kept with a session only where `keeps_id_tags`: that is personal data. `certificate` and `key`
    are files in PEM; with them stations connect by TLS.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9000
    station: Annotated[tuple[Station, ...], msgspec.Meta(max_length=MOST_STATIONS)] = ()
    password: str = ""
    accepts_unlisted: bool = False
    certificate: str = ""
    key: str = ""
    tenant: str = DEFAULT_TENANT
    heartbeat_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 300
    id_tags: frozenset[str] = frozenset()
    keeps_id_tags: bool = False
    most_connections: Annotated[int, msgspec.Meta(ge=1, le=MOST_STATIONS)] = 1000
    protocols: tuple[Literal["ocpp2.0.1", "ocpp1.6"], ...] = ("ocpp2.0.1", "ocpp1.6")

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("TLS needs both certificate and key")
        if self.accepts_unlisted and not self.password:
            raise ValueError("unlisted stations need a common password")
        names = [plain_hardware_id(one.id) for one in self.station]
        if len(set(names)) != len(names):
            raise ValueError("two stations have the same id")
