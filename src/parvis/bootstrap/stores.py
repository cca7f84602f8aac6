"""Which store the settings name, and who may use a data directory. With the rest of this package the only modules that
import stores; those on PostgreSQL are imported when they are used."""

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

from parvis.access.access import Access, build_access
from parvis.access.ports import AccessStore
from parvis.broker.ports.archive import ReadArchived
from parvis.broker.ports.integrity import Fault
from parvis.broker.ports.store import Store
from parvis.fleet.commands.command import CommandLog
from parvis.fleet.ports import FrameStore
from parvis.kernel.bus import Bus
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.jobs import JobQueue
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.shelf import Shelf
from parvis.stores.sqlite import integrity as sqlite_integrity
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.beside import opened_beside
from parvis.stores.sqlite.jobs import opened_queue as opened_sqlite_queue
from parvis.stores.sqlite.shelf import SqliteShelf
from parvis.stores.sqlite.store import SqliteStore

STORE_FILE = "parvis.db"
ACCESS_FILE = "access.db"
LOCK_FILE = "parvis.lock"
MOST_PROCESSES = 256
"""That share one data directory."""
_RETRY_EVERY_S = 1.0
_SAY_EVERY = 10
_log = logging.getLogger(__name__)
Opened = TypeVar("Opened")


class DataInUse(ParvisError):
    title = "The data directory is in use"


class NotOpened(ParvisError):
    title = "The store could not be opened"


def is_on_postgres(settings: Settings) -> bool:
    return urlsplit(settings.store.url).scheme in ("postgresql", "postgres")


def store_path(settings: Settings) -> Path:
    """The file of the embedded store. Raises InvalidSettings for a store that is none."""
    url = urlsplit(settings.store.url)
    if url.scheme == "sqlite" and url.path:
        return Path(url.path)
    if settings.store.url:
        raise InvalidSettings("store.url must be empty, sqlite:///PATH or postgresql://USER@HOST/DATABASE.")
    return settings.data_dir / STORE_FILE


async def open_store(settings: Settings, read_archived: ReadArchived) -> Store:
    """Raises StoreNotUsable, or on PostgreSQL Overloaded while it does not answer."""
    if is_on_postgres(settings):
        from parvis.stores.postgres.store import PostgresStore

        return await PostgresStore.open(settings.store.url, read_archived=read_archived)
    return await SqliteStore.open(store_path(settings), read_archived=read_archived)


def frames_of(store: Store) -> FrameStore:
    """Where a store keeps the frames of devices."""
    if isinstance(store, SqliteStore):
        return store.frames
    from parvis.stores.postgres.store import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.frames


def commands_of(store: Store) -> CommandLog:
    """Where a store keeps commands to devices."""
    if isinstance(store, SqliteStore):
        return store.commands
    from parvis.stores.postgres.store import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.commands


@asynccontextmanager
async def open_job_queue(settings: Settings) -> AsyncIterator[JobQueue]:
    """The jobs of a store beside the platform that runs on it. Raises NotOpened where there is no store yet."""
    if is_on_postgres(settings):
        from parvis.stores.postgres.jobs import opened_queue

        async with opened_queue(settings.store.url) as queue:
            yield queue
        return
    path = store_path(settings)
    if not path.exists():
        raise NotOpened(f"There is no store in {settings.data_dir} yet: start Parvis once.")
    with opened_sqlite_queue(path) as beside:
        yield beside


@contextmanager
def open_shelf(settings: Settings) -> Iterator[Shelf]:
    """That of a store beside the platform that runs on it. Raises NotOpened where there is no store yet."""
    if is_on_postgres(settings):
        from parvis.stores.postgres.shelf import opened_shelf

        with opened_shelf(settings.store.url) as shelf:
            yield shelf
        return
    path = store_path(settings)
    if not path.exists():
        raise NotOpened(f"There is no store in {settings.data_dir} yet: start Parvis once.")
    with opened_beside(path) as (write, read):
        yield SqliteShelf(write, read)


class Opening:
    """A platform that is not there yet: `reason` says what it waits for, `given_up` ends the waiting."""

    def __init__(self) -> None:
        self.reason = ""
        self.given_up = asyncio.Event()


async def in_time(opening: Opening, open_it: Callable[[], Awaitable[Opened]]) -> Opened:
    """What `open_it` opens, once the database answers. Raises NotOpened when that is given up."""
    attempt = 0
    while True:
        try:
            opened = await open_it()
        except Overloaded as fault:
            opening.reason = fault.detail
            if attempt % _SAY_EVERY == 0:
                _log.warning("waiting for the database", extra={"reason": fault.detail})
            attempt += 1
        else:
            opening.reason = ""
            return opened
        try:
            async with asyncio.timeout(_RETRY_EVERY_S):
                await opening.given_up.wait()
        except TimeoutError:
            continue
        raise NotOpened(f"Stopped before the store could be opened. {opening.reason}")


def open_access(settings: Settings) -> Access:
    """Raises on PostgreSQL Overloaded while it does not answer."""
    return build_access(_open_access_store(settings), settings.access, names=(settings.territory.name,))


def find_access(settings: Settings) -> Access | None:
    """To look at only; None where it is not there yet. Raises StoreNotUsable, or on PostgreSQL Overloaded."""
    if not is_on_postgres(settings):
        return open_access(settings) if (settings.data_dir / ACCESS_FILE).exists() else None
    from parvis.stores.postgres.access import PostgresAccessStore
    from parvis.stores.postgres.database import Database

    database = Database(settings.store.url)
    return build_access(PostgresAccessStore(database), settings.access) if database.check_schema() else None


def _open_access_store(settings: Settings) -> AccessStore:
    if is_on_postgres(settings):
        from parvis.stores.postgres.access import PostgresAccessStore
        from parvis.stores.postgres.database import Database

        database = Database(settings.store.url)
        database.prepare()
        return PostgresAccessStore(database)
    return SqliteAccessStore(settings.data_dir / ACCESS_FILE)


async def open_bus(settings: Settings, stack: AsyncExitStack) -> Bus | None:
    """None where there is but one process."""
    if not is_on_postgres(settings):
        return None
    from parvis.stores.postgres.bus import PostgresBus
    from parvis.stores.postgres.database import Database

    bus = PostgresBus(Database(settings.store.url))
    stack.push_async_callback(bus.close)
    return bus


def is_store_there(settings: Settings) -> bool:
    """Raises StoreNotUsable, or on PostgreSQL Overloaded."""
    if not is_on_postgres(settings):
        return store_path(settings).exists()
    from parvis.stores.postgres.database import Database

    return Database(settings.store.url).check_schema()


def has_store(settings: Settings) -> bool:
    return is_on_postgres(settings) or store_path(settings).exists()


@contextmanager
def holding(settings: Settings) -> Iterator[int]:
    """A place among the processes on the data directory: 1, or the next free number where several may share it.

    It ends with the process, however that ends. Raises DataInUse.
    """
    places = MOST_PROCESSES if is_on_postgres(settings) else 1
    for place in range(1, places + 1):
        with _lock_file(settings.data_dir, place).open("w") as file:
            if _lock(file):
                yield place
                return
    raise DataInUse(f"Another Parvis is running on {settings.data_dir}: stop it first, or give another --data.")


def _lock_file(data_dir: Path, place: int) -> Path:
    return data_dir / (LOCK_FILE if place == 1 else f"parvis-{place}.lock")


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_store_damage(settings: Settings) -> list[str]:
    """What a quick look finds wrong with the store and access; nothing where they are sound or not there yet."""
    if is_on_postgres(settings):
        try:
            is_store_there(settings)
        except ParvisError as fault:
            return [fault.detail]
        return []
    paths = [store_path(settings), settings.data_dir / ACCESS_FILE]
    found = [(path.name, sqlite_integrity.find_damage(path)) for path in paths if path.exists()]
    return [f"{name}: {damage}" for name, damages in found for damage in damages]


def find_store_faults(settings: Settings) -> list[Fault]:
    """Everything the store can know to be wrong of itself; reads all of it, and changes nothing."""
    if is_on_postgres(settings):
        from parvis.stores.postgres import integrity

        try:
            return integrity.find_faults(settings.store.url) if is_store_there(settings) else []
        except ParvisError as fault:
            return [Fault(fault.detail)]
    path = store_path(settings)
    return sqlite_integrity.find_faults(path) if path.exists() else []


def repair_store(settings: Settings) -> list[Fault]:
    """Mend what follows from the rest; what was mended. Raises DataInUse while the platform runs."""
    with holding(settings):
        if is_on_postgres(settings):
            from parvis.stores.postgres import integrity

            return integrity.repair(settings.store.url) if is_store_there(settings) else []
        path = store_path(settings)
        return sqlite_integrity.repair(path) if path.exists() else []
