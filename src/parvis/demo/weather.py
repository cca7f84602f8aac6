"""Sun, weather and tide over the territory."""

from dataclasses import dataclass
from functools import lru_cache
from math import asin, cos, exp, pi, radians, sin

from parvis.demo.clockwork import S_PER_DAY, chance, drift
from parvis.demo.land.geometry import ORIGIN_LAT_DEG, ORIGIN_LON_DEG

SYNOPTIC_S = 2.6 * S_PER_DAY
# Amplitude (m) and period (h) of the principal constituents, of the size they have on the south coast of Brittany.
CONSTITUENTS = ((1.62, 12.4206, 0.4), (0.58, 12.0, 2.1), (0.33, 12.6583, 1.2), (0.09, 23.9345, 0.7))
MEAN_SEA_LEVEL_M = 3.05


@dataclass(frozen=True, slots=True)
class Conditions:
    sun: float
    temperature_c: float
    humidity_percent: float
    pressure_hpa: float
    wind_m_per_s: float
    wind_from_deg: int
    rain_mm_per_h: float
    cloud: float


class Weather:
    def __init__(self, seed: int) -> None:
        self._seed = seed * 31 + 5
        self._remembered = lru_cache(maxsize=512)(self._at_minute)
        self._hourly_wetness = lru_cache(maxsize=256)(self._wetness_at_hour)

    def at(self, time_s: float) -> Conditions:
        return self._remembered(int(time_s // 60))

    def _at_minute(self, minute: int) -> Conditions:
        time_s = minute * 60.0
        front = drift(self._seed, 1, time_s, SYNOPTIC_S)
        cloud = min(1.0, max(0.0, 0.55 - 0.55 * front + 0.25 * drift(self._seed, 2, time_s, 9000)))
        sun = sun_height(time_s) * (1 - 0.72 * cloud)
        rain = self.rain_mm_per_h(time_s)
        temperature = self._temperature_c(time_s, front, cloud)
        humidity = 78 + 14 * cloud - 1.1 * (temperature - 12) - 12 * sun + (8 if rain > 0 else 0)
        turn = drift(self._seed, 6, time_s, 30_000)
        return Conditions(
            sun=sun,
            temperature_c=temperature,
            humidity_percent=min(100.0, max(35.0, humidity)),
            pressure_hpa=1015 + 17 * front + 3 * drift(self._seed, 4, time_s, 40_000),
            wind_m_per_s=max(0.4, 5.2 - 3.4 * front + 2.6 * drift(self._seed, 5, time_s, 7200)),
            wind_from_deg=int(250 + 75 * front + 40 * turn) % 360,
            rain_mm_per_h=rain,
            cloud=cloud,
        )

    def rain_mm_per_h(self, time_s: float) -> float:
        front = drift(self._seed, 1, time_s, SYNOPTIC_S)
        shower = drift(self._seed, 3, time_s, 4200) - 0.9 * front - 0.62
        return 4.5 * shower if shower > 0 else 0.0

    def wetness(self, time_s: float) -> float:
        """Rain of the last four days as a river remembers it (mm/h, recent hours weighing most)."""
        hour = int(time_s // 3600)
        return self._hourly_wetness(hour) + (time_s / 3600 - hour) * (
            self._hourly_wetness(hour + 1) - self._hourly_wetness(hour)
        )

    def _wetness_at_hour(self, hour: int) -> float:
        return sum(self.rain_mm_per_h((hour - ago) * 3600.0) * exp(-ago / 30) for ago in range(3, 96, 3)) / 6

    def tide_m(self, time_s: float) -> float:
        """Height above chart datum; low pressure lifts it by 1 cm a hectopascal."""
        hours = time_s / 3600
        swing = sum(size * cos(2 * pi * hours / period + phase) for size, period, phase in CONSTITUENTS)
        return MEAN_SEA_LEVEL_M + swing + (1013 - self.at(time_s).pressure_hpa) * 0.01

    def _temperature_c(self, time_s: float, front: float, cloud: float) -> float:
        season = -cos(2 * pi * (time_s / S_PER_DAY - 27) / 365.2425)
        hour = (time_s / 3600 + ORIGIN_LON_DEG / 15) % 24
        daily = cos(2 * pi * (hour - 15) / 24) * (3.6 + 1.4 * season) * (1 - 0.6 * cloud)
        gusts = 0.5 * chance(self._seed, 8, int(time_s // 1800))
        return 12.1 + 5.4 * season + daily + 2.4 * drift(self._seed, 7, time_s, 3 * S_PER_DAY) - 0.8 * front + gusts


def sun_height(time_s: float) -> float:
    """Sine of the sun's elevation, 0 at night (declination after Cooper 1969)."""
    day = time_s / S_PER_DAY
    declination = radians(23.45) * sin(2 * pi * (day + 284 - 0.5) / 365.2425)
    hour_angle = 2 * pi * (day % 1 - 0.5) + radians(ORIGIN_LON_DEG)
    latitude = radians(ORIGIN_LAT_DEG)
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)
    return max(0.0, sin(asin(height)))
