"""Who parks where: single bays, where one stay follows the other, and car parks, which count."""

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Bools, Floats, Times, chance, drift, one_chance
from parvis.demo.nature.habits import WASTE
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

DEMAND = {"market": 1.0, "hospital": 0.95, "townhall": 0.85, "beach": 0.9, "station": 0.95, "tourist_office": 0.7}
USUAL_DEMAND = 0.8
LOOKED_BACK = 24
"""Stays: a bay that has been as it is for longer says so much."""
FAULT_SHARE, FAULT_S = 0.0015, 7200


def _wanted(times: Times, demand: float) -> Floats:
    """The part of all bays that people want, in the streets' rhythm."""
    found: Floats = demand * (0.08 + WASTE.weight(moments(times)) / 2.1)
    return found


def bay(device: Device, scene: Scene) -> Read:
    seed, key = scene.seed, key_of(device.hardware_id)
    stay_s = (14 + 46 * one_chance(seed, key, 6)) * 60
    demand = DEMAND.get(device.place, USUAL_DEMAND)

    def taken(stays: Floats, crowd: Floats) -> Bools:
        wanted = np.minimum(_wanted((stays.ravel() + 0.5) * stay_s, demand).reshape(stays.shape) * crowd, 0.95)
        found: Bools = chance(seed, key, stays.ravel().astype(np.int64)).reshape(stays.shape) < wanted
        return found

    def read(times: Times, effects: Effects) -> Columns:
        stays = np.floor(times / stay_s)
        around = taken(stays[:, None] - np.arange(LOOKED_BACK), np.minimum(effects.crowd, 2.0)[:, None])
        now = around[:, 0]
        same = np.cumprod(around == now[:, None], axis=1).sum(axis=1)
        begun = (stays - same + 1) * stay_s
        fault = chance(seed, key + 5, np.floor(times / FAULT_S).astype(np.int64)) < FAULT_SHARE
        air = scene.nature.weather.at(times)
        return {
            "state": np.where(fault, "unknown", np.where(now, "occupied", "free")).astype(object),
            "minutes_since_change": np.floor((times - begun) / 60),
            "temperature_c": np.rint(air.temperature_c + 3 * air.sunshine),
        }

    return read


def car_park(device: Device, scene: Scene) -> Read:
    """`weight` is how many cars it holds."""
    seed, key = scene.seed, key_of(device.hardware_id)
    places = max(device.weight, 1.0)
    demand = DEMAND.get(device.place, USUAL_DEMAND) * (0.8 + 0.3 * one_chance(seed, key, 1))

    def read(times: Times, effects: Effects) -> Columns:
        share = _wanted(times, demand) * np.minimum(effects.crowd, 2.0) * (1 + 0.08 * drift(seed, key, times, 2400))
        taken = np.rint(places * np.clip(share, 0.02, 1))
        return {
            "occupied": taken,
            "available": places - taken,
            "occupancy": np.round(taken / places, 3),
            "state": np.where(taken >= places, "full", "open").astype(object),
        }

    return read
