"""Backups that the running platform takes and tries, and what people are told of them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from parvis.backup.manifest import Drill, Manifest
from parvis.backup.repository import (
    BackupUnusable,
    Repository,
    holding,
    is_sealed,
    open_or_make,
    open_repository,
    sweep,
)
from parvis.bootstrap.backup import forget_older, run_drill, take_backup
from parvis.bootstrap.stores import is_on_postgres, store_path
from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.jobs.schedules import Schedule, is_cron
from parvis.kernel.backup_settings import BackupSettings
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import JobContext, WorkFailed
from parvis.kernel.settings import ArchiveSettings, InvalidSettings, Settings, StoreSettings
from parvis.kernel.time import DAY, HOUR, Instant, system_clock

TAKE = "backup.take"
DRILL = "backup.drill"
NO_BACKUP = "no-backup"
LATE_AFTER = 6 * HOUR
"""Beyond the time at which one was due."""
_MEMORY_MB = 1024
_LONGEST_S = 24 * 3600
_READ_AT_ONCE = 512


class Kept(NamedTuple):
    """A backup, as lists tell of it."""

    id: str
    at: Instant
    bytes: int
    added_bytes: int
    is_first: bool
    left_out: tuple[str, ...]
    drill: Drill | None


class Shelf(NamedTuple):
    """The newest backup first. `fault` says why none can be read; `damaged` are those of which the list of files is."""

    kept: tuple[Kept, ...] = ()
    is_sealed: bool = False
    is_on_disk_of_data: bool = False
    damaged: tuple[str, ...] = ()
    fault: str = ""


def add_kinds(jobs: Jobs, settings: Settings) -> None:
    """Nothing where no folder is named. Raises InvalidSettings."""
    own = settings.backup
    if not own.folder or is_on_postgres(settings):
        return
    for kind, work, cron in ((TAKE, "take", own.schedule), (DRILL, "drill", own.drill_schedule)):
        worker = Worker(f"{__name__}:{work}", _MEMORY_MB, _LONGEST_S, _given(settings))
        jobs.kind(
            kind, worker, attempts=2, back_off_s=60, timeout_s=_LONGEST_S, at_most=1, on_request=True, for_all=True
        )
        if cron and not is_cron(cron):
            raise InvalidSettings(f"[backup]: {cron!r} is no time as cron writes it, such as 30 1 * * *.")
        if cron:
            jobs.every(kind, cron, kind)


def _given(settings: Settings) -> dict[str, Any]:
    """To the process that works, by a pipe."""
    own = settings.backup
    return {
        "data_dir": str(settings.data_dir),
        "store_url": settings.store.url,
        "archive_url": settings.archive.url,
        "folder": own.folder,
        "key": own.key,
        "keep_days": own.keep_days,
    }


def _settings_of(given: JobContext) -> Settings:
    told = given.arguments
    return Settings(
        Path(told["data_dir"]),
        store=StoreSettings(told["store_url"]),
        archive=ArchiveSettings(told["archive_url"]),
        backup=BackupSettings(told["folder"], told["key"], keep_days=told["keep_days"]),
    )


def take(context: JobContext) -> dict[str, Any]:
    """The work, in a process of its own: one more backup, and those whose days are over go."""
    settings = _settings_of(context)
    return _done(lambda: _take(settings, context))


def _take(settings: Settings, context: JobContext) -> dict[str, Any]:
    folder, keep_days = folder_of(settings), settings.backup.keep_days
    repository = open_or_make(folder, settings.backup.key.encode())
    sweep(folder)
    with holding(folder, alone=False):
        taken = take_backup(settings, repository, lambda _words, part: context.report(part, "copying"))
    gone = _forget(repository, system_clock() - keep_days * DAY) if keep_days else 0
    return {"backup": taken.id, "bytes": taken.bytes, "new": taken.added_bytes, "forgotten": gone}


def _forget(repository: Repository, before: Instant) -> int:
    """Not where another program reads there, or one backup is damaged: what was taken is there all the same."""
    try:
        return forget_older(repository, before)[0]
    except BackupUnusable:
        return 0


def drill(context: JobContext) -> dict[str, Any]:
    """The newest backup is tried, in a process of its own."""
    settings = _settings_of(context)
    return _done(lambda: _drill(settings, context))


def _drill(settings: Settings, context: JobContext) -> dict[str, Any]:
    folder = folder_of(settings)
    repository = open_repository(folder, settings.backup.key.encode())
    ids = repository.list_ids()
    if not ids:
        raise WorkFailed(NO_BACKUP)
    sweep(folder)
    with holding(folder, alone=False):
        tried = run_drill(repository, ids[-1], folder, lambda _words, part: context.report(part, "trying"))
    return {"backup": ids[-1], "seconds": round(tried.seconds, 1), **tried.counts}


def _done(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Raises WorkFailed where it will fail however often it is tried."""
    try:
        return work()
    except ParvisError as fault:
        raise WorkFailed(fault.detail) from fault


def folder_of(settings: Settings) -> Path:
    """One that is not named in full is in the data directory."""
    return settings.data_dir / settings.backup.folder


class ShelfReader:
    """Reads once at a time, in a thread of its own: a folder of another machine may not answer for hours, and whoever
    asks again and again would take all the threads that others work with."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading: asyncio.Future[Shelf] | None = None

    async def look(self, waits_s: float = 3.0) -> Shelf:
        if self._reading is None or self._reading.done():
            self._reading = _in_own_thread(lambda: read_shelf(self._settings))
        done, _ = await asyncio.wait({self._reading}, timeout=waits_s)
        return self._reading.result() if done else Shelf(fault=f"{folder_of(self._settings)} does not answer.")


def _in_own_thread(read: Callable[[], Shelf]) -> asyncio.Future[Shelf]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Shelf] = loop.create_future()

    def run() -> None:
        try:
            tell = partial(future.set_result, read())
        except Exception as fault:
            tell = partial(future.set_exception, fault)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell)

    Thread(target=run, name="parvis-backups", daemon=True).start()
    return future


def is_late(settings: Settings, newest: Kept | None, now: Instant) -> bool:
    """One that was due after the newest is not there."""
    own, zone = settings.backup, ZoneInfo(settings.territory.time_zone)
    if newest is None or not own.schedule:
        return False
    return Schedule(TAKE, own.schedule, TAKE).next_after(newest.at, zone) + LATE_AFTER < now


def read_shelf(settings: Settings) -> Shelf:
    """What is there; it reads files, which may be far away."""
    folder = folder_of(settings)
    beside = _is_on_disk_of(folder, store_path(settings).parent)
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return Shelf(is_sealed=bool(settings.backup.key), is_on_disk_of_data=beside)
        header = folder / "repository.json"
        stamp = header.stat().st_mtime_ns if header.exists() else 0
        repository = _opened(folder, settings.backup.key.encode(), stamp)
        kept, damaged = _read_all(repository)
    except BackupUnusable as fault:
        return Shelf(is_on_disk_of_data=beside, fault=fault.detail)
    except OSError as fault:
        return Shelf(is_on_disk_of_data=beside, fault=f"{folder} cannot be read: {fault.strerror}.")
    return Shelf(kept, is_sealed(folder), beside, damaged)


@lru_cache(maxsize=1)
def _opened(folder: Path, key: bytes, stamp: int) -> Repository:
    return open_repository(folder, key)


def _read_all(repository: Repository) -> tuple[tuple[Kept, ...], tuple[str, ...]]:
    kept, damaged = [], []
    for backup_id in reversed(repository.list_ids()[-_READ_AT_ONCE:]):
        try:
            kept.append(_read_one(repository, backup_id)._replace(drill=repository.find_drill(backup_id)))
        except BackupUnusable:
            damaged.append(backup_id)
    return tuple(kept), tuple(damaged)


@lru_cache(maxsize=_READ_AT_ONCE)
def _read_one(repository: Repository, backup_id: str) -> Kept:
    """It never changes, and the list of its files is long."""
    one: Manifest = repository.get(backup_id)
    return Kept(one.id, one.at, one.bytes, one.added_bytes, one.is_first, one.left_out, None)


def _is_on_disk_of(folder: Path, data: Path) -> bool:
    """Of a folder that is not there yet: where it would be."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return data.exists() and there.stat().st_dev == data.stat().st_dev
