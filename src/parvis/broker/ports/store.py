"""What the broker asks of a store. Every call is scoped by a tenant's name; nothing here knows HTTP or JSON-LD."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from parvis.broker.model.change import Change, Event, Outcome
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri
from parvis.broker.query.tree import Aggregation, EntityQuery, Method, TemporalQuery
from parvis.kernel.time import Instant


class EntityPage(msgspec.Struct, frozen=True):
    """`total` is set when the query asked to count."""

    entities: tuple[Entity, ...]
    total: int | None = None


class EntityHistory(msgspec.Struct, frozen=True):
    """An entity's instances over time, each list in the order of the time property.

    `truncated_at` is the instant reached when the limit cut the answer short (HTTP: 206 with Content-Range).
    """

    id: str
    types: tuple[Iri, ...]
    scopes: tuple[str, ...]
    created_at: Instant
    modified_at: Instant
    deleted_at: Instant | None
    instances: dict[AttributeKey, list[Instance]]
    truncated_at: Instant | None = None


class Bucket(msgspec.Struct, frozen=True):
    """One period of an aggregate: start inclusive, end exclusive; None where a method has no number to work on."""

    start: Instant
    end: Instant
    values: dict[Method, float | int | None]


class EntityAggregates(msgspec.Struct, frozen=True):
    id: str
    types: tuple[Iri, ...]
    buckets: dict[AttributeKey, list[Bucket]]


class EntityStore(Protocol):
    async def write(self, tenant: str, changes: Sequence[Change]) -> list[Outcome]:
        """Apply all changes in order, in one durable transaction; an outcome each, in the same order.

        A change that fails leaves the others standing. Returns only once everything is on disk.

        Raises:
            Overloaded: the queue is full; nothing of it was stored.
            NonexistentTenant: no such tenant.
        """
        ...

    async def find(self, tenant: str, entity_id: str) -> Entity | None: ...

    async def query(self, tenant: str, query: EntityQuery) -> EntityPage: ...

    async def count_types(self, tenant: str) -> dict[Iri, int]:
        """Entities by type."""
        ...

    async def list_attributes(self, tenant: str) -> dict[Iri, set[Iri]]:
        """Attribute names in use, by entity type."""
        ...


class TemporalStore(Protocol):
    async def history(self, tenant: str, entity_id: str, query: TemporalQuery) -> EntityHistory | None:
        """None where the entity never was. At most `query.limit` instances per attribute key."""
        ...

    async def aggregate(
        self, tenant: str, entity_id: str, query: TemporalQuery, aggregation: Aggregation
    ) -> EntityAggregates | None: ...


class Outbox(Protocol):
    async def read(self, after: int, limit: int = 1000, types: frozenset[Iri] = frozenset()) -> list[Event]:
        """Committed events of all tenants with a number above `after`, in order.

        With `types`, only those of entities that have one of them: what is passed over costs next to nothing.
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

    async def advance(self, consumer: str, seq: int) -> None:
        """Remember that `consumer` has handled everything up to `seq`; events are kept until all have."""
        ...


class Tenants(Protocol):
    async def add_tenant(self, name: str) -> None: ...

    async def list_tenants(self) -> list[str]: ...


class Store(EntityStore, TemporalStore, Outbox, Tenants, Protocol):
    """One adapter behind all four ports, for they share a transaction."""
