"""The tiles that were asked for last."""

from collections import OrderedDict
from threading import Lock
from typing import Final

from parvis.ground.tiling import Tile

_COST_BYTES: Final = 200
"""Of an entry, beside its content."""


class KeptTiles:
    """Up to `most_bytes` of them. Safe to use from several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._contents: OrderedDict[Tile, bytes] = OrderedDict()
        self._lock = Lock()

    def find(self, tile: Tile) -> bytes | None:
        with self._lock:
            if tile in self._contents:
                self._contents.move_to_end(tile)
            return self._contents.get(tile)

    def keep(self, tile: Tile, content: bytes) -> None:
        with self._lock:
            if tile in self._contents:
                return
            self._contents[tile] = content
            self._bytes += len(content) + _COST_BYTES
            while self._bytes > self._most_bytes:
                _, gone = self._contents.popitem(last=False)
                self._bytes -= len(gone) + _COST_BYTES
