"""The months of history: each has a table of its own, made before the first row of that month comes, dropped when the
archive has emptied it, and made again where late rows come.

What lies outside the years below, and what came while a month's table was not there, stands in `history_other`; it is
moved as soon as the table can be made. Whoever reads in a snapshot takes SEEING first: rows may be moved before it or
after it, not between the snapshot and the plan.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import LiteralString

import psycopg
from psycopg import sql

from parvis.kernel.time import DAY, Instant, from_datetime, to_datetime
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, scoped

FIRST_YEAR = 1990
YEARS_AHEAD = 2
_ATTEMPTS = 4
_LOCK_TIMEOUT_MS = 500
"""Attaching a month waits for those who read `history_other`, and they for it: never for long."""
RETRY_S = 60.0
"""Somebody may read for hours (a backup): writers do not wait each time."""
TRUST_S = 30.0
"""So long a process takes for granted that the table of a month that is over is still there: another may drop it."""
MOST_MOVED = 200_000
"""Rows of a month that are moved at once: nobody reads or writes history meanwhile."""
MOST_MOVED_BY_WRITER = 10_000
CROWDED_RETRY_S = 3600.0
_TIDY_LOCK_TIMEOUT_MS = 200
_TIDY_PAUSE_S = 0.5
_PARTITIONS_LOCK = 0x70617274
SEEING = b"LOCK TABLE history IN ACCESS SHARE MODE"
_ALONE = "LOCK TABLE history IN ACCESS EXCLUSIVE MODE"

_NAME = re.compile(r"history_(\d{4})_(\d\d)")
_LIST = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'history'::regclass
"""
_MAKE = """
CREATE TABLE {table} (LIKE history INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING ((SELECT parvis_tenant()) IN (tenant, 0));
"""
_ATTACH = "ALTER TABLE history ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end})"
_MOVE = """
WITH moved AS (DELETE FROM history_other WHERE ts >= {start} AND ts < {end} RETURNING *)
INSERT INTO {table} SELECT * FROM moved
"""
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM history_other WHERE ts >= %s AND ts < %s LIMIT %s) found"
_DAYS_ELSEWHERE = f"SELECT DISTINCT ts / {DAY} FROM history_other WHERE ts >= %s AND ts < %s"
_log = logging.getLogger(__name__)


class _Crowded(Exception):
    """More rows of the month are in `history_other` than may be moved at once."""


class Partitions:
    """Which months have a table, as far as this process knows. Lives in one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen_s: dict[str, float] = {}
        """When a table was last seen, by the monotonic clock."""
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
        for month in sorted(months):
            if not self._is_ready(month, now) and _has_table(month, now):
                self._try(month)

    def tidy(self, now: Instant) -> None:
        """Drop the tables of closed months that are empty, and move to its month what stands in `history_other`.

        Where somebody reads all the time (a dump) the rest is left for another time. Raises StoreUnreachable.
        """
        with self._database.connect("parvis archive") as connection:
            connection.execute(f"SET lock_timeout = {_TIDY_LOCK_TIMEOUT_MS}".encode())
            for name in sorted(self._list(connection)):
                is_to_go = is_droppable(name, now) and _is_empty(connection, name)
                if is_to_go and not _repeated(partial(_drop, connection, name), _TIDY_PAUSE_S):
                    return
            for month in _list_months_elsewhere(connection, now):
                with suppress(_Crowded):
                    if not _repeated(partial(self._make_once, connection, month, MOST_MOVED), _TIDY_PAUSE_S):
                        return

    def _is_ready(self, month: tuple[Instant, Instant], now: Instant) -> bool:
        seen_s = self._seen_s.get(table_of(month[0]))
        return seen_s is not None and (month[1] > now or time.monotonic() < seen_s + TRUST_S)

    def _try(self, month: tuple[Instant, Instant]) -> None:
        name = table_of(month[0])
        if time.monotonic() < self._not_before_s.get(name, 0.0):
            return
        retry_s = RETRY_S
        with self._database.connect() as connection:
            connection.execute(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}".encode())
            try:
                if _repeated(partial(self._make_once, connection, month, MOST_MOVED_BY_WRITER)):
                    return
            except _Crowded:
                retry_s = CROWDED_RETRY_S
        self._not_before_s[name] = time.monotonic() + retry_s
        _log.warning("a month of history has no table: its rows stand in history_other", extra={"table": name})

    def _make_once(self, connection: Connection, month: tuple[Instant, Instant], most_moved: int) -> None:
        """Raises _Crowded."""
        name = table_of(month[0])
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PARTITIONS_LOCK,))
            if name not in self._list(connection):
                try:
                    with connection.transaction():
                        _execute(connection, _MAKE + _ATTACH, month)
                except psycopg.errors.CheckViolation:
                    _make_filled(connection, month, most_moved)
        self._seen_s[name] = time.monotonic()

    def _list(self, connection: Connection) -> set[str]:
        now_s = time.monotonic()
        self._seen_s = {row[0]: now_s for row in connection.execute(_LIST)}
        return set(self._seen_s)


def _repeated(task: Callable[[], object], pause_s: float = 0.0) -> bool:
    """Whether it was done in the end: others may be in the way."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(pause_s)
        with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            task()
            return True
    return False


def _make_filled(connection: Connection, month: tuple[Instant, Instant], most_moved: int) -> None:
    """With what stands in `history_other`. Raises _Crowded."""
    with scoped(connection, EVERY_TENANT):
        connection.execute(_ALONE)
        row = connection.execute(_COUNT, (*month, most_moved + 1)).fetchone()
        if row is None or row[0] > most_moved:
            raise _Crowded
        for statement in (_MAKE, _MOVE, _ATTACH):
            _execute(connection, statement, month)


def _drop(connection: Connection, name: str) -> None:
    """Whoever writes to it has committed before, and whoever comes after makes it again."""
    with scoped(connection, EVERY_TENANT):
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PARTITIONS_LOCK,))
        connection.execute(_ALONE)
        if _holds_nothing(connection, name):
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def _is_empty(connection: Connection, name: str) -> bool:
    with scoped(connection, EVERY_TENANT):
        return _holds_nothing(connection, name)


def _holds_nothing(connection: Connection, name: str) -> bool:
    """Nor is it gone."""
    there = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    if there is None or not there[0]:
        return False
    question = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(name))
    return connection.execute(question).fetchone() is None


def _list_months_elsewhere(connection: Connection, now: Instant) -> list[tuple[Instant, Instant]]:
    """Months that have rows in `history_other` and may have a table."""
    bounds = (_first_of(FIRST_YEAR), _first_of(_newest_year(now) + 1))
    with scoped(connection, EVERY_TENANT):
        days = connection.execute(_DAYS_ELSEWHERE.encode(), bounds).fetchall()
    return sorted({month_of(day * DAY) for (day,) in days})


def _execute(connection: Connection, statement: LiteralString, month: tuple[Instant, Instant]) -> None:
    start, end = month
    table = sql.Identifier(table_of(start))
    connection.execute(sql.SQL(statement).format(table=table, start=sql.Literal(start), end=sql.Literal(end)))


def _has_table(month: tuple[Instant, Instant], now: Instant) -> bool:
    return FIRST_YEAR <= to_datetime(month[0]).year <= _newest_year(now)


def _newest_year(now: Instant) -> int:
    return to_datetime(now).year + YEARS_AHEAD


def _first_of(year: int) -> Instant:
    return from_datetime(datetime(year, 1, 1, tzinfo=UTC))


def is_droppable(name: str, now: Instant) -> bool:
    """Whether it is the table of a month that is over, by every process's clock."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    _, end = month_of(from_datetime(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)))
    return end + DAY <= now


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
