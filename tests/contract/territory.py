"""A territory small enough to see: bins at the port, in the tenant `default`."""

from typing import Any

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.time import MINUTE, Instant

BIN = "https://example.org/WasteContainer"
LAMP = "https://example.org/Streetlight"
LEVEL = "https://example.org/fillingLevel"
NOTE = "https://example.org/note"
STREET = "https://example.org/street"
PLACE = "https://example.org/location"
TENANT = "default"
NOON: Instant = 1_795_348_800_000_000


class Ticking:
    """A clock that goes one minute further each time somebody looks."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Instant:
        self.now += MINUTE
        return self.now


def level(value: Any, observed_at: Instant | None = None, **more: Any) -> Instance:
    return Instance(LEVEL, Kind.PROPERTY, value, observed_at=observed_at, unit_code="P1", **more)


def note(text: Any, **more: Any) -> Instance:
    return Instance(NOTE, Kind.PROPERTY, text, **more)


def place(longitude: float, latitude: float) -> Instance:
    return Instance(PLACE, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [longitude, latitude]})


def bin_(number: int, *instances: Instance, mode: Mode = Mode.UPSERT_UPDATE, **more: Any) -> Change:
    """A change of bin `number`; its type goes with it unless said otherwise."""
    return Change(bin_id(number), mode, instances, **{"types": (BIN,), **more})


def bin_id(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:{number}"
