"""The processes that remember the months before the start: they end when all is told.

The platform's own process carries neither the territory nor the months; it gets columns of some days at a time. One
makes the territory; meanwhile the other learns what takes as long, and then tells.
"""

import asyncio
import os
from collections.abc import Awaitable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import cache
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from parvis.broker.ports.past import OldObservations
from parvis.demo.devices.device import Thing
from parvis.demo.devices.registry import device_records
from parvis.demo.devices.things import list_things
from parvis.demo.nature.nature import Nature, load_what_solves
from parvis.demo.past import Days, columns_of
from parvis.demo.readings.past import Memory
from parvis.demo.readings.scene import Scene
from parvis.demo.scenery import Scenery, open_scenery
from parvis.demo.services.past import past_of_stations
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import own_line
from parvis.demo.story.setting import set_stage
from parvis.demo.story.stage import Stage
from parvis.demo.things import Bound
from parvis.fleet.devices.records import DeviceRecord
from parvis.kernel.parent import end_with_parent
from parvis.kernel.time import SECOND, system_clock

R = TypeVar("R")
NICENESS = 2


class Rememberer:
    """Begins with the territory at once. What is asked of either process is answered one after the other."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._seed, self._folder = seed, folder
        self._maker, self._teller = start_process(0), start_process(NICENESS)
        self._records = self._maker.submit(_records, seed, folder)

    def get_ready(self) -> None:
        """To tell of days, while the territory is made."""
        self._teller.submit(load_what_solves)

    def records(self) -> Awaitable[list[DeviceRecord]]:
        return _awaited(self._records)

    def stage(self) -> Awaitable[Stage]:
        return _awaited(self._maker.submit(_stage, self._seed, self._folder))

    def things(self) -> Awaitable[tuple[list[Thing], list[Bound]]]:
        return _awaited(self._maker.submit(_things, self._seed, self._folder))

    def tell(self, days: Days) -> Awaitable[list[OldObservations]]:
        return _awaited(self._teller.submit(_tell, self._seed, self._folder, days))

    def close(self) -> None:
        for one in (self._maker, self._teller):
            one.shutdown(wait=False, cancel_futures=True)


def start_process(niceness: int) -> Executor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_set_out, initargs=(niceness,))


def _set_out(niceness: int) -> None:
    end_with_parent()
    os.nice(niceness)


def _awaited(asked: "Future[R]") -> Awaitable[R]:
    future = asyncio.wrap_future(asked)
    future.add_done_callback(_note)
    return future


def _note(future: "asyncio.Future[R]") -> None:
    """Who asked may be gone when the process ends."""
    if not future.cancelled():
        future.exception()


@cache
def _scenery(seed: int, folder: Path) -> Scenery:
    return open_scenery(seed, folder)


def _stage(seed: int, folder: Path) -> Stage:
    scenery = _scenery(seed, folder)
    return set_stage(scenery.territory, scenery.networks, scenery.devices)


def _records(seed: int, folder: Path) -> list[DeviceRecord]:
    return device_records(_scenery(seed, folder).devices)


def _things(seed: int, folder: Path) -> tuple[list[Thing], list[Bound]]:
    scenery = _scenery(seed, folder)
    bound: list[Bound] = [(one.entity_id, dict(one.relations)) for one in scenery.devices if one.relations]
    return list_things(scenery.territory, scenery.networks, scenery.devices), bound


@cache
def _nature(seed: int, folder: Path) -> Nature:
    story = KeptStory.open(folder, seed, system_clock() / SECOND).told(own_line(), _stage(seed, folder))
    return Nature(seed, story, _scenery(seed, folder).networks.water, folder)


@cache
def _memory(seed: int, folder: Path) -> Memory:
    scenery = _scenery(seed, folder)
    slugs = {one.name: one.slug for one in scenery.territory.communes}
    return Memory(scenery.devices, Scene(_nature(seed, folder), scenery.networks, slugs))


def _tell(seed: int, folder: Path, days: Days) -> list[OldObservations]:
    memory = _memory(seed, folder)
    told = chain(
        memory.series(days.times, in_full=days.in_full),
        past_of_stations(memory.scene, days.times, in_full=days.in_full),
        memory.places(days.moving_times),
    )
    return list(columns_of(told, days.times))
