"""Street lighting: cabinets fed by a substation, each with circuits of lamps along the streets."""

from dataclasses import dataclass
from enum import StrEnum

from parvis.demo.networks.place import Addressed


class Lantern(StrEnum):
    """`lampTechnology` of the Smart Data Models' StreetlightModel."""

    LED = "LED"
    SODIUM = "HPS"


@dataclass(frozen=True, slots=True)
class Lamp:
    """`road` is an index of `Territory.roads`, `circuit` one of `Lighting.circuits`."""

    id: str
    x: float
    y: float
    street: str
    road: int
    commune: int
    circuit: int
    lantern: Lantern
    power_w: int
    height_m: float
    installed_year: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """A departure of a cabinet. `lamps` are indices of `Lighting.lamps`; `dims_at_night`: 50 % from 23 h to 5 h.

    `off_at_night`: dark from 23 h 30 to 5 h 30, as most French villages have it.
    """

    id: str
    name: str
    cabinet: int
    commune: int
    lamps: tuple[int, ...]
    power_w: float
    dims_at_night: bool
    off_at_night: bool


@dataclass(frozen=True, slots=True)
class Cabinet(Addressed):
    """`substation` is an index of `PowerGrid.substations`: when that is out, its streets are dark."""

    substation: int
    circuits: tuple[int, ...]
    power_w: float


@dataclass(frozen=True, slots=True)
class Lighting:
    cabinets: tuple[Cabinet, ...]
    circuits: tuple[Circuit, ...]
    lamps: tuple[Lamp, ...]
