"""Entities are found by the words that people know them by."""

from typing import Any

import msgspec
import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.search import WordQuery
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import TypeIs
from parvis.broker.search.words import words_in
from parvis.kernel.reach import Area, Reach
from tests.contract.territory import LEVEL, TENANT

SCHOOL, BIN, METER = "https://example.org/School", "https://example.org/WasteContainer", "https://example.org/Device"
NAME, ADDRESS, HARDWARE = (f"https://example.org/{term}" for term in ("name", "address", "hardwareId"))


def known_as(entity_id: str, type_: str, mode: Mode = Mode.UPSERT_UPDATE, **attributes: Any) -> Change:
    instances = tuple(
        Instance(f"https://example.org/{term}", Kind.PROPERTY, value) for term, value in attributes.items()
    )
    return Change(f"urn:ngsi-ld:{entity_id}", mode, instances, (type_,))


JAURES = known_as("School:1", SCHOOL, name="École Jean-Jaurès", address={"streetAddress": "12 rue des Écoles"})
BIN_1 = known_as("WasteContainer:trevalan:0012", BIN, name="Verre, rue Jean-Jaurès", fillingLevel=40)
DEVICE = known_as("Device:A84041FFFF1B2C3D", METER, name="Compteur", hardwareId="A84041FFFF1B2C3D")


def only(iri: str) -> Reach:
    return (Area(frozenset((iri,))),)


async def take_in(store: Store) -> None:
    while await store.search.work(100):
        pass


async def search(store: Store, words: str, **more: Any) -> list[str]:
    found = await store.search.find(TENANT, WordQuery(tuple(words_in(words)), **more))
    return [one.removeprefix("urn:ngsi-ld:") for one in found.ids]


@pytest.fixture
async def town(store: Store) -> Store:
    await store.write(TENANT, [BIN_1, JAURES, DEVICE])
    assert await store.search.is_behind()
    await take_in(store)
    assert not await store.search.is_behind()
    return store


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ecole", ["School:1"]),
        ("ÉCOLE", ["School:1"]),
        ("jean jaures", ["School:1", "WasteContainer:trevalan:0012"]),
        ("verre jau", ["WasteContainer:trevalan:0012"]),
        ("rue des ecoles", ["School:1"]),
        ("waste", ["WasteContainer:trevalan:0012"]),
        ("0012", ["WasteContainer:trevalan:0012"]),
        ("trevalan 12", ["WasteContainer:trevalan:0012"]),
        ("a84041ffff", ["Device:A84041FFFF1B2C3D"]),
        ("2c3d", ["Device:A84041FFFF1B2C3D"]),
        ("nowhere", []),
        ("", []),
        ("%", []),
    ],
)
async def test_each_word_asked_for_begins_one_of_the_entity(town: Store, asked: str, found: list[str]) -> None:
    assert sorted(await search(town, asked)) == sorted(found)


async def test_what_is_called_so_comes_before_what_only_stands_there(store: Store) -> None:
    await store.write(
        TENANT,
        [
            *(known_as(f"WasteContainer:{n}", BIN, name=f"Bac {n}", address="place de la Mairie") for n in range(30)),
            known_as("School:town-hall", SCHOOL, name="Mairie annexe"),
            known_as("School:annex", SCHOOL, name="Mairie"),
        ],
    )
    await take_in(store)
    assert (await search(store, "mairie"))[:2] == ["School:annex", "School:town-hall"]


async def test_a_new_name_takes_the_place_of_the_old_one(town: Store) -> None:
    await town.write(TENANT, [known_as("School:1", SCHOOL, name="École Simone-Veil")])
    await take_in(town)
    assert await search(town, "simone") == ["School:1"]
    assert "School:1" not in await search(town, "jaures")


async def test_a_measurement_is_nothing_to_take_in(town: Store) -> None:
    level = Instance(LEVEL, Kind.PROPERTY, 41.0)
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.APPEND, (level,))])
    assert not await town.search.is_behind()


@pytest.mark.parametrize("mode", [Mode.UPSERT_UPDATE, Mode.APPEND])
async def test_words_and_bonds_told_again_are_nothing_to_take_in(town: Store, mode: Mode) -> None:
    def told(device: str) -> Change:
        bond = Instance("https://example.org/refDevice", Kind.RELATIONSHIP, device)
        return Change(BIN_1.entity_id, mode, (*BIN_1.instances, bond), (BIN,))

    await town.write(TENANT, [told("urn:ngsi-ld:Device:1")])
    assert await town.search.is_behind()
    await take_in(town)
    await town.write(TENANT, [told("urn:ngsi-ld:Device:1")])
    assert not await town.search.is_behind()
    await town.write(TENANT, [told("urn:ngsi-ld:Device:1"), told("urn:ngsi-ld:Device:2")])
    await take_in(town)
    assert await town.search.list_referring(TENANT, "urn:ngsi-ld:Device:1", 5) == []
    assert await town.search.list_referring(TENANT, "urn:ngsi-ld:Device:2", 5) == [BIN_1.entity_id]
    await town.write(TENANT, [told("urn:ngsi-ld:Device:1")])
    await town.write(TENANT, [told("urn:ngsi-ld:Device:2")])
    await take_in(town)
    assert await town.search.list_referring(TENANT, "urn:ngsi-ld:Device:2", 5) == [BIN_1.entity_id]


@pytest.mark.parametrize("mode", [Mode.UPSERT_REPLACE, Mode.REPLACE])
async def test_a_replacement_with_the_same_words_is_nothing_to_take_in(town: Store, mode: Mode) -> None:
    full = msgspec.structs.replace(BIN_1, mode=mode)
    measured = (Instance(one.name, one.kind, 99 if one.value == 40 else one.value) for one in BIN_1.instances)
    await town.write(TENANT, [msgspec.structs.replace(full, instances=tuple(measured))])
    assert not await town.search.is_behind()
    await town.write(TENANT, [msgspec.structs.replace(full, instances=(Instance(LEVEL, Kind.PROPERTY, 41.0),))])
    await take_in(town)
    assert await search(town, "verre") == []


@pytest.mark.parametrize("mode", [Mode.UPSERT_UPDATE, Mode.MERGE])
async def test_a_further_type_is_taken_in(town: Store, mode: Mode) -> None:
    level = Instance(LEVEL, Kind.PROPERTY, 41.0)
    await town.write(TENANT, [Change(BIN_1.entity_id, mode, (level,), (BIN, "https://example.org/Sensor"))])
    await take_in(town)
    assert await search(town, "sensor") == ["WasteContainer:trevalan:0012"]


async def test_what_was_deleted_is_found_no_more_at_once_and_leaves_no_words(town: Store) -> None:
    await town.write(TENANT, [Change(JAURES.entity_id, Mode.DELETE)])
    assert await search(town, "ecole") == []
    await take_in(town)
    await town.write(TENANT, [known_as("School:1", SCHOOL, name="Gymnase")])
    await take_in(town)
    assert await search(town, "ecole") == []
    assert await search(town, "gymnase") == ["School:1"]


async def test_an_attribute_that_was_taken_away_finds_nothing(town: Store) -> None:
    await town.write(TENANT, [Change(JAURES.entity_id, Mode.DELETE_ATTRIBUTE, removals=((ADDRESS, ""),))])
    await take_in(town)
    assert await search(town, "rue des ecoles") == []


async def test_types_narrow_what_is_found(town: Store) -> None:
    assert await search(town, "jaures", types=TypeIs(BIN)) == ["WasteContainer:trevalan:0012"]
    assert await search(town, "jaures", types=TypeIs("https://example.org/Unheard")) == []


async def test_tenants_do_not_find_each_other(town: Store) -> None:
    await town.add_tenant("neighbour")
    await town.write("neighbour", [known_as("School:2", SCHOOL, name="École voisine")])
    await take_in(town)
    assert await search(town, "ecole") == ["School:1"]
    found = await town.search.find("neighbour", WordQuery(("ecole",)))
    assert found.ids == ("urn:ngsi-ld:School:2",)
    assert (await town.search.find("nobody", WordQuery(("ecole",)))).ids == ()


async def test_an_answer_says_where_there_is_more(store: Store) -> None:
    await store.write(TENANT, [known_as(f"School:{n}", SCHOOL, name=f"Salle {n}") for n in range(9)])
    await take_in(store)
    assert not (await store.search.find(TENANT, WordQuery(("salle",), limit=5))).is_all
    assert (await store.search.find(TENANT, WordQuery(("salle",), limit=9))).is_all


async def test_many_words_of_one_entity_in_a_span_hide_no_other_entity(store: Store) -> None:
    names = {n: " ".join(f"s{n}x{m}" for m in range(10)) for n in range(90)}
    await store.write(TENANT, [known_as(f"School:{n}", SCHOOL, name=name) for n, name in names.items()])
    await take_in(store)
    some = await store.search.find(TENANT, WordQuery(("s",), limit=50))
    assert (len(some.ids), some.is_all) == (50, False)
    every = await store.search.find(TENANT, WordQuery(("s",), limit=100))
    assert (len(every.ids), every.is_all) == (90, True)


async def test_a_search_that_was_ended_before_it_had_seen_all_says_so(store: Store) -> None:
    await store.write(TENANT, [known_as(f"School:{n}", SCHOOL, name=f"Salle {n}") for n in range(310)])
    await take_in(store)
    found = await store.search.find(TENANT, WordQuery(("salle",), limit=400))
    assert (len(found.ids), found.is_all) == (300, False)


async def test_what_another_takes_in_is_not_taken_in_twice(town: Store) -> None:
    await town.write(TENANT, [known_as(f"School:{n}", SCHOOL, name=f"Salle {n}") for n in range(5)])
    assert [await town.search.work(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_store_says_what_it_takes_on_its_disk(store: Store, request: pytest.FixtureRequest) -> None:
    taken = await store.count_bytes()
    in_memory = "sqlite-memory" in request.node.name
    assert taken == 0 if in_memory else taken > 10_000


async def test_what_refers_to_an_entity_is_found_by_any_relationship(town: Store) -> None:
    def bond(*targets: str) -> Instance:
        return Instance("https://example.org/belongsTo", Kind.RELATIONSHIP, list(targets))

    elsewhere = "urn:ngsi-ld:Street:unknown"
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.APPEND, (bond(JAURES.entity_id, elsewhere),))])
    await take_in(town)
    assert await town.search.list_referring(TENANT, JAURES.entity_id, 9) == [BIN_1.entity_id]
    assert await town.search.list_referring(TENANT, elsewhere, 9) == [BIN_1.entity_id]
    assert await search(town, "street") == []
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.APPEND, (bond(elsewhere),))])
    await take_in(town)
    assert await town.search.list_referring(TENANT, JAURES.entity_id, 9) == []
    assert await town.search.list_referring("nobody", elsewhere, 9) == []
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.DELETE)])
    assert await town.search.list_referring(TENANT, elsewhere, 9) == []


async def test_a_circuit_is_found_by_each_of_its_lamps(town: Store) -> None:
    lamps = [f"urn:ngsi-ld:Streetlight:{n}" for n in range(200)]
    bond = Instance("https://example.org/refStreetlight", Kind.RELATIONSHIP, lamps)
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.APPEND, (bond,))])
    await take_in(town)
    for lamp in (lamps[0], lamps[64], lamps[199]):
        assert await town.search.list_referring(TENANT, lamp, 9) == [BIN_1.entity_id]


async def test_those_of_other_types_take_no_place_among_what_refers_to_an_entity(town: Store) -> None:
    bond = Instance("https://example.org/belongsTo", Kind.RELATIONSHIP, JAURES.entity_id)
    meters = [Change(f"urn:ngsi-ld:Device:{n}", Mode.UPSERT_UPDATE, (bond,), (METER,)) for n in range(9)]
    await town.write(TENANT, meters)
    await town.write(TENANT, [Change(BIN_1.entity_id, Mode.APPEND, (bond,))])
    await take_in(town)
    assert len(await town.search.list_referring(TENANT, JAURES.entity_id, 9)) == 9
    assert await town.search.list_referring(TENANT, JAURES.entity_id, 9, only(BIN)) == [BIN_1.entity_id]
    assert await town.search.list_referring(TENANT, JAURES.entity_id, 9, only("https://example.org/Unheard")) == []


async def test_the_index_tells_which_words_begin_one_of_its_own(town: Store) -> None:
    asked = ["ecol", "ecole", "ecloe", "jaures", "verr", "zz", "1b2c3d"]
    assert sorted(await town.search.list_begun(TENANT, asked)) == ["1b2c3d", "ecol", "ecole", "jaures", "verr"]
    assert await town.search.list_begun("nowhere", asked) == []
