"""The hot side of the archive: the rows that leave for it, and those that are erased."""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import psycopg

from parvis.broker.model.change import EventKind
from parvis.broker.model.entity import Instance
from parvis.broker.model.merge import corrected, is_present
from parvis.broker.ports.archive import (
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
from parvis.broker.search.text import searched
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.instance import Found, check_in_files
from parvis.broker.temporal.mark import Mark, check_unchanged, paths_in
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, Instant
from parvis.stores.postgres.apply import PRESENT_COLUMNS
from parvis.stores.postgres.batch import STAGING, Batch
from parvis.stores.postgres.catalogue import TOUCHES, find_archived, key_of, list_erasures, list_files
from parvis.stores.postgres.closed_rows import UNKNOWN, ClosedRowsOf
from parvis.stores.postgres.database import EVERY_TENANT, Answer, Connection, Database, Pool
from parvis.stores.postgres.file_faults import list_faults, note_faults
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.partitions import Partitions
from parvis.stores.postgres.rows import present_instance
from parvis.stores.postgres.within import numbers_text

PURGE_ENTITIES = 200

_COVERED = """
tenant = %(tenant)s AND entity = %(entity)s
AND (%(name)s::integer IS NULL OR name = %(name)s) AND (%(dataset)s::integer IS NULL OR dataset = %(dataset)s)
AND (%(seq)s::bigint IS NULL OR seq = %(seq)s) AND (%(before)s::bigint IS NULL OR ts < %(before)s)
AND (%(since)s::bigint IS NULL OR ts >= %(since)s)
"""
_ERASE = f"DELETE FROM history WHERE {_COVERED}"
_NEWEST_ERASURE = "SELECT coalesce(max(id), 0) FROM erasure WHERE tenant = %(tenant)s AND entity = %(entity)s"
_HAS_NEWER = f"""
SELECT EXISTS (SELECT 1 FROM history WHERE {_COVERED} AND seq > %(mark)s AND shape <> 0) OR EXISTS (
    SELECT 1 FROM erasure WHERE tenant = %(tenant)s AND entity = %(entity)s AND id > %(erasure)s
    AND (%(name)s::integer IS NULL OR name IS NULL OR name = %(name)s)
    AND (%(dataset)s::integer IS NULL OR dataset IS NULL OR dataset = %(dataset)s)
    AND (%(since)s::bigint IS NULL OR before IS NULL OR before > %(since)s)
    AND (%(before)s::bigint IS NULL OR since IS NULL OR since < %(before)s)
)
"""
_IN_FILES = """
SELECT 1 FROM archived WHERE tenant = %(tenant)s AND entity = %(entity)s
AND (%(name)s::integer IS NULL OR name = %(name)s) AND (%(dataset)s::integer IS NULL OR dataset = %(dataset)s) LIMIT 1
"""
_KEEP_ERASURE = """
INSERT INTO erasure (tenant, entity, name, dataset, seq, before, since, upto)
VALUES (%(tenant)s, %(entity)s, %(name)s, %(dataset)s, %(seq)s, %(before)s, %(since)s, %(upto)s)
"""
_CLOSED = f"""
DELETE FROM erasure WHERE id <= %s AND NOT EXISTS (
    SELECT 1 FROM erasure x JOIN archive_file f ON f.tenant = x.tenant AND f.erased < x.id
    WHERE x.id = erasure.id AND {TOUCHES}
)
"""
_RESERVE = "UPDATE numbers SET log = log + %s RETURNING log"
_NOTE = (
    "INSERT INTO archived SELECT tenant, id, %s, %s, %s, %s, %s FROM entity WHERE tenant = %s AND urn = %s"
    " ON CONFLICT (tenant, entity, name, dataset, typeset, block) DO UPDATE SET days = archived.days | excluded.days"
)
_MARK = "INSERT INTO purging VALUES (%s, %s, %s) ON CONFLICT (tenant, day) DO UPDATE SET upto = excluded.upto"
_PURGE = "DELETE FROM history WHERE tenant = %s AND entity = ANY (%s::bigint[]) AND ts >= %s AND ts < %s AND seq <= %s"
_FILE = "tenant = %s AND typeset = %s AND day = %s"
_HOLD = "SELECT typeset FROM entity WHERE tenant = %(tenant)s AND id = %(entity)s FOR NO KEY UPDATE"
_PRESENT = f"SELECT {PRESENT_COLUMNS} FROM attribute WHERE tenant = %(tenant)s AND entity = %(entity)s"
_Purged = tuple[tuple[int, Day, int], int]
"""A mark, and the entity up to which its rows are gone."""
_NOT_BEGUN: _Purged = ((0, 0, 0), 0)


class Corrected(NamedTuple):
    """The number of the instance, and that of the newest event."""

    seq: int
    newest: int


class PostgresArchive:
    """The hot side of the archive in this store."""

    def __init__(self, database: Database, names: Names, desk: Pool) -> None:
        self._database = database
        self._names = names
        self._desk = desk
        self._partitions = Partitions(database)
        self._purged = _NOT_BEGUN

    def closed_rows(self) -> OpenClosedRows:
        return ClosedRowsOf(self._database)

    async def settle(self) -> None:
        """Every committed row can be moved, once every consumer was told of it."""

    async def note_series(self, partition: Partition, series: Sequence[SeriesOfFile]) -> None:
        tenant, types, day = partition
        await self.note_days(tenant, {types: [day]}, dict.fromkeys(series, types))

    async def note_days(
        self, tenant: str, days: Mapping[tuple[str, ...], Sequence[Day]], series: Mapping[SeriesOfFile, tuple[str, ...]]
    ) -> None:
        await asyncio.to_thread(self._names.words.add, _words_of(series, self._names.words.ids))
        blocks = {types: blocks_of(some) for types, some in days.items()}

        def note(connection: Connection) -> None:
            rows = [
                self._note(tenant, types, one, block, bits)
                for one, types in series.items()
                for block, bits in blocks.get(types, {}).items()
            ]
            connection.cursor().executemany(_NOTE, rows)

        await self._run(note)

    async def reserve(self, count: int) -> int:
        def reserve(connection: Connection) -> int:
            row = connection.execute(_RESERVE, (count,)).fetchone()
            assert row is not None, "made with the schema"
            return int(row[0]) - count + 1

        return await self._run(reserve)

    async def record(self, move: Move) -> None:
        def swap(connection: Connection) -> None:
            for one in move.replacements:
                self._swap(connection, one, move.erased)
            if move.upto:
                connection.execute(_MARK, (self._names.tenants.ids[move.tenant], move.day, move.upto))

        await self._run(swap)

    async def purge(self) -> bool:
        more, self._purged = await self._run(self._purge)
        return more

    async def close_erasures(self, newest: int) -> int:
        return await self._run(lambda connection: connection.execute(_CLOSED.encode(), (newest,)).rowcount)

    async def tidy(self, now: Instant) -> None:
        await asyncio.to_thread(Partitions(self._database).tidy, now)

    async def list_files(self, tenant: str | None = None) -> list[ArchiveFile]:
        def ask(connection: Connection) -> list[ArchiveFile]:
            number = None if tenant is None else self._names.tenants.ids.get(tenant, UNKNOWN)
            return list_files(connection, self._names, number)

        return await self._run(ask)

    async def list_erasures(self) -> list[PendingErasure]:
        return await self._run(lambda connection: list_erasures(connection, self._names))

    async def note_faults(self, faults: Sequence[FileFault], whole: Sequence[str]) -> None:
        await self._run(lambda connection: note_faults(connection, faults, whole))

    async def list_faults(self) -> list[FileFault]:
        return await self._desk.run(EVERY_TENANT, list_faults)

    async def erase(self, tenant: str, erasure: Erasure, found: Found | None = None) -> None:
        """Of one instance, as it was `found`.

        Raises:
            ResourceNotFound: there is nothing of it.
            FoundOutdated
        """
        await self._run(lambda connection: erase(connection, self._names, tenant, erasure, found))

    async def mark(self, tenant: str, erasure: Erasure) -> Mark:
        """Raises ResourceNotFound."""

        def take(connection: Connection) -> Mark:
            given = _given(connection, self._names, tenant, erasure)
            row = connection.execute("SELECT log FROM numbers").fetchone()
            newest = connection.execute(_NEWEST_ERASURE, given).fetchone()
            assert row is not None
            assert newest is not None
            archived = find_archived(connection, self._names, given["tenant"], given["entity"], erasure.entity_id)
            return Mark(row[0], newest[0], paths_in(archived, erasure))

        return await self._run(take)

    async def condense(
        self, tenant: str, erasure: Erasure, instances: Sequence[Instance], mark: Mark, now: Instant
    ) -> None:
        """Raises ResourceNotFound, FoundOutdated."""
        await asyncio.to_thread(self._partitions.prepare, tuple(one.seen_at for one in instances), now)
        await self._run(lambda connection: _condense(connection, self._names, tenant, erasure, instances, mark, now))

    async def correct(self, tenant: str, correction: Correction, found: Found, now: Instant) -> Corrected:
        """Raises FoundOutdated, BadRequestData."""
        put = corrected(found.instance, correction.given, now, is_kind_open=correction.is_kind_open)
        await asyncio.to_thread(self._partitions.prepare, (put.seen_at,), now)
        erasure = Erasure(correction.entity_id).of_instance(found.instance)
        return await self._run(lambda connection: _correct(connection, self._names, tenant, erasure, found, put, now))

    async def _run(self, task: Callable[[Connection], Answer]) -> Answer:
        def in_step(connection: Connection) -> Answer:
            self._names.load(connection)
            return task(connection)

        return await self._desk.run(EVERY_TENANT, in_step)

    def _note(self, tenant: str, types: tuple[str, ...], one: SeriesOfFile, block: int, bits: int) -> tuple[Any, ...]:
        names = self._names
        name, dataset = names.words.ids[one.attribute], names.words.ids[one.dataset] if one.dataset else 0
        return name, dataset, names.typesets.ids[types], block, bits, names.tenants.ids[tenant], one.entity_id

    def _swap(self, connection: Connection, one: Replacement, erased: int) -> None:
        key = key_of(self._names, one.partition)
        row = connection.execute(f"SELECT path FROM archive_file WHERE {_FILE} FOR UPDATE", key).fetchone()
        if (row[0] if row else None) != one.old_path:
            raise MoveOutdated(f"The archive of {one.partition} has changed meanwhile.")
        connection.execute(f"DELETE FROM archive_file WHERE {_FILE}", key)
        if one.new is not None:
            file = msgspec.structs.astuple(one.new)
            expired = msgspec.json.encode(one.expired).decode()
            try:
                connection.execute(
                    f"INSERT INTO archive_file VALUES ({'%s, ' * 12}%s)".encode(), (*key, *file, erased, expired)
                )
            except psycopg.errors.UniqueViolation:
                raise MoveOutdated(f"The archive of {one.partition} has changed meanwhile.") from None

    def _purge(self, connection: Connection) -> tuple[bool, _Purged]:
        """Whether there was something to do, and how far it has come once that is committed."""
        mark = connection.execute("SELECT tenant, day, upto FROM purging ORDER BY tenant, day LIMIT 1").fetchone()
        if mark is None:
            return False, _NOT_BEGUN
        tenant, day, upto = mark
        after = self._purged[1] if self._purged[0] == mark else 0
        entities = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM entity WHERE tenant = %s AND id > %s ORDER BY id LIMIT %s",
                (tenant, after, PURGE_ENTITIES),
            )
        ]
        if entities:
            connection.execute(_PURGE, (tenant, numbers_text(entities), day * DAY, (day + 1) * DAY, upto))
            return True, ((tenant, day, upto), entities[-1])
        connection.execute("DELETE FROM purging WHERE tenant = %s AND day = %s AND upto = %s", mark)
        return True, _NOT_BEGUN


def _words_of(series: Iterable[SeriesOfFile], known: Container[str]) -> list[str]:
    """Those that are new."""
    words = {word for one in series for word in (one.attribute, one.dataset) if word}
    return sorted(word for word in words if word not in known)


def _correct(
    connection: Connection, names: Names, tenant: str, erasure: Erasure, found: Found, put: Instance, now: Instant
) -> Corrected:
    """The entity is held first and `numbers` last, as writers do."""
    given = _given(connection, names, tenant, erasure)
    held = connection.execute(_HOLD, given).fetchone()
    assert held is not None, "entities that have a past stay"
    present = [present_instance(names, row) for row in connection.execute(_PRESENT, given)]
    follows = is_present(next((one for one in present if one.key == put.key), None), found.instance)
    batch, entity = Batch(names), given["entity"]
    batch.put_instances(entity, (put,), put.modified_at, keep_newest=False, born=False, is_past=not follows)
    if follows:
        batch.put_event(entity, held[0], EventKind.UPDATED, now)
        if searched((put,)):
            batch.put_unsearched(entity)
    erase(connection, names, tenant, erasure, found)
    connection.execute(STAGING)
    newest = batch.flush(connection, given["tenant"])
    row = connection.execute("SELECT log FROM numbers").fetchone()
    assert row is not None
    assert newest is not None, "there is a row"
    return Corrected(row[0], newest)


def _condense(
    connection: Connection,
    names: Names,
    tenant: str,
    erasure: Erasure,
    instances: Sequence[Instance],
    mark: Mark,
    now: Instant,
) -> None:
    """The entity is held: no writer adds to it between the check and the commit."""
    given = _given(connection, names, tenant, erasure)
    connection.execute(_HOLD, given)
    newer = connection.execute(_HAS_NEWER, {**given, "mark": mark.seq, "erasure": mark.erasure}).fetchone()
    archived = find_archived(connection, names, given["tenant"], given["entity"], erasure.entity_id)
    check_unchanged(mark, erasure, archived, has_newer=newer is None or newer[0])
    batch = Batch(names)
    batch.put_instances(given["entity"], tuple(instances), now, keep_newest=False, born=False, is_past=True)
    erase(connection, names, tenant, erasure)
    connection.execute(STAGING)
    batch.flush(connection, given["tenant"])


def erase(connection: Connection, names: Names, tenant: str, erasure: Erasure, found: Found | None = None) -> None:
    """Most is deleted before writers are held up to give the erasure its place among them.

    Raises ResourceNotFound, FoundOutdated.
    """
    given = _given(connection, names, tenant, erasure)
    gone = connection.execute(_ERASE, given).rowcount
    row = connection.execute("SELECT log FROM numbers FOR UPDATE").fetchone()
    gone += connection.execute(_ERASE, given).rowcount
    if found is not None and not gone:
        check_in_files(find_archived(connection, names, given["tenant"], given["entity"], erasure.entity_id), found)
    in_files = connection.execute(_IN_FILES, given).fetchone() is not None
    if not gone and not in_files:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")
    connection.execute(_KEEP_ERASURE, {**given, "upto": row[0] if row else 0})
    if erasure == Erasure(erasure.entity_id):
        connection.execute(
            "INSERT INTO forgotten VALUES (%(tenant)s, %(entity)s) ON CONFLICT (tenant, entity) DO NOTHING", given
        )


def _given(connection: Connection, names: Names, tenant: str, erasure: Erasure) -> dict[str, Any]:
    number = names.tenants.ids.get(tenant, UNKNOWN)
    words = names.words.ids
    row = None
    if "\0" not in erasure.entity_id:
        row = connection.execute(
            "SELECT id FROM entity WHERE tenant = %s AND urn = %s", (number, erasure.entity_id)
        ).fetchone()
    if row is None:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")
    return {
        "tenant": number,
        "entity": row[0],
        "name": None if erasure.attribute is None else words.get(erasure.attribute, UNKNOWN),
        "dataset": None if erasure.dataset is None else words.get(erasure.dataset, UNKNOWN) if erasure.dataset else 0,
        "seq": erasure.seq,
        "before": erasure.before,
        "since": erasure.since,
    }
