"""Water: what meters count, what pipes hold, how high towers, rivers and the sea stand."""

from collections.abc import Callable

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Floats, Times, drift, one_chance
from parvis.demo.nature.energy import Running
from parvis.demo.nature.habits import DAY_ZERO, HOUSEHOLD_WATER, PUBLIC_WATER, Tally
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

M_PER_BAR = 10.197
S_PER_DAY = 86_400
NIGHT_HOUR = 3.5
"""When a tight house draws nothing."""
RUNNING_TAP_SHARE, RUNNING_TAP_L_PER_H = 0.012, 95.0
COUNTED_OVER_S = 600.0
HOMES = ("house", "farm")


def last_night(times: Times) -> Times:
    """The most recent moment at which water should rest."""
    found: Times = times - (moments(times).hour - NIGHT_HOUR) % 24 * 3600
    return found


def meter(device: Device, scene: Scene) -> Read:
    """`weight` is what is drawn there in the mean, m³ a day."""
    seed, key = scene.seed, key_of(device.hardware_id)
    tally = Tally(HOUSEHOLD_WATER if device.place in HOMES else PUBLIC_WATER, seed, key, 0.45)
    daily_l = 1000 * device.weight
    runs = one_chance(seed, key, 4) < RUNNING_TAP_SHARE
    steady_l_per_h = RUNNING_TAP_L_PER_H if runs else 0.0
    started_l = 50_000 * one_chance(seed, key, 3)
    effects_on = scene.effects_on(device)

    def volume_l(times: Times) -> Floats:
        steady = steady_l_per_h * (times - DAY_ZERO * S_PER_DAY) / 3600
        found: Floats = started_l + daily_l * tally.at(times) + steady + effects_on(times).leaked_l
        return found

    def flow_l_per_h(times: Times) -> Floats:
        return (volume_l(times) - volume_l(times - COUNTED_OVER_S)) * (3600 / COUNTED_OVER_S)

    def read(times: Times, effects: Effects) -> Columns:
        leaks = runs | (effects.leak_l_per_s > 0)
        return {
            "volume_l": np.floor(volume_l(times)),
            "flow_l_per_h": np.rint(flow_l_per_h(times)),
            "lowest_flow_l_per_h": np.rint(flow_l_per_h(last_night(times))),
            "leak": leaks.astype(np.int64),
            "tamper": np.zeros(len(times), np.int64),
        }

    return read


def district_meter(device: Device, scene: Scene) -> Read:
    """All that flows into a district; its night flow tells a leak."""
    district = scene.districts[device.link.id]
    water = scene.nature.water

    def flow_m3_per_h(times: Times) -> Floats:
        return 3.6 * water.district_l_per_s(times, district)

    total = Running(flow_m3_per_h, scene.nature.meters_count_from_s)
    started_m3 = 9e5 * one_chance(scene.seed, key_of(device.hardware_id), 3)
    tight_m3_per_h = 0.45 * district.demand_m3_per_day / 24

    def read(times: Times, effects: Effects) -> Columns:
        night = flow_m3_per_h(last_night(times))
        return {
            "volume_m3": np.round(started_m3 + total.at(times), 1),
            "flow_m3_per_h": np.round(flow_m3_per_h(times), 2),
            "lowest_flow_m3_per_h": np.round(night, 2),
            "leak": (night > tight_m3_per_h).astype(np.int64),
        }

    return read


def pressure_logger(device: Device, scene: Scene) -> Read:
    seed, key = scene.seed, key_of(device.hardware_id)

    def read(times: Times, effects: Effects) -> Columns:
        head_m = scene.nature.water.pressure_m(times, device.link.id)
        soil_c = 12.5 + 3.2 * np.cos(2 * np.pi * (times / S_PER_DAY - 235) / 365.2425)
        return {
            "pressure_bar": np.round(head_m / M_PER_BAR, 2),
            "temperature_c": np.round(soil_c + 0.4 * drift(seed, key, times, 3 * S_PER_DAY), 1),
        }

    return read


def tower(device: Device, scene: Scene) -> Read:
    tower = scene.towers[device.link.id]

    def read(times: Times, effects: Effects) -> Columns:
        level_m = scene.nature.water.tower_m(times, tower)
        return {
            "level_m": np.round(level_m, 2),
            "fill_percent": np.round(100 * level_m / tower.full_m, 1),
            "volume_m3": np.round(tower.capacity_m3 * level_m / tower.full_m, 0),
            "state": np.where(effects.working, "ok", "pumpFailure").astype(object),
        }

    return read


def level_gauge(device: Device, scene: Scene) -> Read:
    """Of a river above its usual low, or of the sea above chart datum."""
    seed, key = scene.seed, key_of(device.hardware_id)
    base_m = 0.35 + 0.4 * one_chance(seed, key, 8)
    is_tide = device.place == "tide"
    weather = scene.nature.weather
    surface: Callable[[Times], Floats] = weather.tide_m if is_tide else lambda times: weather.river_m(times, base_m)

    def read(times: Times, effects: Effects) -> Columns:
        ripple = (2 if is_tide else 1) * 0.012 * drift(seed, key, times, 240)
        season = 3.5 * np.cos(2 * np.pi * (times / S_PER_DAY - 225) / 365.2425)
        warmth = 0.3 * drift(seed, 92, times, 5 * S_PER_DAY) + 0.4 * drift(seed, key + 1, times, S_PER_DAY)
        return {
            "level_m": np.round(surface(times) + ripple, 3),
            "temperature_c": np.round((13.5 if is_tide else 11.5) + season + warmth, 2),
        }

    return read
