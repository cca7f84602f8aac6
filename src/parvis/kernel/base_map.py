"""Port: where the map's ground comes from."""

from pathlib import Path
from typing import Any, Literal, Protocol


class BaseMap(Protocol):
    """Safe to call from several threads; may take tens of milliseconds: call it off the loop."""

    @property
    def file(self) -> Path | None:
        """The whole map as one PMTiles file, where it is one."""
        ...

    def tile(self, z: int, x: int, y: int) -> bytes:
        """A Mapbox Vector Tile 2.1, not compressed; empty beyond the map."""
        ...

    def style(self, tiles_url: str, theme: Literal["light", "dark"]) -> dict[str, Any]:
        """How to draw the tiles, in the MapLibre style language; `tiles_url` holds {z}, {x} and {y}."""
        ...

    def overview(self) -> dict[str, Any]:
        """TileJSON 3.0 without the tiles' address."""
        ...
