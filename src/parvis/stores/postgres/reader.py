"""Reads: each in one snapshot, in a thread of its own. Nothing is kept: other processes write as well."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri, in_order
from parvis.broker.ports.archive import (
    SNAPSHOTS,
    ArchivedEntity,
    ArchivedSource,
    ArchiveFileGone,
    ReadArchived,
    no_archive,
)
from parvis.broker.ports.store import EntityAggregates, EntityHistory, EntityPage, Known
from parvis.broker.query.evaluate import matches
from parvis.broker.query.order import everything_of, key_of, page_in_order
from parvis.broker.query.plenty import FEW_ROWS, Plenty
from parvis.broker.query.tree import Aggregation, EntityQuery, KnownQuery, TemporalQuery
from parvis.broker.temporal.aggregates import list_aggregates
from parvis.broker.temporal.instance import Found, find_instance
from parvis.broker.temporal.reading import Member, Window, has_any, read_history
from parvis.kernel.reach import Reach
from parvis.stores.postgres.catalogue import FilesOfDays, find_archived, is_forgotten
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, Pool, TookTooLong, check_time
from parvis.stores.postgres.filters import (
    HEADER,
    INSTANCE,
    Narrowing,
    Statement,
    Translator,
    names_in,
    names_of_order,
    ordered_terms,
)
from parvis.stores.postgres.indexes import SLOW_S, ValueIndexes
from parvis.stores.postgres.inventory import count_types, list_attributes, list_written
from parvis.stores.postgres.known import list_known
from parvis.stores.postgres.moment import Moment
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.ordering import is_sayable
from parvis.stores.postgres.partitions import SEEING
from parvis.stores.postgres.rows import Header, present_instance
from parvis.stores.postgres.temporal import HotHistory, find_head
from parvis.stores.postgres.within import numbers_text

THREADS = 4
QUICK_S = 3.0
"""What takes longer begins anew where it holds up nobody who asks for little."""
LONG_THREADS = 2
LONGEST_S = 30.0
PAST_THREADS = 2
"""For what is read in files too: storage that does not answer holds up nobody else."""
CHUNK = 500
"""Candidates held at once while the evaluator decides on them."""

_FIND = (
    f"SELECT {HEADER}, {INSTANCE} FROM entity e LEFT JOIN attribute a ON a.tenant = e.tenant AND a.entity = e.id"
    " WHERE e.tenant = %s AND e.urn = %s AND e.deleted IS NULL"
)
_LIST = (
    f"SELECT {HEADER}, {INSTANCE} FROM entity e LEFT JOIN attribute a ON a.tenant = e.tenant AND a.entity = e.id"
    " WHERE e.tenant = %s AND e.id = ANY (%s::bigint[]) ORDER BY e.id"
)
_LIST_BY_ID = _LIST.replace("e.id = ANY (%s::bigint[])", "e.urn = ANY (%s::text[])")
_NAMED = (
    f"SELECT a.entity, {INSTANCE} FROM attribute a"
    " WHERE a.tenant = %s AND a.entity = ANY (%s::bigint[]) AND a.name = ANY (%s::int[])"
)
Answer = TypeVar("Answer")
Told = TypeVar("Told")


_WIDTH = len(Header._fields)


class _InFiles(Exception):
    """Some of it lies in files."""


def _leave(_entities: Sequence[ArchivedEntity]) -> Sequence[ArchivedSource]:
    raise _InFiles


class Reader:
    def __init__(self, database: Database, names: Names, read_archived: ReadArchived = no_archive) -> None:
        self._read_archived = read_archived
        self._names = names
        self._quick = Pool(database, THREADS, "parvis-reader", longest_s=QUICK_S)
        self._long = Pool(database, LONG_THREADS, "parvis-long-reader", longest_s=LONGEST_S)
        self._past = Pool(database, PAST_THREADS, "parvis-past", longest_s=LONGEST_S)
        self._indexes = ValueIndexes(database)
        self._plenty = Plenty()

    async def find(self, tenant: str, entity_id: str) -> Entity | None:
        return await self._ask(tenant, lambda connection, number: self._find(connection, number, entity_id), None)

    async def query(self, tenant: str, query: EntityQuery) -> EntityPage:
        nothing = EntityPage((), 0 if query.count else None)
        return await self._ask(tenant, lambda connection, number: self._query(connection, number, query), nothing)

    async def count_types(self, tenant: str, within: Reach = None) -> dict[Iri, int]:
        return await self._ask(
            tenant, lambda connection, number: count_types(connection, self._names, number, within), {}
        )

    async def list_attributes(self, tenant: str, within: Reach = None) -> dict[Iri, set[Iri]]:
        return await self._ask(
            tenant, lambda connection, number: list_attributes(connection, self._names, number, within), {}
        )

    async def list_written(self, tenant: str, local_names: Collection[str]) -> set[Iri]:
        return await self._ask(
            tenant, lambda connection, number: list_written(connection, self._names, number, local_names), set()
        )

    async def history(self, tenant: str, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        def tell(members: Sequence[Member]) -> list[EntityHistory]:
            return [read_history(one, query) for one in members]

        return next(iter(await self._of_past(tenant, [entity_id], tell)), None)

    async def list_known(self, tenant: str, query: KnownQuery) -> list[Known]:
        return await self._ask(
            tenant, lambda connection, number: list_known(connection, self._names, number, query), []
        )

    async def aggregate(
        self, tenant: str, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates | None:
        return next(iter(await self.list_aggregates(tenant, [entity_id], query, aggregation)), None)

    async def list_aggregates(
        self, tenant: str, entity_ids: Sequence[str], query: TemporalQuery, aggregation: Aggregation
    ) -> list[EntityAggregates]:
        return await self._of_past(tenant, entity_ids, lambda members: list_aggregates(members, query, aggregation))

    async def list_last(
        self, tenant: str, wanted: Mapping[str, Sequence[AttributeKey]], window: Window
    ) -> dict[str, list[Instance]]:
        def ask(connection: Connection, number: int, read_archived: ReadArchived) -> dict[str, list[Instance]]:
            return Moment(connection, self._names, number, window).list_last(wanted, read_archived)

        for _ in range(SNAPSHOTS - 1):
            with suppress(ArchiveFileGone):
                return await self._ask_past(tenant, ask, {})
        return await self._ask_past(tenant, ask, {})

    async def run(self, tenant: str, ask: Callable[[Connection, int], Answer]) -> Answer | None:
        """`ask`, told the tenant's number, in one snapshot; None where there is no such tenant."""
        return await self._ask(tenant, ask, None)

    def close(self) -> None:
        self._indexes.close()
        self._quick.close()
        self._long.close()
        self._past.close()

    async def _ask(
        self, tenant: str, ask: Callable[[Connection, int], Answer], nothing: Answer, first: bytes = b""
    ) -> Answer:
        number = self._names.tenants.ids.get(tenant)
        if number is None:
            await self._quick.run(EVERY_TENANT, self._names.tenants.load)
            number = self._names.tenants.ids.get(tenant)
        if number is None:
            return nothing
        with suppress(TookTooLong):
            return await self._quick.run(number, lambda connection: ask(connection, number), first)
        return await self._long.run(number, lambda connection: ask(connection, number), first)

    async def _of_past(
        self, tenant: str, entity_ids: Sequence[str], tell: Callable[[Sequence[Member]], list[Told]]
    ) -> list[Told]:
        def ask(connection: Connection, number: int, read_archived: ReadArchived) -> list[Told]:
            return tell(self._open(connection, number, entity_ids, read_archived))

        for _ in range(SNAPSHOTS - 1):
            with suppress(ArchiveFileGone):
                return await self._ask_past(tenant, ask, [])
        return await self._ask_past(tenant, ask, [])

    async def find_instance(self, tenant: str, entity_id: str, name: Iri, seq: int) -> Found | None:
        def ask(connection: Connection, number: int, read_archived: ReadArchived) -> Found | None:
            self._names.load(connection)
            head = find_head(connection, self._names, number, entity_id)
            if head is None:
                return None
            archived = find_archived(connection, self._names, number, head[0], entity_id)
            in_files = read_archived([archived]) if archived is not None else []
            hot = HotHistory(connection, self._names, number, head[0])
            return find_instance([hot, *in_files], archived, name, seq)

        return await self._ask_past(tenant, ask, None)

    async def _ask_past(
        self, tenant: str, ask: Callable[[Connection, int, ReadArchived], Answer], nothing: Answer
    ) -> Answer:
        with suppress(_InFiles):
            return await self._ask(tenant, lambda connection, number: ask(connection, number, _leave), nothing, SEEING)
        number = self._names.tenants.ids[tenant]
        return await self._past.run(number, lambda connection: ask(connection, number, self._read_archived), SEEING)

    def _open(
        self, connection: Connection, tenant: int, entity_ids: Sequence[str], read_archived: ReadArchived
    ) -> list[Member]:
        """Of the entities that are, or of which something is left."""
        heads = [known for one in entity_ids if (known := find_head(connection, self._names, tenant, one)) is not None]
        files: FilesOfDays | None = {} if len(heads) > 1 else None
        found = [find_archived(connection, self._names, tenant, entity, head.id, files) for entity, head in heads]
        archived = [one for one in found if one is not None]
        in_files = iter(read_archived(archived) if archived else ())
        members = []
        for (entity, head), in_archive in zip(heads, found, strict=True):
            hot = HotHistory(connection, self._names, tenant, entity)
            sources = [hot] if in_archive is None else [hot, next(in_files)]
            if not is_forgotten(connection, tenant, entity) or has_any(sources):
                members.append(Member(head, sources))
        return members

    def _find(self, connection: Connection, tenant: int, entity_id: str) -> Entity | None:
        if "\0" in entity_id:
            return None
        rows = connection.execute(_FIND, (tenant, entity_id)).fetchall()
        return next(self._assembled(rows), None)

    def _query(self, connection: Connection, tenant: int, query: EntityQuery) -> EntityPage:
        started = time.perf_counter()
        self._learn(connection, query)
        try:
            return self._answer(connection, tenant, query)
        finally:
            if time.perf_counter() - started > SLOW_S:
                for attribute, _ in ordered_terms(self._names, query):
                    self._indexes.want(attribute)

    def _answer(self, connection: Connection, tenant: int, query: EntityQuery) -> EntityPage:
        statement = self._translate(connection, tenant, query)
        if statement is None:
            return EntityPage((), 0 if query.count else None)
        if query.order and (statement.refined is not None or not is_sayable(query)):
            return self._put_in_order(connection, tenant, query, statement)
        if statement.refined is not None:
            return self._refine(connection, tenant, query, statement, statement.refined)
        total = None
        if query.count:
            (total,) = _execute(connection, statement.count, statement.parameters)[0]
        rows = _execute(connection, statement.page, statement.parameters) if query.limit else []
        page = self._page(rows, query.limit, total)
        if not query.order or page.resume is None:
            return page
        return replace(page, resume_key=key_of(page.entities[-1], query))

    def _put_in_order(
        self, connection: Connection, tenant: int, query: EntityQuery, statement: Statement
    ) -> EntityPage:
        """By the evaluator, which is told no more of each entity than what puts it in its place."""
        page = page_in_order(self._places(connection, tenant, query, statement), query)
        rows = connection.execute(_LIST_BY_ID, (tenant, [one.id for one in page.entities])).fetchall()
        whole = {one.id: one for one in self._assembled(rows)}
        return replace(page, entities=tuple(whole[one.id] for one in page.entities))

    def _learn(self, connection: Connection, query: EntityQuery) -> None:
        """The names of the query that another process may have added."""
        if query.types is not None or query.either or query.within is not None:
            self._names.typesets.load(connection)
        if not names_in(query) <= self._names.words.ids.keys():
            self._names.words.load(connection)

    def _translate(self, connection: Connection, tenant: int, query: EntityQuery) -> Statement | None:
        """An index leads where it gives few entities; else walking them in order finds a page sooner."""
        self._indexes.refresh(connection)
        for narrowing in Translator(self._names, tenant, query).narrowings(self._indexes.ready):
            entities = self._find_few(connection, tenant, narrowing)
            if entities is not None:
                return Translator(self._names, tenant, query).translate(sorted(entities))
        return Translator(self._names, tenant, query).translate()

    def _find_few(self, connection: Connection, tenant: int, narrowing: Narrowing) -> set[int] | None:
        """The entities that the index gives; None where they are many."""
        key, span = (tenant, narrowing.attribute), narrowing.span
        if span is not None and self._plenty.holds(key, span, FEW_ROWS):
            return None
        rows = _execute(connection, f"{narrowing.sql} LIMIT {FEW_ROWS}", narrowing.parameters)
        if len(rows) < FEW_ROWS:
            return {row[0] for row in rows}
        if span is not None:
            self._plenty.note(key, span, FEW_ROWS)
        return None

    def _refine(
        self, connection: Connection, tenant: int, query: EntityQuery, statement: Statement, refined: EntityQuery
    ) -> EntityPage:
        """Go through the candidates in order, until the page is full or, to count them, to the end."""
        wanted: list[int] = []
        total = passed = 0
        for header in self._matching(connection, tenant, query, statement, refined):
            total += 1
            if header.id <= (query.after or 0):
                continue
            passed += 1
            if query.offset < passed <= query.offset + query.limit + 1 and query.limit:
                wanted.append(header.id)
            if not query.count and len(wanted) > query.limit:
                break
        rows = connection.execute(_LIST, (tenant, numbers_text(wanted))).fetchall() if wanted else []
        return self._page(rows, query.limit, total if query.count else None)

    def _places(
        self, connection: Connection, tenant: int, query: EntityQuery, statement: Statement
    ) -> Iterator[tuple[int, Entity]]:
        """All entities that match, by number, each with the attributes that put it in order."""
        matching = self._matching(connection, tenant, everything_of(query), statement, statement.refined)
        named = tuple(self._names.words.ids.get(name, -1) for name in sorted(names_of_order(query)))
        while chunk := list(islice(matching, CHUNK)):
            present = self._named(connection, tenant, chunk, named)
            yield from ((header.id, self._told(header, present.get(header.id, ()))) for header in chunk)

    def _told(self, header: Header, rows: Sequence[tuple[Any, ...]]) -> Entity:
        """Of some of its attributes."""
        known = in_order([present_instance(self._names, row) for row in rows])
        types, scopes = self._names.typesets.key(header.typeset), msgspec.json.decode(header.scopes or "[]")
        return Entity(header.urn, types, known, tuple(scopes), header.created, header.modified)

    def _matching(
        self, connection: Connection, tenant: int, query: EntityQuery, statement: Statement, refined: EntityQuery | None
    ) -> Iterator[Header]:
        share = "1.0" if query.count else "0.01"
        connection.execute("SELECT set_config('cursor_tuple_fraction', %s, true)", (share,))
        with connection.cursor(name="candidates") as cursor:
            cursor.execute(statement.candidates, statement.parameters)
            while chunk := [Header(*row) for row in cursor.fetchmany(CHUNK)]:
                check_time()
                if refined is None:
                    yield from chunk
                    continue
                present = self._named(connection, tenant, chunk, statement.named)
                for header in chunk:
                    known = in_order([present_instance(self._names, row) for row in present.get(header.id, ())])
                    types = self._names.typesets.key(header.typeset) if refined.either else ()
                    if matches(Entity(header.urn, types, known, (), header.created, header.modified), refined):
                        yield header

    def _named(
        self, connection: Connection, tenant: int, chunk: list[Header], named: tuple[int, ...]
    ) -> dict[int, list[tuple[Any, ...]]]:
        """Rows of the attributes `named`, by entity."""
        found: dict[int, list[tuple[Any, ...]]] = {}
        if named:
            ids = numbers_text([header.id for header in chunk])
            for entity, *row in connection.execute(_NAMED, (tenant, ids, numbers_text(named))):
                found.setdefault(entity, []).append(tuple(row))
        return found

    def _page(self, rows: list[tuple[Any, ...]], limit: int, total: int | None) -> EntityPage:
        """Of one entity more than `limit` where another page follows."""
        last = rows[-1][0] if rows else 0
        ids = list(dict.fromkeys(row[0] for row in rows))
        more = len(ids) > limit
        entities = tuple(self._assembled([row for row in rows if row[0] != last] if more else rows))
        return EntityPage(entities, total, ids[limit - 1] if more and limit else None)

    def _assembled(self, rows: list[tuple[Any, ...]]) -> Iterator[Entity]:
        """Entities of rows `HEADER, INSTANCE`, those of one entity together; without a name it has no attributes."""
        names = self._names
        for _, group in groupby(rows, key=lambda row: row[0]):
            of_one = list(group)
            header = Header(*of_one[0][:_WIDTH])
            present = [present_instance(names, row[_WIDTH:]) for row in of_one if row[_WIDTH] is not None]
            modified = max([header.modified, *(one.modified_at for one in present)])
            scopes = tuple(msgspec.json.decode(header.scopes)) if header.scopes else ()
            types = names.typesets.key(header.typeset)
            told = in_order(present)
            yield Entity(header.urn, types, told, scopes, header.created, modified, header.expires, header.due)


def _execute(connection: Connection, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Planned anew each time, for the values of this query: a plan for any values walks whole tables."""
    return connection.execute(sql.encode(), parameters, prepare=False).fetchall()
