"""Land and sea: a height field with drowned valleys (rias), from which coast, shallows and forests are contoured."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.contours import area_above
from parvis.demo.land.geometry import Coords, Noise, chaikin, meander

HALF_WIDTH_M, HALF_HEIGHT_M, CELL_M = 38_000, 28_000, 80
FAR_M, RIM_M = 400_000, 800


@dataclass(frozen=True, slots=True)
class RiverCourse:
    """Stations from the mouth up; `tidal_m` is the length the sea fills, `mouth_m` its half width at the mouth."""

    name: str
    stations: tuple[tuple[float, float], ...]
    tidal_m: float
    mouth_m: float


COURSES = (
    RiverCourse(
        "Le Stervenn",
        ((-1200, -8200), (-900, -4800), (-500, -1200), (700, 1500), (900, 3400), (300, 7200), (2100, 11800),
         (1300, 19000), (4500, 28500)),
        11_900, 760,
    ),
    RiverCourse("Le Dourgoad", ((-900, -2600), (-3000, -900), (-5200, 300), (-6300, 3300), (-5200, 6800)), 4300, 230),
    RiverCourse("Le Gwazh Du", ((200, 600), (2200, 250), (4100, 1500), (4900, 4200)), 2500, 170),
    RiverCourse(
        "L’Hanternoz",
        ((6500, -8000), (6700, -4300), (7700, -1300), (8600, 1100), (9500, 2800), (8300, 6900), (10200, 13000)),
        6300, 430,
    ),
    RiverCourse("Le Roudour", ((-9700, -7200), (-9400, -4200), (-9900, -600), (-9000, 3800), (-9900, 9300)), 4200, 300),
    RiverCourse("La Morgleuz", ((-21500, -9000), (-20500, -4000), (-22500, 2500), (-19000, 12000), (-20500, 28500)),
                12_000, 800),
    RiverCourse("Le Belon Vras", ((20500, -9500), (21500, -3500), (19500, 2500), (22500, 9500), (20500, 20000)),
                9000, 1200),
    RiverCourse("Le Sulved", ((31000, -9500), (30500, -2500), (33000, 6000), (31500, 16000)), 6500, 600),
    RiverCourse("Le Kergroas", ((-31500, -8500), (-32500, -1500), (-30500, 8000)), 6000, 500),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class River:
    name: str
    line: LineString
    tidal_m: float


@dataclass(frozen=True, slots=True)
class Relief:
    """Heights in metres above the high-water line, on a grid of `CELL_M` from the south-west corner."""

    height_m: NDArray[np.float32]

    def at(self, x: Coords, y: Coords) -> Coords:
        """Between the four nearest points of the grid."""
        u = np.clip((np.asarray(x, float) + HALF_WIDTH_M) / CELL_M, 0, self.height_m.shape[1] - 1.001)
        v = np.clip((np.asarray(y, float) + HALF_HEIGHT_M) / CELL_M, 0, self.height_m.shape[0] - 1.001)
        i, j = u.astype(np.intp), v.astype(np.intp)
        du, dv = u - i, v - j
        south = self.height_m[j, i] * (1 - du) + self.height_m[j, i + 1] * du
        north = self.height_m[j + 1, i] * (1 - du) + self.height_m[j + 1, i + 1] * du
        between: Coords = south * (1 - dv) + north * dv
        return between


@dataclass(frozen=True, slots=True)
class Terrain:
    relief: Relief
    land: BaseGeometry
    sea: BaseGeometry
    shallows: BaseGeometry
    depths: tuple[BaseGeometry, ...]
    forest: BaseGeometry
    heath: BaseGeometry
    lakes: BaseGeometry
    rivers: tuple[River, ...]


def shape_terrain(rng: np.random.Generator) -> Terrain:
    xs = np.arange(-HALF_WIDTH_M, HALF_WIDTH_M + CELL_M, CELL_M, dtype=np.float64)
    ys = np.arange(-HALF_HEIGHT_M, HALF_HEIGHT_M + CELL_M, CELL_M, dtype=np.float64)
    x, y = np.meshgrid(xs, ys, sparse=True)  # what depends on one of them only is worked out once
    courses = [(course, meander(rng, course.stations, 260)) for course in COURSES]
    noise = Noise(rng)
    height = _base_height(noise, x, y)
    wobble = noise.octaves(x, y, 1700, 4)
    for course, line in courses:
        _carve(height, course, line, wobble, xs, ys)
    land = _smoothed(area_above(height, xs, ys, 0.0), smallest_m2=2500)
    rivers = tuple(River(course.name, LineString(line), course.tidal_m) for course, line in courses)
    lakes = _lakes(rng)
    woods = noise.octaves(x + 5000, y + 9000, 2600, 4) + 0.25 * noise.at(x, y, 14_000)
    woods[height < 4] = -1
    shore = height - 9 * np.clip(noise.octaves(x - 7000, y, 3500, 2), 0, 1)
    return Terrain(
        relief=Relief(height.astype(np.float32)),
        land=land,
        sea=_water_below(land, height, ys, 0.0),
        shallows=_smoothed(area_above(height, xs, ys, -1.3), smallest_m2=4000).difference(land),
        depths=tuple(
            _water_below(_smoothed(area_above(height, xs, ys, level), 40_000), height, ys, level)
            for level in (-9.0, -17.0)
        ),
        forest=_smoothed(area_above(woods, xs, ys, 0.52), smallest_m2=25_000),
        heath=_smoothed(area_above(-shore, xs, ys, -1.0), smallest_m2=8000).intersection(land),
        lakes=lakes,
        rivers=rivers,
    )


def _base_height(noise: Noise, x: Coords, y: Coords) -> Coords:
    """Metres above the high-water line, before the valleys."""
    bend = 2600 * noise.at(x, np.zeros_like(x), 21_000) + 1500 * np.exp(-(((x - 3600) / 2300) ** 2))
    inland = y + 5600 + bend + 2300 * noise.octaves(x + 1700, y, 5600, 6)
    rolling = 1 + 0.35 * noise.octaves(x, y, 6500, 3)
    above = 62 * (1 - np.exp(-np.clip(inland, 0, None) / 5200)) * rolling + 0.9
    offshore = np.clip(-inland, 0, None)
    below = -14 * (1 - np.exp(-offshore / 1300)) - 0.0011 * offshore - 0.4
    islands = 60 * np.clip(noise.octaves(x + 300, y + 2100, 3100, 5) - 0.42, 0, None)
    near = np.exp(-(((offshore - 2600) / 2400) ** 2))
    height: Coords = np.where(inland > 0, above, below + islands * near)
    return height


def _carve(height: Coords, course: RiverCourse, line: Coords, wobble: Coords, xs: Coords, ys: Coords) -> None:
    """Lower the ground to a valley along the line: below the sea for the tidal part, gently rising above it."""
    along_m = 0.0
    reach_m = 3.5 * course.mouth_m + 1000
    for (ax, ay), (bx, by) in pairwise(line):
        length = float(np.hypot(bx - ax, by - ay))
        columns = slice(*np.searchsorted(xs, (min(ax, bx) - reach_m, max(ax, bx) + reach_m)))
        rows = slice(*np.searchsorted(ys, (min(ay, by) - reach_m, max(ay, by) + reach_m)))
        gx, gy = np.meshgrid(xs[columns], ys[rows])
        share = np.clip(((gx - ax) * (bx - ax) + (gy - ay) * (by - ay)) / (length * length), 0, 1)
        away = np.hypot(gx - ax - share * (bx - ax), gy - ay - share * (by - ay))
        valley = _valley(course, along_m + share * length, away, wobble[rows, columns])
        height[rows, columns] = np.minimum(height[rows, columns], valley)
        along_m += length


def _valley(course: RiverCourse, along: Coords, away: Coords, wobble: Coords) -> Coords:
    tide = np.clip(1 - along / course.tidal_m, 0, 1)
    half_width = (12 + course.mouth_m * tide**1.1) * np.clip(1 + 0.95 * wobble, 0.25, 3)
    floor = np.where(along < course.tidal_m, -0.7 - 8 * tide**0.8, 2 + (along - course.tidal_m) * 0.002)
    return floor + (away / np.maximum(half_width, 18)) ** 1.6 * (0.5 + 7 * tide**0.8)


def _lakes(rng: np.random.Generator) -> BaseGeometry:
    spots = ((9450, 2500, 540), (-6200, 3500, 240), (-4600, 8700, 330), (17_000, 14_500, 700), (3100, 9600, 210))
    lakes = []
    for x, y, radius in spots:
        angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
        reach = radius * rng.uniform(0.55, 1.3, 18)
        ring = np.column_stack((x + 0.75 * reach * np.cos(angle), y + 1.25 * reach * np.sin(angle)))
        seam = (ring[:1] + ring[-1:]) / 2
        lakes.append(Polygon(chaikin(np.vstack((seam, ring, seam)), 3)))
    return MultiPolygon(lakes)


def _smoothed(area: BaseGeometry, smallest_m2: float) -> BaseGeometry:
    kept = []
    for part in shapely.get_parts(area):
        if part.area >= smallest_m2:
            holes = [_cut_corners(ring) for ring in part.interiors if Polygon(ring).area >= smallest_m2]
            kept.append(Polygon(_cut_corners(part.exterior), holes))
    return shapely.make_valid(shapely.union_all(shapely.make_valid(np.array(kept))))


def _cut_corners(ring: BaseGeometry) -> Coords:
    """Round the ring off; long straight sides are divided first, lest their corners be cut by kilometres."""
    return chaikin(shapely.get_coordinates(ring.simplify(14).segmentize(500)), 1)


def _water_below(above: BaseGeometry, height: Coords, ys: Coords, level: float) -> BaseGeometry:
    """All that is not `above`, carried on beyond the frame so that a map zoomed out has no edge."""
    width, top = HALF_WIDTH_M - RIM_M, HALF_HEIGHT_M - RIM_M
    west, east = (float(ys[np.nonzero(height[:, column] <= level)[0].max()]) for column in (0, -1))
    return shapely.union_all(
        [
            box(-width, -top, width, top).difference(above),
            box(-FAR_M, -FAR_M, -width, west),
            box(width, -FAR_M, FAR_M, east),
            box(-width, -FAR_M, width, -top),
        ]
    )
