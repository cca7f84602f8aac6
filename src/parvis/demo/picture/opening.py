"""The tiles that a visitor sees first: around the opening view and the largest towns, the opening zoom before all."""

from collections.abc import Iterator, Sequence
from math import asinh, pi, radians, tan

ZOOMS = (11, 10, 12, 13, 14)
"""Each tile is shown 512 pixels wide: five by three fill a wide window wherever its middle lies in the middle tile."""
OPENING_TILES, TOWN_TILES = (5, 3), (3, 3)
Place = tuple[float, float]
Tile = tuple[int, int, int]


def opening_tiles(centre: Place, towns: Sequence[Place]) -> Iterator[Tile]:
    """Each once, as (zoom, column, row)."""
    yield from dict.fromkeys(
        tile
        for zoom in ZOOMS
        for place, size in ((centre, OPENING_TILES), *((town, TOWN_TILES) for town in towns))
        for tile in _around(place, zoom, size)
    )


def tile_at(place: Place, zoom: int) -> Tile:
    lon_deg, lat_deg = place
    tiles = 2**zoom
    north = asinh(tan(radians(lat_deg))) / pi
    return zoom, int((lon_deg + 180) / 360 * tiles), int((1 - north) / 2 * tiles)


def _around(place: Place, zoom: int, size: tuple[int, int]) -> Iterator[Tile]:
    columns, rows = size
    _, column, row = tile_at(place, zoom)
    for down in range(rows):
        for right in range(columns):
            yield zoom, column + right - columns // 2, row + down - rows // 2
