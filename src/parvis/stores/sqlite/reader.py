"""Reads: quick ones on the event loop itself, long ones handed to a thread."""

import asyncio
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from parvis.broker.model.entity import Entity, Iri
from parvis.broker.model.header import Header
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.order import everything_of, key_of, page_in_order
from parvis.broker.query.plenty import Plenty, few_rows
from parvis.broker.query.tree import EntityQuery
from parvis.broker.query.within import choose
from parvis.kernel.errors import TooComplexQuery
from parvis.kernel.reach import Reach
from parvis.stores.sqlite.apply import PRESENT, Touched, entity_of
from parvis.stores.sqlite.database import Connection, Database, RunSql, shrink
from parvis.stores.sqlite.filters import Narrowing, Statement, Translator, ordered_terms
from parvis.stores.sqlite.functions import Function, install
from parvis.stores.sqlite.indexes import ValueIndexes
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.ordering import is_sayable
from parvis.stores.sqlite.within import everything_in

QUICK_OPCODES = 100_000
"""About 2 ms of SQLite's virtual machine: reads of more than one or two times that leave the event loop."""
QUICK_S = 0.004
"""So do reads that call functions of ours after that time: their opcodes say little."""
_NO_LIMIT = 1 << 30
"""Of opcodes: a ROLLBACK that is interrupted, as the last one of a read that was, leaves its connection in a
transaction for good."""
QUICK_CACHE_KIB = 32_768
MAX_CACHED = 10_000
THREADS = 2
LONGEST_S = 30.0
"""What a query of entities may take in a thread: there are few of these, and others wait for them."""
_LOOK_OPCODES = 1_000
PAST_THREADS = 2
"""For what is read in files too: storage that does not answer holds up nobody else."""

_HEADER = (
    "SELECT id, typeset, scopes, created, modified, deleted, expires, due FROM entity"
    " WHERE tenant = ? AND urn = ? AND deleted IS NULL"
)
_COUNT_TYPES = (
    "SELECT e.typeset, count(*) FROM entity e WHERE e.tenant = ? AND e.deleted IS NULL AND {within} GROUP BY e.typeset"
)
_ATTRIBUTES = (
    "SELECT DISTINCT e.typeset, a.name FROM entity e JOIN attribute a ON a.entity = e.id"
    " WHERE e.tenant = ? AND e.deleted IS NULL AND {within}"
)
Answer = TypeVar("Answer")


class Reader:
    """Holds the entities read last. Only the event loop touches that cache, and every commit renews it there."""

    def __init__(self, database: Database, names: Names, run_in_writer: RunSql) -> None:
        self._database = database
        self._names = names
        self._making: set[asyncio.Future[None]] = set()
        self._quick = database.connect_reader()
        self._quick.execute(f"PRAGMA cache_size = -{QUICK_CACHE_KIB}")
        install(self._quick, names, self._hurried)
        self._indexes = ValueIndexes(self._quick, run_in_writer)
        self._plenty = Plenty()
        self._quick_budget = 0
        self._quick_until = 0.0
        self._quick.set_progress_handler(self._interrupt, QUICK_OPCODES)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="parvis-reader")
        self._past_threads = ThreadPoolExecutor(PAST_THREADS, thread_name_prefix="parvis-past")
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._entities: OrderedDict[int, Entity] = OrderedDict()
        self._numbers: dict[tuple[str, str], int] = {}

    async def read(self, ask: Callable[[Connection], Answer], is_slow: Callable[[], None] | None = None) -> Answer:
        """`ask` in one snapshot, here when it is quick, else once more in a thread, and `is_slow` is called."""
        self._quick_budget, self._quick_until = 1, time.perf_counter() + QUICK_S
        try:
            return self._in_snapshot(self._quick, ask)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        if is_slow is not None:
            is_slow()
        return await self.read_aside(ask)

    async def read_aside(self, ask: Callable[[Connection], Answer]) -> Answer:
        """`ask` in one snapshot, in a thread: for what is known to be long."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask_in_thread, ask)

    async def read_past(self, ask: Callable[[Connection], Answer]) -> Answer:
        """`ask` in one snapshot, in a thread: for what lies in the archive's files."""
        return await asyncio.get_running_loop().run_in_executor(self._past_threads, self._ask_in_thread, ask)

    async def find(self, tenant: str, entity_id: str) -> Entity | None:
        number = self._numbers.get((tenant, entity_id))
        if number is not None and (known := self._entities.get(number)) is not None:
            return known
        return await self.read(lambda connection: self._find(connection, tenant, entity_id))

    async def find_number(self, tenant: str, entity_id: str) -> int | None:
        """The number of an entity that is, or once was."""
        sql = "SELECT id FROM entity WHERE tenant = ? AND urn = ?"
        key = (self._names.tenants.ids.get(tenant), entity_id)
        row = await self.read(lambda connection: connection.execute(sql, key).fetchone())
        return row[0] if row else None

    async def query(self, tenant: str, query: EntityQuery) -> EntityPage:
        if query.order:
            answer = self._query if is_sayable(query) else self._query_in_order
            return await self.read_aside(lambda connection: self._in_time(connection, answer, tenant, query))
        return await self.read(
            lambda connection: self._in_time(connection, self._query, tenant, query), lambda: self._slow(query)
        )

    async def count_types(self, tenant: str, within: Reach = None) -> dict[Iri, int]:
        counts: dict[Iri, int] = {}
        for typeset, count in await self.read(partial(self._rows_within, _COUNT_TYPES, tenant, within)):
            for iri in self._names.typesets.key(typeset):
                counts[iri] = counts.get(iri, 0) + count
        return counts

    async def list_attributes(self, tenant: str, within: Reach = None) -> dict[Iri, set[Iri]]:
        found: dict[Iri, set[Iri]] = {}
        for typeset, name in await self.read(partial(self._rows_within, _ATTRIBUTES, tenant, within)):
            for iri in self._names.typesets.key(typeset):
                found.setdefault(iri, set()).add(self._names.words.key(name))
        return found

    def renew(self, touched: Touched) -> None:
        """After a commit, on the event loop: what is known anew replaces what was cached, the rest is dropped."""
        cached = self._entities
        for number, entity in touched.items():
            if number in cached:
                if entity is None:
                    del cached[number]
                else:
                    cached[number] = entity

    def give_back(self) -> None:
        """On the event loop. A connection that is in use holds up whoever shrinks it: the others' is a thread."""
        shrink(self._quick)
        if self._opened:
            self._threads.submit(self._shrink_opened)

    def _shrink_opened(self) -> None:
        for connection in tuple(self._opened):
            shrink(connection)

    def close(self) -> None:
        for threads in (self._threads, self._past_threads):
            threads.shutdown(wait=True)
        for connection in (self._quick, *self._opened):
            connection.close()

    def _find(self, connection: Connection, tenant: str, entity_id: str) -> Entity | None:
        row = connection.execute(_HEADER, (self._names.tenants.ids.get(tenant), entity_id)).fetchone()
        if row is None:
            return None
        header = Header(*row)
        if connection is self._quick:
            if len(self._numbers) > 10 * MAX_CACHED:
                self._numbers.clear()
            self._numbers[(tenant, entity_id)] = header.id
        return self._assemble(connection, entity_id, header)

    def _in_time(
        self,
        connection: Connection,
        answer: Callable[[Connection, str, EntityQuery], EntityPage],
        tenant: str,
        query: EntityQuery,
    ) -> EntityPage:
        """Raises TooComplexQuery."""
        if connection is self._quick:
            return answer(connection, tenant, query)
        until_s = time.monotonic() + LONGEST_S
        connection.set_progress_handler(lambda: time.monotonic() > until_s, _LOOK_OPCODES)
        try:
            return answer(connection, tenant, query)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise TooComplexQuery(f"It took more than {LONGEST_S:g} s: ask for less.") from fault
        finally:
            connection.set_progress_handler(None, 0)

    def _query(self, connection: Connection, tenant: str, query: EntityQuery) -> EntityPage:
        number = self._names.tenants.ids.get(tenant)
        statement = self._translate(connection, number, query) if number else None
        if statement is None:
            return EntityPage((), 0 if query.count else None)
        total = None
        if query.count:
            (total,) = connection.execute(statement.count, statement.counted).fetchone()
        rows = connection.execute(statement.page, statement.parameters).fetchall() if query.limit else []
        shown = rows[: query.limit]
        entities = tuple(self._assemble(connection, row[-1], Header(*row[:-1])) for row in shown)
        if not entities or len(rows) == len(shown):
            return EntityPage(entities, total)
        return EntityPage(entities, total, shown[-1][0], key_of(entities[-1], query) if query.order else None)

    def _query_in_order(self, connection: Connection, tenant: str, query: EntityQuery) -> EntityPage:
        """By the evaluator, for what SQL cannot say."""
        number = self._names.tenants.ids.get(tenant)
        everything = replace(everything_of(query), order=())
        statement = Translator(self._names, number, everything).translate() if number else None
        rows = [] if statement is None else connection.execute(statement.page, statement.parameters).fetchall()
        matched = ((row[0], self._assemble(connection, row[-1], Header(*row[:-1]))) for row in rows)
        return page_in_order(matched, query)

    def _translate(self, connection: Connection, tenant: int, query: EntityQuery) -> Statement | None:
        """An index leads where it gives few entities."""
        translator = Translator(self._names, tenant, query)
        few = few_rows(query)
        for narrowing in translator.narrowings(self._indexes.ready):
            if self._gives_few(connection, narrowing, few):
                return translator.translate(narrowing.sql)
        return translator.translate()

    def _gives_few(self, connection: Connection, narrowing: Narrowing, few: int) -> bool:
        attribute, span, sql, parameters = narrowing
        if span is not None and self._plenty.holds(attribute, span, few):
            return False
        (rows,) = connection.execute(f"SELECT count(*) FROM ({sql} LIMIT {few})", parameters).fetchone()
        if span is not None and rows == few:
            self._plenty.note(attribute, span, few)
        return bool(rows < few)

    def _slow(self, query: EntityQuery) -> None:
        for attribute, _ in ordered_terms(self._names, query):
            if attribute not in self._indexes.ready:
                wanted = asyncio.ensure_future(self._indexes.want(attribute))
                self._making.add(wanted)
                wanted.add_done_callback(self._making.discard)
                return

    def _assemble(self, connection: Connection, urn: str, header: Header) -> Entity:
        on_loop = connection is self._quick
        if on_loop and (known := self._entities.get(header.id)) is not None:
            self._entities.move_to_end(header.id)
            return known
        entity = entity_of(self._names, urn, header, connection.execute(PRESENT, (header.id,)).fetchall())
        if on_loop:
            self._entities[header.id] = entity
            if len(self._entities) > MAX_CACHED:
                self._entities.popitem(last=False)
        return entity

    def _rows_within(self, sql: str, tenant: str, within: Reach, connection: Connection) -> list[tuple[int, int]]:
        """Rows of a statement about all entities of a tenant, as far as the reach goes."""
        asked: list[Any] = [self._names.tenants.ids.get(tenant)]

        def bind(value: Any) -> str:
            asked.append(value)
            return "?"

        condition = everything_in(choose(None, within, self._names.typesets.items()), bind)
        return connection.execute(sql.format(within=condition), asked).fetchall()

    def _ask_in_thread(self, ask: Callable[[Connection], Answer]) -> Answer:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._database.connect_reader()
            install(connection, self._names)
            self._opened.append(connection)
        return self._in_snapshot(connection, ask)

    def _in_snapshot(self, connection: Connection, ask: Callable[[Connection], Answer]) -> Answer:
        connection.execute("BEGIN")
        try:
            return ask(connection)
        finally:
            if connection is self._quick:
                self._quick_budget = _NO_LIMIT
            connection.execute("ROLLBACK")

    def _interrupt(self) -> bool:
        self._quick_budget -= 1
        return self._quick_budget < 0

    def _hurried(self, function: Function) -> Function:
        def call(*arguments: Any) -> Any:
            if time.perf_counter() > self._quick_until:
                self._quick.interrupt()
            return function(*arguments)

        return call
