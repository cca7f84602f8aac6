"""Whatever is written in however many calls, both stores make the same of it."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from parvis.broker.model.change import ALL_DATASETS, Change, Event, Mode, Outcome
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.store import EntityHistory, Store
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import MINUTE, SECOND, Instant
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import NOON

IDS = [f"urn:ngsi-ld:Bin:{number}" for number in range(3)]
NAMES = [f"https://example.org/{name}" for name in ("level", "note", "place")]
DATASETS = ["", "urn:ngsi-ld:Dataset:b"]
TYPES = [("https://example.org/Bin",), ("https://example.org/Bin", "https://example.org/Thing")]
_tenants = count()


class Standing:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Instant:
        return self.now


instances = st.one_of(
    st.builds(
        Instance,
        st.sampled_from(NAMES[:2]),
        st.just(Kind.PROPERTY),
        st.sampled_from([1, 1.0, 2**60, "a", "a\0b", True, {"a": 1}, [1]]),
        st.sampled_from(DATASETS),
        st.sampled_from([None, NOON, NOON + SECOND, NOON + 2 * SECOND, NOON - 400 * 86_400 * SECOND]),
        st.sampled_from(["", "CEL"]),
        st.sampled_from([None, {"https://example.org/by": {"type": "Property", "value": 1}}]),
    ),
    st.builds(
        lambda longitude: Instance(NAMES[2], Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [longitude, 47.7]}),
        st.sampled_from([-3.3, 2.35]),
    ),
)
once_each = st.lists(instances, max_size=3, unique_by=lambda one: one.key).map(tuple)
removals = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*DATASETS, ALL_DATASETS])), max_size=2).map(
    tuple
)
changes = st.one_of(
    st.builds(
        Change,
        st.sampled_from(IDS),
        st.sampled_from(list(Mode)),
        once_each,
        st.sampled_from([None, *TYPES]),
        st.sampled_from([None, (), ("/port",)]),
        removals,
    ),
    st.builds(
        Change,
        st.sampled_from(IDS),
        st.sampled_from([Mode.UPSERT_UPDATE, Mode.APPEND]),
        st.lists(instances, min_size=1, max_size=5).map(tuple),
        st.sampled_from(TYPES),
        keep_newest=st.just(True),
    ),
)


@pytest.fixture
def clock() -> Standing:
    return Standing()


@pytest.fixture
async def store(prepared_postgres_url: str, clock: Standing) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(prepared_postgres_url, clock)
    yield opened
    await opened.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(changes, min_size=1, max_size=6), min_size=1, max_size=4))
async def test_both_stores_make_the_same_of_what_is_written(
    store: PostgresStore, clock: Standing, calls: list[list[Change]]
) -> None:
    tenant = f"town{next(_tenants)}"
    beside = await SqliteStore.open(":memory:", clock)
    try:
        await store.add_tenant(tenant)
        await beside.add_tenant(tenant)
        before = await store.newest()
        for call in calls:
            clock.now += MINUTE
            assert told(await store.write(tenant, call)) == told(await beside.write(tenant, call))
        for name in IDS:
            assert bare(await store.find(tenant, name)) == bare(await beside.find(tenant, name))
            assert await past(store, tenant, name) == await past(beside, tenant, name)
        assert [plain(one) for one in await store.read(before)] == [plain(one) for one in await beside.read(0)]
    finally:
        await beside.close()


def told(outcomes: list[Outcome]) -> list[tuple[object, ...]]:
    return [(one.entity_id, one.status, one.ignored, type(one.error), str(one.error)) for one in outcomes]


def bare(entity: Entity | None) -> object:
    """Without what is only a reader's."""
    return entity and replace(entity, rendered={}, instances=tuple(typed(one) for one in entity.instances))


def typed(one: Instance) -> tuple[Instance, str]:
    """1 and 1.0 are equal in Python, and not in JSON."""
    return replace(one, seq=0), repr(one.value)


def plain(event: Event) -> tuple[object, ...]:
    """An event without the store's numbers, and without types: SQLite tells those of today, PostgreSQL those it had."""
    return (event.at, event.entity_id, event.kind, [typed(one) for one in event.instances], event.removed)


async def past(store: Store, tenant: str, name: str) -> object:
    found: EntityHistory | None = await store.history(tenant, name, TemporalQuery(limit=1000))
    if found is None:
        return None
    kept = {key: [typed(one) for one in instances] for key, instances in found.instances.items()}
    return (found.types, found.scopes, found.created_at, found.modified_at, found.deleted_at, kept)
