"""The drinking-water network: works, towers, transport mains, districts behind a meter and a reducer, hydrants.

Nodes are named by their `id`; every pipe lies under a road of the territory. Heads and elevations are metres above the
high-water line, as the terrain's.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import pi

from shapely.geometry import LineString


class Material(StrEnum):
    """What pipes are made of, as French networks declare it (Sandre, nomenclature 'matériau')."""

    CAST_IRON = "fonte grise"
    DUCTILE_IRON = "fonte ductile"
    PVC = "PVC"
    POLYETHYLENE = "PEHD"


@dataclass(frozen=True, slots=True)
class Junction:
    """`district` is an index of `WaterNetwork.districts`, None on the transport mains.

    `demand_m3_per_day` is the yearly mean of what its customers draw, leaks not counted.
    """

    id: str
    x: float
    y: float
    elevation_m: float
    commune: int
    district: int | None
    customers: int
    demand_m3_per_day: float


@dataclass(frozen=True, slots=True)
class Works:
    """A treatment works; its clear-water tank is the reservoir from which the pumps draw."""

    id: str
    name: str
    x: float
    y: float
    commune: int
    head_m: float
    capacity_m3_per_day: float


@dataclass(frozen=True, slots=True)
class Tower:
    """A water tower: `ground_m` is where it stands, `floor_m` the head of its empty bowl, `full_m` the water above.

    Its riser leaves the main at `junction`.
    """

    id: str
    name: str
    x: float
    y: float
    commune: int
    junction: str
    ground_m: float
    floor_m: float
    full_m: float
    diameter_m: float

    @property
    def capacity_m3(self) -> float:
        return pi / 4 * self.diameter_m**2 * self.full_m


@dataclass(frozen=True, slots=True)
class Pump:
    """Lifts from `start` to `end`; switched by the water in `tower`: on below `on_m`, off above `off_m`."""

    id: str
    name: str
    start: str
    end: str
    flow_l_per_s: float
    head_m: float
    tower: str
    on_m: float
    off_m: float


@dataclass(frozen=True, slots=True)
class Pipe:
    """`road` is an index of `Territory.roads`; `district` is None for transport mains, which serve nobody directly.

    `is_service` marks the narrow ends that a hydraulic model leaves out, drawing their customers at the next junction.
    """

    id: str
    start: str
    end: str
    line: LineString
    road: int
    street: str
    commune: int
    district: int | None
    length_m: float
    diameter_mm: int
    material: Material
    laid_year: int
    is_service: bool


@dataclass(frozen=True, slots=True)
class Reducer:
    """A pressure-reducing valve that lets from `start` to `end` at a head of `setting_m` over the ground at `end`."""

    id: str
    name: str
    start: str
    end: str
    x: float
    y: float
    address: str
    commune: int
    district: int
    diameter_mm: int
    setting_m: float


@dataclass(frozen=True, slots=True)
class District:
    """A metered area: all its water comes through `meter_pipe`, the pipe behind its inlet's reducer.

    `critical` is its junction of least pressure, where a logger tells most.
    """

    id: str
    name: str
    commune: int
    meter_pipe: str
    x: float
    y: float
    address: str
    critical: str
    customers: int
    demand_m3_per_day: float


@dataclass(frozen=True, slots=True)
class Hydrant:
    """A fire hydrant ("PI", poteau d'incendie) on a pipe of 100 mm or more."""

    id: str
    x: float
    y: float
    address: str
    commune: int
    pipe: str
    junction: str
    diameter_mm: int


@dataclass(frozen=True, slots=True)
class WaterNetwork:
    works: tuple[Works, ...]
    towers: tuple[Tower, ...]
    pumps: tuple[Pump, ...]
    junctions: tuple[Junction, ...]
    pipes: tuple[Pipe, ...]
    reducers: tuple[Reducer, ...]
    districts: tuple[District, ...]
    hydrants: tuple[Hydrant, ...]
    junction_of_building: tuple[str, ...]
    """By index of `Territory.buildings`: the junction from which it draws."""
