"""What the broker asks of a store. Every call is scoped by a tenant's name; nothing here knows HTTP or JSON-LD."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Event, Outcome
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri, Kind
from parvis.broker.ports.leases import Leases
from parvis.broker.ports.metering import Metering
from parvis.broker.ports.records import RecordStore
from parvis.broker.ports.search import SearchIndex
from parvis.broker.ports.sources import SourceStore
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.query.tally import Tallied, TallyQuery
from parvis.broker.query.tree import Aggregation, EntityQuery, KnownQuery, TemporalQuery
from parvis.broker.temporal.buckets import Buckets
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.jobs import JobQueue
from parvis.kernel.reach import Reach
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Instant

if TYPE_CHECKING:
    from parvis.broker.ports.archive import HotArchive
    from parvis.broker.temporal.mark import Mark


class EntityPage(msgspec.Struct, frozen=True):
    """`total` is set when the query asked to count. `resume` is what a query continues `after`; None at the end.

    Where the query has an order `resume_key` goes with it.
    """

    entities: tuple[Entity, ...]
    total: int | None = None
    resume: int | None = None
    resume_key: tuple[tuple[int, Any], ...] | None = None


class Known(NamedTuple):
    """An entity that is, or once was. `number` is the store's, in the order of first creation."""

    number: int
    id: str


class Expiring(NamedTuple):
    """An entity that is over, or has an attribute that is: then it is not `whole`."""

    tenant: str
    entity_id: str
    whole: bool


class EntityHistory(msgspec.Struct, frozen=True):
    """An entity's instances over time, each list in the order of the time property.

    `truncated_at` is the instant reached when the limit cut the answer short (HTTP: 206 with Content-Range); all
    attributes are cut there, so that nothing up to it is missing. `scoped` are its scopes over time (4.5.6), told as
    instances of `SCOPE`, from the one that held when the window begins. `emptied` are attributes of which the cut has
    left nothing.
    """

    id: str
    types: tuple[Iri, ...]
    scopes: tuple[str, ...]
    created_at: Instant
    modified_at: Instant
    deleted_at: Instant | None
    instances: dict[AttributeKey, list[Instance]]
    truncated_at: Instant | None = None
    scoped: tuple[Instance, ...] = ()
    emptied: dict[AttributeKey, Kind] = {}


class EntityAggregates(msgspec.Struct, frozen=True):
    id: str
    types: tuple[Iri, ...]
    buckets: dict[AttributeKey, Buckets]
    scopes: tuple[str, ...] = ()


class Progress(msgspec.Struct, frozen=True):
    """A durable consumer of the outbox has handled everything up to `after`, and had up to `before`."""

    consumer: str
    before: int
    after: int


class StoreNotUsable(ParvisError):
    """It was written by a newer Parvis, is damaged, is none, or may not be written."""

    title = "The store cannot be used"


class Outrun(ParvisError):
    """Another process has handled these events: nothing was stored."""

    type_uri = PARVIS_ERRORS + "outrun"
    title = "The consumer has moved on"
    status = 409


class EntityStore(Protocol):
    async def write(
        self,
        tenant: str,
        changes: Sequence[Change],
        progress: Progress | None = None,
        bounds: Bounds | None = None,
    ) -> list[Outcome]:
        """Apply all changes in order, in one durable transaction; an outcome each, in the same order.

        A change that fails leaves the others standing. Returns only once everything is on disk. With `progress` the
        consumer moves in the same transaction, so that what a reaction writes is written exactly once. A change beyond
        `bounds` fails.

        Raises:
            Overloaded: the queue is full; nothing of it was stored.
            NonexistentTenant: no such tenant.
            Outrun: the consumer of `progress` is not at `before`.
        """
        ...

    async def find(self, tenant: str, entity_id: str) -> Entity | None: ...

    async def query(self, tenant: str, query: EntityQuery) -> EntityPage: ...

    @property
    def next_expiry(self) -> Instant | None:
        """Before this nothing is over, of what this process wrote or has read of (4.22); None: nothing ever is."""
        ...

    async def list_expiring(self, upto: Instant, limit: int) -> list[Expiring]:
        """Of all tenants, the first first. `next_expiry` is read anew."""
        ...

    async def count_types(self, tenant: str, within: Reach = None) -> dict[Iri, int]:
        """Entities by type, as far as the reach goes."""
        ...

    async def tally(self, tenant: str, queries: Sequence[TallyQuery]) -> list[list[Tallied]]:
        """What each query finds, by place and grade; all in one snapshot."""
        ...

    async def list_attributes(self, tenant: str, within: Reach = None) -> dict[Iri, set[Iri]]:
        """Attribute names in use, by entity type, as far as the reach goes."""
        ...


class TemporalStore(Protocol):
    async def list_written(self, tenant: str, local_names: Collection[str]) -> set[Iri]:
        """The IRIs that end in one of these names, of types and attributes that are, or ever were: what no entity has
        any more is among them, in files too. There may be some that no entity of the tenant had."""
        ...

    async def history(self, tenant: str, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        """None where the entity never was. At most `query.limit` instances per attribute key."""
        ...

    async def list_known(self, tenant: str, query: KnownQuery) -> list[Known]:
        """Entities that are or once were, those included whose past was erased."""
        ...

    async def aggregate(
        self, tenant: str, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates | None: ...

    async def list_aggregates(
        self, tenant: str, entity_ids: Sequence[str], query: TemporalQuery, aggregation: Aggregation
    ) -> list[EntityAggregates]:
        """Of those that were ever there, in the order given, all in one snapshot."""
        ...

    async def list_last(
        self, tenant: str, wanted: Mapping[str, Sequence[AttributeKey]], start: Instant, end: Instant
    ) -> dict[str, list[Instance]]:
        """Of each entity (by id) the last instance that each series wanted of it has in start <= t < end, where it was
        not taken away there; all in one snapshot. What has none is left out."""
        ...

    async def erase(self, tenant: str, erasure: Erasure) -> None:
        """From now on nobody reads what it covers of the instances written until now. The present stays.

        Raises:
            ResourceNotFound: no such entity, or nothing of it to forget.
        """
        ...

    async def mark(self, tenant: str, erasure: Erasure) -> "Mark":
        """Taken before what `erasure` is of is read, so that `condense` sees what has changed since."""
        ...

    async def condense(self, tenant: str, erasure: Erasure, instances: Sequence[Instance], mark: "Mark") -> None:
        """Erase, and write `instances` of the same entity into its past instead, in one transaction.

        The present stays, and no event tells of it. Where anything was written, erased or moved in it since the mark,
        nothing is done. Raises FoundOutdated then, and ResourceNotFound as `erase` does.
        """
        ...

    async def correct(self, tenant: str, correction: Correction) -> int:
        """Forget the instance and write its corrected form, in one transaction; the number that this has.

        It stands at the same time, unless it was observed at another. The present follows, with an event, where it
        shows that very instance.

        Raises:
            ResourceNotFound: there is no such instance.
            BadRequestData: what is given does not fit it.
        """
        ...


class Outbox(Protocol):
    async def read(
        self,
        after: int,
        limit: int = 1000,
        types: frozenset[Iri] = frozenset(),
        attributes: frozenset[Iri] = frozenset(),
    ) -> list[Event]:
        """Committed events of all tenants with a number above `after`, in order.

        With `types`, only those of entities that have one of them; with `attributes`, only those that wrote or took
        away one of these, or the entity: what is passed over costs next to nothing.
        """
        ...

    async def newest(self) -> int:
        """The number of the newest committed event, 0 before the first."""
        ...

    async def oldest(self) -> int:
        """The number of the oldest event that can still be read, newest + 1 where there is none.

        Whoever stands before `oldest - 1` has missed events.
        """
        ...

    async def wait(self, after: int) -> None:
        """Return once an event above `after` is committed."""
        ...

    async def position(self, consumer: str) -> int:
        """How far a durable consumer has come."""
        ...

    async def advance(self, positions: Mapping[str, int]) -> None:
        """Remember that each consumer has handled everything up to its number; events are kept until all have."""
        ...

    async def retire(self, consumer: str) -> None:
        """No event is kept for this consumer any more."""
        ...


class Tenants(Protocol):
    async def add_tenant(self, name: str) -> None: ...

    async def list_tenants(self) -> list[str]: ...


class Store(EntityStore, TemporalStore, Outbox, Leases, Tenants, Protocol):
    """One adapter behind these ports, for they share a transaction."""

    @property
    def subscriptions(self) -> SubscriptionStore: ...

    @property
    def sources(self) -> SourceStore: ...

    @property
    def jobs(self) -> JobQueue: ...

    @property
    def shelf(self) -> Shelf: ...

    @property
    def records(self) -> RecordStore: ...

    @property
    def search(self) -> SearchIndex: ...

    @property
    def metering(self) -> Metering: ...

    @property
    def archive(self) -> "HotArchive": ...

    @property
    def is_writing(self) -> bool:
        """False while nothing can be written: the disk is full, the database is away.

        What is written meanwhile is refused (Overloaded) and the store tries again by itself. It turns True without a
        hand once writing works, also where nobody writes.
        """
        ...

    @property
    def fault(self) -> str:
        """Why nothing can be written, for people; empty while `is_writing`."""
        ...

    @property
    def pending_changes(self) -> int:
        """Changes that wait for their commit."""
        ...

    async def count_bytes(self) -> int:
        """What it takes on its disk."""
        ...

    @property
    def newest_event(self) -> int:
        """The newest event this process knows of."""
        ...

    async def close(self) -> None:
        """Write what is queued, then stop."""
        ...
