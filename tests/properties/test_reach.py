"""However far rights go: both stores tell, count, find and change what the evaluator says, and nothing else."""

from collections.abc import AsyncIterator
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.search import WordQuery
from parvis.broker.ports.store import Store
from parvis.broker.query.evaluate import matches
from parvis.broker.query.tally import TallyQuery
from parvis.broker.query.tree import AnyType, EntityQuery, KnownQuery, Order, OrderTerm, Path, TypeIs
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.reach import Area, Reach, both, either, local_name, reaches
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore
from tests.strategies import NAMES, TYPES, entities, entity_queries

NOW = 1_767_229_200_000_000
TOWN_NUMBERS = count()
NAME, OWNER = "https://example.org/name", "https://example.org/owner"
HALL = "urn:ngsi-ld:Hall:1"
LOCAL = [local_name(one) for one in TYPES]

areas = st.builds(
    Area,
    st.frozensets(st.sampled_from([*TYPES, "https://example.org/Unheard"]), max_size=2),
    st.lists(st.sampled_from(["/a", "/a/b", "/c", "/a/bb", "/un%_heard"]), max_size=2, unique=True).map(tuple),
    st.frozensets(st.sampled_from(LOCAL), max_size=1),
)
reached = st.one_of(st.none(), st.lists(areas, max_size=3).map(tuple))
places = st.tuples(
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(["/a", "/a/b", "/c"]), max_size=2, unique=True).map(tuple),
)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        opened: Store = await SqliteStore.open(":memory:", clock=lambda: NOW)
    else:
        url = request.getfixturevalue("prepared_postgres_url")
        opened = await PostgresStore.open(url, clock=lambda: NOW)
    yield opened
    await opened.close()


async def town_of(store: Store, held: list[Entity]) -> tuple[str, list[Entity]]:
    """A tenant of its own; everything in it has the name by which it is searched, and belongs to the hall."""
    tenant = f"reach-{next(TOWN_NUMBERS)}"
    await store.add_tenant(tenant)
    further = (Instance(NAME, Kind.PROPERTY, "lantern"), Instance(OWNER, Kind.RELATIONSHIP, HALL))
    changes = [
        Change(f"urn:ngsi-ld:Bin:{n}", Mode.CREATE, (*one.instances, *further), one.types, one.scopes)
        for n, one in enumerate(held)
    ]
    await store.write(tenant, changes)
    while await store.search.work(100):
        pass
    found = [await store.find(tenant, one.entity_id) for one in changes]
    return tenant, [one for one in found if one is not None]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.lists(entities(), min_size=1, max_size=5),
    within=reached,
    queries=st.lists(entity_queries, max_size=3),
)
async def test_every_question_goes_as_far_as_the_reach(
    store: Store, held: list[Entity], within: Reach, queries: list[EntityQuery]
) -> None:
    tenant, stored = await town_of(store, held)
    seen = [one for one in stored if reaches(within, one.types, one.scopes)]
    ids = [one.id for one in seen]

    for query in (EntityQuery(), EntityQuery(order=(OrderTerm(Path(NAMES[0])),)), *queries):
        asked = msgspec.structs.replace(query, within=within, limit=100, count=True)
        page = await store.query(tenant, asked)
        assert sorted(one.id for one in page.entities) == [one.id for one in stored if matches(one, asked)]
        assert page.total == len(page.entities)

    for order in Order:
        known = await store.list_known(tenant, KnownQuery(order=order, within=within))
        assert sorted(one.id for one in known) == ids
    words = await store.search.find(tenant, WordQuery(("lantern",), within=within))
    assert sorted(words.ids) == ids
    assert sorted(await store.search.list_referring(tenant, HALL, 100, within)) == ids

    counts = {iri: sum(iri in one.types for one in seen) for iri in TYPES}
    assert await store.count_types(tenant, within) == {iri: number for iri, number in counts.items() if number}
    names = await store.list_attributes(tenant, within)
    assert names == {
        iri: {one.name for entity in seen if iri in entity.types for one in entity.instances} for iri in names
    }
    assert names.keys() == {iri for one in seen for iri in one.types}
    any_type = AnyType(tuple(TypeIs(iri) for iri in TYPES))
    [tallied] = await store.tally(tenant, [TallyQuery(any_type, NAME, within=within)])
    assert sum(one.entities for one in tallied) == len(seen)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.lists(entities(), min_size=1, max_size=3), within=reached)
async def test_what_is_gone_is_told_as_far_as_the_reach(store: Store, held: list[Entity], within: Reach) -> None:
    tenant, stored = await town_of(store, held)
    await store.write(tenant, [Change(one.id, Mode.DELETE) for one in stored])
    gone = await store.list_known(tenant, KnownQuery(gone_since=NOW - 1, within=within))
    assert [one.id for one in gone] == [one.id for one in stored if reaches(within, one.types, one.scopes)]


MODES = (Mode.UPSERT_UPDATE, Mode.UPSERT_REPLACE, Mode.APPEND, Mode.MERGE, Mode.REPLACE, Mode.DELETE, Mode.CREATE)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.one_of(st.none(), places),
    asked=places,
    names_types=st.booleans(),
    names_scopes=st.booleans(),
    mode=st.sampled_from(MODES),
    within=reached,
)
async def test_nothing_is_written_beyond_the_reach(
    store: Store,
    before: tuple[tuple[str, ...], tuple[str, ...]] | None,
    asked: tuple[tuple[str, ...], tuple[str, ...]],
    names_types: bool,
    names_scopes: bool,
    mode: Mode,
    within: Reach,
) -> None:
    """What becomes of a change that nothing bounds is the oracle: bounded, it is made where both ends lie inside."""
    outcomes = []
    for bounds in (None, Bounds(Caller("", "user:lamplighter", OPERATOR, writes=within), within, None)):
        tenant = f"reach-{next(TOWN_NUMBERS)}"
        await store.add_tenant(tenant)
        if before is not None:
            await store.write(tenant, [Change(HALL, Mode.CREATE, (), *before)])
        change = Change(
            HALL,
            mode,
            () if mode is Mode.DELETE else (Instance(NAME, Kind.PROPERTY, "new"),),
            asked[0] if names_types or before is None or mode in (Mode.CREATE, Mode.UPSERT_REPLACE) else None,
            asked[1] if names_scopes else None,
        )
        held = await store.find(tenant, HALL)
        [outcome] = await store.write(tenant, [change], bounds=bounds)
        outcomes.append((outcome, held, await store.find(tenant, HALL)))
    (free, held, becomes), (bound, _, left) = outcomes
    inside = all(reaches(within, one.types, one.scopes) for one in (held, becomes) if one is not None)
    if free.status is Status.FAILED or inside:
        assert (bound.status, shape(left)) == (free.status, shape(becomes))
    else:
        assert isinstance(bound.error, Forbidden)
        assert shape(left) == shape(held)


def shape(entity: Entity | None) -> object:
    return (
        None if entity is None else (entity.types, entity.scopes, [(one.name, one.value) for one in entity.instances])
    )


@given(reached, reached, places)
def test_two_reaches_together_and_either_of_them(
    one: Reach, other: Reach, place: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """Both of them never go further than each; for what has one type and one scope they go exactly as far."""
    each = [reaches(reach, *place) for reach in (one, other)]
    assert reaches(both(one, other), *place) <= all(each)
    assert reaches(either(one, other), *place) == any(each)
    single = (place[0][:1], place[1][:1])
    assert reaches(both(one, other), *single) == all(reaches(reach, *single) for reach in (one, other))
