"""Frames of the demonstration's sensors: one reading type and one encoder for each device profile.

The formats are our own, in the manner of commercial LoRaWAN sensors. The codec beside each `profile.toml` in
`codecs/` decodes what is encoded here; every reading must lie within the range its dataclass states.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag


class ContainerState(IntEnum):
    OK = 0
    LID_OPEN = 1
    DROPPED = 2
    BURNING = 3


@dataclass(frozen=True, slots=True)
class FillReading:
    """fill 0..100 %, distance 0..65535 mm, temperature -100..100 C, battery 0..100 %."""

    fill_percent: int
    distance_mm: int
    temperature_c: float
    battery_percent: int
    state: ContainerState = ContainerState.OK


class MeterAlarm(IntFlag):
    NONE = 0
    LEAK = 1
    BACKFLOW = 2
    TAMPER = 4


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Pulses 0..2**32-1 and pulses per hour 0..65535, each worth 10**`weight_exponent` litres (0..3)."""

    pulses: int
    pulses_per_hour: int
    lowest_pulses_per_hour: int
    weight_exponent: int
    battery_mv: int
    alarms: MeterAlarm = MeterAlarm.NONE


@dataclass(frozen=True, slots=True)
class RoomReading:
    """temperature -100..100 C, humidity 0..100 %, co2 0..65535 ppm, illuminance 0..65535 lx, people 0..255,
    battery 2.00..4.55 V."""

    temperature_c: float
    humidity_percent: float
    co2_ppm: int
    illuminance_lx: int
    people: int
    battery_v: float


@dataclass(frozen=True, slots=True)
class ParkingReading:
    """0..65535 minutes since the last change, temperature -128..127 C, battery 0..100 %."""

    occupied: bool
    fault: bool
    minutes_since_change: int
    temperature_c: int
    battery_percent: int


@dataclass(frozen=True, slots=True)
class AirReading:
    """A quantity is None where the station lacks its sensor.

    Concentrations 0..6553 ug/m3, wind 0..25.5 m/s from 0..359 degrees, rain 0..25.5 mm since the last frame.
    """

    temperature_c: float | None = None
    humidity_percent: float | None = None
    pressure_hpa: float | None = None
    pm25_ug_per_m3: float | None = None
    pm10_ug_per_m3: float | None = None
    no2_ug_per_m3: float | None = None
    o3_ug_per_m3: float | None = None
    wind_m_per_s: float | None = None
    wind_from_deg: int | None = None
    rain_mm: float | None = None


@dataclass(frozen=True, slots=True)
class TrafficReading:
    """Vehicles counted during `interval_s` (1..255), their mean speed 0..255 km/h, occupancy 0..100 %."""

    interval_s: int
    vehicles: int
    heavy_vehicles: int
    speed_km_per_h: int
    occupancy_percent: float
    battery_percent: int


@dataclass(frozen=True, slots=True)
class LevelReading:
    """Water surface -32.768..32.767 m from the local datum, temperature -100..100 C, battery 0..100 %."""

    level_m: float
    temperature_c: float
    battery_percent: int


Reading = FillReading | MeterReading | RoomReading | ParkingReading | AirReading | TrafficReading | LevelReading


@dataclass(frozen=True, slots=True)
class Frame:
    f_port: int
    payload: bytes


def encode_fill(reading: FillReading) -> Frame:
    payload = struct.pack(
        "<BBBHBBBhBB",
        0x01, reading.battery_percent,
        0x02, reading.distance_mm,
        0x03, reading.fill_percent,
        0x04, round(reading.temperature_c * 10),
        0x05, reading.state,
    )  # fmt: skip
    return Frame(85, payload)


def encode_meter(reading: MeterReading) -> Frame:
    flags = reading.alarms | (reading.weight_exponent << 4)
    payload = struct.pack(
        ">BBIHHH",
        0x21,
        flags,
        reading.pulses,
        reading.pulses_per_hour,
        reading.lowest_pulses_per_hour,
        reading.battery_mv,
    )
    return Frame(10, payload)


def encode_room(reading: RoomReading) -> Frame:
    payload = struct.pack(
        ">BhBHHBB",
        0x10,
        round(reading.temperature_c * 100),
        round(reading.humidity_percent * 2),
        reading.co2_ppm,
        reading.illuminance_lx,
        reading.people,
        round((reading.battery_v - 2.0) * 100),
    )
    return Frame(2, payload)


def encode_parking(reading: ParkingReading) -> Frame:
    state = reading.occupied | (reading.fault << 7)
    payload = struct.pack(">BHbB", state, reading.minutes_since_change, reading.temperature_c, reading.battery_percent)
    return Frame(3, payload)


def encode_air(reading: AirReading) -> Frame:
    """A 16-bit mask names the quantities that follow, lowest bit first."""
    mask, body = 0, b""
    for bit, field in enumerate(_air_fields(reading)):
        if field is not None:
            mask |= 1 << bit
            body += field
    return Frame(12, struct.pack(">H", mask) + body)


def _air_fields(reading: AirReading) -> Iterator[bytes | None]:
    yield _scaled(">h", reading.temperature_c, 10)
    yield _scaled(">B", reading.humidity_percent, 2)
    yield _scaled(">H", reading.pressure_hpa, 10)
    yield _scaled(">H", reading.pm25_ug_per_m3, 10)
    yield _scaled(">H", reading.pm10_ug_per_m3, 10)
    yield _scaled(">H", reading.no2_ug_per_m3, 10)
    yield _scaled(">H", reading.o3_ug_per_m3, 10)
    yield _scaled(">B", reading.wind_m_per_s, 10)
    yield _scaled(">H", reading.wind_from_deg, 1)
    yield _scaled(">B", reading.rain_mm, 10)


def _scaled(form: str, value: float | None, steps_per_unit: int) -> bytes | None:
    return None if value is None else struct.pack(form, round(value * steps_per_unit))


def encode_traffic(reading: TrafficReading) -> Frame:
    payload = struct.pack(
        ">BBHHBBB",
        0x06,
        reading.interval_s,
        reading.vehicles,
        reading.heavy_vehicles,
        reading.speed_km_per_h,
        round(reading.occupancy_percent * 2),
        reading.battery_percent,
    )
    return Frame(6, payload)


def encode_level(reading: LevelReading) -> Frame:
    payload = struct.pack(
        ">hhB",
        round(reading.level_m * 1000),
        round(reading.temperature_c * 100),
        reading.battery_percent,
    )
    return Frame(20, payload)


def encode(reading: Reading) -> Frame:
    match reading:
        case FillReading():
            return encode_fill(reading)
        case MeterReading():
            return encode_meter(reading)
        case RoomReading():
            return encode_room(reading)
        case ParkingReading():
            return encode_parking(reading)
        case AirReading():
            return encode_air(reading)
        case TrafficReading():
            return encode_traffic(reading)
        case LevelReading():
            return encode_level(reading)
