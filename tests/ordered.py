"""Orders of random queries, and a check of what a store makes of them against the evaluator."""

from collections.abc import Sequence

from hypothesis import strategies as st
from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.store import Store
from parvis.broker.query.order import ENTITY_MEMBERS, page_in_order
from parvis.broker.query.tree import EntityQuery, Exists, OrderTerm, Path
from tests.strategies import NAMES, PLACE, paths, points

BIN = "https://example.org/Bin"
_TIMES = ("observedAt", "createdAt", "modifiedAt")
_plain_paths = st.one_of(
    st.sampled_from([*NAMES, *ENTITY_MEMBERS]).map(Path),
    st.builds(Path, st.sampled_from(NAMES), st.sampled_from(_TIMES).map(lambda one: (one,))),
)
_terms = st.one_of(
    st.builds(OrderTerm, _plain_paths, st.booleans()),
    st.builds(OrderTerm, st.just(Path(PLACE)), st.booleans(), points),
    st.builds(OrderTerm, paths(), st.booleans()),
)
orders = st.builds(
    EntityQuery,
    order=st.lists(_terms, min_size=1, max_size=3).map(tuple),
    collation=st.sampled_from([None, None, None, "und"]),
    id_pattern=st.sampled_from([None, None, None, "[0-3]$"]),
    q=st.sampled_from([None, None, Exists(Path(NAMES[0]))]),
    offset=st.sampled_from([0, 0, 1]),
    limit=st.integers(1, 3),
)


def odd_ones(name: str) -> list[Instance]:
    """Values that databases keep in ways of their own."""
    values = ["\0", "\1", "a\0", "", 2**53 + 1, 2**70, -(2**70), 10**400, -(10**400), 1e300, True, None, {}, [], ["a"]]
    return [Instance(name, Kind.PROPERTY, value) for value in values]


async def check_order(store: Store, tenant: str, held: Sequence[Entity], queries: Sequence[EntityQuery]) -> None:
    """Each query's first page and those that follow it are what the evaluator finds in what is stored."""
    changes = [
        Change(f"urn:ngsi-ld:Bin:{number}", Mode.CREATE, one.instances, one.types or (BIN,), one.scopes)
        for number, one in enumerate(held)
    ]
    await store.write(tenant, changes)
    stored = [found for one in changes if (found := await store.find(tenant, one.entity_id)) is not None]
    for query in queries:
        fitting = (await store.query(tenant, replace(query, order=(), collation=None, offset=0, limit=100))).entities
        await _check_pages(store, tenant, [(at, one) for at, one in enumerate(stored, 1) if one in fitting], query)


async def _check_pages(store: Store, tenant: str, fitting: list[tuple[int, Entity]], query: EntityQuery) -> None:
    whole = page_in_order(fitting, replace(query, limit=100)).entities
    page = await store.query(tenant, replace(query, count=True))
    assert page.total == len(fitting), query
    told = list(page.entities)
    while page.resume is not None:
        onwards = replace(query, offset=0, after=page.resume, after_key=page.resume_key)
        page = await store.query(tenant, onwards)
        told += page.entities
        assert len(told) <= len(whole), query
    assert [one.id for one in told] == [one.id for one in whole], query
