"""Which ground an installation has, and another one as soon as it is chosen."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from parvis.ground.outline import OutlineMap
from parvis.ground.pmtiles import InvalidBaseMap, PmtilesMap
from parvis.kernel.base_map import BaseMap

USUAL_FILE: Final = "base-map.pmtiles"
ROADS_FILE: Final = "roads.npz"
OUTLINES: Final = frozenset({".geojson", ".json"})
_log = logging.getLogger(__name__)
_Seen = tuple[Path, int, int] | None


def find_ground(data_dir: Path, given: str) -> PmtilesMap | OutlineMap | None:
    """The file that is `given`, else the usual one where it is there. Raises InvalidBaseMap."""
    path = data_dir / (given or USUAL_FILE)
    if not given and not path.exists():
        return None
    if not path.is_file():
        raise InvalidBaseMap(f"map.ground: {path} is not there.")
    return open_ground(path)


def open_ground(path: Path) -> PmtilesMap | OutlineMap:
    """Raises InvalidBaseMap."""
    return OutlineMap(path) if path.suffix.lower() in OUTLINES else PmtilesMap(path)


class Ground:
    """The base map that is chosen now, if any. What a demonstration has `brought` is there until one is chosen."""

    def __init__(self, data_dir: Path, given: Callable[[], str], brought: BaseMap | None = None) -> None:
        """Raises InvalidBaseMap."""
        self._data_dir = data_dir
        self._given = given
        self._brought = brought
        self._changing = Lock()
        self._seen = self._look()
        self._chosen = None if self._seen is None else find_ground(data_dir, given())

    @property
    def now(self) -> BaseMap | None:
        return self._chosen or self._brought

    @property
    def version(self) -> str:
        """Another one where the tiles may be others."""
        return "" if self._seen is None else "-".join(f"{one:x}" for one in self._seen[1:])

    def follow(self) -> None:
        """Takes another file that is chosen or has come in its place; one that cannot be used changes nothing.

        A map whose tiles may be under way is not closed: the file goes when nobody reads it any more. May take a while:
        call it off the loop.
        """
        with self._changing:
            if (seen := self._look()) == self._seen:
                return
            self._seen = seen
            try:
                self._chosen = None if seen is None else find_ground(self._data_dir, self._given())
            except InvalidBaseMap as fault:
                _log.warning("the ground that is chosen cannot be used", extra={"reason": fault.detail})

    def close(self) -> None:
        if self._chosen is not None:
            self._chosen.close()

    def _look(self) -> _Seen:
        """The file that is chosen with what tells it from another under its name; None where none is."""
        given = self._given()
        if not given and self._brought is not None:
            return None
        path = self._data_dir / (given or USUAL_FILE)
        with suppress(OSError):
            told = path.stat()
            return path, told.st_mtime_ns, told.st_size
        return (path, 0, 0) if given else None
