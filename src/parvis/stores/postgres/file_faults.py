"""What is known of damaged and lost files of the archive."""

from collections.abc import Sequence

import msgspec

from parvis.broker.ports.archive import FileFault
from parvis.stores.postgres.database import Connection

_PUT = "INSERT INTO archive_fault VALUES (%s, %s, %s) ON CONFLICT (path) DO UPDATE SET words = excluded.words"


def list_faults(connection: Connection) -> list[FileFault]:
    return [FileFault(*row) for row in connection.execute("SELECT path, words, found FROM archive_fault ORDER BY path")]


def note_faults(connection: Connection, faults: Sequence[FileFault], whole: Sequence[str]) -> None:
    connection.cursor().executemany(_PUT, [msgspec.structs.astuple(one) for one in faults])
    connection.cursor().executemany("DELETE FROM archive_fault WHERE path = %s", [(path,) for path in whole])
