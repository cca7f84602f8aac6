"""Buses: lines over the roads, stops, trips by type of day, and the vehicles that run them."""

from dataclasses import dataclass
from enum import StrEnum

from shapely.geometry import LineString


class DayType(StrEnum):
    """What the timetable asks of a day; public holidays are Sundays."""

    SCHOOL_DAY = "school day"
    HOLIDAY_WEEKDAY = "weekday of school holidays"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class Stop:
    id: str
    name: str
    x: float
    y: float
    commune: int
    road: int
    is_sheltered: bool


@dataclass(frozen=True, slots=True)
class Direction:
    """One way of a line. `stops` are indices of `BusNetwork.stops`, `at_m` how far along `shape` each is.

    `offsets_s` are seconds from departure to each stop when the road is free.
    """

    headsign: str
    shape: LineString
    stops: tuple[int, ...]
    at_m: tuple[float, ...]
    offsets_s: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trip:
    """`departure_s` counts seconds after local midnight; `direction` is 0 (out) or 1 (back), as GTFS has it."""

    id: str
    line: int
    direction: int
    day_type: DayType
    departure_s: int
    vehicle: int


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    short_name: str
    name: str
    colour: str
    text_colour: str
    directions: tuple[Direction, Direction]


@dataclass(frozen=True, slots=True)
class Vehicle:
    """`id` is the fleet number; `line` the one it is timetabled on."""

    id: str
    name: str
    line: int
    capacity: int
    is_electric: bool


@dataclass(frozen=True, slots=True)
class BusNetwork:
    stops: tuple[Stop, ...]
    lines: tuple[Line, ...]
    vehicles: tuple[Vehicle, ...]
    trips: tuple[Trip, ...]
    """In order of day type, vehicle and departure: a vehicle's trips of a day follow each other without overlap."""
    depot: tuple[float, float]
