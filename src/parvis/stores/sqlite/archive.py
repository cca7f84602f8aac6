"""The hot side of the archive: its catalogue, what a read needs of it, and the rows that leave for it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from parvis.broker.model.entity import Instance
from parvis.broker.model.merge import corrected
from parvis.broker.ports.archive import (
    BLOCK_DAYS,
    ArchiveFile,
    Day,
    FileFault,
    Move,
    MoveOutdated,
    OpenClosedRows,
    Partition,
    PendingErasure,
    Replacement,
    SeriesOfFile,
    blocks_of,
)
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.instance import Found, check_in_files
from parvis.broker.temporal.mark import Mark, check_unchanged, paths_in
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, Instant
from parvis.stores.sqlite.apply import Applier
from parvis.stores.sqlite.catalogue import IS_OPEN, find_archived, key_of, list_erasures, list_files
from parvis.stores.sqlite.closed_rows import OF_A_DAY, ClosedRowsOf
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.file_faults import list_faults, note_faults
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.reader import Reader
from parvis.stores.sqlite.segments import EVERY_SEGMENT, list_settled_series
from parvis.stores.sqlite.tail import Tail
from parvis.stores.sqlite.writer import Writer

PURGE_ENTITIES = 500
PURGE_ROWS = 1_000
NOTE_SERIES = 500
DROP_ENTITIES = 500

_CLOSED = f"DELETE FROM erasure AS x WHERE id <= ? AND NOT {IS_OPEN}"
_EMPTY_BLOCKS = f"""
SELECT a.typeset, a.block FROM (SELECT DISTINCT typeset, block FROM archived) a WHERE NOT EXISTS (
    SELECT 1 FROM archive_file f WHERE f.typeset = a.typeset
    AND f.day BETWEEN a.block * {BLOCK_DAYS} AND a.block * {BLOCK_DAYS} + {BLOCK_DAYS - 1}
)
"""
_NEXT_ENTITIES = """
SELECT max(entity) FROM (SELECT DISTINCT entity FROM archived WHERE entity > ? ORDER BY entity LIMIT ?)
"""
_DROP_BLOCKS = """
DELETE FROM archived WHERE entity > ? AND entity <= ?
AND (typeset, block) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))
"""
_NOTE = (
    "INSERT INTO archived SELECT id, ?, ?, ?, ?, ? FROM entity WHERE tenant = ? AND urn = ?"
    " ON CONFLICT DO UPDATE SET days = days | excluded.days"
)
_HAS_ROWS = f"SELECT 1 FROM history WHERE {OF_A_DAY} LIMIT 1"
_PURGE = f"DELETE FROM history WHERE {OF_A_DAY}"
_LATER = """
SELECT 1 FROM erasure WHERE entity = ? AND id > ? AND (? IS NULL OR name IS NULL OR name = ?)
AND (? IS NULL OR dataset IS NULL OR dataset = ?) AND (before IS NULL OR before > ifnull(?, before - 1))
AND (since IS NULL OR since < ifnull(?, since + 1)) LIMIT 1
"""
_UNTOLD = (
    "DELETE FROM log WHERE seq IN (SELECT seq FROM history"
    f" WHERE {EVERY_SEGMENT} AND entity = ?{{conditions}} AND seq >= (SELECT min(seq) FROM log))"
)
"""Settled rows that still stand in the log, for consumers to be told of."""

_Note = tuple[str, tuple[str, ...], SeriesOfFile, int, int]
"""Of which tenant and types, the series, the block and its days' bits."""


class SqliteArchive:
    """The hot side of the archive in this store."""

    def __init__(self, database: Database, names: Names, tail: Tail, writer: Writer, reader: Reader) -> None:
        self._database = database
        self._names = names
        self._tail = tail
        self._writer = writer
        self._reader = reader
        self._purged: tuple[int, Day, int] = (0, 0, 0)

    def closed_rows(self) -> OpenClosedRows:
        return ClosedRowsOf(self._database)

    async def settle(self) -> None:
        await self._writer.settle()

    async def note_series(self, partition: Partition, series: Sequence[SeriesOfFile]) -> None:
        for start in range(0, len(series), NOTE_SERIES):
            await self._run(self._noting(partition, series[start : start + NOTE_SERIES]))

    async def note_days(
        self, tenant: str, days: Mapping[tuple[str, ...], Sequence[Day]], series: Mapping[SeriesOfFile, tuple[str, ...]]
    ) -> None:
        blocks = {types: blocks_of(some) for types, some in days.items()}
        notes = [
            (tenant, types, one, block, bits)
            for one, types in series.items()
            for block, bits in blocks.get(types, {}).items()
        ]
        for start in range(0, len(notes), NOTE_SERIES):
            await self._run(partial(self._note_all, notes[start : start + NOTE_SERIES]))

    async def reserve(self, count: int) -> int:
        return await self._writer.apply(lambda applier, _now, _connection: applier.reserve(count))

    async def record(self, move: Move) -> None:
        def swap(connection: Connection) -> None:
            for one in move.replacements:
                _swap(connection, self._names, one, move.erased)
            if move.upto:
                connection.execute(
                    "INSERT INTO purging VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET upto = excluded.upto",
                    (self._names.tenants.ids[move.tenant], move.day, move.upto),
                )

        await self._run(swap)

    async def purge(self) -> bool:
        mark = await self._reader.read(
            lambda connection: connection.execute(
                "SELECT tenant, day, upto FROM purging ORDER BY tenant, day LIMIT 1"
            ).fetchone()
        )
        if mark is None:
            return False
        tenant, day, upto = mark
        bounds = (day * DAY, (day + 1) * DAY, upto)
        after = self._purged[2] if self._purged[:2] == (tenant, day) else 0
        seen, found = await self._reader.read_aside(
            lambda connection: _find_purgeable(connection, tenant, after, bounds)
        )
        if seen is None:
            await self._run(
                lambda connection: connection.execute(
                    "DELETE FROM purging WHERE tenant = ? AND day = ? AND upto = ?", mark
                )
            )
            self._purged = (0, 0, 0)
            return True
        done = int(await self._run(lambda connection: _purge(connection, found, bounds)) or 0)
        self._purged = (tenant, day, seen if done == len(found) else found[done][0] - 1)
        return True

    async def close_erasures(self, newest: int) -> int:
        return int(await self._run(lambda connection: connection.execute(_CLOSED, (newest,)).rowcount))

    async def tidy(self, now: Instant) -> None:
        """The catalogue has a row a series for each: they are looked through elsewhere, and go in slices."""
        empty = await self._reader.read_aside(lambda connection: connection.execute(_EMPTY_BLOCKS).fetchall())
        after: int | None = 0 if empty else None
        while after is not None:
            after = await self._run(partial(_drop_blocks, after, msgspec.json.encode(empty).decode()))

    async def list_files(self, tenant: str | None = None) -> list[ArchiveFile]:
        return await self._reader.read(lambda connection: list_files(connection, self._names, tenant))

    async def list_erasures(self) -> list[PendingErasure]:
        return await self._reader.read(lambda connection: list_erasures(connection, self._names))

    async def note_faults(self, faults: Sequence[FileFault], whole: Sequence[str]) -> None:
        await self._run(lambda connection: note_faults(connection, faults, whole))

    async def list_faults(self) -> list[FileFault]:
        return await self._reader.read(list_faults)

    async def erase(self, tenant: str, erasure: Erasure, found: Found | None = None) -> None:
        """Of one instance, as it was `found`.

        Raises:
            ResourceNotFound: there is nothing of it.
            FoundOutdated
        """
        number = self._names.tenants.ids.get(tenant)
        await self._run(lambda connection: erase(connection, self._names, self._tail, number, erasure, found))

    async def mark(self, tenant: str, erasure: Erasure) -> Mark:
        """Raises ResourceNotFound."""
        number = self._names.tenants.ids.get(tenant)

        def take(applier: Applier, _now: Instant, connection: Connection) -> Mark:
            entity = _entity_of(connection, number, erasure)
            newest = connection.execute("SELECT ifnull(max(id), 0) FROM erasure WHERE entity = ?", (entity,)).fetchone()
            archived = find_archived(connection, self._names, entity, erasure.entity_id)
            return Mark(applier.batch.next_seq - 1, newest[0], paths_in(archived, erasure))

        return await self._writer.apply(take)

    async def condense(self, tenant: str, erasure: Erasure, instances: Sequence[Instance], mark: Mark) -> None:
        """Raises ResourceNotFound, FoundOutdated."""
        number = self._names.tenants.ids.get(tenant)

        def put_instead(applier: Applier, now: Instant, connection: Connection) -> None:
            self._check(connection, _entity_of(connection, number, erasure), erasure, mark)
            applier.put_past(erase(connection, self._names, self._tail, number, erasure), instances, now)

        await self._writer.apply(put_instead)

    async def correct(self, tenant: str, correction: Correction, found: Found) -> int:
        """The number of the corrected instance. Raises FoundOutdated, BadRequestData."""
        number = self._names.tenants.ids.get(tenant)
        erasure = Erasure(correction.entity_id).of_instance(found.instance)

        def put_right(applier: Applier, now: Instant, connection: Connection) -> int:
            put = corrected(found.instance, correction.given, now, is_kind_open=correction.is_kind_open)
            entity = erase(connection, self._names, self._tail, number, erasure, found)
            return applier.correct(entity, found.instance, put, now)

        return int(await self._writer.apply(put_right))

    def _check(self, connection: Connection, entity: int, erasure: Erasure, mark: Mark) -> None:
        """Raises FoundOutdated."""
        archived = find_archived(connection, self._names, entity, erasure.entity_id)
        has_newer = _has_newer(connection, self._names, self._tail, entity, erasure, mark)
        check_unchanged(mark, erasure, archived, has_newer=has_newer)

    async def _run(self, task: Callable[[Connection], object]) -> Any:
        return await self._writer.run(task)

    def _noting(self, partition: Partition, series: Sequence[SeriesOfFile]) -> Callable[[Connection], object]:
        tenant, types, day = partition
        [(block, bits)] = blocks_of([day]).items()
        return partial(self._note_all, [(tenant, types, one, block, bits) for one in series])

    def _note_all(self, notes: Sequence[_Note], connection: Connection) -> None:
        """Names that history did not know are added with it."""
        rows = [self._note(*note) for note in notes]
        self._names.save(connection)
        connection.executemany(_NOTE, rows)

    def _note(self, tenant: str, types: tuple[str, ...], one: SeriesOfFile, block: int, bits: int) -> tuple[Any, ...]:
        names = self._names
        return (
            names.words.id(one.attribute), names.dataset(one.dataset), names.typesets.ids[types], block, bits,
            names.tenants.ids[tenant], one.entity_id,
        )  # fmt: skip


def erase(
    connection: Connection, names: Names, tail: Tail, tenant: int | None, erasure: Erasure, found: Found | None = None
) -> int:
    """A part of the writer's transaction; the entity's number. Raises ResourceNotFound, FoundOutdated."""
    number, scope = _entity_of(connection, tenant, erasure), _scope(names, erasure)
    if scope is None:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")
    conditions, values = "".join(f" AND {column}" for column, _ in scope), [one for _, one in scope]
    unsettled = str(tail.find(number))
    connection.execute(_UNTOLD.format(conditions=conditions), (number, *values))
    settled = f"DELETE FROM history WHERE {EVERY_SEGMENT} AND entity = ?{conditions}"
    gone = connection.execute(settled, (number, *values)).rowcount
    gone += connection.execute(
        f"DELETE FROM log WHERE seq IN (SELECT value FROM json_each(?)) AND entity = ?{conditions}",
        (unsettled, number, *values),
    ).rowcount
    if found is not None and not gone:
        check_in_files(find_archived(connection, names, number, erasure.entity_id), found)
    in_files = _keep_erasure(connection, names, number, erasure, tail.newest)
    if not gone and not in_files:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")
    if erasure == Erasure(erasure.entity_id):
        connection.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (number,))
    return number


def _entity_of(connection: Connection, tenant: int | None, erasure: Erasure) -> int:
    """Raises ResourceNotFound."""
    row = connection.execute(
        "SELECT id FROM entity WHERE tenant = ? AND urn = ?", (tenant, erasure.entity_id)
    ).fetchone()
    if row is None:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")
    return int(row[0])


def _has_newer(connection: Connection, names: Names, tail: Tail, entity: int, erasure: Erasure, mark: Mark) -> bool:
    """An instance in what the erasure is of, or an erasure of some of it, since the mark."""
    scope = _scope(names, erasure)
    if scope is None:
        return False
    conditions, values = "".join(f" AND {column}" for column, _ in scope), [one for _, one in scope]
    given = (entity, mark.seq, *values)
    rows = "entity = ? AND seq > ? AND shape <> 0" + conditions
    settled = f"SELECT 1 FROM history WHERE {EVERY_SEGMENT} AND {rows} LIMIT 1"
    unsettled = f"SELECT 1 FROM log WHERE seq IN (SELECT value FROM json_each(?)) AND {rows} LIMIT 1"
    return (
        connection.execute(settled, given).fetchone() is not None
        or connection.execute(unsettled, (str(tail.find(entity)), *given)).fetchone() is not None
        or connection.execute(_LATER, (entity, mark.erasure, *_scope_of_erasures(names, erasure))).fetchone()
        is not None
    )


def _scope_of_erasures(names: Names, erasure: Erasure) -> tuple[int | None, ...]:
    name = names.words.ids[erasure.attribute] if erasure.attribute is not None else None
    dataset = None if erasure.dataset is None else names.words.ids[erasure.dataset] if erasure.dataset else 0
    return name, name, dataset, dataset, erasure.since, erasure.before


def _scope(names: Names, erasure: Erasure) -> list[tuple[str, int]] | None:
    """Conditions on rows; None where no row can be meant."""
    words = names.words.ids
    wanted = {
        "name = ?": None if erasure.attribute is None else words.get(erasure.attribute, -1),
        "dataset = ?": None if erasure.dataset is None else words.get(erasure.dataset, -1) if erasure.dataset else 0,
        "seq = ?": erasure.seq,
        "ts < ?": erasure.before,
        "ts >= ?": erasure.since,
    }
    scope = [(condition, value) for condition, value in wanted.items() if value is not None]
    return None if ("name = ?", -1) in scope or ("dataset = ?", -1) in scope else scope


def _keep_erasure(connection: Connection, names: Names, number: int, erasure: Erasure, newest: int) -> bool:
    """For files that there are and for those that are just being written; whether there are any.

    `newest` may be a row that is erased here, and that no event tells of.
    """
    name = names.words.ids[erasure.attribute] if erasure.attribute is not None else None
    dataset = None if erasure.dataset is None else names.words.ids[erasure.dataset] if erasure.dataset else 0
    found = connection.execute(
        "SELECT 1 FROM archived WHERE entity = ? AND (? IS NULL OR name = ?) AND (? IS NULL OR dataset = ?) LIMIT 1",
        (number, name, name, dataset, dataset),
    ).fetchone()
    connection.execute(
        "INSERT INTO erasure (entity, name, dataset, seq, before, since, upto)"
        " SELECT ?, ?, ?, ?, ?, ?, max((SELECT ifnull(max(seq), 0) FROM log), high, ifnull("
        "(SELECT last - 1 FROM outbox ORDER BY seq DESC LIMIT 1), 0), ?, upto) FROM settling, reserved",
        (number, name, dataset, erasure.seq, erasure.before, erasure.since, newest),
    )
    return found is not None


def _swap(connection: Connection, names: Names, one: Replacement, erased: int) -> None:
    key = key_of(names, one.partition)
    row = connection.execute(
        "SELECT path FROM archive_file WHERE tenant = ? AND typeset = ? AND day = ?", key
    ).fetchone()
    if (row[0] if row else None) != one.old_path:
        raise MoveOutdated(f"The archive of {one.partition} has changed meanwhile.")
    connection.execute("DELETE FROM archive_file WHERE tenant = ? AND typeset = ? AND day = ?", key)
    if one.new is not None:
        file = msgspec.structs.astuple(one.new)
        expired = msgspec.json.encode(one.expired).decode()
        connection.execute(f"INSERT INTO archive_file VALUES ({'?, ' * 12}?)", (*key, *file, erased, expired))


def _drop_blocks(after: int, blocks: str, connection: Connection) -> int | None:
    """Of the entities that come next; the last one of them, or None where there is none."""
    last: int | None = connection.execute(_NEXT_ENTITIES, (after, DROP_ENTITIES)).fetchone()[0]
    connection.execute(_DROP_BLOCKS, (after, last, blocks))
    return last


def _find_purgeable(
    connection: Connection, tenant: int, after: int, bounds: tuple[Instant, Instant, int]
) -> tuple[int | None, list[tuple[int, int, int]]]:
    """The last entity looked at (None: there are no more), and the series with rows that are to go."""
    entities = connection.execute(
        "SELECT id FROM entity WHERE id > ? AND tenant = ? ORDER BY id LIMIT ?", (after, tenant, PURGE_ENTITIES)
    ).fetchall()
    found = [
        (entity, *series)
        for (entity,) in entities
        for series in list_settled_series(connection, entity)
        if connection.execute(_HAS_ROWS, (entity, *series, *bounds)).fetchone()
    ]
    return (entities[-1][0] if entities else None), found


def _purge(connection: Connection, series: Sequence[tuple[int, int, int]], bounds: tuple[Instant, Instant, int]) -> int:
    """How many of the series were dealt with before enough rows were deleted for one transaction."""
    gone = 0
    for place, one in enumerate(series):
        if gone >= PURGE_ROWS:
            return place
        gone += connection.execute(_PURGE, (*one, *bounds)).rowcount
    return len(series)
