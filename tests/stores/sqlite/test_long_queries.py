"""What takes too long is ended, and its thread is free for others."""

import asyncio

import pytest
from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import Compare, EntityQuery, Operator, OrderTerm, Path
from parvis.kernel.errors import TooComplexQuery
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite import reader
from parvis.stores.sqlite.store import SqliteStore

LEVEL = "https://example.org/level"
IN_ORDER = EntityQuery(order=(OrderTerm(Path(LEVEL)),))
BY_EVALUATOR = EntityQuery(q=Compare(Path(LEVEL, members=("deep",)), Operator.EQUAL, 1), count=True)


@pytest.fixture
async def store() -> SqliteStore:
    store = await SqliteStore.open(":memory:")
    levels = [(Instance(LEVEL, Kind.PROPERTY, {"deep": number}),) for number in range(1_000)]
    changes = [
        Change(f"urn:ngsi-ld:Bin:{number}", Mode.CREATE, one, ("https://example.org/Bin",))
        for number, one in enumerate(levels)
    ]
    await store.write(DEFAULT_TENANT, changes)
    return store


@pytest.mark.parametrize("query", [IN_ORDER, replace(IN_ORDER, collation="und"), BY_EVALUATOR])
async def test_a_query_that_takes_too_long_is_refused_and_the_next_one_answered(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, query: EntityQuery
) -> None:
    monkeypatch.setattr(reader, "QUICK_S", 0.0)
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(reader, "LONGEST_S", 0.0)
            refused = await asyncio.gather(
                *(store.query(DEFAULT_TENANT, query) for _ in range(4)), return_exceptions=True
            )
        assert [type(one) for one in refused] == [TooComplexQuery] * 4
        assert (await store.query(DEFAULT_TENANT, query)).entities
    finally:
        await store.close()
