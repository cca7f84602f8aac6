"""Counters beside roads, cycle tracks and streets: what passed since their last word."""

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.chance import Times, drift
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

FREE_KM_PER_H = {"primary": 84.0, "secondary": 78.0, "tertiary": 62.0, "residential": 34.0}
USUAL_FREE_KM_PER_H = 48.0
LANE_PER_H = 1700.0


def traffic_counter(device: Device, scene: Scene) -> Read:
    """`weight` is the mean of vehicles an hour, `place` the road's class."""
    key, place, traffic = key_of(device.hardware_id), scene.place_of(device), scene.nature.traffic
    free = FREE_KM_PER_H.get(device.place, USUAL_FREE_KM_PER_H)
    interval_s = device.period_s

    def read(times: Times, effects: Effects) -> Columns:
        mean = traffic.vehicles_per_h(times, device.weight, key, place)
        count = traffic.count(key, times, mean * interval_s / 3600)
        per_h = count * 3600 / interval_s
        speed = traffic.speed_km_per_h(times, per_h, free, key)
        heavy = traffic.count(key + 6, times, 0.07 * mean * interval_s / 3600)
        return {
            "interval_s": np.full(len(times), interval_s),
            "vehicles": count,
            "heavy_vehicles": np.minimum(heavy, count),
            "vehicles_per_h": np.rint(per_h),
            "speed_km_per_h": np.where(count > 0, np.clip(np.rint(speed), 8, 130), np.nan),
            "occupancy_percent": np.round(2 * np.minimum(100, 26 * per_h / LANE_PER_H)) / 2,
        }

    return read


def bike_counter(device: Device, scene: Scene) -> Read:
    key, place, traffic = key_of(device.hardware_id), scene.place_of(device), scene.nature.traffic
    interval_s = device.period_s

    def read(times: Times, effects: Effects) -> Columns:
        mean = traffic.bikes_per_h(times, device.weight, key, place) * interval_s / 3600
        there = 0.5 + 0.25 * drift(scene.seed, key + 3, times, 14_400)
        one_way, other_way = traffic.count(key, times, mean * there), traffic.count(key + 1, times, mean * (1 - there))
        return {
            "bikes_in": one_way,
            "bikes_out": other_way,
            "bikes_per_h": np.rint((one_way + other_way) * 3600 / interval_s),
        }

    return read


def people_counter(device: Device, scene: Scene) -> Read:
    key, place, traffic = key_of(device.hardware_id), scene.place_of(device), scene.nature.traffic
    interval_s = device.period_s

    def read(times: Times, effects: Effects) -> Columns:
        mean = traffic.walkers_per_h(times, device.weight, key, place) * interval_s / 3600
        count = traffic.count(key, times, mean)
        slowed = np.minimum(effects.crowd - 1, 3) * 0.4
        return {
            "people": count,
            "people_per_h": np.rint(count * 3600 / interval_s),
            "speed_km_per_h": np.round(4.4 - slowed + 0.3 * drift(scene.seed, key + 2, times, 1800), 1),
        }

    return read
