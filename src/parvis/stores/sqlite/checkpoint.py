"""Checkpoints run beside the writer, so that no commit waits for the copying of pages."""

import sqlite3
import threading

from parvis.stores.sqlite.database import Connection, Database

CHECK_EVERY_S = 1.0
CHECKPOINT_AT_BYTES = 64 << 20
TRUNCATE_AT_BYTES = 256 << 20


class Checkpointer:
    """Copies the WAL's pages into the database once it has grown; one that grew too long is cut."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parvis-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        if self._database.path is None:
            return
        wal = self._database.path.with_name(self._database.path.name + "-wal")
        connection = self._database.connect_checkpointer()
        done_at = 0
        while not self._stop.wait(CHECK_EVERY_S):
            size = wal.stat().st_size if wal.exists() else 0
            done_at = min(done_at, size)
            if size > TRUNCATE_AT_BYTES:
                _checkpoint(connection, "TRUNCATE")
                done_at = 0
            elif size - done_at > CHECKPOINT_AT_BYTES:
                _checkpoint(connection, "PASSIVE")
                done_at = size
        connection.close()


def _checkpoint(connection: Connection, mode: str) -> None:
    try:
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.OperationalError:
        return  # a reader or the writer holds the pages: the next round tries again
