"""What a value can be at all: by its unit, and by what the standard terms mean."""

from typing import Any

Limits = tuple[float, float]
FARTHEST = 1e18
"""No number beyond is a measurement; nor is one that is none."""
ANYTHING: Limits = (-FARTHEST, FARTHEST)

OF_UNITS: dict[str, Limits] = {
    "CEL": (-90.0, 1000.0),
    "KEL": (180.0, 1300.0),
    "P1": (-100.0, 1000.0),
    "A97": (300.0, 1100.0),
    "LUX": (0.0, 200_000.0),
    "2N": (0.0, 200.0),
    "DD": (-360.0, 360.0),
    "MMT": (-100_000.0, 1_000_000.0),
    "59": (0.0, 1_000_000.0),
    "GQ": (0.0, 1_000_000.0),
    "HTZ": (0.0, 1e12),
}
"""UN/CEFACT Recommendation 20 codes. Temperatures from below the coldest air ever measured (-89.2 degC, WMO) to ovens;
pressure of air from the top of Everest (337 hPa) to the highest ever measured (1 084 hPa); light up to the sun's."""

OF_TERMS: dict[str, Limits] = {
    "batteryLevel": (-1.0, 1.0),
    "relativeHumidity": (0.0, 1.0),
    "fillingLevel": (0.0, 1.0),
    "occupancy": (0.0, 1.0),
    "pH": (0.0, 14.0),
    "windDirection": (-180.0, 360.0),
    "windSpeed": (0.0, 120.0),
    "precipitation": (0.0, 500.0),
    "co2": (0.0, 100_000.0),
    "pm1": (0.0, 10_000.0),
    "pm25": (0.0, 10_000.0),
    "pm10": (0.0, 10_000.0),
    "LAeq": (0.0, 200.0),
    "peopleCount": (0.0, 1_000_000.0),
}
"""Ranges of the Smart Data Models where they give one; wind: the strongest gust ever measured is 113 m/s (WMO)."""

OF_TERMS_IN_UNITS: dict[tuple[str, str], Limits] = {("temperature", "CEL"): (-90.0, 200.0)}
"""Of air, water, rooms, soil, up to the superheated water of a district's heating; of an oven the profile says more."""


def is_possible(term: str, unit_code: str, value: Any) -> bool:
    """By what the term and the unit allow; what is no number is not judged."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low, high = limits_of(term, unit_code, None, None)
    return low <= value <= high


def limits_of(term: str, unit_code: str, minimum: float | None, maximum: float | None) -> Limits:
    """The profile's own, then the term's, then the unit's."""
    low, high = OF_TERMS.get(term) or OF_TERMS_IN_UNITS.get((term, unit_code)) or OF_UNITS.get(unit_code) or ANYTHING
    own = (low if minimum is None else minimum, high if maximum is None else maximum)
    return max(own[0], -FARTHEST), min(own[1], FARTHEST)
