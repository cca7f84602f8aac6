"""What an upgrade will do, tried on a copy; and the upgrade of a store by itself, while nothing runs on it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage
from time import perf_counter
from typing import NamedTuple, TypeVar

from parvis.backup.repository import BackupUnusable
from parvis.bootstrap.backup import Tell, check_databases, database_copies
from parvis.bootstrap.stores import ACCESS_FILE, STORE_FILE, NotOpened, holding, is_on_postgres, store_path
from parvis.kernel.settings import Settings
from parvis.stores.sqlite import database as sqlite
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.snapshot import count_rows

Answer = TypeVar("Answer")


class Tried(NamedTuple):
    """`needed_bytes` beside the store while it is migrated: its log may hold all that is rewritten. 0 times on
    PostgreSQL, of which nothing is copied."""

    before: int
    after: int
    copy_s: float
    migrate_s: float
    verify_s: float
    bytes_before: int
    bytes_after: int
    needed_bytes: int
    free_bytes: int
    counts: dict[str, int]

    @property
    def has_room(self) -> bool:
        return self.free_bytes >= self.needed_bytes


def _silent(_words: str, _part: float) -> None:
    pass


def try_upgrade(settings: Settings, tell: Tell = _silent) -> Tried:
    """Beside the running platform, which goes on; nothing of it stays.

    Raises NotOpened where there is no store, StoreNotUsable, and BackupUnusable where the copy is not sound afterwards.
    """
    if is_on_postgres(settings):
        return _try_on_postgres(settings, tell)
    _check_there(settings)
    free = disk_usage(settings.data_dir).free
    began_s = perf_counter()
    with database_copies(settings, settings.data_dir, tell) as copies:
        store, access = copies[STORE_FILE], copies[ACCESS_FILE]
        copy_s = perf_counter() - began_s
        size, before, known = _size_of(store, access), sqlite.find_version(store), _count(store)
        tell("migrating the copy", 0.5)
        _, migrate_s = _timed(lambda: _migrate(store, access))
        tell("looking through the copy", 0.7)
        _, verify_s = _timed(lambda: check_databases(store, access))
        grown = _size_of(store, access)
        after, counts = sqlite.find_version(store), count_rows(store)
        _check_counts(known, counts)
    tell("done", 1.0)
    return Tried(before, after, copy_s, migrate_s, verify_s, size, grown, size + grown, free, counts)


def upgrade(settings: Settings) -> tuple[int, int]:
    """Bring the store to the newest schema; versions before and after. What was stopped goes on where it was.

    Raises NotOpened, DataInUse, StoreNotUsable.
    """
    if not is_on_postgres(settings):
        _check_there(settings)
    with holding(settings):
        if is_on_postgres(settings):
            from parvis.stores.postgres.database import Database

            database = Database(settings.store.url)
            before = database.find_version()
            database.prepare()
            return before, database.find_version()
        path = store_path(settings)
        before = sqlite.find_version(path)
        _migrate(path, settings.data_dir / ACCESS_FILE)
        return before, sqlite.find_version(path)


def _try_on_postgres(settings: Settings, tell: Tell) -> Tried:
    """In a transaction that is undone: nobody may copy a database that others use."""
    from parvis.stores.postgres.database import SCHEMA, Database

    database = Database(settings.store.url)
    before = database.find_version()
    if not before:
        raise NotOpened("There is no store in this database yet.")
    tell("trying the migrations", 0.5)
    _, migrate_s = _timed(database.try_steps)
    tell("done", 1.0)
    return Tried(before, SCHEMA.version, 0.0, migrate_s, 0.0, 0, 0, 0, 0, {})


def _migrate(store: Path, access: Path) -> None:
    sqlite.Database(store).connect_writer().close()
    if access.exists():
        SqliteAccessStore(access).close()


def _check_there(settings: Settings) -> None:
    if not store_path(settings).exists():
        raise NotOpened(f"There is no store in {settings.data_dir} yet.")


def _check_counts(before: dict[str, int], after: dict[str, int]) -> None:
    if changed := [name for name, count in before.items() if after[name] != count]:
        raise BackupUnusable(f"After the migration there are other numbers of {', '.join(changed)}: do not upgrade.")


def _count(store: Path) -> dict[str, int]:
    """None of a schema that had other tables."""
    try:
        return count_rows(store)
    except sqlite3.OperationalError:
        return {}


def _size_of(*paths: Path) -> int:
    return sum(path.stat().st_size for path in paths if path.exists())


def _timed(act: Callable[[], Answer]) -> tuple[Answer, float]:
    began_s = perf_counter()
    answer = act()
    return answer, perf_counter() - began_s
