"""What each kind of device reads at an instant."""

from collections.abc import Callable
from functools import lru_cache

from parvis.demo import payloads as p
from parvis.demo.behaviour import HOUSEHOLD_WATER, TRAFFIC, WASTE, Tally
from parvis.demo.clockwork import S_PER_DAY, battery_percent, chance, drift, gauss
from parvis.demo.devices.installation import Device, Kind
from parvis.demo.metering import meter_sensor
from parvis.demo.rooms import room_sensor
from parvis.demo.weather import Weather

PARKING_DEMAND = {"market": 1.0, "townhall": 0.85, "hospital": 0.95, "tourist_office": 0.7}

Sensor = Callable[[float], p.Reading]


def sensor_of(device: Device, weather: Weather, seed: int) -> Sensor:
    """A function from time (seconds since the epoch) to reading; it keeps nothing that its arguments do not give."""
    key = int(device.dev_eui, 16) & 0xFFFF_FFFF
    match device.kind:
        case Kind.FILL:
            return _fill_sensor(device, weather, seed, key)
        case Kind.METER:
            return meter_sensor(device, seed, key)
        case Kind.ROOM:
            return room_sensor(device, weather, seed, key)
        case Kind.PARKING:
            return _bay_sensor(device, weather, seed, key)
        case Kind.AIR:
            return _air_station(weather, seed, key)
        case Kind.TRAFFIC:
            return _counter(device, weather, seed, key)
        case Kind.LEVEL:
            return _gauge(device, weather, seed, key)


def _fill_sensor(device: Device, weather: Weather, seed: int, key: int) -> Sensor:
    tally = Tally(WASTE, seed, key, 0.35)
    depth_mm = 1650 if device.place != "other" else 850
    round_days = {"glass": 11, "paper": 7, "plastic": 5}.get(device.place, 3)
    phase = int(chance(seed, key, 1) * round_days)
    collected_hour = 6.5 + 4.5 * chance(seed, key, 2)
    per_day = device.weight * 0.8 / round_days

    def read(time_s: float) -> p.FillReading:
        days = time_s / S_PER_DAY - collected_hour / 24
        emptied_day = int(days) - (int(days) + phase) % round_days
        emptied_s = (emptied_day + collected_hour / 24) * S_PER_DAY
        level = 0.03 + per_day * (tally.at(time_s) - tally.at(emptied_s))
        echo = 0.006 * drift(seed, key + 1, time_s, 900)
        fill = min(1.0, max(0.0, level + echo))
        air = weather.at(time_s)
        ajar = chance(seed, key + 2, int(time_s // 1200)) > 0.996
        return p.FillReading(
            fill_percent=round(100 * fill),
            distance_mm=round(depth_mm * (1.08 - fill)),
            temperature_c=round(air.temperature_c + 6 * air.sun + 1.5 * fill, 1),
            battery_percent=battery_percent(seed, key, time_s),
            state=p.ContainerState.LID_OPEN if ajar else p.ContainerState.OK,
        )

    return read


def _bay_sensor(device: Device, weather: Weather, seed: int, key: int) -> Sensor:
    stay_s = (14 + 46 * chance(seed, key, 6)) * 60
    demand = PARKING_DEMAND.get(device.place, 0.8)

    @lru_cache(maxsize=256)
    def occupied(stay: int) -> bool:
        """Whether the bay is taken during its n-th possible stay."""
        busy = WASTE.weight((stay + 0.5) * stay_s) / 2.1
        return chance(seed, key, stay) < min(0.95, demand * (0.08 + busy))

    def read(time_s: float) -> p.ParkingReading:
        stay = int(time_s // stay_s)
        first = stay
        while first > stay - 120 and occupied(first - 1) == occupied(stay):
            first -= 1
        return p.ParkingReading(
            occupied=occupied(stay),
            fault=chance(seed, key + 5, int(time_s // 7200)) > 0.9985,
            minutes_since_change=min(0xFFFF, int((time_s - first * stay_s) // 60)),
            temperature_c=round(weather.at(time_s).temperature_c + 3 * weather.at(time_s).sun),
            battery_percent=battery_percent(seed, key, time_s),
        )

    return read


def _air_station(weather: Weather, seed: int, key: int) -> Sensor:
    urban = 0.5 + chance(seed, key, 7)

    def read(time_s: float) -> p.AirReading:
        air = weather.at(time_s)
        cars = TRAFFIC.weight(time_s) * urban / (0.6 + 0.16 * air.wind_m_per_s)
        stoves = max(0.0, 12 - air.temperature_c) * (0.3 + HOUSEHOLD_WATER.weight(time_s)) * 0.35
        haze = 5 + 3.5 * drift(seed, 91, time_s, 2 * S_PER_DAY) + 0.8 * drift(seed, key, time_s, 3600)
        fine = max(0.8, haze + 1.9 * cars + stoves - 1.5 * air.rain_mm_per_h)
        no2 = max(1.0, 4 + 9 * cars + 1.5 * drift(seed, key + 1, time_s, 1800))
        return p.AirReading(
            temperature_c=round(air.temperature_c + 0.6 * drift(seed, key + 2, time_s, S_PER_DAY), 1),
            humidity_percent=round(2 * air.humidity_percent) / 2,
            pressure_hpa=round(air.pressure_hpa, 1),
            pm25_ug_per_m3=round(fine, 1),
            pm10_ug_per_m3=round(1.6 * fine + 0.35 * air.wind_m_per_s, 1),
            no2_ug_per_m3=round(no2, 1),
            o3_ug_per_m3=round(max(5.0, 48 + 55 * air.sun - 0.8 * no2), 1),
            wind_m_per_s=round(min(25.5, air.wind_m_per_s * (0.85 + 0.3 * urban)), 1),
            wind_from_deg=air.wind_from_deg,
            rain_mm=round(min(25.5, air.rain_mm_per_h * 300 / 3600), 1),
        )

    return read


def _counter(device: Device, weather: Weather, seed: int, key: int) -> Sensor:
    free_flow = 78 if device.place == "secondary" else 84

    def read(time_s: float) -> p.TrafficReading:
        rain = weather.at(time_s).rain_mm_per_h
        expected = device.weight * TRAFFIC.weight(time_s) * (1 - 0.03 * min(rain, 5)) / 30
        count = max(0, round(expected + expected**0.5 * gauss(seed, key, int(time_s // 60))))
        load = count * 30 / 1700
        speed = free_flow * (1 - 0.45 * load) - 2.5 * min(rain, 4) + 2.5 * drift(seed, key, time_s, 700)
        return p.TrafficReading(
            interval_s=device.period_s,
            vehicles=count,
            heavy_vehicles=round(count * 0.07 * (0.5 + chance(seed, key + 6, int(time_s // 120)))),
            speed_km_per_h=max(8, min(130, round(speed))),
            occupancy_percent=round(min(100.0, 26 * load) * 2) / 2,
            battery_percent=battery_percent(seed, key, time_s),
        )

    return read


def _gauge(device: Device, weather: Weather, seed: int, key: int) -> Sensor:
    base_m = 0.35 + 0.4 * chance(seed, key, 8)

    def read(time_s: float) -> p.LevelReading:
        ripple = 0.012 * drift(seed, key, time_s, 240)
        if device.place == "tide":
            level, water = weather.tide_m(time_s) + 2 * ripple, 13.5
        else:
            level, water = base_m + 0.16 * weather.wetness(time_s) + ripple, 11.5
        season = drift(seed, 92, time_s, 5 * S_PER_DAY)
        return p.LevelReading(
            level_m=round(level, 3),
            temperature_c=round(0.55 * water + 0.45 * weather.at(time_s - 21_600).temperature_c + 0.4 * season, 2),
            battery_percent=battery_percent(seed, key, time_s),
        )

    return read
