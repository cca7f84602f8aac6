"""Electricity: 20 kV feeders, the substations they supply, charging stations and photovoltaic roofs."""

from dataclasses import dataclass
from enum import StrEnum

from shapely.geometry.base import BaseGeometry

from parvis.demo.networks.place import Addressed


class Socket(StrEnum):
    """`socketType` of the Smart Data Models' EVChargingStation."""

    TYPE2 = "Type2"
    COMBO = "Combo_CCS"
    CHADEMO = "CHAdeMO"


@dataclass(frozen=True, slots=True)
class Feeder:
    """A medium-voltage departure; `line` lies along roads from its source to its last substation."""

    id: str
    name: str
    source: str
    line: BaseGeometry
    substations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Substation(Addressed):
    """20 kV to 400 V ("poste de distribution publique"); `feeder` is an index of `PowerGrid.feeders`."""

    feeder: int
    rated_kva: int


@dataclass(frozen=True, slots=True)
class ChargingPoint:
    """`number` from 1, as OCPP counts connectors."""

    number: int
    power_kw: float
    socket: Socket


@dataclass(frozen=True, slots=True)
class ChargingStation(Addressed):
    substation: int
    points: tuple[ChargingPoint, ...]
    place: str
    """What brings people there: a facility's kind, "street", "marina", "beach", "business park" or "carpool"."""


@dataclass(frozen=True, slots=True)
class Roof(Addressed):
    """Panels on a public building (`building`: index of `Territory.buildings`).

    `azimuth_deg` is where they face, clockwise from north; `tilt_deg` from the horizontal.
    """

    building: int
    substation: int
    peak_kw: float
    tilt_deg: float
    azimuth_deg: float


@dataclass(frozen=True, slots=True)
class PowerGrid:
    feeders: tuple[Feeder, ...]
    substations: tuple[Substation, ...]
    charging: tuple[ChargingStation, ...]
    roofs: tuple[Roof, ...]
    substation_of_building: tuple[int, ...]
    """By index of `Territory.buildings`."""
