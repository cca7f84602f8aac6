"""IPSO smart objects (OMA object registry) whose readings are of use here: which resource is the reading, and its name.

The names are those of Smart Data Models where there is one. Object 6 (Location) is OMA's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

SENSOR_VALUE = 5700
OBJECTS: Mapping[int, Mapping[int, str]] = {
    6: {0: "latitude", 1: "longitude"},
    3200: {5500: "digitalInput"},
    3202: {5600: "analogInput"},
    3300: {SENSOR_VALUE: "sensorValue"},
    3301: {SENSOR_VALUE: "illuminance"},
    3302: {5500: "presence"},
    3303: {SENSOR_VALUE: "temperature"},
    3304: {SENSOR_VALUE: "relativeHumidity"},
    3305: {5800: "activePower", 5805: "activeEnergy"},
    3315: {SENSOR_VALUE: "atmosphericPressure"},
    3316: {SENSOR_VALUE: "voltage"},
    3317: {SENSOR_VALUE: "current"},
    3319: {SENSOR_VALUE: "depth"},
    3320: {SENSOR_VALUE: "percent"},
    3322: {SENSOR_VALUE: "load"},
    3323: {SENSOR_VALUE: "pressure"},
    3324: {SENSOR_VALUE: "loudness"},
    3325: {SENSOR_VALUE: "concentration"},
    3326: {SENSOR_VALUE: "acidity"},
    3327: {SENSOR_VALUE: "conductivity"},
    3328: {SENSOR_VALUE: "power"},
    3330: {SENSOR_VALUE: "distance"},
    3331: {5805: "energy"},
    3346: {SENSOR_VALUE: "rate"},
}
BATTERY = (3, 9)
"""Device: Battery Level, in percent."""

Path = tuple[int, ...]


def list_observed(instances: Iterable[Path]) -> list[Path]:
    """Of the object instances that a device told, those worth observing; of the device itself its battery."""
    observed: list[Path] = [one for one in instances if len(one) == 2 and one[0] in OBJECTS]
    return sorted({*observed, (BATTERY[0], 0, BATTERY[1])})


def to_fields(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Readings by name; those of a second instance end in its number. Resources that are no readings are left out."""
    fields: dict[str, Any] = {}
    for path, value in values.items():
        if len(path) < 3:
            continue
        object_id, instance, resource = path[:3]
        name = "battery_percent" if (object_id, resource) == BATTERY else OBJECTS.get(object_id, {}).get(resource)
        if name is not None:
            fields[name if instance == 0 else f"{name}_{instance}"] = value
    return _with_place(fields)


def _with_place(fields: dict[str, Any]) -> dict[str, Any]:
    if "latitude" in fields and "longitude" in fields:
        fields["location"] = {"latitude": fields["latitude"], "longitude": fields["longitude"]}
    return fields
