"""No question that a store answers tells one tenant of another: each is put with the other's own names and ids."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.search import SearchIndex, WordQuery
from parvis.broker.ports.store import EntityStore, Store, TemporalStore
from parvis.broker.query.tally import TallyQuery
from parvis.broker.query.tree import EntityQuery, KnownQuery, TemporalQuery, TypeIs
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import ParvisError
from parvis.kernel.shelf import Box, Place, Shelf
from tests.contract.territory import NOON

WORD = "zyglophant"
TYPE = "https://example.org/WasteContainer"
NAME = "https://example.org/name"
MENTIONS = "https://example.org/mentions"
BIN, OTHER = "urn:ngsi-ld:WasteContainer:1", "urn:ngsi-ld:WasteContainer:2"
PAST = TemporalQuery()
Question = Callable[[Store, str], Awaitable[Any]]

QUESTIONS: Mapping[str, Question] = {
    "find": lambda store, tenant: store.find(tenant, BIN),
    "query": lambda store, tenant: store.query(tenant, EntityQuery(types=TypeIs(TYPE), ids=(BIN, OTHER))),
    "query without types": lambda store, tenant: store.query(tenant, EntityQuery()),
    "count_types": lambda store, tenant: store.count_types(tenant),
    "tally": lambda store, tenant: store.tally(tenant, [TallyQuery(TypeIs(TYPE), NAME, by_place=True)]),
    "list_attributes": lambda store, tenant: store.list_attributes(tenant),
    "history": lambda store, tenant: store.history(tenant, BIN, PAST),
    "list_known": lambda store, tenant: store.list_known(tenant, KnownQuery()),
    "list_last": lambda store, tenant: store.list_last(tenant, {BIN: [(NAME, "")]}, 0, NOON * 2),
    "search.find": lambda store, tenant: store.search.find(tenant, WordQuery((WORD,), limit=10)),
    "search.list_begun": lambda store, tenant: store.search.list_begun(tenant, (WORD,)),
    "search.list_referring": lambda store, tenant: store.search.list_referring(tenant, BIN, 10),
    "shelf.read": lambda store, tenant: store.shelf.read(Place(Box(tenant, "notes"), b"")),
}
NOT_ASKED = {
    "write": "tried below",
    "erase": "tried below",
    "condense": "tried below",
    "mark": "numbers and files, for condense alone",
    "list_written": "what things may be called, whoever has such",
    "correct": "of an instance that history has told its tenant of",
    "aggregate": "reads what history reads",
    "list_aggregates": "reads what history reads",
    "list_expiring": "of all tenants, for the platform",
}


def told(entity_id: str) -> Change:
    instances = (
        Instance(NAME, Kind.PROPERTY, f"{WORD} of the school", observed_at=NOON),
        Instance(MENTIONS, Kind.RELATIONSHIP, OTHER if entity_id == BIN else BIN),
    )
    return Change(entity_id, Mode.CREATE, instances, (TYPE,), ("/school",))


@pytest.fixture
async def planted(store: Store) -> Store:
    for tenant in ("north", "south"):
        await store.add_tenant(tenant)
    await store.write("north", [told(BIN), told(OTHER)])
    while await store.search.is_behind():
        await store.search.work(100)
    await store.shelf.change((), {Place(Box("north", "notes"), b"one"): WORD.encode()}, ())
    return store


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_of_one_tenant_finds_nothing_of_another(planted: Store, name: str) -> None:
    own, others = await QUESTIONS[name](planted, "north"), await QUESTIONS[name](planted, "south")

    assert any(one in repr(own) for one in (WORD, BIN, OTHER, TYPE, "entities=2")), "it asks for what there is"
    assert not any(one in repr(others) for one in (WORD, BIN, OTHER, TYPE, NAME)), repr(others)


async def test_what_one_tenant_writes_and_erases_leaves_the_others_alone(planted: Store) -> None:
    (changed,) = await planted.write("south", [Change(BIN, Mode.DELETE)])
    assert changed.status is Status.FAILED, "there is none of that name"
    with pytest.raises(ParvisError):
        await planted.erase("south", Erasure(BIN, None))
    named = Erasure(BIN, NAME, since=0, before=NOON * 2)
    with pytest.raises(ParvisError):
        await planted.condense("south", named, (), await planted.mark("north", named))
    (made,) = await planted.write(
        "south", [Change(BIN, Mode.CREATE, (Instance(NAME, Kind.PROPERTY, "else"),), (TYPE,))]
    )
    assert made.status is Status.CREATED, "names are each tenant's own"
    await planted.write("south", [Change(BIN, Mode.DELETE)])

    kept = await planted.find("north", BIN)
    assert kept is not None
    assert WORD in repr(kept)
    assert WORD in repr(await planted.history("north", BIN, PAST))


def test_every_question_is_put() -> None:
    ports = {"": (EntityStore, TemporalStore), "search.": (SearchIndex,), "shelf.": (Shelf,)}
    there = {
        f"{prefix}{name}"
        for prefix, kinds in ports.items()
        for kind in kinds
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and {"tenant", "prefix"} & inspect.signature(member).parameters.keys()
    }
    assert there - {name.partition(" ")[0] for name in QUESTIONS} - NOT_ASKED.keys() == set()
