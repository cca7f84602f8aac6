"""Which ground an installation has."""

from pathlib import Path
from typing import Final

from parvis.ground.outline import OutlineMap
from parvis.ground.pmtiles import InvalidBaseMap, PmtilesMap

USUAL_FILE: Final = "base-map.pmtiles"
ROADS_FILE: Final = "roads.npz"
_OUTLINES: Final = frozenset({".geojson", ".json"})


def find_ground(data_dir: Path, given: str) -> PmtilesMap | OutlineMap | None:
    """The file that is `given`, else the usual one where it is there. Raises InvalidBaseMap."""
    path = data_dir / (given or USUAL_FILE)
    if not given and not path.exists():
        return None
    if not path.is_file():
        raise InvalidBaseMap(f"map.ground: {path} is not there.")
    return OutlineMap(path) if path.suffix in _OUTLINES else PmtilesMap(path)
