"""The embedded store: one SQLite file behind the broker's ports."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from parvis.broker.bell import Bell
from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Event, Outcome
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri
from parvis.broker.ports.archive import SNAPSHOTS, ArchiveFileGone, ReadArchived, no_archive
from parvis.broker.ports.store import EntityAggregates, EntityHistory, EntityPage, Expiring, Known, Progress
from parvis.broker.query.tally import Tallied, TallyQuery
from parvis.broker.query.tree import Aggregation, EntityQuery, KnownQuery, TemporalQuery
from parvis.broker.temporal.aggregates import list_aggregates
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.instance import Found, with_instance
from parvis.broker.temporal.mark import Mark
from parvis.broker.temporal.reading import Member, Window, read_history
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.reach import Reach
from parvis.kernel.time import Clock, Instant, system_clock
from parvis.stores.sqlite.apply import Applier, Touched
from parvis.stores.sqlite.archive import SqliteArchive
from parvis.stores.sqlite.checkpoint import Checkpointer
from parvis.stores.sqlite.commands import SqliteCommands
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.expiring import list_expiring
from parvis.stores.sqlite.frames import SqliteFrames
from parvis.stores.sqlite.jobs import SqliteJobQueue
from parvis.stores.sqlite.known import list_known, list_written
from parvis.stores.sqlite.leases import Leases
from parvis.stores.sqlite.metering import SqliteMetering
from parvis.stores.sqlite.moment import Moment
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.outbox import ADVANCE, read_events, read_oldest
from parvis.stores.sqlite.past import NotHot, Past, PastChanged, in_no_files, open_pasts
from parvis.stores.sqlite.reader import Reader
from parvis.stores.sqlite.records import SqliteRecords
from parvis.stores.sqlite.search import SqliteSearch
from parvis.stores.sqlite.shelf import SqliteShelf
from parvis.stores.sqlite.sources import SqliteSources
from parvis.stores.sqlite.subscriptions import SqliteSubscriptions
from parvis.stores.sqlite.tail import Tail
from parvis.stores.sqlite.tally import tally
from parvis.stores.sqlite.writer import Writer

Told = TypeVar("Told")
Tell = Callable[[Sequence[Member]], Told]


class SqliteStore:
    """EntityStore, TemporalStore, Outbox, Leases and Tenants. Opened on, and bound to, the running event loop."""

    def __init__(
        self, database: Database, connection: Connection, clock: Clock, read_archived: ReadArchived = no_archive
    ) -> None:
        self._database = database
        self._names = Names(connection)
        self._tail = Tail(connection)
        self._leases = Leases()
        self._checkpointer = Checkpointer(database)
        self._writer = Writer(
            connection, self._names, self._tail, self._checkpointer, clock, self._committed, self._give_back
        )
        self._expiry = self._writer.expiry
        self._reader = Reader(database, self._names, self._writer.run)
        self._bell = Bell(self._writer.newest_event)
        self._read_archived = read_archived
        self.archive = SqliteArchive(database, self._names, self._tail, self._writer, self._reader)
        self.subscriptions = SqliteSubscriptions(self._writer.run, self._reader.read, self._leases)
        self.sources = SqliteSources(self._writer.run, self._reader.read, self._leases)
        self.frames = SqliteFrames(self._writer.run, self._reader.read)
        self.jobs = SqliteJobQueue(self._writer.run, self._reader.read)
        self.shelf = SqliteShelf(self._writer.run, self._reader.read)
        self.commands = SqliteCommands(self._writer.run, self._reader.read)
        self.metering = SqliteMetering(self._reader.read)
        self.records = SqliteRecords(self._writer.run, self.frames)
        self.search = SqliteSearch(self._names, self._writer.run, self._reader.read)

    @classmethod
    async def open(
        cls, path: str | Path, clock: Clock = system_clock, read_archived: ReadArchived = no_archive
    ) -> "SqliteStore":
        """Open or create the store at `path` (":memory:": one that goes with this object).

        Raises:
            StoreNotUsable: no usable database, or one of a newer Parvis.
        """
        database = Database(path)
        store = cls(database, database.connect_writer(), clock, read_archived)
        if DEFAULT_TENANT not in await store.list_tenants():
            await store.add_tenant(DEFAULT_TENANT)
        return store

    @property
    def is_writing(self) -> bool:
        return not self._writer.fault

    @property
    def fault(self) -> str:
        return self._writer.fault

    async def close(self) -> None:
        await self._writer.close()
        self._checkpointer.close()
        self._reader.close()

    def _give_back(self) -> None:
        self._reader.give_back()

    async def count_bytes(self) -> int:
        return self._database.count_bytes()

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
        def ask(applier: Applier, _now: Instant, connection: Connection) -> list[Expiring]:
            applier.expiry.renew(connection)
            return list_expiring(connection, upto, limit)

        return await self._writer.apply(ask)

    async def count_types(self, tenant: str, within: Reach = None) -> dict[Iri, int]:
        return await self._reader.count_types(tenant, within)

    async def tally(self, tenant: str, queries: Sequence[TallyQuery]) -> list[list[Tallied]]:
        number = self._names.tenants.ids.get(tenant)
        if number is None:
            return [[] for _ in queries]
        return await self._reader.read(
            lambda connection: [tally(connection, self._names, number, query) for query in queries]
        )

    async def list_attributes(self, tenant: str, within: Reach = None) -> dict[Iri, set[Iri]]:
        return await self._reader.list_attributes(tenant, within)

    async def list_written(self, tenant: str, local_names: Collection[str]) -> set[Iri]:
        number = self._names.tenants.ids.get(tenant)
        return await self._reader.read_aside(
            lambda connection: list_written(connection, self._names, number, local_names)
        )

    async def history(self, tenant: str, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        def tell(members: Sequence[Member]) -> list[EntityHistory]:
            return [read_history(one, query) for one in members]

        return next(iter(await self._past(tenant, [entity_id], tell, is_quick=True)), None)

    async def list_known(self, tenant: str, query: KnownQuery) -> list[Known]:
        return await self._reader.read(lambda connection: list_known(connection, self._names, tenant, query))

    async def aggregate(
        self, tenant: str, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates | None:
        return next(iter(await self.list_aggregates(tenant, [entity_id], query, aggregation)), None)

    async def list_aggregates(
        self, tenant: str, entity_ids: Sequence[str], query: TemporalQuery, aggregation: Aggregation
    ) -> list[EntityAggregates]:
        return await self._past(
            tenant, entity_ids, lambda members: list_aggregates(members, query, aggregation), is_quick=False
        )

    async def list_last(
        self, tenant: str, wanted: Mapping[str, Sequence[AttributeKey]], start: Instant, end: Instant
    ) -> dict[str, list[Instance]]:
        window = Window(by_recorded=False, start=start, end=end)
        for _ in range(SNAPSHOTS - 1):
            with suppress(ArchiveFileGone):
                return await self._last_of(tenant, wanted, window)
        return await self._last_of(tenant, wanted, window)

    async def _last_of(
        self, tenant: str, wanted: Mapping[str, Sequence[AttributeKey]], window: Window
    ) -> dict[str, list[Instance]]:
        number = self._names.tenants.ids.get(tenant)
        if number is None:
            return {}

        def ask(connection: Connection, read_archived: ReadArchived) -> dict[str, list[Instance]]:
            return Moment(connection, self._names, number, window).list_last(wanted, read_archived)

        with suppress(NotHot):
            return await self._reader.read_aside(lambda connection: ask(connection, in_no_files))
        return await self._reader.read_past(lambda connection: ask(connection, self._read_archived))

    async def erase(self, tenant: str, erasure: Erasure) -> None:
        if erasure.seq is None or erasure.attribute is None:
            await self.archive.erase(tenant, erasure)
            return
        find = partial(self._find_instance, tenant, erasure.entity_id, erasure.attribute, erasure.seq)
        await with_instance(
            erasure.entity_id,
            find,
            lambda found: self.archive.erase(tenant, erasure.of_instance(found.instance), found),
        )

    async def mark(self, tenant: str, erasure: Erasure) -> Mark:
        return await self.archive.mark(tenant, erasure)

    async def condense(self, tenant: str, erasure: Erasure, instances: Sequence[Instance], mark: Mark) -> None:
        await self.archive.condense(tenant, erasure, instances, mark)

    async def correct(self, tenant: str, correction: Correction) -> int:
        find = partial(self._find_instance, tenant, correction.entity_id, correction.given.name, correction.seq)
        return await with_instance(
            correction.entity_id, find, lambda found: self.archive.correct(tenant, correction, found)
        )

    async def _past(self, tenant: str, entity_ids: Sequence[str], tell: Tell[Told], *, is_quick: bool) -> Told:
        for _ in range(SNAPSHOTS - 1):
            with suppress(ArchiveFileGone, PastChanged):
                return await self._tell(tenant, entity_ids, tell, is_quick=is_quick)
        return await self._tell(tenant, entity_ids, tell, is_quick=is_quick)

    async def _find_instance(self, tenant: str, entity_id: str, name: Iri, seq: int) -> Found | None:
        past = await self._find_past(tenant, entity_id)
        if past is None:
            return None
        return await self._reader.read_past(
            lambda connection: past.find_instance(connection, name, seq, self._read_archived)
        )

    async def _find_past(self, tenant: str, entity_id: str) -> Past | None:
        number = await self._reader.find_number(tenant, entity_id)
        if number is None:
            return None
        newest = self._tail.newest
        unsettled = self._tail.find(number)
        return Past(self._names, tenant, number, entity_id, unsettled, newest)

    async def _tell(self, tenant: str, entity_ids: Sequence[str], tell: Tell[Told], *, is_quick: bool) -> Told:
        pasts = [past for one in entity_ids if (past := await self._find_past(tenant, one)) is not None]
        read = self._reader.read if is_quick else self._reader.read_aside
        with suppress(NotHot):
            return await read(lambda connection: tell(open_pasts(connection, pasts, in_no_files)))
        return await self._reader.read_past(lambda connection: tell(open_pasts(connection, pasts, self._read_archived)))

    async def read(
        self,
        after: int,
        limit: int = 1000,
        types: frozenset[Iri] = frozenset(),
        attributes: frozenset[Iri] = frozenset(),
    ) -> list[Event]:
        """None whose entities the readers still hold as they were before: those come with the next call."""

        def ask(connection: Connection) -> list[Event]:
            return read_events(connection, self._names, after, limit, types, attributes)

        events = await self._reader.read(ask)
        known = self._bell.newest
        return events if not events or events[-1].seq <= known else [one for one in events if one.seq <= known]

    async def newest(self) -> int:
        return self._bell.newest

    async def oldest(self) -> int:
        newest = self._bell.newest
        return await self._reader.read(read_oldest) or newest + 1

    async def wait(self, after: int) -> None:
        await self._bell.wait(after)

    async def position(self, consumer: str) -> int:
        def ask(connection: Connection) -> int:
            row = connection.execute("SELECT seq FROM consumer WHERE name = ?", (consumer,)).fetchone()
            return row[0] if row else 0

        return await self._reader.read(ask)

    async def advance(self, positions: Mapping[str, int]) -> None:
        await self._writer.run(lambda connection: connection.executemany(ADVANCE, positions.items()))

    async def retire(self, consumer: str) -> None:
        sql = "DELETE FROM consumer WHERE name = ?"
        await self._writer.run(lambda connection: connection.execute(sql, (consumer,)))

    async def take(self, name: str, holder: str, for_s: float) -> bool:
        return self._leases.take(name, holder, for_s)

    async def give_back(self, name: str, holder: str) -> None:
        self._leases.give_back(name, holder)

    async def add_tenant(self, name: str) -> None:
        await self._writer.run(lambda _connection: self._names.tenants.id(name))

    async def list_tenants(self) -> list[str]:
        return [name for name, _ in self._names.tenants.items()]

    def _committed(self, touched: Touched, newest: int) -> None:
        self._reader.renew(touched)
        self._bell.ring(newest)
