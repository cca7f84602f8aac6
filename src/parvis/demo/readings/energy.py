"""Meters of electricity, gas and heat in buildings and on pontoons, and what the sun gives on roofs."""

from collections.abc import Callable

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Floats, Times, chance, drift, one_chance
from parvis.demo.nature.energy import Running
from parvis.demo.nature.habits import HOUSEHOLD_WATER
from parvis.demo.nature.sun import on_plane_w_per_m2, panel_power_kw
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

GAS_KWH_PER_M3 = 11.2
"""Higher heating value of the gas that GRTgaz brings to the west, of which a boiler makes use of 92 %."""
BOILER_SHARE = 0.92
WATER_KWH_PER_M3_K = 1.163
SPREAD_K = 18.0
BOAT_STAYS_S = 2.5 * 86_400
USES = {"swimming_pool": "pool", "sports_hall": "community_hall"}

Power = Callable[[Times], Floats]


def _use(device: Device) -> str:
    return USES.get(device.place, device.place)


def _total(power: Power, scene: Scene, key: int, started: float) -> Power:
    running = Running(power, scene.nature.meters_count_from_s)
    begun = started * one_chance(scene.seed, key, 3)
    return lambda times: begun + running.at(times)


def electricity_meter(device: Device, scene: Scene) -> Read:
    """`weight` is the building's floor in square metres, `place` its use."""
    key = key_of(device.hardware_id)

    def power_kw(times: Times) -> Floats:
        return scene.nature.buildings.electricity_kw(times, _use(device), device.weight, key)

    total = _total(power_kw, scene, key, 4e5)

    def read(times: Times, effects: Effects) -> Columns:
        power = power_kw(times)
        return {
            "import_kwh": np.round(total(times), 1),
            "power_w": np.rint(1000 * power),
            "power_factor": np.round(0.94 + 0.04 * drift(scene.seed, key + 1, times, 4000), 2),
            "voltage_v": np.round(233 - 4 * power / (0.03 * device.weight + 1) + drift(scene.seed, 77, times, 900), 1),
        }

    return read


def gas_meter(device: Device, scene: Scene) -> Read:
    key = key_of(device.hardware_id)

    def flow_m3_per_h(times: Times) -> Floats:
        heat = scene.nature.buildings.heat_kw(times, _use(device), device.weight, key)
        found: Floats = heat / BOILER_SHARE / GAS_KWH_PER_M3
        return found

    total = _total(flow_m3_per_h, scene, key, 6e4)

    def read(times: Times, effects: Effects) -> Columns:
        return {"volume_m3": np.round(total(times), 2), "flow_m3_per_h": np.round(flow_m3_per_h(times), 2)}

    return read


def heat_meter(device: Device, scene: Scene) -> Read:
    """Of a building on the network of the town's wood boiler: hotter water the colder it is outside."""
    key = key_of(device.hardware_id)

    def power_kw(times: Times) -> Floats:
        return scene.nature.buildings.heat_kw(times, _use(device), device.weight, key)

    energy = _total(power_kw, scene, key, 8e5)

    def read(times: Times, effects: Effects) -> Columns:
        power, outside = power_kw(times), scene.nature.weather.at(times).temperature_c
        flow_c = np.clip(72 - 1.4 * outside, 45, 80) + drift(scene.seed, key + 1, times, 3000)
        flow = power / (WATER_KWH_PER_M3_K * SPREAD_K)
        return {
            "energy_kwh": np.floor(energy(times)),
            "volume_m3": np.round(energy(times) / (WATER_KWH_PER_M3_K * SPREAD_K), 2),
            "power_kw": np.round(power, 1),
            "volume_flow_m3_per_h": np.round(flow, 3),
            "flow_temperature_c": np.round(flow_c, 1),
            "return_temperature_c": np.round(flow_c - SPREAD_K * np.minimum(1, 0.2 + flow), 1),
        }

    return read


def berth_pedestal(device: Device, scene: Scene) -> Read:
    """Electricity and water of a pontoon: who lies there draws some. `weight` is how many berths it serves."""
    seed, key = scene.seed, key_of(device.hardware_id)

    def power_kw(times: Times) -> Floats:
        there = chance(seed, key, np.floor(times / BOAT_STAYS_S).astype(np.int64)) < 0.55
        found: Floats = there * device.weight * (0.15 + 0.4 * HOUSEHOLD_WATER.weight(moments(times)))
        return found

    total = _total(power_kw, scene, key, 8e3)

    def read(times: Times, effects: Effects) -> Columns:
        power = power_kw(times)
        return {
            "import_kwh": np.round(total(times), 2),
            "power_w": np.rint(1000 * power),
            "volume_l": np.floor(34 * total(times)),
        }

    return read


def inverter(device: Device, scene: Scene) -> Read:
    roof = scene.roofs[device.link.id]
    key = key_of(device.hardware_id)
    effects_on = scene.effects_on(device)

    def power_kw(times: Times) -> Floats:
        air = scene.nature.weather.at(times)
        plane = on_plane_w_per_m2(air.sun, air.falls, roof.tilt_deg, roof.azimuth_deg)
        power = panel_power_kw(plane, air.temperature_c, air.wind_m_per_s, roof.peak_kw)
        effects = effects_on(times)
        return np.where(effects.powered & effects.working, power, 0.0)

    total = _total(power_kw, scene, key, 600 * roof.peak_kw)

    def read(times: Times, effects: Effects) -> Columns:
        power, air = power_kw(times), scene.nature.weather.at(times)
        able = effects.powered & effects.working
        state = np.where(able, np.where(power > 0.01, "generating", "standby"), "fault")
        return {
            "power_kw": np.round(power, 2),
            "energy_kwh": np.round(total(times), 1),
            "temperature_c": np.round(air.temperature_c + 8 + 24 * power / roof.peak_kw, 1),
            "state": state.astype(object),
        }

    return read
