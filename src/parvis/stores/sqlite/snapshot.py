"""A consistent copy of a database that is being written."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

STEP_PAGES = 1024
"""Written out before the next ones are read: a commit of the platform on the same disk waits for no more than these."""
Rest = Callable[[float], object]
"""Called after each step with how much is done."""


class ArchivedFile(NamedTuple):
    path: str
    checksum: str


def copy_database(source: Path, target: Path, rest: Rest = lambda _part: None) -> None:
    """One moment of it, however long that takes: the read transaction holds it. Writers go on; their log grows until it
    is done. Raises sqlite3.Error.
    """
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as there:
        there.execute("BEGIN")
        there.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        target.touch(mode=0o600)
        with closing(sqlite3.connect(target)) as here, target.open("rb") as written:
            here.execute("PRAGMA journal_mode = OFF")
            here.execute("PRAGMA synchronous = OFF")

            def step(_status: int, remaining: int, total: int) -> None:
                os.fdatasync(written.fileno())
                rest(1 - remaining / total if total else 1.0)

            there.backup(here, pages=STEP_PAGES, progress=step)


def list_archived(database: Path) -> list[ArchivedFile]:
    """The files that this state of the store reads its archive from."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return [
            ArchivedFile(*row) for row in connection.execute("SELECT path, checksum FROM archive_file ORDER BY path")
        ]


def count_rows(database: Path) -> dict[str, int]:
    """Of what people count: entities that are there, instances of history in the store, entries of the outbox."""
    asked = {
        "entities": "SELECT count(*) FROM entity WHERE deleted IS NULL",
        "instances": "SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM history)",
        "archived instances": "SELECT ifnull(sum(rows), 0) FROM archive_file",
        "archive files": "SELECT count(*) FROM archive_file",
    }
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return {name: int(connection.execute(sql).fetchone()[0]) for name, sql in asked.items()}
