"""Where buses are: along their line by timetable, late when roads are full; silent in the depot."""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import shapely

from parvis.demo.devices.device import Device
from parvis.demo.land.geometry import to_lon_lat
from parvis.demo.nature.calendar import SATURDAY, Moments, moments
from parvis.demo.nature.chance import Bools, Floats, Ints, Times, chance, drift
from parvis.demo.nature.habits import TRAFFIC, WALKING
from parvis.demo.networks.buses import BusNetwork, DayType, Direction, Trip
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

RUNS = "_runs"
"""A column of its own: whether it is on the road at all, and therefore heard."""
LONGEST_WAIT_S = 2400
"""At a terminus; who has longer goes to the depot and is switched off."""
LATE_AT_MOST_S = 420.0
MOVED_OVER_S = 10.0
DAY_TYPES = tuple(DayType)


class _Day(NamedTuple):
    """The trips of one vehicle on one type of day, in order."""

    trips: tuple[Trip, ...]
    departures_s: Floats


def bus(device: Device, scene: Scene) -> Read:
    network = scene.networks.buses
    vehicle = scene.vehicles[device.link.id]
    days = _days_of(network, vehicle)
    key, seed = key_of(device.hardware_id), scene.seed
    is_electric = network.vehicles[vehicle].is_electric

    def late_s(times: Times) -> Floats:
        full = TRAFFIC.weight(moments(times)) - 0.6
        wander = 0.5 + 0.5 * drift(seed, key, times, 2700)
        found: Floats = np.clip(120 * full * wander + 90 * wander - 40, 0, LATE_AT_MOST_S)
        return found

    def read(times: Times, effects: Effects) -> Columns:
        at = moments(times)
        kinds, late = _day_types(at), late_s(times)
        columns = _blank(len(times))
        columns[RUNS] = np.zeros(len(times), np.bool_)
        for number, day_type in enumerate(DAY_TYPES):
            on = np.flatnonzero(kinds == number)
            if day_type in days and len(on):
                _fill(columns, on, network, days[day_type], at.hour[on] * 3600, late[on])
        columns["occupancy_percent"] = _riders_percent(at, chance(seed, key, np.floor(times / 240).astype(np.int64)))
        if is_electric:
            columns["charge_percent"] = np.rint(96 - 3.4 * np.clip(at.hour - 5.5, 0, 16))
        _stand_still(columns, ~effects.working)
        return columns

    return read


def _riders_percent(at: Moments, chances: Floats) -> Floats:
    found: Floats = np.rint(np.clip(16 * WALKING.weight(at) * (0.6 + 0.8 * chances), 0, 100))
    return found


def _days_of(network: BusNetwork, vehicle: int) -> dict[DayType, _Day]:
    found: defaultdict[DayType, list[Trip]] = defaultdict(list)
    for trip in network.trips:
        if trip.vehicle == vehicle:
            found[trip.day_type].append(trip)
    return {
        kind: _Day(tuple(trips), np.array([one.departure_s for one in trips], np.float64))
        for kind, trips in found.items()
    }


def _day_types(at: Moments) -> Ints:
    order = {kind: number for number, kind in enumerate(DAY_TYPES)}
    working = np.where(at.holiday, order[DayType.HOLIDAY_WEEKDAY], order[DayType.SCHOOL_DAY])
    off = np.where(at.weekday == SATURDAY, order[DayType.SATURDAY], order[DayType.SUNDAY])
    found: Ints = np.where(at.bank_holiday, order[DayType.SUNDAY], np.where(at.weekend, off, working))
    return found


def _blank(count: int) -> Columns:
    words = {name: np.full(count, "", object) for name in ("headsign", "line", "next_stop", "state")}
    numbers = {name: np.zeros(count) for name in ("lat", "lon", "speed_km_per_h", "heading_deg", "delay_s")}
    return {**words, **numbers}


def _fill(columns: Columns, rows: Ints, network: BusNetwork, day: _Day, second: Floats, late: Floats) -> None:
    """What is told at these rows, at these seconds after local midnight."""
    place = np.searchsorted(day.departures_s, second, side="right") - 1
    for number in np.unique(place[place >= 0]):
        trip = day.trips[number]
        line = network.lines[trip.line]
        direction = line.directions[trip.direction]
        here = place == number
        since = second[here] - trip.departure_s
        driven = np.maximum(since - late[here] * np.minimum(1, since / 900), 0)
        near = since <= direction.offsets_s[-1] + LATE_AT_MOST_S + LONGEST_WAIT_S
        _fill_trip(columns, rows[here], network, direction, driven)
        columns["line"][rows[here]] = line.short_name
        arrived = driven >= direction.offsets_s[-1]
        columns["delay_s"][rows[here]] = np.where(arrived, 0, np.rint(since - driven))
        columns[RUNS][rows[here]] = near


def _fill_trip(columns: Columns, rows: Ints, network: BusNetwork, direction: Direction, driven: Floats) -> None:
    def along_m(seconds: Floats) -> Floats:
        found: Floats = np.interp(seconds, direction.offsets_s, direction.at_m)
        return found

    along = along_m(driven)
    speed = (along_m(driven + MOVED_OVER_S) - along_m(driven - MOVED_OVER_S)) / (2 * MOVED_OVER_S)
    at, ahead = _points(direction, along), _points(direction, along + 4)
    behind = _points(direction, along - 4)
    columns["lon"][rows], columns["lat"][rows] = np.round(to_lon_lat(at), 6).T
    columns["speed_km_per_h"][rows] = np.rint(3.6 * speed)
    east, north = (ahead - behind).T
    columns["heading_deg"][rows] = np.rint(np.degrees(np.arctan2(east, north))) % 360
    following = np.minimum(np.searchsorted(direction.at_m, along + 1), len(direction.stops) - 1)
    names = np.array([network.stops[one].name for one in direction.stops], object)
    columns["next_stop"][rows] = names[following]
    columns["headsign"][rows] = direction.headsign
    columns["state"][rows] = np.where(driven >= direction.offsets_s[-1], "atTerminus", "onRoute")


def _points(direction: Direction, along: Floats) -> Floats:
    """For thousands of times at once: shapely measures the line anew for each point."""
    corners = shapely.get_coordinates(direction.shape)
    at = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))))
    return np.column_stack([np.interp(along, at, axis) for axis in corners.T])


def _stand_still(columns: Columns, broken: Bools) -> None:
    columns["speed_km_per_h"][broken] = 0
    columns["state"][broken] = "brokenDown"


Late = Callable[[Times], Floats]
