"""Reading the archive: one entity's series from the few files that hold it, and aggregates over all of a type."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.archive import ArchiveDamaged, ArchivedEntity, ArchiveFile, ArchiveFileGone, PendingErasure
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import NOTHING, Partials
from parvis.broker.temporal.reading import EARLIEST, LATEST, Period, Window
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.time import Instant
from parvis.stores.archive.engine import Condition, Limits, Parameter, connect, not_erased
from parvis.stores.archive.faults import telling_faults
from parvis.stores.archive.rows import INSTANCE_COLUMNS, ROWS_OF_A_GROUP, instances_of, stored_value
from parvis.stores.archive.storage import Storage

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Connection

FIRST_FILES = 4
ROWS_OF_A_DAY = 288
"""A guess, one every five minutes: so many files are opened at first that a limit asks for; then four times as many."""
WAIT_S = 30.0
LONGEST_S = 30.0
"""For one question about an entity; who asked may have gone long ago, and the engine would not know."""
GROUPS_A_MIB = 40
"""Row groups whose footers are kept, for each MiB of memory allowed: half of it. Parsed, one takes 13 kB; the engine
counts 2 of them."""
EVERYTHING = Window(by_recorded=False, start=EARLIEST, end=LATEST)

_PARTS: tuple[tuple[str, frozenset[Method]], ...] = (
    ("sum(number)", frozenset({Method.SUM, Method.AVG, Method.STDDEV})),
    ("sum(number * number)", frozenset({Method.SUMSQ})),
    ("min(number)", frozenset({Method.MIN})),
    ("max(number)", frozenset({Method.MAX})),
    ("if(var_pop(number) < 0, 0, var_pop(number)) * count(number)", frozenset({Method.STDDEV})),
)
_OVERALL = {
    Method.TOTAL_COUNT: "count(*)",
    Method.DISTINCT_COUNT: "count(DISTINCT (number, text, json))",
    Method.SUM: "sum(number)",
    Method.AVG: "avg(number)",
    Method.MIN: "min(number)",
    Method.MAX: "max(number)",
    Method.STDDEV: "stddev_pop(number)",
    Method.SUMSQ: "sum(number * number)",
}


class ArchiveReader:
    """Threads may share one. Calls block: keep them off the event loop.

    Every read may raise what telling_faults says.
    """

    def __init__(
        self, storage: Storage, limits: Limits, meet: Callable[[ParvisError], object] = lambda _fault: None
    ) -> None:
        """`meet` is told of each file that is damaged, or not there."""
        self.storage = storage
        self._meet = meet
        self._limits = limits
        self._readers = threading.BoundedSemaphore(limits.readers)
        self._opening = threading.Lock()
        self._exit = contextlib.ExitStack()
        self._connection: Connection | None = None
        self._reading = 0
        self._kept_groups: dict[str, int] = {}

    def of_entity(self, entity: ArchivedEntity) -> "EntityFiles":
        return EntityFiles(self, entity)

    def aggregate_type(
        self,
        files: Sequence[ArchiveFile],
        attribute: Iri,
        period_us: int,
        methods: Sequence[Method],
        window: Window = EVERYTHING,
        erasures: Sequence[PendingErasure] = (),
    ) -> dict[str, np.ndarray[Any, Any]]:
        """One row a series and period: columns `entity`, `dataset`, `start` and one for each method, in no order.

        Periods are of `period_us` microseconds and count from the Unix epoch. A mean of no numbers is NaN.
        """
        if not files:
            return {name: np.array([]) for name in ("entity", "dataset", "start", *(one.value for one in methods))}
        time, origin = _time(window), _origin(files, window, period_us)
        wanted = "".join(f', {_OVERALL[one]} AS "{one.value}"' for one in methods)
        within = _within(window)
        kept = not_erased(erasures)
        sql = (
            f"SELECT entity, dataset, {origin} + {period_us} * (({time} - {origin}) // {period_us}) AS start{wanted}"
            f" FROM read_parquet(?, hive_partitioning = false) AS rows"
            f" WHERE attribute = ? AND kind <> 0 AND {within.sql} AND {kept.sql} GROUP BY ALL"
        )
        located = [self.storage.locate(one.file.path) for one in files]
        with self.cursor(files) as cursor:
            found = cursor.execute(sql, (located, attribute, *within.parameters, *kept.parameters)).fetchnumpy()
        return {name: _without_mask(column) for name, column in found.items()}

    @contextlib.contextmanager
    def hurried(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        """A cursor whose question is given up after LONGEST_S."""
        with self.cursor(files) as cursor:
            timer = threading.Timer(LONGEST_S, cursor.interrupt)
            timer.start()
            try:
                yield cursor
            finally:
                timer.cancel()

    @contextlib.contextmanager
    def cursor(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        """Waits while as many reads run as may."""
        if not self._readers.acquire(timeout=WAIT_S):
            raise Overloaded("Too many reads of the archive at once.", retry_after_s=5)
        try:
            with telling_faults(self.storage, [one.file for one in files]), self._reads(files) as cursor:
                yield cursor
        except (ArchiveDamaged, ArchiveFileGone) as fault:
            self._meet(fault)
            raise
        finally:
            self._readers.release()

    def close(self) -> None:
        with self._opening:
            self._let_go()

    @contextlib.contextmanager
    def _reads(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        with self._opening:
            cursor = self._open().cursor()
            self._reading += 1
        try:
            with cursor:
                yield cursor
        finally:
            with self._opening:
                self._reading -= 1
                self._keep(files)

    def _open(self) -> "Connection":
        if self._connection is None:
            spill = self._exit.enter_context(self.storage.scratch())
            self._connection = connect(self._limits, spill, self.storage.file_system)
        return self._connection

    def _keep(self, files: Sequence[ArchiveFile]) -> None:
        """Beyond the bound the engine begins anew once nobody reads."""
        self._kept_groups.update({one.file.path: one.file.rows // ROWS_OF_A_GROUP + 1 for one in files})
        if not self._reading and sum(self._kept_groups.values()) > GROUPS_A_MIB * self._limits.memory_mib:
            self._let_go()

    def _let_go(self) -> None:
        self._kept_groups.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._exit.close()


class EntityFiles:
    """A Source (broker/temporal/reading.py): one entity's instances in the files that the catalogue names."""

    def __init__(self, reader: ArchiveReader, entity: ArchivedEntity) -> None:
        self._reader = reader
        self._entity = entity

    def list_series(self) -> set[AttributeKey]:
        return self._entity.list_series()

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        """Files that cannot add to them stay closed."""
        waiting = sorted(self._entity.list_files(key, window), key=lambda one: _reach(one, window, last=last))
        found: list[Instance] = []
        count = max(FIRST_FILES, limit // ROWS_OF_A_DAY + 1)
        while waiting:
            opened, waiting = waiting[:count], waiting[count:]
            count *= 4
            more = self._ordered(opened, key, window, limit, last=last)
            found = _joined(found, more, window, last=last)[:limit]
            if len(found) == limit and waiting and _is_beyond(waiting[0], found[-1], window, last=last):
                break
        if last:
            found.reverse()
        return found

    def find(self, name: Iri, seq: int) -> Instance | None:
        for key in self.list_series():
            files = self._entity.list_files(key, EVERYTHING) if key[0] == name else ()
            if not files:
                continue
            chosen = self._chosen(files, key, EVERYTHING)
            with self._reader.hurried(files) as cursor:
                sql = f"SELECT {INSTANCE_COLUMNS} {chosen.sql} AND seq = ?"
                found = instances_of(key, cursor.execute(sql, (*chosen.parameters, seq)).fetchnumpy())
            if found:
                return found[0]
        return None

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        ends = [one for last in (False, True) for one in self.read(key, window, 1, last=last)]
        return (window.time(ends[0]), window.time(ends[-1])) if ends else None

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> list[Partials]:
        answer = [NOTHING] * len(periods)
        some = [number for number, (start, end) in enumerate(periods) if start < end]
        if not some:
            return answer
        bounds = [[periods[number][side] for number in some] for side in (0, 1)]
        asked = Window(window.by_recorded, bounds[0][0], bounds[1][-1])
        files = self._entity.list_files(key, asked)
        if not files:
            return answer
        for number, *sums in self._sums(files, key, asked, bounds, methods):
            answer[some[number]] = Partials(*sums)
        if Method.DISTINCT_COUNT in methods:
            for number, values in self._distinct(files, key, asked, bounds).items():
                answer[some[number]] = answer[some[number]]._replace(distinct=frozenset(values))
        return answer

    def _ordered(
        self, files: Sequence[ArchiveFile], key: AttributeKey, window: Window, limit: int, *, last: bool
    ) -> list[Instance]:
        direction = "DESC" if last else "ASC"
        chosen = self._chosen(files, key, window)
        sql = f"SELECT {INSTANCE_COLUMNS} {chosen.sql} ORDER BY {_time(window)} {direction}, seq {direction} LIMIT ?"
        with self._reader.hurried(files) as cursor:
            return instances_of(key, cursor.execute(sql, (*chosen.parameters, limit)).fetchnumpy())

    def _sums(
        self,
        files: Sequence[ArchiveFile],
        key: AttributeKey,
        window: Window,
        bounds: list[list[Instant]],
        methods: frozenset[Method],
    ) -> list[tuple[Any, ...]]:
        """(period, members of Partials) of the periods that have instances."""
        wanted = ", ".join(sql if methods & needed_by else "NULL" for sql, needed_by in _PARTS)
        chosen = self._by_period(files, key, window, bounds)
        sql = f"SELECT period, count(*), count(number), {wanted} {chosen.sql} GROUP BY period"
        with self._reader.hurried(files) as cursor:
            return cursor.execute(sql, chosen.parameters).fetchall()

    def _distinct(
        self, files: Sequence[ArchiveFile], key: AttributeKey, window: Window, bounds: list[list[Instant]]
    ) -> dict[int, set[Any]]:
        chosen = self._by_period(files, key, window, bounds)
        found: dict[int, set[Any]] = {}
        with self._reader.hurried(files) as cursor:
            rows = cursor.execute(f"SELECT DISTINCT period, number, whole, text, json {chosen.sql}", chosen.parameters)
            for period, *value in rows.fetchall():
                found.setdefault(period, set()).add(stored_value(*value))
        return found

    def _by_period(
        self, files: Sequence[ArchiveFile], key: AttributeKey, window: Window, bounds: list[list[Instant]]
    ) -> Condition:
        """`FROM` rows and the number of their period."""
        chosen = self._chosen(files, key, window)
        numbers = list(range(len(bounds[0])))
        sql = (
            f"FROM (SELECT {_time(window)} AS t, number, whole, text, json {chosen.sql}) AS chosen"
            " ASOF JOIN (SELECT unnest(?) AS period, unnest(?) AS start, unnest(?) AS until) AS periods"
            " ON chosen.t >= periods.start WHERE chosen.t < periods.until"
        )
        return Condition(sql, (*chosen.parameters, numbers, *bounds))

    def _chosen(self, files: Sequence[ArchiveFile], key: AttributeKey, window: Window) -> Condition:
        """`FROM` the rows of the series in the window."""
        within, kept = _within(window), not_erased(self._entity.erasures)
        located = [self._reader.storage.locate(one.file.path) for one in files]
        sql = (
            "FROM read_parquet(?, hive_partitioning = false) AS rows WHERE entity = ? AND attribute = ?"
            f" AND dataset = ? AND kind <> 0 AND {within.sql} AND {kept.sql}"
        )
        return Condition(sql, (located, self._entity.entity_id, *key, *within.parameters, *kept.parameters))


def _time(window: Window) -> str:
    return "(epoch_us(time) + delay_us)" if window.by_recorded else "epoch_us(time)"


def _within(window: Window) -> Condition:
    """A bound on `time` itself lets the engine pass over parts of a file."""
    column, value = (_time(window), "?") if window.by_recorded else ("time", "make_timestamptz(?)")
    bounds: list[tuple[str, Parameter]] = []
    if window.start > EARLIEST:
        bounds.append((f"{column} >= {value}", window.start))
    if window.end < LATEST:
        bounds.append((f"{column} < {value}", window.end))
    return Condition(" AND ".join(sql for sql, _ in bounds) or "true", tuple(given for _, given in bounds))


def _reach(file: ArchiveFile, window: Window, *, last: bool) -> Instant:
    """Sorts files by where reading begins."""
    if last:
        return -(file.file.last_recorded if window.by_recorded else file.file.last)
    return file.file.first_recorded if window.by_recorded else file.file.first


def _place(instance: Instance, window: Window) -> tuple[Instant, int]:
    return window.time(instance), instance.seq


def _joined(found: list[Instance], more: list[Instance], window: Window, *, last: bool) -> list[Instance]:
    if not found or not more:
        return found or more
    return sorted(found + more, key=lambda one: _place(one, window), reverse=last)


def _is_beyond(file: ArchiveFile, instance: Instance, window: Window, *, last: bool) -> bool:
    """Whether no row of the file can come before the instance in the order of reading."""
    time, reach = window.time(instance), _reach(file, window, last=last)
    return -reach < time if last else reach > time


def _origin(files: Sequence[ArchiveFile], window: Window, period_us: int) -> Instant:
    """Start of the first period: integer division is told apart from truncation nowhere below it."""
    first = min(one.file.first_recorded if window.by_recorded else one.file.first for one in files)
    return first // period_us * period_us


def _without_mask(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not isinstance(column, np.ma.MaskedArray):
        return column
    return column.filled(np.nan) if column.dtype.kind == "f" else column.data
