"""With 200 000 entities no hot question reads a table from end to end, on either store.

SQLite is asked as the product runs it, without statistics; PostgreSQL with those that its autovacuum would have made.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from parvis.broker.ports.store import Store
from parvis.broker.query.tree import (
    Aggregation,
    And,
    Compare,
    EntityQuery,
    GeoQuery,
    GeoRelation,
    Method,
    Operator,
    Range,
    TemporalQuery,
    TimeRelation,
    TypeIs,
)
from parvis.broker.query.tree import Path as Way
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import DAY, parse_duration
from tests.stores import plans
from tests.stores.plans import ENTITIES, EVENTS, LEVEL, PLACE, START, STATE, TYPES, Observed

pytestmark = pytest.mark.slow

KIND = TypeIs(TYPES[3])
BIG_TABLES = {"entity", "attribute", "history", "log", "outbox", "geometry", "e", "a", "h", "o", "g"}
HARBOUR = {"type": "Point", "coordinates": [-3.5, 47.5]}


@pytest.fixture(scope="module")
def territory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "parvis.db"
    plans.fill_sqlite(path)
    return path


@pytest.fixture(scope="module")
def cluster(postgresql: str) -> Iterator[str]:
    with psycopg.connect(postgresql, autocommit=True) as superuser:
        superuser.execute("DROP ROLE IF EXISTS planner")
        superuser.execute("CREATE ROLE planner LOGIN")
        superuser.execute("CREATE DATABASE plans OWNER planner")
        url = postgresql.replace("parvis@", "planner@").removesuffix("postgres") + "plans"
        plans.fill_postgres(url)
        plans.let_sessions_explain(superuser, "plans")
        yield url
        superuser.execute("DROP DATABASE plans WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
async def observed(request: pytest.FixtureRequest) -> AsyncIterator[Observed]:
    if request.param == "sqlite":
        opened = plans.observed_sqlite(request.getfixturevalue("territory"))
    else:
        opened = plans.observed_postgres(request.getfixturevalue("cluster"))
    async with opened as store:
        yield store


def asks_an_index_on_values(seen: plans.Seen) -> bool:
    return any(name.startswith(("attribute_value_", "attribute_number_")) for name in seen.indexes)


async def page(store: Store, **query: object) -> list[str]:
    found = await store.query(DEFAULT_TENANT, EntityQuery(**query))  # type: ignore[arg-type]
    return [one.id for one in found.entities]


async def test_an_entity_is_found_by_its_id(observed: Observed) -> None:
    found, seen = await observed.watch(lambda store: store.find(DEFAULT_TENANT, "urn:ngsi-ld:Thing:77"))

    assert found is not None
    assert not seen.scans & BIG_TABLES
    assert seen.work < 50


async def test_several_are_found_by_their_ids(observed: Observed) -> None:
    ids = tuple(f"urn:ngsi-ld:Thing:{number}" for number in range(1, ENTITIES, 10_000))

    found, seen = await observed.watch(lambda store: page(store, ids=ids))

    assert len(found) == 20
    assert not seen.scans & BIG_TABLES
    assert seen.indexes & {"sqlite_autoindex_entity_1", "entity_tenant_urn_key"}


async def test_a_page_of_a_type_is_read_in_order(observed: Observed) -> None:
    found, seen = await observed.watch(lambda store: page(store, types=KIND))

    assert len(found) == 20
    assert "entity_by_type" in seen.indexes
    assert not seen.scans & BIG_TABLES


async def test_a_page_far_along_costs_what_the_first_does(observed: Observed) -> None:
    _, first = await observed.watch(lambda store: page(store, types=KIND, limit=100))
    found, deep = await observed.watch(lambda store: page(store, types=KIND, limit=100, after=ENTITIES - 5_000))

    assert len(found) == 100
    assert deep.work <= 1.3 * first.work + 20
    assert "entity_by_type" in deep.indexes
    assert not deep.scans & BIG_TABLES


async def test_a_page_by_a_value_walks_in_order_until_it_is_full(observed: Observed) -> None:
    even = Compare(Way(STATE), Operator.EQUAL, "even")

    found, seen = await observed.watch(lambda store: page(store, types=KIND, q=even))

    assert len(found) == 20
    assert not seen.scans & BIG_TABLES
    assert seen.work < 1_000


async def test_a_page_by_a_pattern_walks_in_order_until_it_is_full(observed: Observed) -> None:
    even = Compare(Way(STATE), Operator.MATCH, "^ev.n$")

    found, seen = await observed.watch(lambda store: page(store, types=KIND, q=even, after=ENTITIES // 2))

    assert len(found) == 20
    assert not seen.scans & BIG_TABLES
    assert seen.work < 10_000


async def test_few_by_a_number_are_found_by_an_index_once_somebody_has_waited_for_them(observed: Observed) -> None:
    few = And((Compare(Way(LEVEL), Operator.EQUAL, Range(500.0, 500.2)), Compare(Way(STATE), Operator.EQUAL, "even")))
    expected, _ = await observed.watch(lambda store: page(store, types=KIND, q=few))

    async def by_index() -> tuple[list[str], plans.Seen]:
        for _ in range(100):
            found, seen = await observed.watch(lambda store: page(store, types=KIND, q=few))
            if asks_an_index_on_values(seen):
                return found, seen
            await asyncio.sleep(0.1)
        raise AssertionError(f"no index: {seen}")

    found, seen = await by_index()
    assert found == expected
    assert len(found) > 0
    assert not seen.scans & BIG_TABLES
    assert seen.work < 2_000

    many = Compare(Way(LEVEL), Operator.GREATER, 500.0)
    _, first = await observed.watch(lambda store: page(store, types=KIND, q=many))
    _, later = await observed.watch(lambda store: page(store, types=KIND, q=many))
    assert asks_an_index_on_values(first)
    assert not asks_an_index_on_values(later)
    assert later.work < 400


async def test_what_is_near_is_found_on_the_map(observed: Observed) -> None:
    near = GeoQuery(GeoRelation.NEAR, HARBOUR, PLACE, max_distance_m=1_000)

    found, seen = await observed.watch(lambda store: page(store, geo=near, limit=1000))

    assert 40 < len(found) < 200
    assert seen.indexes & {"p", "attribute_place"}
    assert not seen.scans & BIG_TABLES
    assert seen.work < 20_000


async def test_a_type_is_counted_in_its_index(observed: Observed) -> None:
    asked = EntityQuery(types=KIND, limit=0, count=True)

    found, seen = await observed.watch(lambda store: store.query(DEFAULT_TENANT, asked))

    assert found.total == ENTITIES / len(TYPES)
    assert "entity_by_type" in seen.indexes
    assert not seen.scans & {"attribute", "a"}


@pytest.mark.parametrize(
    "asked",
    [
        TemporalQuery(TimeRelation.BETWEEN, START + 100 * DAY, START + 110 * DAY),
        TemporalQuery(last_n=10),
        TemporalQuery(limit=10),
    ],
    ids=["a window", "the last ones", "the first ones"],
)
async def test_history_is_read_where_it_stands(observed: Observed, asked: TemporalQuery) -> None:
    told, seen = await observed.watch(lambda store: store.history(DEFAULT_TENANT, "urn:ngsi-ld:Thing:42", asked))

    [instances] = told.instances.values()
    assert len(instances) in (10, 40)
    assert not {one for one in seen.scans if one.startswith(("history", "h", "log"))}
    assert seen.work < 1_000


async def test_a_moment_of_many_is_read_where_each_stands(observed: Observed) -> None:
    things = [f"urn:ngsi-ld:Thing:{number}" for number in range(1, 51)]
    wanted = {one: [(LEVEL, ""), (STATE, "")] for one in things}
    start = START + 100 * DAY

    told, seen = await observed.watch(lambda store: store.list_last(DEFAULT_TENANT, wanted, start, start + 7 * DAY))

    assert set(told) == set(things)
    assert not {one for one in seen.scans if one.startswith(("history", "h", "entity", "e"))}


async def test_an_aggregate_reads_its_window_only(observed: Observed) -> None:
    window = TemporalQuery(TimeRelation.BETWEEN, START + 100 * DAY, START + 130 * DAY)
    daily = Aggregation((Method.AVG, Method.MAX, Method.STDDEV), parse_duration("P1D"))
    hourly = "urn:ngsi-ld:Thing:42"

    told, seen = await observed.watch(lambda store: store.aggregate(DEFAULT_TENANT, hourly, window, daily))

    [buckets] = told.buckets.values()
    assert len(buckets) == 30
    assert not {one for one in seen.scans if one.startswith(("history", "h", "log"))}
    assert seen.work < 3_000


async def test_events_are_read_from_where_a_reader_stands(observed: Observed) -> None:
    told, seen = await observed.watch(lambda store: store.read(EVENTS - 1_000, limit=50))

    assert [one.seq for one in told] == list(range(EVENTS - 999, EVENTS - 949))
    assert not seen.scans & BIG_TABLES
    assert seen.work < 1_000


async def test_a_consumer_is_found_at_once(observed: Observed) -> None:
    position, seen = await observed.watch(lambda store: store.position("rules"))

    assert position == 0
    assert not seen.scans & BIG_TABLES
