"""The order of answers (NGSI-LD 1.9.1, 4.23)."""

import re
from typing import Any

import httpx
import pytest

ROOM = "urn:ngsi-ld:Room:"


def room(name: str, **values: Any) -> dict[str, Any]:
    attributes = {key: {"type": "Property", "value": value} for key, value in values.items()}
    return {"id": ROOM + name, "type": "Room", **attributes}


def at(longitude: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [longitude, 48.0]}}


@pytest.fixture(autouse=True)
async def rooms(api: httpx.AsyncClient) -> None:
    sub = {"type": "Property", "value": 9}
    entities = [
        {**room("a", level="high", label="Zebra"), "location": at(-3)},
        {**room("b", level=5, label="Ähre"), "location": at(-1)},
        {**room("c", level=2, label="aber"), "location": at(-2)},
        room("d", address={"city": "Brest"}, label="Ahorn"),
        {**room("e", address={"city": "Auray"}, level=[1]), "noted": {"type": "Property", "value": 1, "sub": sub}},
    ]
    assert (await api.post("/entityOperations/create", json=entities)).status_code == 201


async def ordered(api: httpx.AsyncClient, order_by: str, **parameters: str) -> str:
    answer = await api.get("/entities", params={"type": "Room", "orderBy": order_by, **parameters})
    assert answer.status_code == 200, answer.text
    return "".join(one["id"].removeprefix(ROOM) for one in answer.json())


async def test_numbers_texts_arrays_then_those_without(api: httpx.AsyncClient) -> None:
    assert await ordered(api, "level") == "cbaed"
    assert await ordered(api, "level;desc") == "eabcd"


async def test_by_members_of_the_entity(api: httpx.AsyncClient) -> None:
    assert await ordered(api, "id;desc") == "edcba"
    assert await ordered(api, "type,createdAt,id;desc") == "edcba"


async def test_by_paths(api: httpx.AsyncClient) -> None:
    assert await ordered(api, "address[city]") == "edabc"
    assert await ordered(api, "noted.sub") == "eabcd"


async def test_by_distance(api: httpx.AsyncClient) -> None:
    assert await ordered(api, "location;dist-asc", orderFrom="[-1,48]") == "bcade"
    assert await ordered(api, "location;dist-desc", orderFrom="[-1,48]") == "acbde"
    line = "[[-2,47],[-2,49]]"
    assert (await ordered(api, "location;dist-asc", orderFrom=line, orderGeometry="LineString"))[0] == "c"


async def test_by_a_collation(api: httpx.AsyncClient) -> None:
    assert await ordered(api, "label") == "dacbe"
    assert await ordered(api, "label", collation="und") == "cdbae"
    assert await ordered(api, "label", collation="de-u-co-phonebk") == "cbdae"


@pytest.mark.parametrize(
    "parameters",
    [
        {"orderBy": "location;dist-asc"},
        {"orderBy": "label;upwards"},
        {"orderBy": "label,,level"},
        {"orderBy": "label", "collation": "!!nope"},
        {"orderBy": "label", "collation": "sv"},
        {"orderBy": "label", "collation": "en-u-co-phonebk"},
        {"orderBy": "location;dist-asc", "orderFrom": "here"},
    ],
)
async def test_what_cannot_be_ordered_is_refused(api: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    answer = await api.get("/entities", params={"type": "Room", **parameters})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")


async def test_pages_go_on_after_the_last_one_told_whatever_is_written(api: httpx.AsyncClient) -> None:
    answer = await api.get("/entities?type=Room&orderBy=label;desc&limit=2&count=true")
    assert [one["id"] for one in answer.json()] == [ROOM + "b", ROOM + "c"]
    assert answer.headers["ngsild-results-count"] == "5"
    assert (await api.post("/entities", json=room("new", label="Ährenfeld"))).status_code == 201
    following = re.search(r"<(/ngsi-ld/v1[^>]+)>; rel=\"next\"", answer.headers["link"])
    assert following is not None
    rest = await api.get(f"http://town{following[1]}")
    assert [one["id"] for one in rest.json()] == [ROOM + "a", ROOM + "d"]


async def test_a_query_in_a_body_has_an_order_too(api: httpx.AsyncClient) -> None:
    ordering = {"orderBy": ["location;dist-asc"], "coordinates": [-1, 48]}
    body = {"type": "Query", "entities": [{"type": "Room"}], "ordering": ordering}
    answer = await api.post("/entityOperations/query?limit=1", json=body)
    assert [one["id"] for one in answer.json()] == [ROOM + "b"]
