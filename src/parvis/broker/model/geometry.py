"""GeoJSON geometries (RFC 7946) in WGS 84."""

from collections.abc import Iterator
from typing import Any, Final

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of WGS 84."""
Bounds = tuple[float, float, float, float]
"""west, south, east, north in degrees."""


def bounds(geometry: dict[str, Any]) -> Bounds:
    positions = list(_positions(geometry.get("coordinates", ())))
    if not positions:
        return (0.0, 0.0, 0.0, 0.0)
    longitudes, latitudes = zip(*positions, strict=True)
    return (min(longitudes), min(latitudes), max(longitudes), max(latitudes))


def _positions(coordinates: Any) -> Iterator[tuple[float, float]]:
    if coordinates and isinstance(coordinates[0], int | float):
        yield (coordinates[0], coordinates[1])
    else:
        for part in coordinates:
            yield from _positions(part)
