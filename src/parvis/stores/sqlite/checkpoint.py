"""Checkpoints: pages of the WAL are copied into the database beside the writer, in small steps.

A checkpoint that starts the WAL anew needs the writer to hold still, so the writer's own thread makes it, between two
groups, when the copying has caught up and little is left to do.
"""

import contextlib
import sqlite3
import threading

from parvis.stores.sqlite.database import BUSY_TIMEOUT_MS, PAGE_BYTES, Connection, Database

CHECK_EVERY_S = 0.25
FRAME_BYTES = PAGE_BYTES + 24
COPY_AFTER_BYTES = 128 << 20
RESTART_AT_BYTES = 256 << 20
RESTART_LEFT_BYTES = 32 << 20
"""What the writer may have to copy itself when the WAL starts anew. While a long reader, such as a backup, keeps more
from being copied, the WAL grows; what it has left is copied beside the writer afterwards."""


class Checkpointer:
    """A thread that copies; `restart_due` tells the writer that the WAL has grown long."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = database.connect_checkpointer()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parvis-checkpoint", daemon=True)
        self.restart_due = False
        self._thread.start()

    def restart(self, connection: Connection) -> None:
        """In the writer's thread, outside a transaction; does not wait for readers who are in the way."""
        self.restart_due = False
        connection.execute("PRAGMA busy_timeout = 0")
        _checkpoint(connection, "TRUNCATE")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        copied = 0
        while not self._stop.wait(CHECK_EVERY_S):
            length = self._database.wal_bytes()
            if length < copied:
                copied = 0
            if length - copied > COPY_AFTER_BYTES:
                frames = _checkpoint(self._connection, "PASSIVE")
                left = length if frames is None else frames * FRAME_BYTES
                copied = length - left
                self.restart_due = length > RESTART_AT_BYTES and left < RESTART_LEFT_BYTES


def _checkpoint(connection: Connection, mode: str) -> int | None:
    """How many frames of the WAL are left to copy; None where nobody could look."""
    with contextlib.suppress(sqlite3.OperationalError):  # a reader was in the way: the next round tries again
        _, frames, copied = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        return int(frames - copied) if frames >= 0 else None
    return None
