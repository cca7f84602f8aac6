"""What the data take on the disk: measured once an hour, kept for a month, so that its end can be foreseen."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from parvis.bootstrap.stores import is_on_postgres
from parvis.broker.ports.store import Store
from parvis.kernel.errors import Overloaded
from parvis.kernel.growth import Forecast, Sample, forecast
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.settings import Settings
from parvis.kernel.shelf import Box, Place
from parvis.kernel.time import DAY, HOUR, SECOND, Clock, Instant, system_clock

BOX = Box(DEFAULT_TENANT, "system/disk")
KEPT = 30 * DAY
_LOOK_EVERY_S = 600.0


class Usage(NamedTuple):
    """Bytes. `free` is None where the store is on another disk than this process can see."""

    store: int
    files: int
    free: int | None
    total: int | None

    @property
    def taken(self) -> int:
        return self.store + self.files


class Seen(NamedTuple):
    """`growth` is None until it has been measured for long enough."""

    usage: Usage
    growth: Forecast | None


class Disk:
    """`seen` is what was seen last: at most an hour ago, once there is anything."""

    def __init__(self, settings: Settings, store: Store, clock: Clock = system_clock) -> None:
        self._folder = settings.data_dir
        self._is_elsewhere = is_on_postgres(settings)
        self._store = store
        self._clock = clock
        self.seen: Seen | None = None

    async def look(self) -> Seen:
        usage, samples = await self.measure(), await self.list_samples()
        growth = forecast(samples, float("inf") if usage.free is None else usage.free, self._clock())
        self.seen = Seen(usage, growth)
        return self.seen

    async def measure(self) -> Usage:
        store = await self._store.count_bytes()
        files = await asyncio.to_thread(_bytes_below, self._folder, not self._is_elsewhere)
        disk = shutil.disk_usage(self._folder)
        here = (None, None) if self._is_elsewhere else (disk.free, disk.total)
        return Usage(store, files, *here)

    async def list_samples(self) -> list[Sample]:
        found = await self._store.shelf.read(Place(BOX, b""))
        return [Sample(int(key) * SECOND, int(value)) for key, value in found.items()]

    async def note(self) -> None:
        """Of each hour the first measurement stays; what is older than a month goes."""
        hour = self._clock() // HOUR * HOUR
        held = await self._store.shelf.read(Place(BOX, b""))
        if _key(hour) in held:
            if self.seen is None:
                await self.look()
            return
        usage = (await self.look()).usage
        old = [Place(BOX, key) for key in held if int(key) * SECOND < hour - KEPT]
        await self._store.shelf.change((), {Place(BOX, _key(hour)): str(usage.taken).encode()}, old)

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(Overloaded):
                await self.note()
            await asyncio.sleep(_LOOK_EVERY_S)


def _key(at: Instant) -> bytes:
    return f"{at // SECOND:012d}".encode()


def _bytes_below(folder: Path, without_store: bool) -> int:
    """Of all files but the store's own; those that go away meanwhile count nothing."""
    return sum(_size(path) for path in _files(folder) if not (without_store and path.name.startswith("parvis.db")))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
