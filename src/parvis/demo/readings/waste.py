"""How full containers are: what a quarter throws away, from one round of collection to the next."""

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.chance import Times, chance, drift, one_chance
from parvis.demo.nature.habits import WASTE, Tally
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

S_PER_DAY = 86_400
ROUND_DAYS = {"glass": 11, "paper": 7, "plastic": 5}
OTHER_ROUND_DAYS = 3
LITTER_BIN = "other"
FILLED_BY_THE_ROUND = 0.6
AJAR_SHARE, AJAR_S = 0.004, 1200


def fill_level(device: Device, scene: Scene) -> Read:
    """`weight` is how much faster than its round foresees it fills."""
    seed, key = scene.seed, key_of(device.hardware_id)
    tally = Tally(WASTE, seed, key, 0.35)
    depth_mm = 850 if device.place == LITTER_BIN else 1650
    days = ROUND_DAYS.get(device.place, OTHER_ROUND_DAYS)
    phase = int(one_chance(seed, key, 1) * days)
    collected_day = (6.5 + 4.5 * one_chance(seed, key, 2)) / 24
    per_day = device.weight * FILLED_BY_THE_ROUND / days

    def read(times: Times, effects: Effects) -> Columns:
        whole = np.floor(times / S_PER_DAY - collected_day)
        emptied = (whole - (whole + phase) % days + collected_day) * S_PER_DAY
        level = 0.03 + per_day * tally.between(emptied, times) + effects.fill
        fill = np.clip(level + 0.006 * drift(seed, key + 1, times, 900), 0, 1)
        air = scene.nature.weather.at(times)
        ajar = chance(seed, key + 2, np.floor(times / AJAR_S).astype(np.int64)) < AJAR_SHARE
        return {
            "fill_percent": np.rint(100 * fill),
            "distance_mm": np.rint(depth_mm * (1.08 - fill)),
            "temperature_c": np.round(air.temperature_c + 6 * air.sunshine + 1.5 * fill, 1),
            "state": np.where(ajar, "lidOpen", "ok").astype(object),
        }

    return read
