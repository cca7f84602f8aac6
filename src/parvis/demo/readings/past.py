"""What devices told of themselves in the past, as series of their entities' attributes."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import parvis.demo
from parvis.broker.model.entity import Kind as EntityKind
from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind
from parvis.demo.nature.chance import Times
from parvis.demo.past import PastSeries
from parvis.demo.readings.scene import Scene, Told
from parvis.demo.readings.table import Sensor, sensor_of
from parvis.fleet.devices.records import device_id
from parvis.fleet.profiles.mapping import AttributeRule
from parvis.fleet.profiles.profile import DEVICE_TERMS, PROFILE_FILE, ProfileDocument

PROFILES = Path(parvis.demo.__file__).parent / "codecs"
CHARGING_RULES = (AttributeRule("available", "availableCapacity"), AttributeRule("state", "status"))
"""What the way in of charging stations writes of a station; its connectors and sessions begin with the live play."""
NOON_H = 12
encode = msgspec.json.Encoder().encode
DIGITS = 6


def rules_of(kind: Kind) -> Sequence[AttributeRule]:
    if kind is Kind.CHARGING:
        return CHARGING_RULES
    text = (PROFILES / kind.value / PROFILE_FILE).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), ProfileDocument).attribute


class Memory:
    """Of all devices; sensors keep what they have added up, so keep it for all times asked for."""

    def __init__(self, devices: Sequence[Device], scene: Scene) -> None:
        self.scene = scene
        self._sensors = [sensor_of(device, scene) for device in devices]
        self._rules: Mapping[Kind, Sequence[AttributeRule]] = {
            kind: [rule for rule in rules_of(kind) if rule.kind == "Property"]
            for kind in {device.kind for device in devices}
        }

    def places(self, times: Times) -> Iterator[PastSeries]:
        """Where those were that move."""
        for sensor in self._sensors:
            if sensor.device.kind is Kind.BUS:
                told = sensor.tell(times)
                yield PastSeries(
                    sensor.device.entity_id, "location", _points(told), kind=EntityKind.GEO_PROPERTY, times=times
                )

    def series(self, times: Times, *, in_full: bool = True) -> Iterator[PastSeries]:
        """Every attribute, or of each device only the first of its profile and its battery, once a day."""
        noon = np.floor(times / 3600) % 24 == NOON_H
        for sensor in self._sensors:
            told = sensor.tell(times)
            rules = self._rules[sensor.device.kind]
            for number, rule in enumerate(rules):
                is_device = rule.name in DEVICE_TERMS
                if rule.field in told.columns and (in_full or is_device or number == 0):
                    heard = told.heard & noon if is_device and not in_full else told.heard
                    yield _series(sensor, rule, Told(heard, told.columns))


def _points(told: Told) -> NDArray[Any]:
    found = np.full(len(told.heard), None)
    for row in np.flatnonzero(told.heard).tolist():
        at = float(told.columns["lon"][row]), float(told.columns["lat"][row])
        found[row] = encode({"type": "Point", "coordinates": at}).decode()
    return found


def _series(sensor: Sensor, rule: AttributeRule, told: Told) -> PastSeries:
    device = sensor.device
    owner = device_id(device.hardware_id) if rule.name in DEVICE_TERMS else device.entity_id
    return PastSeries(owner, rule.name, _values(told.columns[rule.field], rule, told), rule.unit_code)


def _values(column: NDArray[Any], rule: AttributeRule, told: Told) -> NDArray[Any]:
    if column.dtype.kind == "O":
        words = column.copy()
        words[~told.heard] = None
        return words
    exact = np.round(column.astype(np.float64) * rule.scale + rule.offset, DIGITS)
    return np.where(told.heard, exact, np.nan)
