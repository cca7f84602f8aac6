"""What decoded fields may mean: from their names and values to terms of the Smart Data Models. A first draft to edit.

A field that could be two things gives none: a wrong attribute is worse than one that is added by hand.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from parvis.fleet.profiles.mapping import WHOLE, AttributeRule, as_number

_DEEPEST = 4
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SETTINGS = re.compile(
    r"threshold|limit|change|interval|config|multiplier|divisor|offset|calibration|(^|_)(min|max|average|alarm|alert"
    r"|status|type|mode|error|valid|enabled?|unit|count|delta|delt|target|board|chip|cpu|mcu|device|setpoint)(_|$)"
)
"""Words that make of a quantity something else: its limits, its change, the state of its sensor."""


class Leaf(msgspec.Struct, frozen=True):
    """A value that codecs' examples gave for a field, by its path."""

    path: str
    values: tuple[float, ...]


class Draft(msgspec.Struct, frozen=True):
    entity_type: str
    rules: tuple[AttributeRule, ...]
    unmapped: tuple[Leaf, ...]

    @property
    def is_normalized(self) -> bool:
        return any(map(_is_normalized, self.rules))


_Scale = tuple[float, float]
_Scaling = Callable[[str, float], _Scale | None]
"""From a field's words and the largest of its values (by amount) to scale and offset; None: it is not this."""


def _as_is(_words: str, _largest: float) -> _Scale:
    return 1.0, 0.0


def _celsius(words: str, largest: float) -> _Scale | None:
    if re.search(r"(^|_)(f|fahrenheit)(_|$)", words):
        return 5 / 9, -160 / 9
    return (1.0, 0.0) if largest <= 150 else None


def _fraction(_words: str, largest: float) -> _Scale | None:
    return (0.01, 0.0) if 1 < largest <= 100.5 else (1.0, 0.0) if largest <= 1 else None


def _percent(_words: str, largest: float) -> _Scale | None:
    """Of a field whose small values would be volts or fractions of unknown kind."""
    return (0.01, 0.0) if 5 < largest <= 100 else None


def _hectopascal(_words: str, largest: float) -> _Scale | None:
    ranges = ((300, 1200, 1.0), (30_000, 120_000, 0.01), (30, 120, 10.0))
    return next(((scale, 0.0) for low, high, scale in ranges if low <= largest <= high), None)


def _metres(words: str, _largest: float) -> _Scale:
    scales = {"mm": 0.001, "cm": 0.01, "m": 1.0}
    unit = next((one for one in scales if re.search(rf"(^|_){one}(_|$)", words)), "mm")
    return scales[unit], 0.0


def _up_to(highest: float) -> _Scaling:
    return lambda _words, largest: (1.0, 0.0) if largest <= highest else None


class _Meaning(msgspec.Struct, frozen=True):
    pattern: str
    term: str
    unit_code: str
    scaling: _Scaling = _as_is


_MEANINGS = (
    _Meaning(r"soil_(moist\w*|humi\w*|vwc|water\w*)|volumetric_water_content|vwc", "soilMoistureVwc", "C62", _fraction),
    _Meaning(r"soil_temp(erature)?(_c)?", "soilTemperature", "CEL", _celsius),
    _Meaning(r"water_temp(erature)?(_c)?", "waterTemperature", "CEL", _celsius),
    _Meaning(r"surface_temp(erature)?(_c)?", "surfaceTemperature", "CEL", _celsius),
    _Meaning(r"(t_)?dew_(point|c)(_temperature)?", "dewPoint", "CEL", _celsius),
    _Meaning(
        r"((air|ambient|room|internal|indoor|outdoor)_)?temp(erature)?(_(c|f|celsius|fahrenheit|sht|c_sht|internal))?"
        r"|air_temperature|tempera",
        "temperature",
        "CEL",
        _celsius,
    ),
    _Meaning(
        r"((air|relative|ambient|room|internal|indoor)_)?(hum|humi|humidity|hygro)(_(sht|percent|rh|pct))?|rh",
        "relativeHumidity",
        "C62",
        _fraction,
    ),
    _Meaning(r"(battery|bat)(_(level|percent\w*|pct|capacity))?|bat_?pct", "batteryLevel", "C62", _percent),
    _Meaning(r"(air_)?co_?2(_(concentration|ppm|level))?", "co2", "59", _up_to(50_000)),
    _Meaning(r"t?voc(_(index|ppb|level))?", "volatileOrganicCompoundsTotal", "", _as_is),
    _Meaning(r"pm_?1(_0)?", "pm1", "GQ"),
    _Meaning(r"pm_?2?_?5|pm_2_5", "pm25", "GQ"),
    _Meaning(r"pm_?4(_0)?", "pm4", "GQ"),
    _Meaning(r"pm_?10(_0)?", "pm10", "GQ"),
    _Meaning(r"no_?2", "no2", "", _as_is),
    _Meaning(r"so_?2", "so2", "", _as_is),
    _Meaning(r"o_?3|ozone", "o3", "", _as_is),
    _Meaning(
        r"(barometric|atmospheric|air|barometer)_pressure|barometer|atomsphere|pressure",
        "atmosphericPressure",
        "A97",
        _hectopascal,
    ),
    _Meaning(r"lux|(illuminance|illumination|light)(_(lux|level|intensity))?", "illuminance", "LUX"),
    _Meaning(r"wind_speed(_avg|_m_s)?", "windSpeed", "MTS", _up_to(100)),
    _Meaning(r"wind_dir(ection)?(_avg|_deg)?", "windDirection", "DD", _up_to(360)),
    _Meaning(r"(rain|rainfall|precipitation)(_mm)?", "precipitation", "MMT"),
    _Meaning(r"(noise|sound)(_(level|db|laeq))?|la_?eq|leq", "intensity", "2N", _up_to(160)),
    _Meaning(r"(water_level|level_water|water_height)(_(mm|cm|m))?", "waterLevel", "MTR", _metres),
    _Meaning(r"distance(_(mm|cm|m))?", "distance", "MTR", _metres),
    _Meaning(r"fill(ing)?_level(_percent)?", "fillingLevel", "C62", _fraction),
    _Meaning(r"p_?h", "pH", "", _up_to(14)),
    _Meaning(r"orp|redox", "orp", "2Z"),
    _Meaning(r"turbidity|ntu", "turbidity", ""),
    _Meaning(r"(people|person)(_(counter|in|total))?|occupancy_people", "peopleCount", "", _as_is),
)
NORMALIZED = "normalized"
_OF_NORMALIZED = {
    "air.temperature": ("temperature", 1.0, "CEL"),
    "air.relativeHumidity": ("relativeHumidity", 0.01, "C62"),
    "air.pressure": ("atmosphericPressure", 1.0, "A97"),
    "air.co2": ("co2", 1.0, "59"),
    "air.lightIntensity": ("illuminance", 1.0, "LUX"),
    "soil.temperature": ("soilTemperature", 1.0, "CEL"),
    "soil.moisture": ("soilMoistureVwc", 0.01, "C62"),
    "soil.pH": ("pH", 1.0, ""),
    "wind.speed": ("windSpeed", 1.0, "MTS"),
    "wind.direction": ("windDirection", 1.0, "DD"),
}
"""The units of normalized measurements are fixed (lib/payload.json of the device repository)."""
_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon", "lng")
_TYPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("AgriParcelRecord", frozenset({"soilMoistureVwc", "soilTemperature"})),
    ("WeatherObserved", frozenset({"windSpeed", "windDirection", "precipitation"})),
    ("AirQualityObserved", frozenset({"pm1", "pm25", "pm4", "pm10", "no2", "so2", "o3"})),
    ("WaterQualityObserved", frozenset({"pH", "orp", "turbidity"})),
    ("WasteContainer", frozenset({"fillingLevel"})),
    ("WaterObserved", frozenset({"waterLevel", "waterTemperature"})),
    ("NoiseLevelObserved", frozenset({"intensity"})),
    ("IndoorEnvironmentObserved", frozenset({"co2", "peopleCount", "volatileOrganicCompoundsTotal"})),
    ("EnvironmentObserved", frozenset({"temperature", "relativeHumidity", "atmosphericPressure"})),
)
_OTHER_TYPE = "DeviceMeasurement"


def draft_mapping(frames: Iterable[Mapping[str, Any]]) -> Draft:
    """From the decoded data of some frames of one kind of device."""
    collected: dict[str, list[float]] = {}
    places: set[str] = set()
    for data in frames:
        for path, value in _leaves(data, ()):
            collected.setdefault(path, []).append(value)
        places.update(_places(data, ()))
    leaves = [Leaf(path, tuple(values)) for path, values in collected.items()]
    of_term: dict[str, list[AttributeRule]] = {}
    for leaf in leaves:
        if rule := find_meaning(leaf):
            of_term.setdefault(rule.name, []).append(rule)
    rules = [_best(candidates) for candidates in of_term.values()]
    rules += [AttributeRule(field=path, name="location", kind="GeoProperty") for path in sorted(places)[:1]]
    mapped = {rule.field for rule in rules}
    unmapped = tuple(leaf for leaf in leaves if leaf.path not in mapped and leaf.path.rpartition(".")[0] not in mapped)
    return Draft(_type(of_term), tuple(rules), unmapped)


def find_meaning(leaf: Leaf) -> AttributeRule | None:
    if leaf.path.startswith(NORMALIZED + "."):
        known = _OF_NORMALIZED.get(leaf.path.removeprefix(NORMALIZED + "."))
        return known and AttributeRule(field=leaf.path, name=known[0], scale=known[1], unit_code=known[2])
    words = _words(leaf.path)
    if _SETTINGS.search(words):
        return None
    largest = max(map(abs, leaf.values))
    for meaning in _MEANINGS:
        if not re.fullmatch(meaning.pattern, words):
            continue
        scaling = meaning.scaling(words, largest)
        if scaling is None:
            return None
        scale, offset = scaling
        return AttributeRule(
            field=leaf.path, name=meaning.term, scale=scale, offset=offset, unit_code=meaning.unit_code
        )
    return None


def _best(candidates: list[AttributeRule]) -> AttributeRule:
    """Of several fields for one term: a normalized one, the least nested, the shortest name."""
    return min(candidates, key=lambda rule: (not _is_normalized(rule), rule.field.count("."), len(rule.field)))


def _is_normalized(rule: AttributeRule) -> bool:
    return rule.field.startswith(NORMALIZED + ".")


def _type(terms: Iterable[str]) -> str:
    there = set(terms)
    return next((name for name, known in _TYPES if known & there), _OTHER_TYPE)


def _words(path: str) -> str:
    """The words of a path's last member that says something: `values.TempC_SHT.value` gives `temp_c_sht`."""
    members = path.split(".")
    while len(members) > 1 and members[-1].lower() in ("value", "val", "measurement", "current"):
        members.pop()
    words = "_".join(_WORD.findall(members[-1])).lower()
    parent = members[-2].lower() if len(members) > 1 else ""
    return f"{parent}_{words}" if parent in ("soil", "air", "water") and not words.startswith(parent) else words


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict) and len(path) < _DEEPEST:
        for name, member in value.items():
            if "." not in name:
                yield from _leaves(member, (*path, name))
    elif path and (number := as_number(value)) is not None:
        yield ".".join(path), number


def _places(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Paths of objects with a latitude and a longitude."""
    if not isinstance(value, dict) or len(path) >= _DEEPEST:
        return
    if _has(value, _LATITUDE) and _has(value, _LONGITUDE):
        yield ".".join(path) or WHOLE
    for name, member in value.items():
        if "." not in name:
            yield from _places(member, (*path, name))


def _has(value: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(isinstance(value.get(name), int | float) for name in names)
