"""Base maps in one file: PMTiles, version 3 of its specification (docs.protomaps.com)."""

import gzip
import math
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final

from pmtiles.reader import Reader
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from parvis.ground.dialects import find_dialect
from parvis.ground.drawing import MAX_ZOOM, draw_tile
from parvis.ground.layers import LAYER_NAMES, MapLayer
from parvis.ground.palette import Theme
from parvis.ground.style import map_style
from parvis.kernel.errors import ParvisError

Bounds = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
Tile = tuple[int, int, int]
"""Zoom, column, row."""
Tell = Callable[[int, int], None]
"""Called with how many tiles are drawn, and of how many."""
TILES_KEPT: Final = 256
_TELL_EVERY: Final = 50
_LATITUDE_LIMIT: Final = 85.05


class InvalidBaseMap(ParvisError):
    title = "The base map cannot be used"


@dataclass(frozen=True, slots=True)
class Credits:
    """`attribution` is shown on the map: licences of the data ask for it."""

    name: str
    attribution: str


def write_map(path: Path, layers: Sequence[MapLayer], bounds: Bounds, credits_: Credits, tell: Tell) -> int:
    """Whole or not at all; returns how many tiles hold something. Raises InvalidBaseMap where none does."""
    tiles = sorted(tiles_within(bounds), key=lambda tile: zxy_to_tileid(*tile))
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        written = _write(file, layers, tiles, _header(bounds), _metadata(credits_), tell)
    if not written:
        unfinished.unlink()
        raise InvalidBaseMap("Within these bounds there is nothing to draw.")
    unfinished.replace(path)
    tell(len(tiles), len(tiles))
    return written


def _write(
    file: BinaryIO,
    layers: Sequence[MapLayer],
    tiles: Sequence[Tile],
    header: dict[str, Any],
    metadata: dict[str, Any],
    tell: Tell,
) -> int:
    writer: Any = Writer(file)  # type: ignore[no-untyped-call]
    with closing(writer.tile_f):
        for number, tile in enumerate(tiles):
            if drawn := draw_tile(layers, *tile):
                writer.write_tile(zxy_to_tileid(*tile), gzip.compress(drawn, 6, mtime=0))
            if number % _TELL_EVERY == 0:
                tell(number, len(tiles))
        if writer.tile_entries:
            writer.finalize(header, metadata)
        return int(writer.addressed_tiles)


def tiles_within(bounds: Bounds) -> Iterator[Tile]:
    """Of all zooms of a base map."""
    west, south, east, north = bounds
    for zoom in range(MAX_ZOOM + 1):
        left, top = _tile_at(west, north, zoom)
        right, bottom = _tile_at(east, south, zoom)
        yield from ((zoom, column, row) for column in range(left, right + 1) for row in range(top, bottom + 1))


def _tile_at(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    across = 1 << zoom
    clipped = math.radians(max(-_LATITUDE_LIMIT, min(_LATITUDE_LIMIT, lat)))
    down = (1 - math.asinh(math.tan(clipped)) / math.pi) / 2
    return min(across - 1, int((lon + 180) / 360 * across)), min(across - 1, int(down * across))


def _header(bounds: Bounds) -> dict[str, Any]:
    west, south, east, north = (round(one * 1e7) for one in bounds)
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": west, "min_lat_e7": south, "max_lon_e7": east, "max_lat_e7": north,
        "center_zoom": 11, "center_lon_e7": (west + east) // 2, "center_lat_e7": (south + north) // 2,
    }  # fmt: skip


def _metadata(credits_: Credits) -> dict[str, Any]:
    return {
        "name": credits_.name,
        "attribution": credits_.attribution,
        "vector_layers": [{"id": layer, "fields": {}} for layer in LAYER_NAMES],
    }


class PmtilesMap:
    """Port BaseMap: tiles of a file. Safe to call from several threads: the file is only read."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidBaseMap."""
        try:
            with path.open("rb") as file:
                self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._reader = _reader(self._bytes)
            self._header: Mapping[str, Any] = self._reader.header()
            self._metadata: Mapping[str, Any] = self._reader.metadata()
        except Exception as error:  # the library says what is wrong in many ways, UnicodeDecodeError among them
            raise InvalidBaseMap(f"{path} is no PMTiles file of version 3 ({error!r}).") from None
        if self._header["tile_type"] is not TileType.MVT:
            raise InvalidBaseMap(f"{path} holds pictures: vector tiles are wanted.")
        self.tile = lru_cache(TILES_KEPT)(self._tile)
        self._path = path

    @property
    def file(self) -> Path:
        return self._path

    def _bytes(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    def _tile(self, z: int, x: int, y: int) -> bytes:
        if z > self._header["max_zoom"]:
            return b""
        kept = self._reader.get(z, x, y) or b""
        return gzip.decompress(kept) if kept[:2] == b"\x1f\x8b" else bytes(kept)

    def style(self, tiles_url: str, theme: Theme) -> dict[str, Any]:
        layers = {str(layer.get("id")) for layer in self._metadata.get("vector_layers", ())}
        return map_style(tiles_url, theme, self._text("name"), self._text("attribution"), find_dialect(layers))

    def overview(self) -> dict[str, Any]:
        header = self._header
        bounds = [header[f"{side}_e7"] / 1e7 for side in ("min_lon", "min_lat", "max_lon", "max_lat")]
        return {
            "tilejson": "3.0.0",
            "name": self._text("name"),
            "attribution": self._text("attribution"),
            "bounds": bounds,
            "minzoom": header["min_zoom"],
            "maxzoom": header["max_zoom"],
            "vector_layers": self._metadata.get("vector_layers", []),
        }

    def close(self) -> None:
        self._content.close()

    def _text(self, key: str) -> str:
        return str(self._metadata.get(key, ""))


def _reader(read: Callable[[int, int], bytes]) -> Any:
    return Reader(read)  # type: ignore[no-untyped-call]
