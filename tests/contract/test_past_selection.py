"""Which entities the past is about, and what it tells of deletions and scopes: on every store, hot and archived."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.model.merge import NULL
from parvis.broker.model.scopes import scopes_set
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import (
    Aggregation,
    AnyType,
    Compare,
    EntityQuery,
    Exists,
    GeoQuery,
    GeoRelation,
    KnownQuery,
    Method,
    Missing,
    Operator,
    Order,
    ScopeQuery,
    TemporalQuery,
    TimeProperty,
    TimeRelation,
    TypeIs,
)
from parvis.broker.query.tree import (
    Path as Way,
)
from parvis.broker.temporal import selection
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.selection import PastPage, PastQuery, PastReader
from parvis.kernel.errors import TooComplexQuery, TooManyResults
from parvis.kernel.time import DAY, HOUR, parse_duration
from tests.contract.archiving import ARCHIVED_STORES, Archived
from tests.contract.territory import (
    BIN,
    LAMP,
    LEVEL,
    NOON,
    NOTE,
    PLACE,
    TENANT,
    Ticking,
    bin_,
    bin_id,
    level,
    note,
    place,
)

MORNING = TemporalQuery(TimeRelation.BETWEEN, NOON - 6 * HOUR, NOON)
DELETED = TemporalQuery(time_property=TimeProperty.DELETED_AT)
FULL = Compare(Way(LEVEL), Operator.GREATER, 90)
GONE = Change(bin_id(1), Mode.DELETE)


def past(number: int, *instances: Instance, **more: Any) -> Change:
    return bin_(number, *instances, keep_newest=True, **more)


async def page(store: Store, asked: EntityQuery, instances: TemporalQuery = MORNING, **more: Any) -> PastPage:
    return await PastReader(store, TENANT, PastQuery(asked, instances, **more)).read()


def names(found: PastPage) -> list[str]:
    return [one.id for one in found.histories] + [one.id for one in found.aggregates]


async def told(store: Store, asked: EntityQuery, instances: TemporalQuery = MORNING, **more: Any) -> list[str]:
    return names(await page(store, asked, instances, **more))


async def test_who_was_there_is_known_whether_or_not_it_is_still(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, level(2)), bin_(3, level(3), types=(LAMP,))])
    await store.write(TENANT, [GONE])
    bins = TypeIs(BIN)

    async def ids(query: KnownQuery) -> list[str]:
        return [one.id for one in await store.list_known(TENANT, query)]

    assert await ids(KnownQuery()) == [bin_id(1), bin_id(2), bin_id(3)]
    assert await ids(KnownQuery(types=bins)) == [bin_id(1), bin_id(2)]
    assert await ids(KnownQuery(types=TypeIs("urn:never"))) == []
    assert await ids(KnownQuery(ids=(bin_id(2), bin_id(9)), types=bins)) == [bin_id(2)]
    assert await ids(KnownQuery(order=Order.ID_DESCENDING)) == [bin_id(3), bin_id(2), bin_id(1)]
    assert [one.id for one in await store.list_known("nowhere", KnownQuery())] == []


@pytest.mark.parametrize("types", [None, TypeIs(BIN), AnyType((TypeIs(BIN), TypeIs(LAMP)))])
@pytest.mark.parametrize("order", list(Order))
async def test_pages_of_the_known_follow_one_another(store: Store, order: Order, types: Any) -> None:
    await store.write(TENANT, [bin_(number, level(1)) for number in (3, 1, 2, 5, 4)])
    await store.write(TENANT, [GONE])
    found: list[str] = []
    after: int | str | None = None
    while some := await store.list_known(TENANT, KnownQuery(types=types, order=order, after=after, limit=2)):
        found += [one.id for one in some]
        after = some[-1].number if order is Order.FIRST_KNOWN else some[-1].id

    expected = {
        Order.FIRST_KNOWN: (3, 1, 2, 5, 4),
        Order.ID: (1, 2, 3, 4, 5),
        Order.ID_DESCENDING: (5, 4, 3, 2, 1),
    }
    assert found == [bin_id(number) for number in expected[order]]


async def test_a_condition_is_about_the_time_asked_for(store: Store) -> None:
    await store.write(
        TENANT,
        [
            past(1, level(95, NOON - HOUR), level(10, NOON + HOUR)),
            past(2, level(10, NOON - HOUR), level(95, NOON + HOUR)),
            past(3, level(95, NOON - DAY)),
            past(4, level(95, NOON - HOUR, dataset="urn:d:2"), level(1, NOON - HOUR), note("x", observed_at=NOON - 1)),
        ],
    )

    assert await told(store, EntityQuery(q=FULL)) == [bin_id(1), bin_id(4)]
    assert await told(store, EntityQuery(q=Exists(Way(NOTE)))) == [bin_id(4)]
    assert await told(store, EntityQuery(q=Missing(Way(NOTE)))) == [bin_id(1), bin_id(2)]
    assert await told(store, EntityQuery(id_pattern=":[12]$")) == [bin_id(1), bin_id(2)]


async def test_a_place_is_asked_for_where_it_was(store: Store) -> None:
    def at(longitude: float, when: int) -> Instance:
        moved = place(longitude, 48.0)
        return Instance(PLACE, Kind.GEO_PROPERTY, moved.value, observed_at=when)

    await store.write(TENANT, [past(1, at(-3.0, NOON - HOUR), at(5.0, NOON)), past(2, at(5.0, NOON - HOUR))])
    near = GeoQuery(GeoRelation.NEAR, {"type": "Point", "coordinates": [-3.0, 48.0]}, PLACE, 1000)

    assert await told(store, EntityQuery(geo=near)) == [bin_id(1)]


async def test_what_was_deleted_is_told_of_its_time(store: Store) -> None:
    await store.write(TENANT, [past(1, level(1, NOON - HOUR)), past(2, level(2, NOON - HOUR))])
    await store.write(TENANT, [GONE])

    found = await page(store, EntityQuery(types=TypeIs(BIN)))

    assert [one.id for one in found.histories] == [bin_id(1), bin_id(2)]
    assert found.histories[0].deleted_at is not None
    assert await store.find(TENANT, bin_id(1)) is None


async def test_whose_past_was_erased_is_told_of_no_more(store: Store) -> None:
    await store.write(TENANT, [past(1, level(1, NOON - HOUR)), past(2, level(2, NOON - HOUR))])
    await store.erase(TENANT, Erasure(bin_id(1)))

    assert await told(store, EntityQuery(types=TypeIs(BIN))) == [bin_id(2)]


@pytest.mark.parametrize("aggregation", [None, Aggregation((Method.AVG,), parse_duration("PT1H"))])
async def test_pages_are_full_and_lead_on(store: Store, aggregation: Aggregation | None) -> None:
    ever, never = NOON - HOUR, NOON + HOUR
    await store.write(TENANT, [past(number, level(number, never if number % 3 else ever)) for number in range(12)])
    asked = EntityQuery(types=TypeIs(BIN), limit=3, count=True)

    first = await page(store, asked, aggregation=aggregation)
    second = await page(
        store, EntityQuery(types=TypeIs(BIN), limit=3, count=True, after=first.resume), aggregation=aggregation
    )

    assert names(first) == [bin_id(0), bin_id(3), bin_id(6)]
    assert names(second) == [bin_id(9)]
    assert (first.total, second.total, second.resume) == (4, 4, None)
    assert await told(store, EntityQuery(limit=2, offset=1), aggregation=aggregation) == [bin_id(3), bin_id(6)]


async def test_a_cut_reaches_as_far_for_everyone(store: Store) -> None:
    minutes = [level(number, NOON - HOUR + number) for number in range(20)]
    await store.write(TENANT, [past(1, *minutes, note("late", observed_at=NOON - 1)), past(2, level(7, NOON - 1))])

    found = await page(store, EntityQuery(), TemporalQuery(limit=5))
    backwards = await page(store, EntityQuery(), TemporalQuery(limit=5, last_n=10))

    at = NOON - HOUR + 4
    assert {one.truncated_at for one in found.histories} == {at}
    assert [{key: len(kept) for key, kept in one.instances.items()} for one in found.histories] == [
        {(LEVEL, ""): 5, (NOTE, ""): 0},
        {(LEVEL, ""): 0},
    ]
    assert {one.truncated_at for one in backwards.histories} == {NOON - HOUR + 15}
    assert [len(one.instances[(LEVEL, "")]) for one in backwards.histories] == [5, 1]


async def test_scopes_over_time_choose_entities_and_instances(store: Store) -> None:
    port, town = scopes_set(("/Port",), NOON - 5 * HOUR), scopes_set(("/Town", "/Old"), NOON - 2 * HOUR)
    await store.write(
        TENANT,
        [
            past(1, level(1, NOON - 3 * HOUR), level(2, NOON - HOUR), scopes=("/Town", "/Old"), past=(port, town)),
            past(2, level(3, NOON - HOUR)),
            past(3, level(4, NOON - HOUR), scopes=("/Port",), past=(scopes_set(("/Port",), NOON + HOUR),)),
            past(4, level(5, NOON - 3 * HOUR), scopes=("/Late",), past=(scopes_set(("/Late",), NOON - HOUR),)),
        ],
    )

    async def seen(*alternatives: tuple[str, ...]) -> dict[str, list[Any]]:
        found = await page(store, EntityQuery(scope=ScopeQuery(alternatives)))
        return {one.id: [kept.value for kept in one.instances.get((LEVEL, ""), ())] for one in found.histories}

    assert await seen(("/Late",)) == {bin_id(4): []}
    assert await seen(("/Port",)) == {bin_id(1): [1]}
    assert await seen(("/Town", "/Old")) == {bin_id(1): [2]}
    assert await seen(("/Port",), ("/Town",)) == {bin_id(1): [1, 2]}
    assert await seen(("/#",)) == {bin_id(1): [1, 2], bin_id(4): []}
    assert await seen(("/Never",)) == {}


async def test_no_event_tells_of_what_is_history_alone(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), scopes=("/a",))])
    gone = Instance(NOTE, Kind.PROPERTY, NULL, observed_at=NOON)
    await store.write(TENANT, [bin_(1, scopes=("/b",)), bin_(1, past=(gone,)), bin_(1, level(2))])

    events = await store.read(0)

    assert [[(one.name, one.value) for one in event.instances] for event in events] == [
        [(LEVEL, 1)],
        [],
        [(LEVEL, 2)],
    ]
    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert ([one.name for one in entity.instances], entity.scopes) == ([LEVEL], ("/b",))
    history = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    assert [one.value for one in history.scoped] == [["/a"], ["/b"]]
    assert [one.value for one in history.instances[(NOTE, "")]] == [NULL]


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    yield opened
    await opened.close()


async def test_deletions_and_scopes_are_told_alike_from_files(archived: Archived) -> None:
    store = archived.store
    road = Instance(NOTE, Kind.RELATIONSHIP, "urn:ngsi-ld:Road:1")
    await store.write(TENANT, [bin_(1, level(1), level(2, dataset="urn:d:2"), road, scopes=("/a", "/b"))])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((LEVEL, "urn:d:2"),))])
    await store.write(TENANT, [GONE])

    async def seen() -> list[Any]:
        answers: list[Any] = []
        for query in (DELETED, TemporalQuery(), MORNING):
            history = await store.history(TENANT, bin_id(1), query)
            assert history is not None
            answers.append((history.instances, history.scoped))
        return answers

    before = await seen()
    archived.now = NOON + 30 * DAY
    summary = await archived.run()

    assert summary.problems == ()
    assert archived.files()
    assert await seen() == before
    deleted, scoped = before[0]
    assert {key: [(one.kind, one.value) for one in found] for key, found in deleted.items()} == {
        (LEVEL, ""): [(Kind.PROPERTY, NULL)],
        (LEVEL, "urn:d:2"): [(Kind.PROPERTY, NULL)],
        (NOTE, ""): [(Kind.RELATIONSHIP, NULL)],
    }
    assert [one.value for one in scoped] == [[]]
    assert [one.value for one in before[1][1]] == [["/a", "/b"], []]


async def test_a_page_of_too_much_and_a_search_of_too_long_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(TENANT, [past(number, *(level(at, NOON - at) for at in range(1, 6))) for number in range(4)])
    monkeypatch.setattr(selection, "MOST_TOLD", 10)
    assert len((await page(store, EntityQuery(limit=2))).histories) == 2
    with pytest.raises(TooManyResults):
        await page(store, EntityQuery(limit=3))
    assert (await page(store, EntityQuery(limit=0, count=True))).total == 4
    monkeypatch.setattr(selection, "LONGEST_S", -1.0)
    with pytest.raises(TooComplexQuery):
        await page(store, EntityQuery(limit=1))
