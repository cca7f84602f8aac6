"""Weather and tide over the territory, and the storms that the story brings."""

from dataclasses import dataclass

import numpy as np

from parvis.demo.land.geometry import ORIGIN_LON_DEG
from parvis.demo.nature.calendar import S_PER_DAY
from parvis.demo.nature.chance import Floats, Ints, Times, chance, drift
from parvis.demo.nature.remembered import Remembered
from parvis.demo.nature.sun import Irradiance, SunPosition, irradiance, sun_position
from parvis.demo.story.story import Story

SYNOPTIC_S = 2.6 * S_PER_DAY
# Amplitude (m) and period (h) of the principal constituents, of the size they have on the south coast of Brittany.
CONSTITUENTS = ((1.62, 12.4206, 0.4), (0.58, 12.0, 2.1), (0.33, 12.6583, 1.2), (0.09, 23.9345, 0.7))
MEAN_SEA_LEVEL_M = 3.05
STORM_WIND_M_PER_S, STORM_RAIN_MM_PER_H, STORM_DEEP_HPA = 21.0, 11.0, 26.0
MEMORY_H, MEMORY_STEP_H = 96, 3


@dataclass(frozen=True, slots=True)
class Conditions:
    """`cloud` is the covered part of the sky, 0..1; wind is a mean of ten minutes, gusts are its peaks."""

    temperature_c: Floats
    humidity_percent: Floats
    pressure_hpa: Floats
    wind_m_per_s: Floats
    gust_m_per_s: Floats
    wind_from_deg: Floats
    rain_mm_per_h: Floats
    cloud: Floats
    sun: SunPosition
    falls: Irradiance

    @property
    def sunshine(self) -> Floats:
        """0..1 of what a summer's noon brings."""
        found: Floats = np.clip(self.falls.global_w_per_m2 / 900, 0, 1)
        return found


class Weather:
    def __init__(self, seed: int, story: Story) -> None:
        self._seed = seed * 31 + 5
        self._story = story
        self.at = Remembered(self._at)
        self.wetness = Remembered(self._wetness)

    def rain_mm_per_h(self, times: Times) -> Floats:
        shower = drift(self._seed, 3, times, 4200) - 0.9 * self._front(times) - 0.62
        storm = self._story.storm(times)
        squalls = 0.6 + 0.4 * drift(self._seed, 9, times, 900)
        return 4.5 * np.maximum(shower, 0.0) + STORM_RAIN_MM_PER_H * storm * squalls

    def _front(self, times: Times) -> Floats:
        """From -1 (a low passes) to 1 (a high stays)."""
        return drift(self._seed, 1, times, SYNOPTIC_S)

    def _at(self, times: Times) -> Conditions:
        front, storm = self._front(times), self._story.storm(times)
        cloud = np.clip(0.55 - 0.55 * front + 0.25 * drift(self._seed, 2, times, 9000) + storm, 0, 1)
        sun = sun_position(times)
        falls = irradiance(times, sun, cloud)
        rain = self.rain_mm_per_h(times)
        temperature = self._temperature_c(times, front, cloud) - 3.5 * storm
        humidity = 78 + 14 * cloud - 1.1 * (temperature - 12) - 0.013 * falls.global_w_per_m2 + 8 * (rain > 0)
        wind = np.maximum(0.4, 5.2 - 3.4 * front + 2.6 * drift(self._seed, 5, times, 7200)) + STORM_WIND_M_PER_S * storm
        turn = drift(self._seed, 6, times, 30_000)
        return Conditions(
            temperature_c=temperature,
            humidity_percent=np.clip(humidity, 35, 100),
            pressure_hpa=1015 + 17 * front + 3 * drift(self._seed, 4, times, 40_000) - STORM_DEEP_HPA * storm,
            wind_m_per_s=wind,
            gust_m_per_s=wind * (1.35 + 0.25 * chance(self._seed, 10, np.floor(times / 600).astype(np.int64))),
            wind_from_deg=np.floor(250 + 75 * front + 40 * turn) % 360,
            rain_mm_per_h=rain,
            cloud=cloud,
            sun=sun,
            falls=falls,
        )

    def _wetness(self, times: Times) -> Floats:
        """Rain of the last four days as a river remembers it (mm/h, recent hours weighing most)."""
        ago_h = np.arange(MEMORY_STEP_H, MEMORY_H, MEMORY_STEP_H)
        hours = np.floor(times / 3600)
        share = times / 3600 - hours
        before, after = (self._remembered_rain(hours + more, ago_h) for more in (0, 1))
        found: Floats = before * (1 - share) + after * share
        return found

    def _remembered_rain(self, hours: Floats, ago_h: Ints) -> Floats:
        distinct, places = np.unique(hours, return_inverse=True)
        each = (distinct[:, None] - ago_h[None, :]) * 3600.0
        rain = self.rain_mm_per_h(each.ravel()).reshape(each.shape)
        found: Floats = (rain @ np.exp(-ago_h / 30) / 6)[places]
        return found

    def tide_m(self, times: Times) -> Floats:
        """Height above chart datum; low pressure lifts it by 1 cm a hectopascal, onshore storm wind piles it up."""
        hours = times / 3600
        swing = sum(size * np.cos(2 * np.pi * hours / period + phase) for size, period, phase in CONSTITUENTS)
        pressed = (1013 - self.at(times).pressure_hpa) * 0.01
        found: Floats = MEAN_SEA_LEVEL_M + swing + pressed + 0.35 * self._story.storm(times)
        return found

    def river_m(self, times: Times, base_m: float) -> Floats:
        found: Floats = base_m + 0.16 * self.wetness(times)
        return found

    def _temperature_c(self, times: Times, front: Floats, cloud: Floats) -> Floats:
        season = -np.cos(2 * np.pi * (times / S_PER_DAY - 27) / 365.2425)
        hour = (times / 3600 + ORIGIN_LON_DEG / 15) % 24
        daily = np.cos(2 * np.pi * (hour - 15) / 24) * (3.6 + 1.4 * season) * (1 - 0.6 * cloud)
        found: Floats = 12.1 + 5.4 * season + daily + 2.4 * drift(self._seed, 7, times, 3 * S_PER_DAY) - 0.8 * front
        return found
