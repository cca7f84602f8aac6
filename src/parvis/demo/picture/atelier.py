"""Draws the map in a process of its own that ends when nothing is asked of it, so that a server carries neither
the territory's 120 MB nor the seconds of its making."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import shapely

from parvis.demo.land.geometry import geojson_geometry, lon_lat
from parvis.demo.land.territory import Territory, generate_territory
from parvis.demo.picture.maplayers import map_layers
from parvis.demo.scenery import open_scenery
from parvis.ground.drawing import draw_tile
from parvis.ground.layers import MapLayer
from parvis.kernel.parent import end_with_parent

P = ParamSpec("P")
R = TypeVar("R")
IDLE_S = 45.0
NICENESS = 5


class Atelier:
    """Safe to call from several threads; calls wait for each other. `folder` is where the scenery is kept, if it is."""

    def __init__(self, seed: int, idle_s: float = IDLE_S, folder: Path | None = None) -> None:
        self._seed, self._idle_s, self._folder = seed, idle_s, folder
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._closing: threading.Timer | None = None

    def tile(self, z: int, x: int, y: int) -> bytes:
        return self._call(_tile, self._seed, self._folder, z, x, y)

    def facts(self) -> dict[str, object]:
        """`bounds`, `towns` and `communes` (GeoJSON) of the territory."""
        return self._call(_facts, self._seed, self._folder)

    def close(self) -> None:
        with self._lock:
            self._dismiss()

    def _call(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            if self._closing is not None:
                self._closing.cancel()
            try:
                return self.hired().submit(work, *args, **kwargs).result()
            except BrokenProcessPool:
                self._dismiss()
                return self.hired().submit(work, *args, **kwargs).result()
            finally:
                self._closing = threading.Timer(self._idle_s, self.close)
                self._closing.daemon = True
                self._closing.start()

    def hired(self) -> Executor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_step_back)
        return self._executor

    def _dismiss(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _step_back() -> None:
    """Leave the processor to the platform, and the end of the work to the process that ordered it."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


@cache
def _territory(seed: int, folder: Path | None) -> Territory:
    return generate_territory(seed) if folder is None else open_scenery(seed, folder).territory


@cache
def _layers(seed: int, folder: Path | None) -> list[MapLayer]:
    return map_layers(_territory(seed, folder))


def _tile(seed: int, folder: Path | None, z: int, x: int, y: int) -> bytes:
    return draw_tile(_layers(seed, folder), z, x, y)


def _facts(seed: int, folder: Path | None) -> dict[str, object]:
    territory = _territory(seed, folder)
    whole = shapely.union_all([commune.area for commune in territory.communes])
    return {
        "bounds": list(shapely.geometry.shape(geojson_geometry(whole)).bounds),
        "towns": [lon_lat(town.x, town.y) for town in sorted(territory.communes, key=lambda one: -one.population)],
        "communes": communes_geojson(territory),
    }


def communes_geojson(territory: Territory) -> dict[str, object]:
    """A FeatureCollection of the communes, outlines simplified to 8 m without gaps between neighbours."""
    areas = shapely.coverage_simplify([commune.area for commune in territory.communes], 8)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": commune.code,
                "geometry": geojson_geometry(area),
                "properties": {
                    "name": commune.name,
                    "slug": commune.slug,
                    "code": commune.code,
                    "population": commune.population,
                    "character": commune.character.value,
                },
            }
            for commune, area in zip(territory.communes, areas, strict=True)
        ],
    }
