"""Which kind reads how, and what of it gets through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind, Way
from parvis.demo.nature.chance import Bools, Floats, Times, chance, one_chance
from parvis.demo.readings import air, buses, charging, energy, lighting, moving, parking, rooms, waste, water
from parvis.demo.readings.scene import Read, Scene, Told, key_of
from parvis.demo.story.events import Effects

READS: Mapping[Kind, Callable[[Device, Scene], Read]] = {
    Kind.FILL: waste.fill_level,
    Kind.METER: water.meter,
    Kind.DISTRICT_METER: water.district_meter,
    Kind.PRESSURE: water.pressure_logger,
    Kind.TOWER: water.tower,
    Kind.ROOM: rooms.room,
    Kind.ELECTRICITY: energy.electricity_meter,
    Kind.GAS: energy.gas_meter,
    Kind.HEAT: energy.heat_meter,
    Kind.LIGHTING: lighting.cabinet,
    Kind.PARKING: parking.bay,
    Kind.CAR_PARK: parking.car_park,
    Kind.AIR: air.air_station,
    Kind.WEATHER: air.weather_station,
    Kind.NOISE: air.noise_meter,
    Kind.TRAFFIC: moving.traffic_counter,
    Kind.BIKES: moving.bike_counter,
    Kind.PEOPLE: moving.people_counter,
    Kind.LEVEL: water.level_gauge,
    Kind.BUS: buses.bus,
    Kind.CHARGING: charging.station,
    Kind.PV: energy.inverter,
    Kind.BERTH: energy.berth_pedestal,
}
FROM_THE_MAINS = frozenset({Kind.ELECTRICITY, Kind.BERTH})
"""Of those that speak LoRaWAN; they fall silent with their circuit."""
SILENT_WITHOUT_POWER = FROM_THE_MAINS | {Kind.CAR_PARK, Kind.WEATHER, Kind.PEOPLE, Kind.CHARGING}
LOST_SHARE, LOST_S = 0.008, 60
"""Frames that no gateway hears."""
YEAR_S = 365 * 86_400
CHANGED_PERCENT, FORGOTTEN_PERCENT, FORGOTTEN_SHARE = 75, 94, 0.05
"""How much of a cell is used when it is changed."""


@dataclass(frozen=True)
class Sensor:
    """One device's voice; what it tells follows from seed, story and time alone."""

    device: Device
    _read: Read
    _effects_on: Callable[[Times], Effects]
    _seed: int

    def tell(self, times: Times) -> Told:
        effects = self._effects_on(times)
        columns = self._read(times, effects)
        running = columns.pop(buses.RUNS, None)
        heard = self._heard(times, effects)
        if running is not None:
            heard = heard & running
        if self.device.way is Way.LORAWAN and self.device.kind not in FROM_THE_MAINS:
            columns["battery_percent"] = self._battery_percent(times, effects)
        return Told(heard, columns)

    def _heard(self, times: Times, effects: Effects) -> Bools:
        heard = effects.heard
        if self.device.kind in SILENT_WITHOUT_POWER:
            heard = heard & effects.powered
        if self.device.way is Way.LORAWAN:
            steps = np.floor(times / LOST_S).astype(np.int64)
            heard = heard & (chance(self._seed, key_of(self.device.hardware_id) + 77, steps) >= LOST_SHARE)
        return heard

    def _battery_percent(self, times: Times, effects: Effects) -> Floats:
        """A cell that lasts three to six years, changed in time; of a few somebody thinks late."""
        key = key_of(self.device.hardware_id)
        used_up = FORGOTTEN_PERCENT if one_chance(self._seed, key, 13) < FORGOTTEN_SHARE else CHANGED_PERCENT
        life_s = (3 + 3 * one_chance(self._seed, key, 11)) * YEAR_S
        used = (times / life_s + one_chance(self._seed, key, 12)) % 1
        found: Floats = np.rint(effects.battery * (100 - np.floor(used_up * used)))
        return found


def sensor_of(device: Device, scene: Scene) -> Sensor:
    return Sensor(device, READS[device.kind](device, scene), scene.effects_on(device), scene.seed)
