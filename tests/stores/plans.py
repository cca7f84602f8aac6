"""A large territory put straight into both stores, and what their databases do when the store is asked something."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg

from parvis.broker.model.entity import Kind
from parvis.broker.ports.archive import no_archive
from parvis.broker.ports.store import Store
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import HOUR, Instant, parse_instant, system_clock
from parvis.stores.postgres import database as postgres_database
from parvis.stores.postgres.names import Names as PostgresNames
from parvis.stores.postgres.partitions import Partitions
from parvis.stores.postgres.rows import Form
from parvis.stores.postgres.store import PostgresStore, _start
from parvis.stores.sqlite import database as sqlite_database
from parvis.stores.sqlite.functions import install
from parvis.stores.sqlite.names import Names as SqliteNames
from parvis.stores.sqlite.store import SqliteStore

ENTITIES = 200_000
SERIES, INSTANTS = 100, 2_000
EVENTS = 100_000
TYPES = tuple(f"https://example.org/Kind{number}" for number in range(10))
LEVEL, STATE, PLACE = (f"https://example.org/{name}" for name in ("level", "state", "place"))
START: Instant = parse_instant("2025-01-01T00:00:00Z")
STEP = 6 * HOUR


class Seen(NamedTuple):
    """What a question did: the indexes it used, the tables it read from end to end, and how much it read."""

    indexes: frozenset[str]
    scans: frozenset[str]
    work: int


class Observed:
    """A store that stands under observation."""

    def __init__(self, store: Store, seen: Callable[[], Seen], forget: Callable[[], None]) -> None:
        self._store = store
        self._seen = seen
        self._forget = forget

    async def watch(self, ask: Callable[[Store], Awaitable[Any]]) -> tuple[Any, Seen]:
        self._forget()
        answer = await ask(self._store)
        return answer, self._seen()


def fill_sqlite(path: Path) -> None:
    connection = sqlite_database.Database(path).connect_writer()
    names = SqliteNames(connection)
    tenant = names.tenants.id(DEFAULT_TENANT)
    level, state, place = (names.words.id(name) for name in (LEVEL, STATE, PLACE))
    plain, geo = names.shapes.id((Kind.PROPERTY, "")), names.shapes.id((Kind.GEO_PROPERTY, ""))
    first = names.typesets.id((TYPES[0],))
    for one in TYPES[1:]:
        names.typesets.id((one,))
    connection.execute("BEGIN")
    names.save(connection)
    for statement in _SQLITE:
        connection.execute(
            statement,
            {
                "tenant": tenant, "level": level, "state": state, "place": place, "plain": plain, "geo": geo,
                "first": first, "entities": ENTITIES, "series": SERIES, "instants": INSTANTS, "events": EVENTS,
                "start": START, "step": STEP,
            },
        )  # fmt: skip
    connection.execute("COMMIT")
    connection.close()


def fill_postgres(url: str) -> None:
    database = postgres_database.Database(url)
    database.prepare()
    names = PostgresNames(database)
    tenant = names.tenants.id(DEFAULT_TENANT)
    level, state, place = (names.words.id(name) for name in (LEVEL, STATE, PLACE))
    number, text, geo = (
        names.shapes.id(shape)
        for shape in (
            (Kind.PROPERTY, "", Form.FLOAT), (Kind.PROPERTY, "", Form.TEXT), (Kind.GEO_PROPERTY, "", Form.JSON)
        )
    )  # fmt: skip
    typesets = [names.typesets.id((one,)) for one in TYPES]
    times = [START + at * STEP for at in range(INSTANTS)]
    Partitions(database).prepare(times, times[-1])
    with database.connect() as connection, postgres_database.scoped(connection, tenant):
        for statement in _POSTGRES:
            connection.execute(
                statement.encode(),
                {
                    "tenant": tenant, "level": level, "state": state, "place": place, "number": number, "text": text,
                    "geo": geo, "first": typesets[0], "entities": ENTITIES, "series": SERIES, "instants": INSTANTS,
                    "events": EVENTS, "start": START, "step": STEP,
                },
            )  # fmt: skip
    with database.connect() as connection:
        connection.execute("ANALYZE")


@asynccontextmanager
async def observed_sqlite(path: Path) -> AsyncIterator[Observed]:
    database = _TracedSqlite(path)
    store = SqliteStore(database, database.connect_writer(), system_clock)
    try:
        yield Observed(store, database.seen, database.asked.clear)
    finally:
        await store.close()


@asynccontextmanager
async def observed_postgres(url: str) -> AsyncIterator[Observed]:
    """`url` is of a database that loads auto_explain into its sessions."""
    database = _ExplainingPostgres(url)
    names = PostgresNames(database)
    store = PostgresStore(database, names, system_clock, _start(database, names), no_archive)
    try:
        yield Observed(store, database.seen, database.plans.clear)
    finally:
        await store.close()


def let_sessions_explain(superuser: psycopg.Connection[Any], database: str) -> None:
    """Every session of the database tells its client the plan of each statement, and what it read."""
    for name, value in (
        ("session_preload_libraries", "auto_explain"), ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"), ("auto_explain.log_buffers", "on"), ("auto_explain.log_timing", "off"),
        ("auto_explain.log_format", "json"), ("auto_explain.log_level", "notice"),
    ):  # fmt: skip
        superuser.execute(f"ALTER DATABASE {database} SET {name} = '{value}'".encode())


class _TracedSqlite(sqlite_database.Database):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[str] = []

    def connect_reader(self) -> sqlite3.Connection:
        connection = super().connect_reader()
        connection.set_trace_callback(self.asked.append)
        return connection

    def seen(self) -> Seen:
        connection = super().connect_reader()
        install(connection, SqliteNames(connection))
        asked = [one for one in dict.fromkeys(self.asked) if one.startswith("SELECT")]
        indexes: set[str] = set()
        scans: set[str] = set()
        work = 0
        for statement in asked:
            for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
                verb, table, *more = detail.split()
                if verb == "SEARCH" and "INDEX" in more:
                    indexes.add(more[more.index("INDEX") + 1])
                elif verb == "SEARCH":
                    indexes.add(f"{table} by key")
                elif verb == "SCAN" and "VIRTUAL" in more:
                    indexes.add(table)
                elif verb == "SCAN":
                    scans.add(table)
            work += _steps(connection, statement)
        connection.close()
        return Seen(frozenset(indexes), frozenset(scans), work)


class _ExplainingPostgres(postgres_database.Database):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plans: list[dict[str, Any]] = []

    def connect(self, name: str = "parvis", stands_still_s: float | None = None) -> postgres_database.Connection:
        connection = super().connect(name, stands_still_s)
        if name == "parvis":
            connection.add_notice_handler(self._hear)
        return connection

    def seen(self) -> Seen:
        nodes = [node for plan in self.plans for node in _nodes(plan["Plan"])]
        return Seen(
            frozenset(node["Index Name"] for node in nodes if "Index Name" in node and node["Actual Loops"]),
            frozenset(node["Relation Name"] for node in nodes if node["Node Type"].endswith("Seq Scan")),
            sum(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] for plan in self.plans),
        )

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        _, is_plan, plan = (notice.message_primary or "").partition("plan:\n")
        if is_plan:
            self.plans.append(msgspec.json.decode(plan))


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]


def _steps(connection: sqlite3.Connection, statement: str) -> int:
    """Of SQLite's virtual machine, in tens."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(step, 10)
    connection.execute(statement).fetchall()
    return steps


_LEVEL = "(i * 7919 % 100003) / 100.0"
_LONGITUDE, _LATITUDE = "(-4 + i % 1000 / 1000.0)", "(47 + i / 1000 / 200.0)"
_N = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :entities)"
_SQLITE = (
    f"{_N} INSERT INTO entity"
    " SELECT i, :tenant, 'urn:ngsi-ld:Thing:' || i, :first + i % 10, NULL, :start, :start, NULL, NULL, NULL FROM n",
    f"{_N} INSERT INTO attribute SELECT i, :level, 0, :plain, {_LEVEL}, NULL, NULL, :start, :start FROM n",
    f"{_N} INSERT INTO attribute"
    " SELECT i, :state, 0, :plain, CASE i % 10007 WHEN 0 THEN 'odd' ELSE 'even' END, NULL, NULL, :start, :start FROM n",
    f"{_N} INSERT INTO attribute SELECT i, :place, 0, :geo,"
    f" CAST('{{\"type\":\"Point\",\"coordinates\":[' || {_LONGITUDE} || ',' || {_LATITUDE} || ']}}' AS BLOB),"
    " NULL, NULL, :start, :start FROM n",
    f"{_N} INSERT INTO geometry SELECT i, i, :place, 0 FROM n",
    f"{_N} INSERT INTO place SELECT i, {_LONGITUDE}, {_LONGITUDE}, {_LATITUDE}, {_LATITUDE} FROM n",
    "WITH RECURSIVE e(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM e WHERE i < :series),"
    " t(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM t WHERE k + 1 < :instants)"
    " INSERT INTO history"
    " SELECT 1, i, :level, 0, :start + k * :step, i * :instants + k, :plain, k / 10.0, 1, NULL, :start"
    " FROM e, t",
    f"{_N.replace(':entities', ':events')} INSERT INTO outbox SELECT i, i, 2, :start, 1, 1 FROM n",
)
_OF_ALL = "FROM generate_series(1, %(entities)s) i"
_POSTGRES = (
    "INSERT INTO entity SELECT %(tenant)s, i, 'urn:ngsi-ld:Thing:' || i, %(first)s + i %% 10, NULL,"
    f" %(start)s, %(start)s, NULL {_OF_ALL}",
    "INSERT INTO attribute (tenant, entity, name, dataset, shape, number, modified, created)"
    f" SELECT %(tenant)s, i, %(level)s, 0, %(number)s, {_LEVEL.replace('%', '%%')}, %(start)s, %(start)s {_OF_ALL}",
    "INSERT INTO attribute (tenant, entity, name, dataset, shape, text, modified, created)"
    " SELECT %(tenant)s, i, %(state)s, 0, %(text)s, CASE i %% 10007 WHEN 0 THEN 'odd' ELSE 'even' END,"
    f" %(start)s, %(start)s {_OF_ALL}",
    "INSERT INTO attribute (tenant, entity, name, dataset, shape, text, modified, created, bounds)"
    " SELECT %(tenant)s, i, %(place)s, 0, %(geo)s,"
    " '{\"type\":\"Point\",\"coordinates\":[' || x || ',' || y || ']}', %(start)s, %(start)s,"
    " box(point(x, y), point(x, y))"
    f" {_OF_ALL}, LATERAL (SELECT {_LONGITUDE.replace('%', '%%')}::float8 x, {_LATITUDE}::float8 y) at",
    "INSERT INTO history SELECT %(tenant)s, i, %(level)s, 0, %(start)s + k * %(step)s, i * %(instants)s + k,"
    " %(number)s, true, k / 10.0, NULL, NULL, %(start)s"
    " FROM generate_series(1, %(series)s) i, generate_series(0, %(instants)s - 1) k",
    "INSERT INTO outbox SELECT i, %(tenant)s, i, %(first)s + i %% 10, 2, %(start)s, 1, 1, %(start)s, %(start)s"
    " FROM generate_series(1, %(events)s) i",
    "UPDATE numbers SET event = %(events)s",
)
