"""Where the sun stands: NREL's solar position algorithm.

Reda and Andreas, Solar Position Algorithm for Solar Radiation Applications, NREL/TP-560-34302 (2003, revised 2008);
the numbers in brackets are its clauses. Times are seconds since the Unix epoch, UTC; angles are degrees, the azimuth
clockwise from north.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parvis.domains.lighting.rules import spa_terms

Floats = npt.NDArray[np.float64]
DAY_S = 86_400.0
DELTA_T_S = 69.0
"""Terrestrial less universal time, in the 2020s; ten seconds of it move the sun by half a second of arc."""
_EPOCH_JD, _J2000_JD = 2_440_587.5, 2_451_545.0
_FLATTENED, _EQUATOR_M = 0.99664719, 6_378_140.0


class Sun(NamedTuple):
    """As seen from the middle of the earth; `sidereal_deg` is the apparent sidereal time at Greenwich."""

    right_ascension_deg: Floats
    declination_deg: Floats
    sidereal_deg: Floats
    distance_au: Floats


class Position(NamedTuple):
    """As seen from a place, through the air."""

    zenith_deg: Floats
    azimuth_deg: Floats


class Air(NamedTuple):
    """It bends light by `refraction_deg` at the horizon."""

    pressure_hpa: float = 1013.25
    temperature_c: float = 12.0
    refraction_deg: float = 0.5667


MEAN_AIR = Air()


def find_sun(at_s: Floats, delta_t_s: float = DELTA_T_S) -> Sun:
    """(3.1 to 3.10)."""
    days = at_s / DAY_S + (_EPOCH_JD - _J2000_JD)
    century = days / 36_525
    ephemeris_century = (days + delta_t_s / DAY_S) / 36_525
    millennium = ephemeris_century / 10
    distance = _series(spa_terms.RADIUS, millennium)
    longitude_shift, obliquity_shift = _nutation(ephemeris_century)
    obliquity = np.radians(_mean_obliquity_deg(millennium) + obliquity_shift)
    aberration = -20.4898 / (3600 * distance)
    longitude = np.radians(np.degrees(_series(spa_terms.LONGITUDE, millennium)) + 180 + longitude_shift + aberration)
    latitude = -_series(spa_terms.LATITUDE, millennium)
    ascension = np.arctan2(
        np.sin(longitude) * np.cos(obliquity) - np.tan(latitude) * np.sin(obliquity), np.cos(longitude)
    )
    declination = np.arcsin(
        np.sin(latitude) * np.cos(obliquity) + np.cos(latitude) * np.sin(obliquity) * np.sin(longitude)
    )
    sidereal = (
        280.46061837 + 360.98564736629 * days + 0.000387933 * century**2 - century**3 / 38_710_000
        + longitude_shift * np.cos(obliquity)
    )  # fmt: skip
    return Sun(np.degrees(ascension) % 360, np.degrees(declination), sidereal % 360, distance)


def find_position(
    at_s: Floats,
    latitude_deg: float,
    longitude_deg: float,
    height_m: float = 0.0,
    air: Air = MEAN_AIR,
    delta_t_s: float = DELTA_T_S,
) -> Position:
    """(3.11 to 3.15)."""
    sun = find_sun(at_s, delta_t_s)
    latitude, declination = np.radians(latitude_deg), np.radians(sun.declination_deg)
    hour_angle = np.radians(sun.sidereal_deg + longitude_deg - sun.right_ascension_deg)
    parallax = np.radians(8.794 / (3600 * sun.distance_au))
    reduced = np.arctan(_FLATTENED * np.tan(latitude))
    out = np.cos(reduced) + height_m / _EQUATOR_M * np.cos(latitude)
    up = _FLATTENED * np.sin(reduced) + height_m / _EQUATOR_M * np.sin(latitude)
    level = np.cos(declination) - out * np.sin(parallax) * np.cos(hour_angle)
    aside = np.arctan2(-out * np.sin(parallax) * np.sin(hour_angle), level)
    declination = np.arctan2((np.sin(declination) - up * np.sin(parallax)) * np.cos(aside), level)
    hour_angle = hour_angle - aside
    elevation = np.degrees(
        np.arcsin(np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle))
    )
    azimuth = np.arctan2(
        np.sin(hour_angle), np.cos(hour_angle) * np.sin(latitude) - np.tan(declination) * np.cos(latitude)
    )
    return Position(90 - elevation - _bent_deg(elevation, air), (np.degrees(azimuth) + 180) % 360)


def _bent_deg(elevation_deg: Floats, air: Air) -> Floats:
    """(3.14.3); below the horizon there is nothing to bend."""
    thick = (air.pressure_hpa / 1010) * (283 / (273 + air.temperature_c)) * 1.02
    bent = thick / (60 * np.tan(np.radians(elevation_deg + 10.3 / (elevation_deg + 5.11))))
    return np.where(elevation_deg >= -(0.26667 + air.refraction_deg), bent, 0.0)


def _series(tables: tuple[spa_terms.Table, ...], millennium: Floats) -> Floats:
    """(3.2)."""
    total = np.zeros_like(millennium)
    for power, table in enumerate(tables):
        for amplitude, phase, rate in table.tolist():
            total += amplitude * np.cos(phase + rate * millennium) * millennium**power
    return total / 1e8


def _nutation(century: Floats) -> tuple[Floats, Floats]:
    """(3.4): in longitude and in obliquity."""
    arguments = np.radians(np.stack([
        297.85036 + 445_267.111480 * century - 0.0019142 * century**2 + century**3 / 189_474,
        357.52772 + 35_999.050340 * century - 0.0001603 * century**2 - century**3 / 300_000,
        134.96298 + 477_198.867398 * century + 0.0086972 * century**2 + century**3 / 56_250,
        93.27191 + 483_202.017538 * century - 0.0036825 * century**2 + century**3 / 327_270,
        125.04452 - 1934.136261 * century + 0.0020708 * century**2 + century**3 / 450_000,
    ]))  # fmt: skip
    longitude, obliquity = np.zeros_like(century), np.zeros_like(century)
    for row in spa_terms.NUTATION:
        angle = np.tensordot(row[:5], arguments, 1)
        longitude += (row[5] + row[6] * century) * np.sin(angle)
        obliquity += (row[7] + row[8] * century) * np.cos(angle)
    return longitude / 36e6, obliquity / 36e6


_OBLIQUITY = (84_381.448, -4680.93, -1.55, 1999.25, -51.38, -249.67, -39.05, 7.12, 27.87, 5.79, 2.45)


def _mean_obliquity_deg(millennium: Floats) -> Floats:
    """(3.5.1)."""
    found: Floats = np.polynomial.polynomial.polyval(millennium / 10, _OBLIQUITY) / 3600
    return found
