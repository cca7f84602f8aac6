"""Climate of a room in a public building: heating by timetable, sun, people and the air they breathe."""

from collections.abc import Callable
from math import exp

from parvis.demo import payloads as p
from parvis.demo.behaviour import timetable
from parvis.demo.clockwork import battery_percent, chance, day_and_hour, drift
from parvis.demo.devices.installation import Device
from parvis.demo.weather import Weather

PPM_PER_HEAD = 38.0
SETBACK_C, COMFORT_C = 17.2, 20.5


def room_sensor(device: Device, weather: Weather, seed: int, key: int) -> Callable[[float], p.RoomReading]:
    return _Room(device.place, weather, seed, key).read


class _Room:
    def __init__(self, place: str, weather: Weather, seed: int, key: int) -> None:
        self._table = timetable(place)
        self._weather, self._seed, self._key = weather, seed, key
        self._sunny = chance(seed, key, 4)
        self._air_change_min = 35 + 50 * chance(seed, key, 5)

    def read(self, time_s: float) -> p.RoomReading:
        air = self._weather.at(time_s)
        people = self._present(time_s)
        inside = max(self._heated_c(time_s), 0.75 * air.temperature_c + 5.5)
        inside += 2.4 * air.sun * self._sunny + 0.025 * people + 0.25 * drift(self._seed, self._key, time_s, 2400)
        humidity = min(75.0, max(25.0, 46 + 0.16 * people + 0.2 * (air.humidity_percent - 75)))
        co2 = 425 + self._stale_air_ppm(time_s) + 9 * drift(self._seed, self._key + 4, time_s, 600)
        lamps_lx = 320 if people and air.sun < 0.45 else 0
        return p.RoomReading(
            temperature_c=round(inside, 2),
            humidity_percent=round(2 * humidity) / 2,
            co2_ppm=round(co2),
            illuminance_lx=round(lamps_lx + 2600 * air.sun * (0.15 + 0.5 * self._sunny)),
            people=min(255, people),
            battery_v=round(2.45 + 0.011 * battery_percent(self._seed, self._key, time_s), 2),
        )

    def _attendance(self, day: int, session: int) -> int:
        return round(self._table.people * (0.55 + 0.45 * chance(self._seed, self._key + 3, day * 8 + session)))

    def _present(self, time_s: float) -> int:
        day, hour = day_and_hour(time_s)
        for session, (begin, end) in enumerate(self._table.of_day(day)):
            if begin <= hour < end:
                return self._attendance(day, session)
        return 0

    def _stale_air_ppm(self, time_s: float) -> float:
        """Carbon dioxide above outdoors: nears a level set by the people present, falls away when they leave."""
        day, hour = day_and_hour(time_s)
        excess, clock = 0.0, 0.0
        for session, (begin, end) in enumerate(self._table.of_day(day)):
            if hour <= begin:
                break
            until = min(hour, end)
            level = PPM_PER_HEAD * self._attendance(day, session) ** 0.92
            excess *= self._kept(begin - clock)
            excess = level + (excess - level) * self._kept(until - begin)
            clock = until
        return excess * self._kept(hour - clock)

    def _kept(self, hours: float) -> float:
        return exp(-hours * 60 / self._air_change_min)

    def _heated_c(self, time_s: float) -> float:
        """Warmed up before the first session, left to cool after the last."""
        day, hour = day_and_hour(time_s)
        sessions = self._table.of_day(day)
        if not sessions or hour > sessions[-1][1]:
            since = hour - sessions[-1][1] if sessions else hour + 6
            return SETBACK_C + (COMFORT_C - SETBACK_C) * exp(-since / 7)
        return COMFORT_C - 2.2 * max(0.0, min(1.0, (sessions[0][0] - hour) / 2.5))
