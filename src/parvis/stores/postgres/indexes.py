"""Indexes on numbers, made only for attributes that slow queries have asked about by order.

An index makes every write of its attribute dearer, so there are few, and none is made in advance.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from parvis.stores.postgres.database import Connection, Database, StoreUnreachable

MAX_INDEXES = 8
SLOW_S = 0.05
REFRESH_S = 30
"""How long an index that another process made may be overlooked."""
CANCEL_EVERY_S = 0.1
IDLE_S = 30 * 86_400
"""An index that nobody searched for so long gives way to one that is wanted."""

_PREFIX = "attribute_number_"
_OURS = f"^{_PREFIX}[0-9]+$"
"""REINDEX CONCURRENTLY adds names like `..._ccnew`."""
_MAKING_LOCK = 0x696E6478
_LIST = (
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = 'attribute'::regclass AND c.relname ~ %s"
)
_USE = (
    "SELECT indexrelname, idx_scan, extract(epoch FROM now())::bigint, obj_description(indexrelid, 'pg_class')"
    " FROM pg_stat_user_indexes WHERE relid = 'attribute'::regclass AND indexrelname ~ %s"
    " ORDER BY indexrelname"
)
_logger = logging.getLogger(__name__)


class ValueIndexes:
    """Which attributes (by number) have one. Used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="parvis-indexes")
        self._lock = threading.Lock()
        self._making: Connection | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._closed = False
        self._wanted: set[int] = set()
        self._seen_at = float("-inf")
        self.ready: frozenset[int] = frozenset()

    def refresh(self, connection: Connection) -> None:
        """Look from time to time which ones there are."""
        if time.monotonic() - self._seen_at > REFRESH_S:
            self._seen_at = time.monotonic()
            self.ready = frozenset(number for number, is_valid in _list(connection).items() if is_valid)

    def want(self, attribute: int) -> None:
        """Have an index made for `attribute`, in the background, unless there are as many as there may be."""
        with self._lock:
            if attribute in self.ready or attribute in self._wanted:
                return
            self._wanted.add(attribute)
        self._threads.submit(self._make, int(attribute))

    def finish(self) -> None:
        """Make what is wanted, then stop."""
        self._threads.shutdown(wait=True)

    def close(self) -> None:
        """Stop at once; what is half made is taken away by whoever makes the next one."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while not self._idle.wait(CANCEL_EVERY_S):
            with self._lock:
                if self._making is not None:
                    self._making.cancel_safe(timeout=2)

    def _make(self, attribute: int) -> None:
        self._idle.clear()
        try:
            with self._database.connect() as connection:
                self._tell_making(connection)
                if not self._closed and _may_make(connection):
                    _build(connection, attribute)
                    connection.execute("SELECT pg_advisory_unlock(%s)", (_MAKING_LOCK,))
                self._seen_at = float("-inf")
        except (psycopg.Error, StoreUnreachable) as fault:
            _logger.warning("The index on the attribute %d is not made: %s", attribute, fault)
        finally:
            self._tell_making(None)
            with self._lock:
                self._wanted.discard(attribute)
            self._idle.set()

    def _tell_making(self, connection: Connection | None) -> None:
        with self._lock:
            self._making = connection


def _list(connection: Connection) -> dict[int, bool]:
    """Attributes by number, and whether their index is whole."""
    rows = connection.execute(_LIST, (_OURS,))
    return {int(name.removeprefix(_PREFIX)): is_valid for name, is_valid in rows}


def _may_make(connection: Connection) -> bool:
    """One process makes one index at a time; who waited for it with a snapshot would be waited for."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_MAKING_LOCK,)).fetchone()
    return row is not None and row[0]


def _build(connection: Connection, attribute: int) -> None:
    """Without holding up writers. What an interrupted attempt has left is taken away first."""
    there = _list(connection)
    for broken in [number for number, is_valid in there.items() if not is_valid]:
        _drop(connection, broken)
        del there[broken]
    if attribute in there:
        return
    if len(there) >= MAX_INDEXES:
        idle = _find_idle(connection)
        if idle is None:
            return
        _drop(connection, idle)
    columns = f"attribute (tenant, number, entity) WHERE name = {int(attribute)} AND number IS NOT NULL"
    connection.execute(f"CREATE INDEX CONCURRENTLY {_PREFIX}{int(attribute)} ON {columns}".encode())


def _drop(connection: Connection, attribute: int) -> None:
    connection.execute(f"DROP INDEX CONCURRENTLY {_PREFIX}{int(attribute)}".encode())


def _find_idle(connection: Connection) -> int | None:
    """An index that nobody has searched for long. A comment on each says how often it had been when somebody looked."""
    for name, scans, now_s, comment in connection.execute(_USE, (_OURS,)).fetchall():
        noted_scans, _, since_s = (comment or "").partition(" searches by ")
        if noted_scans != str(scans):
            connection.execute(f"COMMENT ON INDEX {name} IS '{int(scans)} searches by {int(now_s)}'".encode())
        elif now_s - int(since_s) > IDLE_S:
            return int(name.removeprefix(_PREFIX))
    return None
