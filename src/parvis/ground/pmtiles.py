"""Base maps in one file: PMTiles, version 3 of its specification (docs.protomaps.com)."""

import gzip
import os
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pmtiles.reader import Reader
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from parvis.ground.dialects import find_dialect
from parvis.ground.drawing import MAX_ZOOM, draw_tile
from parvis.ground.kept_tiles import KeptTiles
from parvis.ground.layers import LAYER_NAMES, MapLayer
from parvis.ground.palette import Theme
from parvis.ground.style import map_style
from parvis.ground.tiling import MOST_TILES, Bounds, Tile, TooManyTiles, list_touched
from parvis.kernel.errors import ParvisError

Tell = Callable[[int, int], None]
"""Called with how many tiles are drawn, and of how many."""
KEPT_BYTES: Final = 32 << 20
"""Of tiles, as they are sent."""
MOST_TILE_BYTES: Final = 8 << 20
"""Of one tile as it is sent: those of dense cities have one or two."""
MOST_READ_BYTES: Final = 64 << 20
_READABLE: Final = (Compression.NONE, Compression.GZIP)
_GZIP: Final = b"\x1f\x8b"
_TELL_EVERY: Final = 50


class InvalidBaseMap(ParvisError):
    title = "The base map cannot be used"


@dataclass(frozen=True, slots=True)
class Credits:
    """`attribution` is shown on the map: licences of the data ask for it."""

    name: str
    attribution: str


def write_map(path: Path, layers: Sequence[MapLayer], bounds: Bounds, credits_: Credits, tell: Tell) -> int:
    """Returns how many tiles hold something. Raises InvalidBaseMap where none does, or where there are too many."""
    tiles = _touched(layers, bounds)
    with path.open("wb") as file:
        written = _write(file, layers, tiles, _header(bounds), _metadata(credits_), tell)
    if not written:
        raise InvalidBaseMap("Within these bounds there is nothing to draw.")
    tell(len(tiles), len(tiles))
    return written


def _touched(layers: Sequence[MapLayer], bounds: Bounds) -> Sequence[Tile]:
    try:
        return list_touched([layer.tree for layer in layers], bounds, MAX_ZOOM)
    except TooManyTiles:
        raise InvalidBaseMap(
            f"These are more than {MOST_TILES:,} tiles: say the bounds of your territory"
            " (--bounds=west,south,east,north) or take a smaller extract."
        ) from None


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
        self._path = path
        self._kept = KeptTiles(KEPT_BYTES)
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
            self._closing = weakref.finalize(self, os.close, self._descriptor)
            self._reader = _reader(self._bytes)
            self._header: Mapping[str, Any] = self._reader.header()
            self._check()
            self._metadata: Mapping[str, Any] = self._reader.metadata()
        except InvalidBaseMap:
            raise
        except Exception as error:  # the library says what is wrong in many ways, UnicodeDecodeError among them
            raise InvalidBaseMap(f"{path} is no PMTiles file of version 3 ({error!r}).") from None

    def _check(self) -> None:
        header, path = self._header, self._path
        if header["tile_type"] is not TileType.MVT:
            raise InvalidBaseMap(f"{path} holds pictures: vector tiles are wanted.")
        if header["tile_compression"] not in _READABLE or header["internal_compression"] is not Compression.GZIP:
            packed = ", ".join(header[f"{part}_compression"].name.lower() for part in ("tile", "internal"))
            raise InvalidBaseMap(f"{path} is packed in another way than gzip (tiles, directories: {packed}).")

    @property
    def file(self) -> Path:
        return self._path

    def _bytes(self, offset: int, length: int) -> bytes:
        """Read, not mapped: of a file that somebody shortens in place, a page that is gone ends the whole process."""
        content = b"" if length > MOST_READ_BYTES else os.pread(self._descriptor, length, offset)
        if len(content) < length:
            raise InvalidBaseMap(f"{self._path} ends before what it says it holds: copy it again.")
        return content

    def tile(self, z: int, x: int, y: int) -> bytes:
        """Raises InvalidBaseMap where the file is no longer what it was when it was opened."""
        if z > self._header["max_zoom"]:
            return b""
        kept = self._kept.find((z, x, y))
        if kept is None:
            kept = self._read(z, x, y)
            self._kept.keep((z, x, y), kept)
        return kept

    def _read(self, z: int, x: int, y: int) -> bytes:
        try:
            return _unpacked(self._reader.get(z, x, y) or b"")
        except InvalidBaseMap:
            raise
        except Exception as error:  # as above
            raise InvalidBaseMap(f"{self._path} has an unreadable tile {z}/{x}/{y} ({error!r}).") from None

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
        self._closing()

    def _text(self, key: str) -> str:
        return str(self._metadata.get(key, ""))


def _reader(read: Callable[[int, int], bytes]) -> Any:
    return Reader(read)  # type: ignore[no-untyped-call]


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(_GZIP):
        return content
    packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    unpacked = packed.decompress(content, MOST_TILE_BYTES)
    if not packed.eof:
        raise ValueError(f"it is cut off, or larger than {MOST_TILE_BYTES >> 20} MB")
    return unpacked
