"""The flat frame in which the territory is drawn (metres east and north of its origin) and tools to draw in it."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

Coords = NDArray[np.float64]

ORIGIN_LON_DEG = -3.30
ORIGIN_LAT_DEG = 47.70
M_PER_DEG_LAT = 111_194.93
M_PER_DEG_LON = M_PER_DEG_LAT * float(np.cos(np.radians(ORIGIN_LAT_DEG)))


def to_lon_lat(xy: Coords) -> Coords:
    """Degrees, rounded to the 6 decimals that GeoJSON (RFC 7946, 11.2) calls enough."""
    degrees = np.column_stack((ORIGIN_LON_DEG + xy[:, 0] / M_PER_DEG_LON, ORIGIN_LAT_DEG + xy[:, 1] / M_PER_DEG_LAT))
    rounded: Coords = degrees.round(6)
    return rounded


def geojson_geometry(geometry: BaseGeometry) -> dict[str, object]:
    mapping: dict[str, object] = shapely.geometry.mapping(shapely.transform(geometry, to_lon_lat))
    return mapping


def chaikin(line: Coords, rounds: int = 2) -> Coords:
    """Cut the corners of an open line, keeping its ends (Chaikin 1974)."""
    for _ in range(rounds):
        if len(line) < 3:
            break
        before, after = line[:-1], line[1:]
        cut = np.empty((2 * len(before), 2))
        cut[0::2] = 0.75 * before + 0.25 * after
        cut[1::2] = 0.25 * before + 0.75 * after
        line = np.vstack((line[:1], cut[1:-1], line[-1:]))
    return line


def meander(rng: np.random.Generator, stations: Sequence[tuple[float, float]], amplitude_m: float) -> Coords:
    """A winding line through the stations, whose detours grow with the legs between them."""
    line = np.array(stations, dtype=np.float64)
    for _ in range(3):
        before, after = line[:-1], line[1:]
        along = after - before
        aside = np.column_stack((-along[:, 1], along[:, 0])) / np.hypot(along[:, 0], along[:, 1])[:, None]
        middle = (before + after) / 2 + aside * rng.normal(0, amplitude_m, len(before))[:, None]
        woven = np.empty((2 * len(line) - 1, 2))
        woven[0::2], woven[1::2] = line, middle
        line, amplitude_m = woven, amplitude_m * 0.5
    return chaikin(line)


class Noise:
    """Smooth gradient noise (Perlin 1985), about -1..1, from a lattice drawn once from the generator."""

    SIZE = 256

    def __init__(self, rng: np.random.Generator) -> None:
        angle = rng.uniform(0, 2 * np.pi, (self.SIZE, self.SIZE))
        self._gx = np.cos(angle).astype(np.float32)
        self._gy = np.sin(angle).astype(np.float32)

    def at(self, x: Coords, y: Coords, wavelength_m: float) -> Coords:
        u, v = np.asarray(x, np.float32) / wavelength_m, np.asarray(y, np.float32) / wavelength_m
        floor_u, floor_v = np.floor(u), np.floor(v)
        i, j, fu, fv = floor_u.astype(np.int32), floor_v.astype(np.int32), u - floor_u, v - floor_v
        su, sv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
        low = self._dot(i, j, fu, fv) * (1 - su) + self._dot(i + 1, j, fu - 1, fv) * su
        high = self._dot(i, j + 1, fu, fv - 1) * (1 - su) + self._dot(i + 1, j + 1, fu - 1, fv - 1) * su
        blended: Coords = 1.5 * (low * (1 - sv) + high * sv)
        return blended

    def octaves(self, x: Coords, y: Coords, wavelength_m: float, count: int) -> Coords:
        total = self.at(x, y, wavelength_m)
        for octave in range(1, count):
            total = total + self.at(x + 977 * octave, y - 613 * octave, wavelength_m / 2**octave) / 2**octave
        return total

    def _dot(self, i: NDArray[np.int32], j: NDArray[np.int32], du: Coords, dv: Coords) -> Coords:
        lattice = (j & (self.SIZE - 1)) * self.SIZE + (i & (self.SIZE - 1))
        dot: Coords = self._gx.take(lattice) * du + self._gy.take(lattice) * dv
        return dot


def lon_lat(x: float, y: float) -> tuple[float, float]:
    lon, lat = to_lon_lat(np.array([[x, y]]))[0]
    return float(lon), float(lat)


def beside(line: LineString, at_m: float, aside_m: float) -> tuple[float, float]:
    """A point of the line, moved to its left (right if negative)."""
    at_m = min(max(at_m, 0.5), line.length - 0.5)
    (ax, ay), (bx, by) = line.interpolate(at_m - 0.5).coords[0], line.interpolate(at_m + 0.5).coords[0]
    heading = float(np.arctan2(by - ay, bx - ax))
    return (ax + bx) / 2 - float(np.sin(heading)) * aside_m, (ay + by) / 2 + float(np.cos(heading)) * aside_m
