"""The generated base map as vector tiles: kept in a tile store, drawn when first asked for or ahead of it."""

import sqlite3
import threading
from pathlib import Path

import msgspec

from parvis.demo.edition import edition
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import DEFAULT_SEED, NAME
from parvis.demo.picture.atelier import Atelier
from parvis.demo.picture.opening import opening_tiles
from parvis.ground.drawing import MAX_ZOOM
from parvis.ground.layers import LAYER_NAMES
from parvis.ground.palette import Theme
from parvis.ground.style import map_style

BUSIEST_TOWNS = 4
BREATH_S = 0.02
"""Between two tiles drawn ahead of being asked for, so that one that is asked for comes between."""


class TileStore:
    """Tiles of one map in an SQLite file of the MBTiles 1.3 layout; in memory without a path."""

    def __init__(self, path: Path | None, name: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(
            """
            CREATE TABLE IF NOT EXISTS metadata (name TEXT PRIMARY KEY, value TEXT);
            CREATE TABLE IF NOT EXISTS tiles (
                zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB,
                PRIMARY KEY (zoom_level, tile_column, tile_row)) WITHOUT ROWID;
            """
        )
        if self.find_metadata("name") != name:
            self._db.executescript("DELETE FROM tiles; DELETE FROM metadata;")
            self._db.execute("INSERT OR REPLACE INTO metadata VALUES ('name', ?), ('format', 'pbf')", (name,))
        self._db.commit()

    def find(self, z: int, x: int, y: int) -> bytes | None:
        with self._lock:
            row = self._db.execute(
                "SELECT tile_data FROM tiles WHERE zoom_level=? AND tile_column=? AND tile_row=?", _key(z, x, y)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def keep(self, z: int, x: int, y: int, tile: bytes) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)", (*_key(z, x, y), tile))
            self._db.commit()

    def close(self) -> None:
        self._db.close()

    def find_metadata(self, name: str) -> str | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM metadata WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_metadata(self, name: str, value: str) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO metadata VALUES (?, ?)", (name, value))
            self._db.commit()


def _key(z: int, x: int, y: int) -> tuple[int, int, int]:
    """MBTiles counts rows from the south (TMS)."""
    return z, x, 2**z - 1 - y


class Facts(msgspec.Struct):
    bounds: tuple[float, float, float, float]
    towns: list[tuple[float, float]]
    communes: dict[str, object]


class BaseMap:
    """Safe to call from several threads. What is kept is there in less than a millisecond; a tile not yet drawn takes
    tens of milliseconds, the first of all some seconds, in a process of its own: call `tile` off the event loop."""

    def __init__(
        self, seed: int = DEFAULT_SEED, store_path: Path | None = None, scenery_folder: Path | None = None
    ) -> None:
        self.kept = TileStore(store_path, f"trevalan seed {seed} edition {edition()}")
        self._atelier = Atelier(seed, folder=scenery_folder)
        self._known: Facts | None = None

    @property
    def file(self) -> None:
        """It is drawn tile by tile."""

    def tile(self, z: int, x: int, y: int) -> bytes:
        """An uncompressed Mapbox Vector Tile; empty where the map is, or beyond zoom 0..14 (draw 14 larger)."""
        if not (0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
            return b""
        kept = self.kept.find(z, x, y)
        if kept is None:
            kept = self._atelier.tile(z, x, y)
            self.kept.keep(z, x, y, kept)
        return kept

    def warm_up(self, stop: threading.Event) -> int:
        """Draw what a visitor sees first, as far as it is not kept, until `stop`; returns how many tiles were drawn."""
        drawn = 0
        for tile in opening_tiles(lon_lat(0, 0), self._facts().towns[:BUSIEST_TOWNS]):
            if self.kept.find(*tile) is not None:
                continue
            if stop.wait(BREATH_S):
                break
            self.tile(*tile)
            drawn += 1
        return drawn

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the agglomeration, in degrees."""
        return self._facts().bounds

    def communes(self) -> dict[str, object]:
        """The twelve communes as a GeoJSON FeatureCollection."""
        return self._facts().communes

    def style(self, tiles_url: str, theme: Theme) -> dict[str, object]:
        return map_style(tiles_url, theme, NAME, NAME)

    def overview(self) -> dict[str, object]:
        """TileJSON 3.0 without the address of the tiles, which the server adds."""
        west, south, east, north = self.bounds
        return {
            "tilejson": "3.0.0",
            "name": NAME,
            "bounds": [west, south, east, north],
            "center": [round((west + east) / 2, 6), round((south + north) / 2, 6), 11],
            "minzoom": 0,
            "maxzoom": MAX_ZOOM,
            "vector_layers": [{"id": layer, "fields": {}} for layer in LAYER_NAMES],
        }

    def close(self) -> None:
        self._atelier.close()
        self.kept.close()

    def _facts(self) -> Facts:
        if self._known is None:
            kept = self.kept.find_metadata("facts")
            if kept is None:
                kept = msgspec.json.encode(self._atelier.facts()).decode()
                self.kept.keep_metadata("facts", kept)
            self._known = msgspec.json.decode(kept, type=Facts)
        return self._known
