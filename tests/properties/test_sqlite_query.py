"""SQL and the evaluator give the same answer to the same query."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity
from parvis.broker.query.evaluate import matches
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite.store import SqliteStore
from tests.ordered import check_order, orders
from tests.strategies import conditions_about, entities, entity_queries

NOW = 1_767_229_200_000_000  # one of the instants that the conditions of the strategies ask for


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(entities(), min_size=1, max_size=4), st.lists(entity_queries, max_size=3))
async def test_sqlite_finds_what_the_evaluator_finds(
    data: st.DataObject, held: list[Entity], queries: list[EntityQuery]
) -> None:
    near = data.draw(st.lists(conditions_about(held), min_size=1, max_size=8))
    store = await SqliteStore.open(":memory:", clock=lambda: NOW)
    try:
        ids = [f"urn:ngsi-ld:Bin:{number}" for number in range(len(held))]
        named = zip(ids, held, strict=True)
        changes = [Change(name, Mode.CREATE, one.instances, one.types, one.scopes) for name, one in named]
        await store.write(DEFAULT_TENANT, changes)
        stored = [found for name in ids if (found := await store.find(DEFAULT_TENANT, name)) is not None]
        for query in (*queries, *(EntityQuery(q=condition) for condition in near)):
            page = await store.query(DEFAULT_TENANT, msgspec.structs.replace(query, limit=100))
            assert [one.id for one in page.entities] == [one.id for one in stored if matches(one, query)]
    finally:
        await store.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(entities(), min_size=1, max_size=6), st.lists(orders, min_size=1, max_size=4))
async def test_sqlite_orders_as_the_evaluator_does(held: list[Entity], queries: list[EntityQuery]) -> None:
    store = await SqliteStore.open(":memory:", clock=lambda: NOW)
    try:
        await check_order(store, DEFAULT_TENANT, held, queries)
    finally:
        await store.close()
