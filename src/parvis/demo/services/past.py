"""What the way in would have kept of the services' stations before the first start."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from parvis.demo.nature.chance import Times
from parvis.demo.past import PastSeries
from parvis.demo.readings.scene import Scene
from parvis.demo.services.measured import measure
from parvis.demo.services.stations import STATIONS, Service

DIGITS = 6


class Kept(NamedTuple):
    field: str
    term: str
    unit_code: str
    scale: float = 1.0


KEPT = {
    Service.RIVERS: (Kept("height_m", "height", "MTR"), Kept("flow_m3_per_s", "flow", "MQS")),
    Service.AIR: (
        Kept("no2_ug_per_m3", "no2", "GQ"),
        Kept("o3_ug_per_m3", "o3", "GQ"),
        Kept("pm10_ug_per_m3", "pm10", "GQ"),
        Kept("pm25_ug_per_m3", "pm25", "GQ"),
    ),
    Service.WEATHER: (
        Kept("temperature_c", "temperature", "CEL"),
        Kept("humidity_percent", "relativeHumidity", "C62", 0.01),
        Kept("wind_m_per_s", "windSpeed", "MTS"),
        Kept("wind_from_deg", "windDirection", "DD"),
        Kept("pressure_hpa", "atmosphericPressure", "A97"),
    ),
}


def past_of_stations(scene: Scene, times: Times, *, in_full: bool) -> Iterator[PastSeries]:
    """Long ago the first attribute of each."""
    for station in STATIONS:
        columns = measure(station, scene, times)
        for kept in KEPT[station.service][: None if in_full else 1]:
            values = np.round(columns[kept.field] * kept.scale, DIGITS)
            yield PastSeries(station.entity_id, kept.term, values, kept.unit_code)
