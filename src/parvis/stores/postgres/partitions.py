"""The months of history: each has a table of its own, made before the first row of that month comes.

What lies outside the years below, and what came while a month's table could not be made, stands in `history_other`.
"""

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

import psycopg
from psycopg import sql

from parvis.kernel.time import DAY, Instant, from_datetime, to_datetime
from parvis.stores.postgres.database import Connection, Database

FIRST_YEAR = 1990
YEARS_AHEAD = 2
_ATTEMPTS = 4
_LOCK_TIMEOUT_MS = 500
"""Attaching a month waits for those who read `history_other`, and they for it: never for long."""
RETRY_S = 60.0
"""Somebody may read for hours (a backup): writers do not wait each time."""
_PARTITIONS_LOCK = 0x70617274

_LIST = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'history'::regclass
"""
_MAKE = """
CREATE TABLE {table} (LIKE history INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE history ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end});
"""
_log = logging.getLogger(__name__)


class Partitions:
    """Which months have a table, as far as this process knows. Lives in the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready: set[str] = set()
        self._span: tuple[Instant, Instant] = (0, 0)
        """The month met last: most instants lie in it."""
        self._not_before_s: dict[str, float] = {}
        """Of months whose table could not be made, by the monotonic clock."""

    def prepare(self, instants: Iterable[Instant], now: Instant) -> None:
        """Make the tables that these instants need, and those of this month and of a week from now.

        Raises:
            StoreUnreachable
        """
        months = {month_of(now), month_of(now + 7 * DAY)}
        start, end = self._span
        for instant in instants:
            if not start <= instant < end:
                start, end = month_of(instant)
                months.add((start, end))
        self._span = start, end
        newest_year = to_datetime(now).year + YEARS_AHEAD
        for month in sorted(months):
            name = table_of(month[0])
            if name not in self._ready and FIRST_YEAR <= to_datetime(month[0]).year <= newest_year:
                self._try(name, month)

    def _try(self, name: str, month: tuple[Instant, Instant]) -> None:
        if time.monotonic() < self._not_before_s.get(name, 0.0) or self._make(name, month):
            return
        self._not_before_s[name] = time.monotonic() + RETRY_S
        _log.warning("a month of history has no table: its rows stand in history_other", extra={"table": name})

    def _make(self, name: str, month: tuple[Instant, Instant]) -> bool:
        with self._database.connect() as connection:
            connection.execute(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
            for _ in range(_ATTEMPTS):
                try:
                    self._make_once(connection, name, month)
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    continue
                return True
        return False

    def _make_once(self, connection: Connection, name: str, month: tuple[Instant, Instant]) -> None:
        start, end = month
        statements = sql.SQL(_MAKE).format(table=sql.Identifier(name), start=sql.Literal(start), end=sql.Literal(end))
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PARTITIONS_LOCK,))
            self._ready |= {row[0] for row in connection.execute(_LIST)}
            if name in self._ready:
                return
            try:
                with connection.transaction():
                    connection.execute(statements)
            except psycopg.errors.CheckViolation:
                _log.warning("rows of a month are in history_other already: they stay there", extra={"table": name})
        self._ready.add(name)


@lru_cache(maxsize=1024)
def month_of(instant: Instant) -> tuple[Instant, Instant]:
    """Start and end of its month, in UTC."""
    moment = to_datetime(instant)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    if (moment.year, moment.month) == (9999, 12):
        return from_datetime(start), instant + 1
    years, month = divmod(moment.month, 12)
    return from_datetime(start), from_datetime(datetime(moment.year + years, month + 1, 1, tzinfo=UTC))


def table_of(start: Instant) -> str:
    return f"history_{to_datetime(start):%Y_%m}"
