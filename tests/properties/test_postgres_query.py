"""SQL of PostgreSQL, with what is decided on the rows it leaves, and the evaluator give the same answer."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.model.geometry import bounds
from parvis.broker.query.evaluate import matches
from parvis.broker.query.tree import Compare, EntityQuery, OneOf, Operator, Path, ScopeQuery
from parvis.stores.postgres.cells import MAX_RANGES, cover
from parvis.stores.postgres.database import Connection, Database
from parvis.stores.postgres.store import PostgresStore
from tests.ordered import check_order, orders
from tests.strategies import NAMES, conditions_about, entities, entity_queries, geometries

NOW = 1_767_229_200_000_000  # one of the instants that the conditions of the strategies ask for
TOWN_NUMBERS = count()
OPERATORS = [one for one in Operator if one not in (Operator.MATCH, Operator.NOT_MATCH)]
odd_texts = st.text(alphabet='a\0\1\2\x7f\\"é\U0001f4a7', max_size=3)
_GREAT = [2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2.0**53, 2**70, -(2**70), 1e300]
odd_numbers = st.sampled_from([*_GREAT, -0.0, 5e-324])
odd_values = st.one_of(odd_texts, odd_numbers, st.lists(st.one_of(odd_texts, odd_numbers), max_size=2))


@pytest.fixture
async def store(prepared_postgres_url: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(prepared_postgres_url, clock=lambda: NOW)
    yield opened
    await opened.close()


@pytest.fixture
def connection(prepared_postgres_url: str) -> Iterator[Connection]:
    with Database(prepared_postgres_url).connect() as opened:
        yield opened


async def town_of(store: PostgresStore, held: list[Entity]) -> tuple[str, list[Entity]]:
    """A tenant of its own that holds the entities, and how they are stored."""
    tenant = f"town-{next(TOWN_NUMBERS)}"
    await store.add_tenant(tenant)
    ids = [f"urn:ngsi-ld:Bin:{number}" for number in range(len(held))]
    named = zip(ids, held, strict=True)
    changes = [Change(name, Mode.CREATE, one.instances, one.types, one.scopes) for name, one in named]
    await store.write(tenant, changes)
    return tenant, [found for name in ids if (found := await store.find(tenant, name)) is not None]


async def check(store: PostgresStore, tenant: str, stored: list[Entity], query: EntityQuery) -> None:
    expected = [one.id for one in stored if matches(one, query)]
    page = await store.query(tenant, msgspec.structs.replace(query, limit=100, count=True))
    assert ([one.id for one in page.entities], page.total) == (expected, len(expected)), query
    second = await store.query(tenant, msgspec.structs.replace(query, limit=1, offset=1))
    assert [one.id for one in second.entities] == expected[1:2]
    assert (second.resume is not None) == (len(expected) > 2)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), held=st.lists(entities(), min_size=1, max_size=4), queries=st.lists(entity_queries, max_size=3))
async def test_postgresql_finds_what_the_evaluator_finds(
    store: PostgresStore, data: st.DataObject, held: list[Entity], queries: list[EntityQuery]
) -> None:
    near = data.draw(st.lists(conditions_about(held), min_size=1, max_size=8))
    tenant, stored = await town_of(store, held)
    for query in (*queries, *(EntityQuery(q=condition) for condition in near)):
        await check(store, tenant, stored, query)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.lists(entities(), min_size=1, max_size=6), queries=st.lists(orders, min_size=1, max_size=4))
async def test_postgresql_orders_as_the_evaluator_does(
    store: PostgresStore, held: list[Entity], queries: list[EntityQuery]
) -> None:
    tenant = f"town-{next(TOWN_NUMBERS)}"
    await store.add_tenant(tenant)
    await check_order(store, tenant, held, queries)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(odd_values, min_size=1, max_size=5),
    asked=st.lists(st.tuples(st.sampled_from(OPERATORS), st.one_of(odd_texts, odd_numbers)), min_size=1, max_size=6),
)
async def test_odd_texts_and_great_numbers_compare_as_in_python(
    store: PostgresStore, values: list[object], asked: list[tuple[Operator, float | str]]
) -> None:
    held = [Entity("", ("https://example.org/Bin",), (Instance(NAMES[0], Kind.PROPERTY, value),)) for value in values]
    tenant, stored = await town_of(store, held)
    assert [one.instances[0].value for one in stored] == values
    for operator, operand in asked:
        await check(store, tenant, stored, EntityQuery(q=Compare(Path(NAMES[0]), operator, operand)))
    one_of = OneOf(tuple(operand for _, operand in asked))
    await check(store, tenant, stored, EntityQuery(q=Compare(Path(NAMES[0]), Operator.UNEQUAL, one_of)))


_levels = st.lists(st.sampled_from(["a", "b.c", "é", "$(x)", "d\\w", "+x"]), min_size=1, max_size=3)
_patterns = st.lists(st.sampled_from(["a", "b.c", "é", "$(x)", "d\\w", "+"]), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.lists(st.lists(_levels, max_size=2), min_size=1, max_size=4),
    asked=st.lists(st.lists(st.tuples(_patterns, st.booleans()), min_size=1, max_size=2), min_size=1, max_size=2),
    id_pattern=st.sampled_from([None, "^urn:", "^urn:ngsi-ld:Bin:[01]", "1$", "^urnx*", "^x|:2"]),
)
async def test_scopes_and_patterns_select_as_in_python(
    store: PostgresStore,
    held: list[list[list[str]]],
    asked: list[list[tuple[list[str], bool]]],
    id_pattern: str | None,
) -> None:
    scopes = [tuple(dict.fromkeys("/" + "/".join(levels) for levels in one)) for one in held]
    tenant, stored = await town_of(store, [Entity("", (NAMES[0],), (), one) for one in scopes])
    every = tuple(tuple("/" + "/".join([*levels, *["#"] * below]) for levels, below in one) for one in asked)
    await check(store, tenant, stored, EntityQuery(scope=ScopeQuery(every), id_pattern=id_pattern))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=geometries, asked=geometries, reach=st.sampled_from([0, 0.01, 3]))
def test_what_touches_a_box_is_among_its_cells(
    connection: Connection, held: dict[str, Any], asked: dict[str, Any], reach: float
) -> None:
    west, south, east, north = bounds(held)
    box = bounds(asked)
    wide = (box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach)
    row = connection.execute("SELECT parvis_cell(%s::box)", (f"({east},{north}),({west},{south})",)).fetchone()
    assert row is not None
    ranges, cells = cover(wide)
    touches = west <= wide[2] and east >= wide[0] and south <= wide[3] and north >= wide[1]
    assert not touches or row[0] in cells or any(low <= row[0] <= high for low, high in ranges)
    assert len(ranges) <= MAX_RANGES + 3
