"""From a codec's fields to attributes, as a device profile states."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec

from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.model.entity import Instance, Iri, Json, Kind
from parvis.fleet.profiles.limits import FARTHEST, limits_of
from parvis.kernel.errors import BadRequestData, Detailed
from parvis.kernel.time import HOUR, Instant

SIGNIFICANT_DIGITS = 10
"""Enough for any sensor, few enough to hide what scaling adds to a binary fraction."""


class AttributeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[attribute]]`: value = field * scale + offset. `field` is a dotted path into the decoded data.

    A value outside `minimum` to `maximum` is impossible; by default what term and unit allow. One that has not changed
    for `varies_within_h` hours, though frames came, is stuck; 0: it may stay as it is.
    """

    field: str
    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit_code: str = ""
    kind: Literal["Property", "Relationship", "GeoProperty"] = "Property"
    minimum: float | None = None
    maximum: float | None = None
    varies_within_h: float = 0.0


WHOLE = "*"
"""As the field of a place: latitude and longitude are members of the data themselves."""


class MappingFailure(Detailed):
    pass


class Mapped(msgspec.Struct, frozen=True):
    """`asset` belongs to the thing observed, `device` to the device that observes it; `impossible` are of either."""

    asset: list[Instance]
    device: list[Instance]
    impossible: list[Instance]


_Convert = Callable[[Json], Json]
_Step = tuple[str, tuple[str, ...], Iri, Kind, str, _Convert | None, bool, float, float]
Extra = dict[str, Json] | None


class FieldMap:
    """The rules of one profile, made ready."""

    def __init__(
        self, rules: Sequence[AttributeRule], expand: Callable[[str], Iri], device_names: frozenset[Iri]
    ) -> None:
        self._steps: list[_Step] = []
        for rule in rules:
            first, *rest = rule.field.split(".")
            name = expand(rule.name)
            is_device = name in device_names
            limits = limits_of(rule.name, rule.unit_code, rule.minimum, rule.maximum)
            self._steps.append(
                (first, tuple(rest), name, _KINDS[rule.kind], rule.unit_code, _conversion(rule), is_device, *limits)
            )
        self.names = tuple(step[2] for step in self._steps if not step[6])
        self.varying: dict[Iri, Instant] = {
            expand(rule.name): round(rule.varies_within_h * HOUR) for rule in rules if rule.varies_within_h > 0
        }

    def map(self, data: Mapping[str, Any], observed_at: Instant, extra: Extra = None) -> Mapped:
        """Fields the frame does not have give no attribute; each gets `extra` as its sub-attributes.

        Raises MappingFailure for a value of the wrong kind.
        """
        mapped = Mapped([], [], [])
        for first, rest, name, kind, unit_code, convert, is_device, low, high in self._steps:
            value: Any = _place_in(data) if first == WHOLE else data.get(first)
            if rest:
                value = dig(value, rest)
            if value is None:
                continue
            if convert is not None:
                value = convert(value)
            instance = Instance(name, kind, value, "", observed_at, unit_code, extra)
            (mapped.device if is_device else mapped.asset).append(instance)
            value_type = type(value)
            if (value_type is float or value_type is int) and not low <= value <= high:
                if not -FARTHEST <= value <= FARTHEST:
                    raise MappingFailure(f"{str(value)[:50]} for {name} is no number that can be kept")
                mapped.impossible.append(instance)
        return mapped


_KINDS = {"Property": Kind.PROPERTY, "Relationship": Kind.RELATIONSHIP, "GeoProperty": Kind.GEO_PROPERTY}


def dig(value: Any, path: Sequence[str]) -> Any:
    for member in path:
        if not isinstance(value, dict):
            return None
        value = value.get(member)
    return value


def _conversion(rule: AttributeRule) -> _Convert | None:
    if rule.kind == "GeoProperty":
        return _point
    if rule.kind == "Relationship":
        return _uri
    if rule.scale == 1.0 and rule.offset == 0.0:
        return _number_or_as_it_is if rule.unit_code else None
    return _scaling(rule)


_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?(e[-+]?\d+)?\s*", re.IGNORECASE)


def as_number(value: Json) -> float | None:
    """Many codecs tell a quantity as text, as `toFixed` gives it."""
    if type(value) is float or type(value) is int:
        return value
    if type(value) is not str or len(value) > 40 or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if isfinite(number) else None


def _number_or_as_it_is(value: Json) -> Json:
    number = as_number(value)
    return value if number is None else number


def _scaling(rule: AttributeRule) -> _Convert:
    scale, offset = rule.scale, rule.offset

    def scaled(told: Json) -> Json:
        value = as_number(told)
        if value is None:
            raise MappingFailure(f"{rule.field} is {str(told)[:50]!r}: only a number can be scaled")
        return float(f"{value * scale + offset:.{SIGNIFICANT_DIGITS}g}")

    return scaled


def _uri(value: Json) -> Json:
    if not isinstance(value, str) or ":" not in value:
        raise MappingFailure(f"{str(value)[:50]!r} is no URI")
    return value


_LATITUDES = ("latitude", "lat")
_LONGITUDES = ("longitude", "lon", "lng")


def _point(value: Json) -> Json:
    """A GeoJSON geometry as it is, or a point of latitude and longitude (WGS 84)."""
    if not isinstance(value, dict):
        raise MappingFailure(f"{str(value)[:50]!r} is no place")
    if "coordinates" in value and "type" in value:
        return _sound(value)
    latitude, longitude = _first(value, _LATITUDES), _first(value, _LONGITUDES)
    if not (isinstance(latitude, int | float) and isinstance(longitude, int | float)):
        raise MappingFailure("a place needs latitude and longitude")
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise MappingFailure(f"latitude {latitude}, longitude {longitude} is no place on Earth")
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _sound(geometry: Json) -> Json:
    try:
        return check_geometry(geometry, "a place")
    except BadRequestData as error:
        raise MappingFailure(error.detail) from None


def _place_in(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """None where the frame tells no place."""
    latitude, longitude = _first(data, _LATITUDES), _first(data, _LONGITUDES)
    return None if latitude is None or longitude is None else {"latitude": latitude, "longitude": longitude}


def _first(value: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((value[name] for name in names if name in value), None)
