"""Who charges when: each plug has its possible sessions, one after the other, and takes those that people want."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Bools, Floats, Ints, Times, chance, one_chance
from parvis.demo.nature.habits import HOUSEHOLD_WATER, OFFICE, WASTE, Habit
from parvis.demo.networks.power import ChargingPoint, ChargingStation
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

DEMAND: dict[str, tuple[Habit, float]] = {
    "street": (HOUSEHOLD_WATER, 0.24), "business park": (OFFICE, 0.3), "carpool": (OFFICE, 0.28),
    "hospital": (OFFICE, 0.34), "station": (OFFICE, 0.32),
}  # fmt: skip
USUAL: tuple[Habit, float] = (WASTE, 0.26)
FAST_SLOT_S, SLOW_SLOT_S = 2400.0, 7200.0
"""Of possible sessions."""
FAST_KW = 40.0
METERS_COUNT_FROM_S, BUSIEST_H_A_DAY = 1_704_067_200.0, 20.6
CAR_KW_AC, CAR_KWH = 11.0, 52.0


class Session(NamedTuple):
    """At one plug. `begins_s` names it; `first_share` is how full the car was."""

    begins_s: float
    ends_s: float
    power_kw: float
    first_share: float

    def energy_kwh(self, time_s: float) -> float:
        return self.power_kw * (min(max(time_s, self.begins_s), self.ends_s) - self.begins_s) / 3600

    def charge_percent(self, time_s: float) -> int:
        """Of the car's battery."""
        return min(100, round(100 * (self.first_share + self.energy_kwh(time_s) / CAR_KWH)))


class Plug:
    """One connector: what is charged there is pure in time."""

    def __init__(self, station: ChargingStation, point: ChargingPoint, number: int, seed: int) -> None:
        self.number, self.point = number, point
        self._seed, self._key = seed, key_of(f"{station.id}/{number}")
        self._habit, self._share = DEMAND.get(station.place, USUAL)
        self._is_fast = point.power_kw >= FAST_KW
        self._slot_s = FAST_SLOT_S if self._is_fast else SLOW_SLOT_S
        self._shift_s = self._slot_s * one_chance(seed, self._key, 1)
        self._power_kw = 0.72 * point.power_kw if self._is_fast else min(CAR_KW_AC, point.power_kw)

    def is_taken(self, times: Times) -> Bools:
        slots = self._slots(times)
        begins, ends, _ = self._course(slots)
        found: Bools = self._is_wanted(slots) & (begins <= times) & (times < ends)
        return found

    def find_session(self, time_s: float) -> Session | None:
        """The one that runs then."""
        slots = self._slots(np.array([time_s]))
        begins, ends, first = (float(one[0]) for one in self._course(slots))
        if not self._is_wanted(slots)[0] or not begins <= time_s < ends:
            return None
        return Session(begins, ends, self._power_kw, first)

    def meter_wh(self, session: Session, time_s: float) -> int:
        """What its meter shows: grown as if it was always busy, so that it never falls, and by this session."""
        days = (session.begins_s - METERS_COUNT_FROM_S) / 86_400
        before_kwh = (days - 100 * one_chance(self._seed, self._key, 9)) * BUSIEST_H_A_DAY * self._power_kw
        return round(1000 * (before_kwh + session.energy_kwh(time_s)))

    def _slots(self, times: Times) -> Ints:
        return np.floor((times - self._shift_s) / self._slot_s).astype(np.int64)

    def _is_wanted(self, slots: Ints) -> Bools:
        begins: Times = slots.astype(np.float64) * self._slot_s + self._shift_s
        weight = self._habit.weight(moments(begins))
        found: Bools = chance(self._seed, self._key, slots) < np.minimum(self._share * weight, 0.9)
        return found

    def _course(self, slots: Ints) -> tuple[Floats, Floats, Floats]:
        """Begin, end, and how full the car is when it comes."""
        late, long, first = (chance(self._seed, self._key + number, slots) for number in (1, 2, 3))
        begins = np.rint(slots * self._slot_s + self._shift_s + 0.1 * self._slot_s * late)
        first = 0.1 + 0.5 * first
        filled_s = 3600 * (0.95 - first) * CAR_KWH / self._power_kw
        lasts = np.minimum(self._slot_s * (0.25 + 0.6 * long), filled_s)
        return begins, np.rint(begins + lasts), first


def plugs_of(station: ChargingStation, seed: int) -> Sequence[Plug]:
    return [Plug(station, point, number, seed) for number, point in enumerate(station.points, 1)]


def station(device: Device, scene: Scene) -> Read:
    """What the station as a whole shows; its sessions are told by the station itself, as OCPP has it."""
    known = scene.stations[device.link.id]
    plugs = plugs_of(known, scene.seed)

    def read(times: Times, effects: Effects) -> Columns:
        taken = sum((plug.is_taken(times).astype(np.int64) for plug in plugs), np.zeros(len(times), np.int64))
        able = effects.powered & effects.working
        return {
            "is_connected": effects.powered.astype(object),
            "available": np.where(able, len(plugs) - taken, 0),
            "state": np.where(able, "Available", "Faulted").astype(object),
        }

    return read
