"""Stations of air quality and weather, and sound level meters."""

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Times, drift, one_chance
from parvis.demo.nature.habits import HOUSEHOLD_WATER, TRAFFIC, WALKING
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects

S_PER_DAY = 86_400
RAIN_SUMMED_S = 900.0
QUIETEST_DB = {"road": 44.0, "venue": 38.0, "port": 40.0}


def air_station(device: Device, scene: Scene) -> Read:
    key = key_of(device.hardware_id)
    return air_at(scene, key, 0.5 + one_chance(scene.seed, key, 7))


def air_at(scene: Scene, key: int, urban: float) -> Read:
    """Exhaust where traffic is, wood smoke when it is cold, haze from afar; wind and rain clear it."""
    seed = scene.seed

    def read(times: Times, effects: Effects) -> Columns:
        air, at = scene.nature.weather.at(times), moments(times)
        cars = TRAFFIC.weight(at) * urban / (0.6 + 0.16 * air.wind_m_per_s)
        stoves = np.maximum(0, 12 - air.temperature_c) * (0.3 + HOUSEHOLD_WATER.weight(at)) * 0.35
        haze = 5 + 3.5 * drift(seed, 91, times, 2 * S_PER_DAY) + 0.8 * drift(seed, key, times, 3600)
        fine = np.maximum(0.8, haze + 1.9 * cars + stoves - 1.5 * np.minimum(air.rain_mm_per_h, 6))
        no2 = np.maximum(1, 4 + 9 * cars + 1.5 * drift(seed, key + 1, times, 1800))
        return {
            "temperature_c": np.round(air.temperature_c + 0.6 * drift(seed, key + 2, times, S_PER_DAY), 1),
            "humidity_percent": np.round(2 * air.humidity_percent) / 2,
            "pressure_hpa": np.round(air.pressure_hpa, 1),
            "pm25_ug_per_m3": np.round(fine, 1),
            "pm10_ug_per_m3": np.round(1.6 * fine + 0.35 * air.wind_m_per_s, 1),
            "no2_ug_per_m3": np.round(no2, 1),
            "o3_ug_per_m3": np.round(np.maximum(5, 48 + 55 * air.sunshine - 0.8 * no2), 1),
            "wind_m_per_s": np.round(np.minimum(25.5, air.wind_m_per_s * (0.7 + 0.2 * urban)), 1),
            "wind_from_deg": np.floor(air.wind_from_deg) % 360,
            "rain_mm": np.round(np.minimum(25.5, air.rain_mm_per_h * RAIN_SUMMED_S / 3600), 1),
        }

    return read


def weather_station(device: Device, scene: Scene) -> Read:
    key = key_of(device.hardware_id)
    return weather_at(scene, key, 0.9 + 0.3 * one_chance(scene.seed, key, 7))


def weather_at(scene: Scene, key: int, exposed: float) -> Read:
    seed = scene.seed

    def read(times: Times, effects: Effects) -> Columns:
        air = scene.nature.weather.at(times)
        return {
            "temperature_c": np.round(air.temperature_c + 0.5 * drift(seed, key, times, S_PER_DAY), 1),
            "humidity_percent": np.round(air.humidity_percent),
            "pressure_hpa": np.round(air.pressure_hpa, 1),
            "wind_m_per_s": np.round(exposed * air.wind_m_per_s, 1),
            "gust_m_per_s": np.round(exposed * air.gust_m_per_s, 1),
            "wind_from_deg": np.floor(air.wind_from_deg) % 360,
            "rain_mm_per_h": np.round(air.rain_mm_per_h, 1),
            "sun_w_per_m2": np.rint(air.falls.global_w_per_m2),
        }

    return read


def noise_meter(device: Device, scene: Scene) -> Read:
    """Cars and voices, wind and rain; a full square is louder."""
    seed, key = scene.seed, key_of(device.hardware_id)
    quietest = QUIETEST_DB.get(device.place, 39.0) + 4 * one_chance(seed, key, 1)

    def read(times: Times, effects: Effects) -> Columns:
        air, at = scene.nature.weather.at(times), moments(times)
        sources = 0.05 + TRAFFIC.weight(at) + WALKING.weight(at) * (effects.crowd - 0.5)
        level = quietest + 8 * np.log10(1 + 6 * np.maximum(sources, 0)) + 1.5 * drift(seed, key, times, 1500)
        level += np.minimum(0.35 * air.rain_mm_per_h + 0.3 * np.maximum(air.wind_m_per_s - 8, 0), 9)
        peak = 9 + 4 * (1 + drift(seed, key + 1, times, 900))
        return {"laeq_db": np.round(level, 1), "lamax_db": np.round(level + peak, 1)}

    return read
