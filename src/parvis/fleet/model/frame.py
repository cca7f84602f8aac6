"""Frames as the store holds them: those that wait for their device, those refused, the last of each device."""

from typing import Any

import msgspec

from parvis.fleet.model.refusal import Refusal, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.time import Instant


class Room(msgspec.Struct, frozen=True):
    """How many frames are kept: waiting ones of a device that nobody knows, of all such devices of a tenant; refused
    ones of a tenant, of one device; and for each known device its last ones."""

    waiting_of_device: int = 1_000
    waiting: int = 50_000
    refused_of_device: int = 100
    refused: int = 1_000
    last: int = 50


DEFAULT_ROOM = Room()


class Waiting(msgspec.Struct, frozen=True):
    """A device that nobody has registered, and the frames of it that wait. `newest` is the last one that came."""

    tenant: str
    hardware_id: str
    frames: int
    first_at: Instant
    last_at: Instant
    newest: Uplink | None = None


class LoggedFrame(msgspec.Struct, frozen=True):
    """One of a device's last frames: as it came, what it was decoded to, and why it was refused if it was."""

    tenant: str
    uplink: Uplink
    data: dict[str, Any] | None = None
    refused: Refused | None = None

    @property
    def hardware_id(self) -> str:
        return self.uplink.hardware_id


_encode = msgspec.json.encode
_read_refusal = msgspec.json.Decoder(Refusal).decode
_read_logged = msgspec.json.Decoder(LoggedFrame).decode


def write_refusal(refusal: Refusal) -> bytes:
    try:
        return _encode(refusal)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
        return _encode(msgspec.structs.replace(refusal, uplink=_without_fields(refusal.uplink)))


def read_refusal(refusal_id: int, document: bytes) -> Refusal:
    return msgspec.structs.replace(_read_refusal(document), id=refusal_id)


def write_logged(frame: LoggedFrame) -> bytes:
    try:
        return _encode(frame)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
        uplink = _without_fields(frame.uplink)
        return _encode(msgspec.structs.replace(frame, uplink=uplink, data=None))


def read_logged(document: bytes) -> LoggedFrame:
    return _read_logged(document)


def _without_fields(uplink: Uplink | None) -> Uplink | None:
    """What a way in read may be no JSON; the payload says it as well."""
    return None if uplink is None else msgspec.structs.replace(uplink, fields={})
