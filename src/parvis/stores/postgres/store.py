"""The store for several processes: a PostgreSQL database behind the broker's ports."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from parvis.broker.bell import Bell
from parvis.broker.bounds import Bounds
from parvis.broker.leading import Leader, new_holder
from parvis.broker.model.change import Change, Event, Outcome
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri
from parvis.broker.ports.archive import ReadArchived, no_archive
from parvis.broker.ports.store import EntityAggregates, EntityHistory, EntityPage, Expiring, Known, Progress
from parvis.broker.query.tally import Tallied, TallyQuery
from parvis.broker.query.tree import Aggregation, EntityQuery, KnownQuery, TemporalQuery
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.instance import with_instance
from parvis.broker.temporal.mark import Mark
from parvis.broker.temporal.reading import Window
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.reach import Reach
from parvis.kernel.time import Clock, Instant, SteadyClock, system_clock
from parvis.stores.postgres.archive import PostgresArchive
from parvis.stores.postgres.commands import PostgresCommands
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, Pool, scoped
from parvis.stores.postgres.expiring import FirstExpiry, list_expiring, read_first
from parvis.stores.postgres.frames import PostgresFrames
from parvis.stores.postgres.jobs import PostgresJobQueue
from parvis.stores.postgres.leases import end_lease, take_lease
from parvis.stores.postgres.metering import PostgresMetering
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.outbox import (
    PRUNE_EVERY_S,
    Listener,
    advance,
    prune,
    read_events,
    read_newest,
    read_oldest,
    read_position,
    retire,
)
from parvis.stores.postgres.reader import Reader
from parvis.stores.postgres.records import PostgresRecords
from parvis.stores.postgres.search import PostgresSearch
from parvis.stores.postgres.shelf import PostgresShelf
from parvis.stores.postgres.sources import PostgresSources
from parvis.stores.postgres.subscriptions import PostgresSubscriptions
from parvis.stores.postgres.tally import tally
from parvis.stores.postgres.writer import Writer

DESK_THREADS = 2
OUTBOX_THREADS = 2


class Start(NamedTuple):
    """What is known of a database that is opened."""

    newest_event: int
    newest_stamp: Instant
    next_expiry: Instant | None


class PostgresStore:
    """EntityStore, TemporalStore, Outbox, Leases and Tenants. Opened on, and bound to, the running event loop.

    `desk` is where the small tables are read and written: its questions do not wait behind queries. Leases wait for
    nothing at all: who could not renew his in time would end work that goes well.
    """

    def __init__(
        self, database: Database, names: Names, clock: Clock, start: Start, read_archived: ReadArchived
    ) -> None:
        self._names = names
        self._clock = SteadyClock(clock, start.newest_stamp)
        self._bell = Bell(start.newest_event)
        self._expiry = FirstExpiry(start.next_expiry)
        self._writer = Writer(database, names, self._clock, self._bell.ring, self._expiry)
        self._reader = Reader(database, names, read_archived)
        self._listener = Listener(database, self._bell, self._writer.look)
        self._outbox = Pool(database, OUTBOX_THREADS, "parvis-outbox")
        self.desk = Pool(database, DESK_THREADS, "parvis-desk")
        self._leases = Pool(database, 1, "parvis-leases")
        self.frames = PostgresFrames(self.desk)
        self.jobs = PostgresJobQueue(self.desk)
        self.shelf = PostgresShelf(self.desk)
        self.commands = PostgresCommands(self.desk)
        self.archive = PostgresArchive(database, names, self.desk)
        self.metering = PostgresMetering(self.desk)
        self.records = PostgresRecords(self.desk, self.frames)
        self.search = PostgresSearch(names, self.desk, self._reader)
        self.subscriptions = PostgresSubscriptions(self.desk)
        self.sources = PostgresSources(self.desk)
        housekeeper = Leader(self, "store housekeeping", new_holder())
        self._housekeeping = asyncio.create_task(housekeeper.run(self._keep_house), name="store housekeeping")

    @classmethod
    async def open(
        cls, url: str, clock: Clock = system_clock, read_archived: ReadArchived = no_archive
    ) -> "PostgresStore":
        """Open the database of a libpq connection string or URI; make its tables where it is empty.

        Raises:
            StoreUnreachable: the database does not answer.
            StoreNotUsable: it may not be written, or a newer Parvis wrote it.
        """
        database = Database(url)
        names = Names(database)
        start = await asyncio.to_thread(_start, database, names)
        return cls(database, names, clock, start, read_archived)

    @property
    def is_writing(self) -> bool:
        return not self._writer.fault

    @property
    def fault(self) -> str:
        return self._writer.fault

    async def close(self) -> None:
        self._housekeeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._housekeeping
        await self._writer.close()
        await self._listener.close()
        await asyncio.to_thread(self._close_pools)

    async def count_bytes(self) -> int:
        sql = "SELECT pg_database_size(current_database())"
        row = await self.desk.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchone())
        return int(row[0]) if row else 0

    @property
    def pending_changes(self) -> int:
        return self._writer.pending_changes

    @property
    def newest_event(self) -> int:
        return self._bell.newest

    async def write(
        self,
        tenant: str,
        changes: Sequence[Change],
        progress: Progress | None = None,
        bounds: Bounds | None = None,
    ) -> list[Outcome]:
        return await self._writer.write(tenant, changes, progress, bounds)

    async def find(self, tenant: str, entity_id: str) -> Entity | None:
        return await self._reader.find(tenant, entity_id)

    async def query(self, tenant: str, query: EntityQuery) -> EntityPage:
        return await self._reader.query(tenant, query)

    @property
    def next_expiry(self) -> Instant | None:
        return self._expiry.at

    async def list_expiring(self, upto: Instant, limit: int) -> list[Expiring]:
        def ask(connection: Connection) -> tuple[Instant | None, list[Expiring]]:
            return read_first(connection), list_expiring(connection, upto, limit)

        noted = self._expiry.noted
        first, expiring = await self._outbox.run(EVERY_TENANT, ask)
        self._expiry.renew(first, noted)
        return expiring

    async def count_types(self, tenant: str, within: Reach = None) -> dict[Iri, int]:
        return await self._reader.count_types(tenant, within)

    async def tally(self, tenant: str, queries: Sequence[TallyQuery]) -> list[list[Tallied]]:
        def ask(connection: Connection, number: int) -> list[list[Tallied]]:
            return [tally(connection, self._names, number, query) for query in queries]

        return await self._reader.run(tenant, ask) or [[] for _ in queries]

    async def list_attributes(self, tenant: str, within: Reach = None) -> dict[Iri, set[Iri]]:
        return await self._reader.list_attributes(tenant, within)

    async def list_written(self, tenant: str, local_names: Collection[str]) -> set[Iri]:
        return await self._reader.list_written(tenant, local_names)

    async def history(self, tenant: str, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        return await self._reader.history(tenant, entity_id, query)

    async def list_known(self, tenant: str, query: KnownQuery) -> list[Known]:
        return await self._reader.list_known(tenant, query)

    async def aggregate(
        self, tenant: str, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates | None:
        return await self._reader.aggregate(tenant, entity_id, query, aggregation)

    async def list_aggregates(
        self, tenant: str, entity_ids: Sequence[str], query: TemporalQuery, aggregation: Aggregation
    ) -> list[EntityAggregates]:
        return await self._reader.list_aggregates(tenant, entity_ids, query, aggregation)

    async def list_last(
        self, tenant: str, wanted: Mapping[str, Sequence[AttributeKey]], start: Instant, end: Instant
    ) -> dict[str, list[Instance]]:
        return await self._reader.list_last(tenant, wanted, Window(by_recorded=False, start=start, end=end))

    async def erase(self, tenant: str, erasure: Erasure) -> None:
        if erasure.seq is None or erasure.attribute is None:
            await self.archive.erase(tenant, erasure)
            return
        find = partial(self._reader.find_instance, tenant, erasure.entity_id, erasure.attribute, erasure.seq)
        await with_instance(
            erasure.entity_id,
            find,
            lambda found: self.archive.erase(tenant, erasure.of_instance(found.instance), found),
        )

    async def mark(self, tenant: str, erasure: Erasure) -> Mark:
        return await self.archive.mark(tenant, erasure)

    async def condense(self, tenant: str, erasure: Erasure, instances: Sequence[Instance], mark: Mark) -> None:
        await self.archive.condense(tenant, erasure, instances, mark, self._clock())

    async def correct(self, tenant: str, correction: Correction) -> int:
        entity_id, now = correction.entity_id, self._clock()
        find = partial(self._reader.find_instance, tenant, entity_id, correction.given.name, correction.seq)
        done = await with_instance(entity_id, find, lambda found: self.archive.correct(tenant, correction, found, now))
        self._bell.ring(done.newest)
        return done.seq

    async def read(
        self,
        after: int,
        limit: int = 1000,
        types: frozenset[Iri] = frozenset(),
        attributes: frozenset[Iri] = frozenset(),
    ) -> list[Event]:
        def ask(connection: Connection) -> list[Event]:
            return read_events(connection, self._names, after, limit, types, attributes)

        return await self._outbox.run(EVERY_TENANT, ask)

    async def newest(self) -> int:
        return await self._outbox.run(EVERY_TENANT, read_newest)

    async def oldest(self) -> int:
        return await self._outbox.run(EVERY_TENANT, read_oldest)

    async def wait(self, after: int) -> None:
        await self._bell.wait(after)

    async def position(self, consumer: str) -> int:
        return await self.desk.run(EVERY_TENANT, lambda connection: read_position(connection, consumer))

    async def advance(self, positions: Mapping[str, int]) -> None:
        await self.desk.run(EVERY_TENANT, lambda connection: advance(connection, positions))

    async def retire(self, consumer: str) -> None:
        await self.desk.run(EVERY_TENANT, lambda connection: retire(connection, consumer))

    async def take(self, name: str, holder: str, for_s: float) -> bool:
        return await self._leases.run(EVERY_TENANT, lambda connection: take_lease(connection, name, holder, for_s))

    async def give_back(self, name: str, holder: str) -> None:
        await self._leases.run(EVERY_TENANT, lambda connection: end_lease(connection, name, holder))

    async def add_tenant(self, name: str) -> None:
        await asyncio.to_thread(self._names.tenants.id, name)

    async def list_tenants(self) -> list[str]:
        await self.desk.run(EVERY_TENANT, self._names.tenants.load)
        return [name for name, _ in self._names.tenants.items()]

    async def _keep_house(self) -> None:
        """Delete events that everyone has been told of, and that are older than a round."""
        told = 0
        while True:
            with contextlib.suppress(Overloaded):
                await self.prune(told)
                told = await self.newest()
            await asyncio.sleep(PRUNE_EVERY_S)

    async def prune(self, upto: int) -> None:
        """Delete events up to `upto` that every consumer has been told of."""
        while await self._outbox.run(EVERY_TENANT, lambda connection: prune(connection, upto)):
            pass

    def _close_pools(self) -> None:
        self._reader.close()
        self._outbox.close()
        self.desk.close()
        self._leases.close()


def _start(database: Database, names: Names) -> Start:
    database.prepare()
    with database.connect() as connection:
        names.load(connection)
        if DEFAULT_TENANT not in names.tenants.ids:
            names.tenants.add((DEFAULT_TENANT,))
        with scoped(connection, EVERY_TENANT):
            stamp = connection.execute("SELECT at FROM outbox ORDER BY seq DESC LIMIT 1").fetchone()
            first = read_first(connection)
        return Start(read_newest(connection), stamp[0] if stamp else 0, first)
