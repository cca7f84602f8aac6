"""Stores that are opened with an archive beside them."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from parvis.broker.ports.archive import HotArchive, Summary
from parvis.broker.ports.store import Store
from parvis.broker.temporal.retention import Retention
from parvis.kernel.time import Clock
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.move import Archiver, Plan, Step
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.source import sources_of
from parvis.stores.archive.storage import open_storage
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import NOON

AFTER_DAYS = 7
SMALL = Limits(threads=1, memory_mib=128, spill_mib=256, readers=2)
FOR_EVER = Retention()


class Archived:
    """A store, the folder of its archive, and a calendar that stands at NOON unless it is moved."""

    def __init__(self, store: Store, reader: ArchiveReader, folder: Path) -> None:
        self.store = store
        self.archive: HotArchive = store.archive
        self.folder = folder
        self._reader = reader
        self.now = NOON

    async def run(
        self,
        *,
        until: int | None = None,
        retention: Retention = FOR_EVER,
        step: Step | None = None,
        apart: bool = False,
        limits: Limits = SMALL,
    ) -> Summary:
        plan = Plan("", self.folder, AFTER_DAYS, retention, limits, until, lambda: self.now, apart)
        if isinstance(self.store, PostgresStore):
            await self.store.prune(await self.store.newest())
        archiver = Archiver(self.archive, plan) if step is None else Archiver(self.archive, plan, step=step)
        return await archiver.run()

    def files(self) -> list[Path]:
        return sorted((self.folder / "archive").rglob("*.parquet"))

    async def close(self) -> None:
        await self.store.close()
        self._reader.close()


async def open_file(folder: Path, clock: Clock) -> Archived:
    return await _open_sqlite(folder / "parvis.db", folder, clock)


async def open_memory(folder: Path, clock: Clock) -> Archived:
    return await _open_sqlite(":memory:", folder, clock)


async def open_postgres(url: str, folder: Path, clock: Clock) -> Archived:
    reader = ArchiveReader(open_storage("", folder), SMALL)
    return Archived(await PostgresStore.open(url, clock, partial(sources_of, reader)), reader, folder)


async def _open_sqlite(path: str | Path, folder: Path, clock: Clock) -> Archived:
    reader = ArchiveReader(open_storage("", folder), SMALL)
    return Archived(await SqliteStore.open(path, clock, partial(sources_of, reader)), reader, folder)


Opener = Callable[[pytest.FixtureRequest, Path, Clock], Awaitable[Archived]]
ARCHIVED_STORES: dict[str, Opener] = {
    "sqlite": lambda _request, folder, clock: open_file(folder, clock),
    "sqlite-memory": lambda _request, folder, clock: open_memory(folder, clock),
    "postgres": lambda request, folder, clock: open_postgres(
        request.getfixturevalue("prepared_postgres_url"), folder, clock
    ),
}
