"""What may be asked of a charging station, in words that hold for both versions.

A command is a JSON document such as `{"command": "limit", "connector": 1, "amperes": 10}`.
"""

from typing import Annotated

import msgspec

_Connector = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Outlet = Annotated[int, msgspec.Meta(ge=1, le=100)]
_IdTag = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
_Limit = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class _Base(msgspec.Struct, frozen=True, tag_field="command", rename="camel", forbid_unknown_fields=True, kw_only=True):
    pass


class RemoteStart(_Base, frozen=True, tag="remoteStart"):
    id_tag: _IdTag
    connector: _Outlet | None = None


class RemoteStop(_Base, frozen=True, tag="remoteStop"):
    transaction: Annotated[str, msgspec.Meta(min_length=1, max_length=36)]


class Availability(_Base, frozen=True, tag="availability"):
    """Of one connector, or of the whole station: 0."""

    is_operative: bool
    connector: _Connector = 0


class Limit(_Base, frozen=True, tag="limit"):
    """The most that a connector, or the whole station (0), may draw from now on."""

    connector: _Connector = 0
    watts: _Limit | None = None
    amperes: _Limit | None = None

    def __post_init__(self) -> None:
        if (self.watts is None) == (self.amperes is None):
            raise ValueError("a limit is in watts or in amperes")

    @property
    def unit(self) -> str:
        return "A" if self.watts is None else "W"

    @property
    def value(self) -> float:
        """To a tenth, as OCPP wants it."""
        return round(self.watts or self.amperes or 0.0, 1)


class Reset(_Base, frozen=True, tag="reset"):
    is_hard: bool = False


class Unlock(_Base, frozen=True, tag="unlock"):
    connector: _Outlet


StationCommand = RemoteStart | RemoteStop | Availability | Limit | Reset | Unlock
LIMIT_PROFILE = 1
"""The number of the one charging profile that this platform sets: a new limit takes the place of the last."""
ACCEPTED = frozenset({"Accepted", "Scheduled", "Unlocked"})

_decoder: msgspec.json.Decoder[StationCommand] = msgspec.json.Decoder(StationCommand)


def read_command(payload: bytes) -> StationCommand:
    """Raises ValueError, which says what is wrong."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ValueError(str(fault)) from None
