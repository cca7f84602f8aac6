"""A device as the platform and the simulation know it."""

from dataclasses import dataclass, field
from enum import StrEnum

from parvis.demo.devices.kinds import Kind, Way, traits_of


class Target(StrEnum):
    """What of the land or the networks a device belongs to; says how `Link.id` is to be read."""

    BUILDING = "building"  # index of Territory.buildings
    ROOM = "room"  # "<index of Territory.buildings>/<room name>"
    STREET = "street"  # index of Territory.roads
    ROAD = "road"  # index of Territory.roads (departmental)
    VENUE = "venue"  # Venue.id
    CAR_PARK = "car park"  # CarPark id; bays "<id>/<number>"
    DISTRICT = "district"  # District.id
    JUNCTION = "junction"  # Junction.id
    PIPE = "pipe"  # Pipe.id
    TOWER = "tower"  # Tower.id
    CABINET = "cabinet"  # Cabinet.id
    CHARGING_STATION = "charging station"  # ChargingStation.id
    ROOF = "roof"  # Roof.id
    VEHICLE = "vehicle"  # Vehicle.id (bus)
    BERTH = "berth"  # pontoon, "<commune slug>/<letter>"
    RIVER = "river"  # river name
    TIDE = "tide"  # commune slug
    SKY = "sky"  # commune slug: weather and air stations


@dataclass(frozen=True, slots=True)
class Link:
    target: Target
    id: str


@dataclass(frozen=True, slots=True)
class Device:
    """`hardware_id` is how it names itself on its way in (DevEUI, serial number, OCPP identity).

    `place` says what the simulation must know of the site (waste kind, room use, facility kind ...); `weight` is how
    much of its kind's usual it measures, in the kind's own unit: heads (water meters), square metres of floor (energy
    meters), kWp, mean vehicles or people an hour, spaces of a car park, metres of boat.

    `attributes` and `relations` (term to entity id) are those of the entity it feeds.
    """

    hardware_id: str
    name: str
    kind: Kind
    entity_id: str
    x: float
    y: float
    lon: float
    lat: float
    address: str
    commune: str
    link: Link
    place: str = ""
    weight: float = 1.0
    attributes: dict[str, object] = field(default_factory=dict)
    relations: dict[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        return self.kind.value

    @property
    def entity_type(self) -> str:
        return traits_of(self.kind).entity_type

    @property
    def way(self) -> Way:
        return traits_of(self.kind).way

    @property
    def period_s(self) -> int:
        return traits_of(self.kind).period_s


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity that no device is: a building, a cabinet's circuits, a bus line, a district, a stop.

    `geometry` is GeoJSON; `attributes` are key-values by term; `relations` name other entities by term.
    """

    entity_id: str
    entity_type: str
    name: str
    geometry: dict[str, object]
    attributes: dict[str, object] = field(default_factory=dict)
    relations: dict[str, str | list[str]] = field(default_factory=dict)
