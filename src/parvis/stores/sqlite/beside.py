"""The store's file beside the platform, for a command: SQLite lets the two write by turns."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parvis.broker.ports.store import StoreNotUsable
from parvis.stores.sqlite.database import BUSY_TIMEOUT_MS, SCHEMA, Connection, RunSql


@contextmanager
def opened_beside(path: Path) -> Iterator[tuple[RunSql, RunSql]]:
    """What runs in a transaction that writes, and what reads. Raises StoreNotUsable."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        _check_version(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")

        async def write(change: Callable[[Connection], Any]) -> Any:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = change(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

        async def read(ask: Callable[[Connection], Any]) -> Any:
            return ask(connection)

        yield write, read
    finally:
        connection.close()


def _check_version(connection: Connection, path: Path) -> None:
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as fault:
        raise StoreNotUsable(f"{path} is no usable store: {fault}.") from fault
    if version != SCHEMA.version:
        raise StoreNotUsable(f"{path} has schema {version}, this Parvis {SCHEMA.version}: start the platform first.")
