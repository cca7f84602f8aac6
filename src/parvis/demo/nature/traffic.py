"""Who is on the roads and in the streets: rain keeps bikes at home, holidays empty the roads, a market fills them."""

import numpy as np

from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Floats, Ints, Times, drift, poisson
from parvis.demo.nature.habits import CYCLING, TRAFFIC, WALKING
from parvis.demo.nature.weather import Weather
from parvis.demo.story.events import Place
from parvis.demo.story.story import Story


class Traffic:
    """Means an hour. `busy_per_h` is what an hour of a mean day brings, about a 24th of its total."""

    def __init__(self, seed: int, weather: Weather, story: Story) -> None:
        self._seed, self._weather, self._story = seed, weather, story

    def vehicles_per_h(self, times: Times, busy_per_h: float, key: int, place: Place) -> Floats:
        air = self._weather.at(times)
        drawn = np.minimum(self._story.crowd(times, place), 2.2)
        careful = 1 - 0.03 * np.minimum(air.rain_mm_per_h, 5) - 0.35 * self._story.storm(times)
        return busy_per_h * TRAFFIC.weight(moments(times)) * drawn * careful * self._days(times, key, 0.08)

    def speed_km_per_h(self, times: Times, vehicles_per_h: Floats, free_km_per_h: float, key: int) -> Floats:
        """Falls with load (after the Bureau of Public Roads, 1964) and rain."""
        load = vehicles_per_h / 1700
        rain = np.minimum(self._weather.at(times).rain_mm_per_h, 4)
        slowed = free_km_per_h / (1 + 0.35 * load**3) - 2.5 * rain
        return np.maximum(8.0, slowed + 2.5 * drift(self._seed, key, times, 700))

    def bikes_per_h(self, times: Times, busy_per_h: float, key: int, place: Place) -> Floats:
        air = self._weather.at(times)
        mild = np.clip(0.35 + 0.045 * air.temperature_c, 0.2, 1.5)
        dry = 1 / (1 + 0.9 * air.rain_mm_per_h) * np.clip(1.25 - 0.05 * air.wind_m_per_s, 0.1, 1.1)
        crowd = np.minimum(self._story.crowd(times, place), 2.5)
        return busy_per_h * CYCLING.weight(moments(times)) * mild * dry * crowd * self._days(times, key, 0.12)

    def walkers_per_h(self, times: Times, busy_per_h: float, key: int, place: Place) -> Floats:
        air = self._weather.at(times)
        mild = np.clip(0.55 + 0.03 * air.temperature_c + 0.2 * air.sunshine, 0.4, 1.5)
        dry = 1 / (1 + 0.5 * air.rain_mm_per_h) * (1 - 0.8 * self._story.storm(times))
        crowd = self._story.crowd(times, place)
        return busy_per_h * WALKING.weight(moments(times)) * mild * dry * crowd * self._days(times, key, 0.15)

    def count(self, key: int, times: Times, mean: Floats) -> Ints:
        """What a counter tells of such a mean: the same for the same instant."""
        return poisson(self._seed, key, np.floor(times).astype(np.int64), mean)

    def _days(self, times: Times, key: int, spread: float) -> Floats:
        """No two days are alike."""
        return 1 + spread * drift(self._seed, key + 11, times, 86_400.0)
