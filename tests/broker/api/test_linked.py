"""Linked entities in answers, in q and in projections (NGSI-LD 1.9.1, 4.5.23, 4.9, 4.21)."""

from typing import Any

import httpx
import pytest

HOUSE = "urn:ngsi-ld:Building:town-hall"
TOWN = "urn:ngsi-ld:City:trevalan"
LAND = "urn:ngsi-ld:Country:fr"
OTHER = "urn:ngsi-ld:City:elsewhere"


def thing(entity_id: str, name: str, **more: Any) -> dict[str, Any]:
    kind = entity_id.split(":")[2]
    return {"id": entity_id, "type": kind, "name": {"type": "Property", "value": name}, **more}


def towards(*ids: str) -> dict[str, Any]:
    return {"type": "Relationship", "object": ids[0] if len(ids) == 1 else list(ids)}


@pytest.fixture(autouse=True)
async def a_town(api: httpx.AsyncClient) -> None:
    entities = [
        thing(HOUSE, "Town hall", in_=towards(TOWN), twin=towards("urn:ngsi-ld:Building:unknown")),
        thing(TOWN, "Trevalan", of=towards(LAND), hall=towards(HOUSE)),
        thing(LAND, "France"),
        thing(OTHER, "Elsewhere", near=towards(TOWN, LAND)),
    ]
    assert (await api.post("/entityOperations/create", json=entities)).status_code == 201


async def retrieved(api: httpx.AsyncClient, entity_id: str, **parameters: str) -> Any:
    answer = await api.get(f"/entities/{entity_id}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(api: httpx.AsyncClient, q: str, join_level: int = 1) -> list[str]:
    parameters = {"q": q, "join": "inline", "joinLevel": str(join_level)}
    answer = await api.get("/entities", params=parameters)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_inline_puts_each_entity_beside_what_leads_to_it(api: httpx.AsyncClient) -> None:
    house = await retrieved(api, HOUSE, join="inline", joinLevel="2")
    assert house["in_"]["object"] == TOWN
    assert house["in_"]["entity"]["of"]["entity"]["name"]["value"] == "France"
    assert "entity" not in house["twin"]


async def test_no_entity_stands_inside_itself(api: httpx.AsyncClient) -> None:
    house = await retrieved(api, HOUSE, join="inline", joinLevel="10")
    assert house["in_"]["entity"]["hall"] == towards(HOUSE)


async def test_inline_stops_at_its_level(api: httpx.AsyncClient) -> None:
    house = await retrieved(api, HOUSE, join="inline")
    assert house["in_"]["entity"]["of"] == towards(LAND)


async def test_several_targets_stand_as_a_list(api: httpx.AsyncClient) -> None:
    town = await retrieved(api, OTHER, join="inline")
    assert [one["id"] for one in town["near"]["entity"]] == [TOWN, LAND]
    simplified = await retrieved(api, OTHER, join="inline", options="keyValues", pick="near{id}")
    assert simplified == {"near": [{"id": TOWN}, {"id": LAND}]}


async def test_flat_adds_each_entity_once(api: httpx.AsyncClient) -> None:
    everyone = await retrieved(api, OTHER, join="flat", joinLevel="3")
    assert [one["id"] for one in everyone] == [OTHER, TOWN, LAND, HOUSE]


async def test_what_many_lead_to_is_told_once(api: httpx.AsyncClient) -> None:
    rooms = [thing(f"urn:ngsi-ld:Room:{number}", "room", in_=towards(HOUSE)) for number in range(3)]
    assert (await api.post("/entityOperations/create", json=rooms)).status_code == 201
    answer = await api.get("/entities", params={"type": "Room", "join": "flat", "joinLevel": "2", "limit": "3"})
    assert [one["id"] for one in answer.json()] == [*(one["id"] for one in rooms), HOUSE, TOWN]


async def test_flat_without_a_target_is_the_entity_itself(api: httpx.AsyncClient) -> None:
    assert (await retrieved(api, LAND, join="flat"))["id"] == LAND


async def test_who_was_met_on_the_way_is_not_gone_to(api: httpx.AsyncClient) -> None:
    everyone = await retrieved(api, OTHER, join="flat", containedBy=TOWN)
    assert [one["id"] for one in everyone] == [OTHER, LAND]


async def test_a_projection_reaches_linked_entities(api: httpx.AsyncClient) -> None:
    picked = await retrieved(api, HOUSE, join="inline", joinLevel="2", options="keyValues", pick="in_{name|of{id}}")
    assert picked == {"in_": {"name": "Trevalan", "of": {"id": LAND}}}
    omitted = await retrieved(api, HOUSE, join="flat", omit="twin,in_{hall,type,name}")
    assert omitted[1] == {"id": TOWN, "of": towards(LAND)}


@pytest.mark.parametrize(
    "parameters",
    [
        {"pick": "in_{name}"},
        {"pick": "in_{of{name}}", "join": "inline"},
        {"omit": "in_{of{name}}", "join": "flat"},
        {"join": "sideways"},
        {"join": "inline", "joinLevel": "0"},
        {"join": "inline", "joinLevel": "11"},
        {"pick": "name", "omit": "name"},
        {"pick": "name", "attrs": "name"},
        {"pick": "in_{name", "join": "inline"},
        {"pick": "in_{}", "join": "inline"},
        {"pick": "name||in_"},
    ],
)
async def test_what_cannot_be_shown_is_refused(api: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    answer = await api.get(f"/entities/{HOUSE}", params=parameters)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")


async def test_q_asks_about_linked_entities(api: httpx.AsyncClient) -> None:
    assert await found(api, 'in_{name}=="Trevalan"') == [HOUSE]
    assert await found(api, 'in_{name}=="France"') == []
    assert await found(api, 'in_{of{name}}=="France"', 2) == [HOUSE]
    assert await found(api, "near{of}") == [OTHER]


async def test_q_says_no_of_linked_entities(api: httpx.AsyncClient) -> None:
    assert await found(api, 'near{name}!="Trevalan"') == []
    assert await found(api, 'near{name}!="Paris"') == [OTHER]
    assert await found(api, "name;!in_{of}") == [TOWN, LAND, OTHER]


async def test_a_type_hint_narrows_where_q_looks(api: httpx.AsyncClient) -> None:
    assert await found(api, 'in_{City:name}=="Trevalan"') == [HOUSE]
    assert await found(api, 'in_{Country:name}=="Trevalan"') == []


async def test_q_goes_no_further_than_the_answer(api: httpx.AsyncClient) -> None:
    for parameters in ({"q": 'in_{name}=="x"'}, {"q": 'in_{of{name}}=="x"', "join": "inline"}):
        answer = await api.get("/entities", params=parameters)
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("BadRequestData")


async def test_a_resident_learns_nothing_through_links(api: httpx.AsyncClient) -> None:
    public = {**thing("urn:ngsi-ld:WasteContainer:1", "bin"), "in_": towards(TOWN)}
    assert (await api.post("/entities", json=public)).status_code == 201
    asked = {"type": "WasteContainer", "join": "inline", "options": "keyValues"}
    answer = await api.get("/entities", params=asked, headers={"subject": "resident"})
    assert answer.json()[0]["in_"] == TOWN
    probing = await api.get(
        "/entities", params={**asked, "q": 'in_{name}=="Trevalan"'}, headers={"subject": "resident"}
    )
    assert probing.json() == []


async def test_a_query_in_a_body_joins_as_well(api: httpx.AsyncClient) -> None:
    body = {"type": "Query", "entities": [{"type": "Building"}], "join": "flat", "joinLevel": 2}
    answer = await api.post("/entityOperations/query", json=body)
    assert [one["id"] for one in answer.json()] == [HOUSE, TOWN, LAND]
