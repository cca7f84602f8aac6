"""Files of the first run: into the data directory only once they are known to be what they should be."""

import asyncio
import math
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry import shape
from starlette.datastructures import UploadFile

from parvis.ground.choosing import OUTLINES, USUAL_FILE, open_ground
from parvis.ground.outline import LARGEST_BYTES, NAME_KEYS, read_members
from parvis.ground.pmtiles import InvalidBaseMap
from parvis.kernel.base_map import BaseMap
from parvis.kernel.durable import writing_whole

LARGEST_OUTLINES_BYTES: Final = LARGEST_BYTES
LARGEST_GROUND_BYTES: Final = 1 << 30
OUTLINES_FILE: Final = "outlines.geojson"
ENDINGS: Final = (".pmtiles", *sorted(OUTLINES))
CODE_KEYS: Final = ("code", "insee", "code_insee", "codgeo", "INSEE_COM")
MOST_COMMUNES: Final = 2000
Opening = tuple[tuple[float, float], float]
"""Where a map opens: centre and zoom."""
_WIDE_PX: Final = 600
_DEEPEST_FIT: Final = 14.0


@dataclass(frozen=True, slots=True)
class Outlines:
    path: Path
    communes: tuple[str, ...]
    centre: tuple[float, float]
    zoom: float


async def keep_outlines(file: UploadFile, data_dir: Path, communes: Collection[str] = ()) -> Outlines:
    """A GeoJSON file with the outlines of `communes`, which may be among others. Raises InvalidBaseMap."""
    path = await keep_ground(file, data_dir, endings=tuple(OUTLINES))
    return await asyncio.to_thread(_read_outlines, path, communes)


async def keep_ground(file: UploadFile, data_dir: Path, endings: tuple[str, ...] = ENDINGS) -> Path:
    """In place of the one that was there, if it can be drawn. Raises InvalidBaseMap."""
    name = Path(file.filename or "").name
    ending = Path(name).suffix.lower()
    if ending not in endings:
        raise InvalidBaseMap(f"{name} is neither of {', '.join(endings)}.")
    limit_bytes = LARGEST_OUTLINES_BYTES if ending in OUTLINES else LARGEST_GROUND_BYTES
    if (file.size or 0) > limit_bytes:
        raise InvalidBaseMap(f"{name} is larger than {limit_bytes >> 20} MB: simplify its outlines.")
    kept = data_dir / (OUTLINES_FILE if ending in OUTLINES else USUAL_FILE)
    await asyncio.to_thread(_take, file, name, kept)
    return kept


def _take(file: UploadFile, name: str, kept: Path) -> None:
    with writing_whole(kept) as out:
        file.file.seek(0)
        shutil.copyfileobj(file.file, out, 1 << 20)
        out.flush()
        check_ground(Path(out.name), name)


def check_ground(path: Path, name: str = "") -> None:
    """Raises InvalidBaseMap, which calls it `name`."""
    try:
        open_ground(path).close()
    except InvalidBaseMap as refused:
        raise InvalidBaseMap(refused.detail.replace(str(path), name or str(path))) from None


def _read_outlines(path: Path, communes: Collection[str]) -> Outlines:
    ground = open_ground(path)
    try:
        centre, zoom = place_of_communes(path, communes) or place_of(ground) or ((0.0, 0.0), 1.0)
    finally:
        ground.close()
    return Outlines(path, _communes(path), centre, zoom)


def _communes(path: Path) -> tuple[str, ...]:
    """Code and name of each outline that has both."""
    properties = [one.get("properties") or {} for one in read_members(path)]
    told = [(_first(one, CODE_KEYS), _first(one, NAME_KEYS)) for one in properties]
    return tuple(f"{code} {name}" for code, name in told if code and name)[:MOST_COMMUNES]


def _first(properties: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((str(properties[key]) for key in keys if properties.get(key)), "")


def place_of(ground: BaseMap) -> Opening | None:
    """Where a map opens that shows all of it: centre and zoom. None where it is all of the Earth or says nothing."""
    bounds = ground.overview().get("bounds")
    return _fit(bounds) if isinstance(bounds, list | tuple) else None


def place_of_communes(path: Path, communes: Collection[str]) -> Opening | None:
    """Where a map of a file of outlines shows these communes ("56007 Auray"), by their codes, else by their names. None
    where none of them is there."""
    told = [one.partition(" ") for one in communes]
    members = read_members(path) if told else []
    for keys, wanted in ((CODE_KEYS, {code for code, _, _ in told}), (NAME_KEYS, {name for _, _, name in told})):
        found = [one for one in members if _first(one.get("properties") or {}, keys) in wanted]
        shapes = [shape(one["geometry"]) for one in found if isinstance(one.get("geometry"), dict)]
        if shapes:
            return _fit(shapely.total_bounds(shapes).tolist())
    return None


def _fit(bounds: Sequence[float]) -> Opening | None:
    if len(bounds) != 4 or not all(map(math.isfinite, bounds)):
        return None
    west, south, east, north = bounds
    if east - west >= 180:
        return None
    middle = (round((west + east) / 2, 5), round((south + north) / 2, 5))
    span = max(east - west, (north - south) / max(0.1, math.cos(math.radians(middle[1]))), 0.005)
    return middle, round(min(_DEEPEST_FIT, math.log2(360 * _WIDE_PX / 512 / span)), 1)
