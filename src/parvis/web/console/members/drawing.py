"""The members' outlines as one drawing: small enough to be a part of the page, without scripts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

WIDTH = 600.0
TALLEST = 520.0
_SMALLEST_STEP = 0.7
"""Points nearer to each other, in pixels, are drawn as one."""
Ring = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """`paths` are by tenant."""

    width: float
    height: float
    paths: dict[str, str]


def draw(outlines: dict[str, dict[str, Any]]) -> Drawing | None:
    """None where no member has an outline."""
    points = [point for one in outlines.values() for ring in _rings(one) for point in ring]
    if not points:
        return None
    west, east = min(one[0] for one in points), max(one[0] for one in points)
    south, north = min(one[1] for one in points), max(one[1] for one in points)
    shrink = max(0.05, cos(radians((south + north) / 2)))
    across, down = max((east - west) * shrink, 1e-6), max(north - south, 1e-6)
    scale = min(WIDTH / across, TALLEST / down)

    def place(point: Sequence[float]) -> tuple[float, float]:
        return round((point[0] - west) * shrink * scale, 1), round((north - point[1]) * scale, 1)

    paths = {
        tenant: " ".join(_path(map(place, ring)) for ring in _rings(outline)) for tenant, outline in outlines.items()
    }
    return Drawing(round(across * scale, 1), round(down * scale, 1), paths)


def _path(points: Iterable[tuple[float, float]]) -> str:
    kept: list[tuple[float, float]] = []
    for point in points:
        if not kept or max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) >= _SMALLEST_STEP:
            kept.append(point)
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in kept) + "Z"


def _rings(geometry: dict[str, Any]) -> Iterable[Ring]:
    coordinates = geometry.get("coordinates", [])
    if geometry.get("type") == "Polygon":
        yield from coordinates
    else:
        for polygon in coordinates:
            yield from polygon
