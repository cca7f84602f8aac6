"""The bytes that LoRaWAN devices send: formats of our own in the manner of commercial sensors, one for each kind.

The codec beside each `profile.toml` in `codecs/` decodes what is encoded here.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any, NamedTuple

from parvis.demo.devices.kinds import Kind

_BOUNDS = {
    "b": (-128, 127),
    "B": (0, 255),
    "h": (-32_768, 32_767),
    "H": (0, 65_535),
    "i": (-(2**31), 2**31 - 1),
    "I": (0, 2**32 - 1),
}
"""Of the formats of `struct`."""


class Frame(NamedTuple):
    f_port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One number: `steps` per unit above `base`, or the code of a word; `tag` goes before it."""

    name: str
    form: str
    steps: float = 1.0
    base: float = 0.0
    tag: bytes = b""
    codes: Mapping[str, int] = field(default_factory=dict)

    def number_of(self, value: Any) -> int:
        """What cannot be said is said as far as it can: counters stop at their end."""
        if self.codes:
            return self.codes[value]
        low, high = _BOUNDS[self.form]
        told = 0.0 if isnan(value) else self.base + value * self.steps
        return min(high, max(low, round(told)))


@dataclass(frozen=True, slots=True)
class Layout:
    f_port: int
    parts: tuple[Part, ...]
    head: bytes = b""
    order: str = ">"

    def frame(self, row: Mapping[str, Any]) -> Frame:
        body = b"".join(
            part.tag + struct.pack(self.order + part.form, part.number_of(row[part.name])) for part in self.parts
        )
        return Frame(self.f_port, self.head + body)


_BATTERY = Part("battery_percent", "B")
_CONTAINER_STATES = {"ok": 0, "lidOpen": 1, "dropped": 2, "burning": 3}
_BAY_STATES = {"free": 0, "occupied": 1, "unknown": 0x80}

LAYOUTS: Mapping[Kind, Layout] = {
    Kind.FILL: Layout(
        85,
        (
            Part("battery_percent", "B", tag=b"\x01"),
            Part("distance_mm", "H", tag=b"\x02"),
            Part("fill_percent", "B", tag=b"\x03"),
            Part("temperature_c", "h", 10, tag=b"\x04"),
            Part("state", "B", tag=b"\x05", codes=_CONTAINER_STATES),
        ),
        order="<",
    ),
    Kind.METER: Layout(
        10,
        (
            Part("leak", "B"),
            Part("volume_l", "I"),
            Part("flow_l_per_h", "H"),
            Part("lowest_flow_l_per_h", "H"),
            Part("battery_percent", "H", 8, 2800),
        ),
        b"\x21",
    ),
    Kind.DISTRICT_METER: Layout(
        11,
        (
            Part("leak", "B"),
            Part("volume_m3", "I", 10),
            Part("flow_m3_per_h", "H", 100),
            Part("lowest_flow_m3_per_h", "H", 100),
            _BATTERY,
        ),
        b"\x22",
    ),
    Kind.PRESSURE: Layout(14, (Part("pressure_bar", "H", 100), Part("temperature_c", "h", 10), _BATTERY), b"\x30"),
    Kind.ROOM: Layout(
        2,
        (
            Part("temperature_c", "h", 100),
            Part("humidity_percent", "B", 2),
            Part("co2_ppm", "H"),
            Part("illuminance_lx", "H"),
            Part("people", "B"),
            Part("battery_percent", "B", 1.2, 40),
        ),
        b"\x10",
    ),
    Kind.ELECTRICITY: Layout(
        30,
        (
            Part("import_kwh", "I", 10),
            Part("power_w", "i"),
            Part("power_factor", "b", 100),
            Part("voltage_v", "H", 10),
        ),
        b"\x40",
        "<",
    ),
    Kind.GAS: Layout(16, (Part("volume_m3", "I", 100), Part("flow_m3_per_h", "H", 100), _BATTERY), b"\x50"),
    Kind.HEAT: Layout(
        18,
        (
            Part("energy_kwh", "I"),
            Part("volume_m3", "I", 100),
            Part("power_kw", "H", 10),
            Part("volume_flow_m3_per_h", "H", 1000),
            Part("flow_temperature_c", "h", 10),
            Part("return_temperature_c", "h", 10),
            _BATTERY,
        ),
        b"\x51",
    ),
    Kind.PARKING: Layout(
        3,
        (
            Part("state", "B", codes=_BAY_STATES),
            Part("minutes_since_change", "H"),
            Part("temperature_c", "b"),
            _BATTERY,
        ),
    ),
    Kind.AIR: Layout(
        12,
        (
            Part("temperature_c", "h", 10),
            Part("humidity_percent", "B", 2),
            Part("pressure_hpa", "H", 10),
            Part("pm25_ug_per_m3", "H", 10),
            Part("pm10_ug_per_m3", "H", 10),
            Part("no2_ug_per_m3", "H", 10),
            Part("o3_ug_per_m3", "H", 10),
            Part("wind_m_per_s", "B", 10),
            Part("wind_from_deg", "H"),
            Part("rain_mm", "B", 10),
            _BATTERY,
        ),
        b"\x07\xff",
    ),
    Kind.NOISE: Layout(8, (Part("laeq_db", "H", 10), Part("lamax_db", "H", 10), _BATTERY), b"\x60"),
    Kind.TRAFFIC: Layout(
        6,
        (
            Part("interval_s", "H"),
            Part("vehicles", "H"),
            Part("heavy_vehicles", "H"),
            Part("speed_km_per_h", "B"),
            Part("occupancy_percent", "B", 2),
            _BATTERY,
        ),
        b"\x07",
    ),
    Kind.BIKES: Layout(7, (Part("bikes_in", "H"), Part("bikes_out", "H"), _BATTERY), b"\x01\x0f"),
    Kind.LEVEL: Layout(20, (Part("level_m", "h", 1000), Part("temperature_c", "h", 100), _BATTERY)),
    Kind.BERTH: Layout(22, (Part("import_kwh", "I", 100), Part("power_w", "H"), Part("volume_l", "I")), b"\x61"),
}
