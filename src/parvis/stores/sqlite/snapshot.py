"""A consistent copy of a database that is being written."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

ALL_PAGES = -1
"""At once, in one read transaction: in steps the copy would begin anew whenever something is written. Writers go on;
their log grows until it is done."""


class ArchivedFile(NamedTuple):
    path: str
    checksum: str


def copy_database(source: Path, target: Path) -> None:
    """Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as there:
        target.touch(mode=0o600)
        with closing(sqlite3.connect(target)) as here:
            there.backup(here, pages=ALL_PAGES)


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
