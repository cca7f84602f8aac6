"""What the services' stations measure, of the same nature that the territory's own devices feel."""

import numpy as np

from parvis.demo.nature.chance import Floats, Times, drift, one_chance
from parvis.demo.readings.air import air_at, weather_at
from parvis.demo.readings.scene import Columns, Scene, key_of
from parvis.demo.services.stations import Service, Station, story_names
from parvis.demo.story.events import Place

S_PER_HOUR = 3600.0
SAMPLES = np.arange(300.0, S_PER_HOUR, 600.0) - S_PER_HOUR
"""Of the hour that ends."""
STEEPNESS = 1.7
"""Of the rating curve: flow grows with the height to that power."""


def measure(station: Station, scene: Scene, times: Times) -> Columns:
    """By field; of the air the means of the hours that end then."""
    match station.service:
        case Service.RIVERS:
            return _river(station, scene, times)
        case Service.AIR:
            return _air(station, scene, times)
        case Service.WEATHER:
            nothing = scene.effects_at(Place(frozenset()))
            return weather_at(scene, key_of(station.code), station.weight)(times, nothing(times))


def is_up(service: Service, scene: Scene, now_s: float) -> bool:
    """Whether the story lets it answer."""
    return bool(scene.effects_at(Place(story_names(service)))(np.array([now_s])).heard[0])


def _river(station: Station, scene: Scene, times: Times) -> Columns:
    key = key_of(station.code)
    low_m = 0.35 + 0.4 * one_chance(scene.seed, key, 8)
    ripple_m = 0.008 * drift(scene.seed, key, times, 1800)
    height_m: Floats = np.round(scene.nature.weather.river_m(times, low_m) + ripple_m, 3)
    return {"height_m": height_m, "flow_m3_per_s": np.round(station.weight * height_m**STEEPNESS, 3)}


def _air(station: Station, scene: Scene, times: Times) -> Columns:
    within = (times[:, None] + SAMPLES[None, :]).ravel()
    nothing = scene.effects_at(Place(frozenset()))
    columns = air_at(scene, key_of(station.code), station.weight)(within, nothing(within))
    return {name: np.round(column.reshape(len(times), -1).mean(axis=1), 1) for name, column in columns.items()}
