"""What every store does with links, and with an order (NGSI-LD 1.9.1, 4.9 and 4.23)."""

from typing import Any

from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import Compare, EntityQuery, LeadsTo, Operator, OrderTerm, Path
from tests.contract.territory import LEVEL, NOTE, STREET, TENANT, bin_id
from tests.ordered import check_order, odd_ones


async def held(store: Store, *instances: Instance | None) -> None:
    changes = [
        Change(bin_id(number), Mode.CREATE, () if one is None else (one,), ("https://example.org/Bin",))
        for number, one in enumerate(instances)
    ]
    await store.write(TENANT, changes)


async def found(store: Store, query: EntityQuery) -> list[str]:
    return [one.id for one in (await store.query(TENANT, query)).entities]


def level(value: Any) -> Instance:
    return Instance(LEVEL, Kind.PROPERTY, value)


BY_LEVEL = EntityQuery(order=(OrderTerm(Path(LEVEL)),))


async def test_an_order_goes_by_numbers_then_texts_then_those_without(store: Store) -> None:
    await held(store, level("b"), level(10), None, level(9.5), level("a"))
    assert await found(store, BY_LEVEL) == [bin_id(number) for number in (3, 1, 4, 0, 2)]
    descending = EntityQuery(order=(OrderTerm(Path(LEVEL), is_descending=True),))
    assert await found(store, descending) == [bin_id(number) for number in (0, 4, 1, 3, 2)]


async def test_equals_stand_in_the_order_of_their_creation(store: Store) -> None:
    await held(store, level(1), level(0), level(1), level(0))
    assert await found(store, BY_LEVEL) == [bin_id(number) for number in (1, 3, 0, 2)]


async def test_pages_in_order_tell_each_entity_once_though_others_come(store: Store) -> None:
    await held(store, *(level(number % 4) for number in range(9)))
    query, told = replace(BY_LEVEL, limit=4, count=True), list[str]()
    page = await store.query(TENANT, query)
    assert page.total == 9
    await store.write(TENANT, [Change(bin_id(99), Mode.CREATE, (level(-1),), ("https://example.org/Bin",))])
    while True:
        told += [one.id for one in page.entities]
        if page.resume is None:
            break
        page = await store.query(TENANT, replace(query, after=page.resume, after_key=page.resume_key))
    assert told == [bin_id(number) for number in (0, 4, 8, 1, 5, 2, 6, 3, 7)]


async def test_an_order_goes_with_conditions_and_offsets(store: Store) -> None:
    await held(store, *(level(-number) for number in range(6)))
    narrow = replace(BY_LEVEL, q=Compare(Path(LEVEL), Operator.LESS, 0), id_pattern="[0-4]$", offset=1, limit=2)
    assert await found(store, narrow) == [bin_id(3), bin_id(2)]


async def test_odd_values_stand_where_the_evaluator_puts_them(store: Store) -> None:
    held_ones = [Entity("", (), (one,)) for one in odd_ones(LEVEL)]
    both_ways = (BY_LEVEL, EntityQuery(order=(OrderTerm(Path(LEVEL), is_descending=True),)))
    await check_order(store, TENANT, held_ones, [replace(one, limit=limit) for one in both_ways for limit in (1, 4)])


async def test_what_leads_to_entities_is_found_by_them(store: Store) -> None:
    here, there = bin_id(70), bin_id(71)
    await held(
        store,
        Instance(NOTE, Kind.RELATIONSHIP, here),
        Instance(NOTE, Kind.RELATIONSHIP, [there, here]),
        Instance(NOTE, Kind.LIST_RELATIONSHIP, [there]),
        Instance(NOTE, Kind.PROPERTY, here),
        Instance(STREET, Kind.RELATIONSHIP, here),
    )
    assert await found(store, EntityQuery(q=LeadsTo(NOTE, (here,)))) == [bin_id(0), bin_id(1)]
    assert await found(store, EntityQuery(q=LeadsTo(NOTE, (there, here)))) == [bin_id(0), bin_id(1), bin_id(2)]
    assert await found(store, EntityQuery(q=LeadsTo(NOTE, ()))) == []
    not_here = EntityQuery(q=LeadsTo(NOTE, (here,), is_wanted=False))
    assert await found(store, not_here) == [bin_id(2), bin_id(3), bin_id(4)]


async def test_links_are_never_more_or_less_nor_match(store: Store) -> None:
    await held(store, Instance(NOTE, Kind.RELATIONSHIP, bin_id(70)), Instance(NOTE, Kind.PROPERTY, bin_id(70)))
    for operator, operand in ((Operator.GREATER, "a"), (Operator.LESS, "z"), (Operator.MATCH, "urn")):
        assert await found(store, EntityQuery(q=Compare(Path(NOTE), operator, operand))) == [bin_id(1)]
    assert await found(store, EntityQuery(q=Compare(Path(NOTE), Operator.NOT_MATCH, "x"))) == [bin_id(1)]
    assert await found(store, EntityQuery(q=Compare(Path(NOTE), Operator.EQUAL, bin_id(70)))) == [bin_id(0), bin_id(1)]
