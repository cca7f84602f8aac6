"""Queries over HTTP (NGSI-LD 1.9.1, 6.4.3.2 and 6.23)."""

import re
from typing import Any

import httpx
import pytest

from tests.broker.api.territory import BIN, BIN_2, LAMP, bin_at_the_port, lamp

LINK = re.compile(r'<([^>]+)>; rel="(\w+)"')
HALF_FULL = "fillingLevel>0.5"


@pytest.fixture(autouse=True)
async def a_quay(api: httpx.AsyncClient) -> None:
    far = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-4.5, 48.4]}}
    bins = [bin_at_the_port(), bin_at_the_port(BIN_2, 0.8, location=far)]
    answer = await api.post("/entityOperations/create", json=[*bins, lamp(scope="/Trevalan/Port")])
    assert answer.status_code == 201


async def found(api: httpx.AsyncClient, **parameters: str) -> list[str]:
    answer = await api.get("/entities", params={"options": "keyValues", **parameters})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_by_type(api: httpx.AsyncClient) -> None:
    assert await found(api, type="WasteContainer") == [BIN, BIN_2]
    assert await found(api, type="Streetlight|WasteContainer") == [BIN, BIN_2, LAMP]
    assert await found(api, type="NoSuchThing") == []


async def test_by_condition(api: httpx.AsyncClient) -> None:
    assert await found(api, q=HALF_FULL) == [BIN_2]
    assert await found(api, q='powerState=="on"|fillingLevel<0.5') == [BIN, LAMP]


async def test_by_attribute_which_is_then_all_that_is_shown(api: httpx.AsyncClient) -> None:
    answer = await api.get("/entities?attrs=powerState&options=keyValues")
    assert answer.json() == [{"id": LAMP, "type": "Streetlight", "powerState": "on", "scope": "/Trevalan/Port"}]


async def test_by_id_and_id_pattern_within_a_type(api: httpx.AsyncClient) -> None:
    assert await found(api, type="WasteContainer", id=f"{BIN_2},{LAMP}") == [BIN_2]
    assert await found(api, type="WasteContainer", idPattern=".*-2$") == [BIN_2]


async def test_by_place(api: httpx.AsyncClient) -> None:
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[-3.1,48.201]"}
    assert await found(api, **near) == [BIN]
    square = "[[[-5,48],[-4,48],[-4,49],[-5,49],[-5,48]]]"
    assert await found(api, georel="within", geometry="Polygon", coordinates=square) == [BIN_2]


async def test_by_scope(api: httpx.AsyncClient) -> None:
    assert await found(api, local="true", scopeQ="/Trevalan/#") == [LAMP]
    assert await found(api, local="true", scopeQ="/Trevalan/+") == [LAMP]
    assert await found(api, local="true", scopeQ="/Elsewhere") == []


async def test_everything_here_is_asked_for_by_local(api: httpx.AsyncClient) -> None:
    assert await found(api, local="true") == await found(api, type="*") == [BIN, BIN_2, LAMP]


async def test_pages_link_to_one_another_until_the_last(api: httpx.AsyncClient) -> None:
    url, seen = "/ngsi-ld/v1/entities?local=true&limit=2&options=keyValues", []
    pages = []
    while url:
        page = await api.get(f"http://town{url}")
        seen += [one["id"] for one in page.json()]
        links = {relation: target for target, relation in LINK.findall(page.headers["Link"])}
        pages.append(links.keys())
        url = links.get("next", "")
    assert seen == [BIN, BIN_2, LAMP]
    assert pages == [{"next"}, {"prev"}]


async def test_the_page_before_keeps_the_query(api: httpx.AsyncClient) -> None:
    page = await api.get("/entities", params={"type": "WasteContainer", "limit": "1", "offset": "1", "q": HALF_FULL})
    assert page.json() == []
    prev = re.search(r'<([^>]+)>; rel="prev"', page.headers["Link"])
    assert prev is not None
    assert "q=fillingLevel%3E0.5" in prev.group(1)
    assert prev.group(1).endswith("limit=1&offset=0")


async def test_the_count_is_of_all_and_limit_zero_asks_for_it_alone(api: httpx.AsyncClient) -> None:
    page = await api.get("/entities?local=true&limit=1&count=true")
    assert (page.headers["NGSILD-Results-Count"], len(page.json())) == ("3", 1)
    alone = await api.get("/entities?type=WasteContainer&limit=0&count=true")
    assert (alone.headers["NGSILD-Results-Count"], alone.json()) == ("2", [])


async def test_a_page_on_a_map_is_a_feature_collection(api: httpx.AsyncClient) -> None:
    page = await api.get("/entities?type=WasteContainer", headers={"Accept": "application/geo+json"})
    assert page.json()["type"] == "FeatureCollection"
    assert [one["id"] for one in page.json()["features"]] == [BIN, BIN_2]


async def test_in_json_ld_every_entity_has_its_context(api: httpx.AsyncClient) -> None:
    page = await api.get("/entities?local=true", headers={"Accept": "application/ld+json"})
    assert len({one["@context"] for one in page.json()}) == 1


BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"entities": [{"type": "WasteContainer"}], "q": HALF_FULL}, [BIN_2]),
    ({"entities": [{"type": "WasteContainer"}, {"type": "Streetlight"}]}, [BIN, BIN_2, LAMP]),
    ({"entities": [{"type": "WasteContainer", "id": BIN}, {"type": "WasteContainer", "id": BIN_2}]}, [BIN, BIN_2]),
    ({"entities": [{"type": "WasteContainer", "idPattern": "port-1"}]}, [BIN]),
    ({"attrs": ["powerState"]}, [LAMP]),
    ({"entities": [{"type": "*"}], "q": "powerState"}, [LAMP]),
    (
        {"geoQ": {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": [-3.1, 48.2]}},
        [BIN],
    ),
]


@pytest.mark.parametrize(("body", "ids"), BODIES)
async def test_the_same_by_post(api: httpx.AsyncClient, body: dict[str, Any], ids: list[str]) -> None:
    answer = await api.post("/entityOperations/query?count=true", json={"type": "Query", **body})
    assert answer.status_code == 200, answer.text
    assert [one["id"] for one in answer.json()] == ids
    assert answer.headers["NGSILD-Results-Count"] == str(len(ids))


@pytest.mark.parametrize(
    ("selectors", "ids"),
    [
        ([{"type": "WasteContainer", "id": BIN}, {"type": "Streetlight", "idPattern": "quay"}], [BIN, LAMP]),
        ([{"type": "WasteContainer", "id": LAMP}, {"type": "Streetlight", "id": [BIN, LAMP]}], [LAMP]),
        ([{"type": "WasteContainer", "id": BIN_2}, {"type": "Streetlight"}], [BIN_2, LAMP]),
        ([{"type": "*", "idPattern": "1$"}, {"type": "NoSuchThing"}], [BIN, LAMP]),
        ([{"type": "WasteContainer", "idPattern": "x"}, {"type": "WasteContainer", "idPattern": "2$"}], [BIN_2]),
    ],
)
async def test_selectors_are_alternatives(api: httpx.AsyncClient, selectors: list[Any], ids: list[str]) -> None:
    answer = await api.post("/entityOperations/query", json={"type": "Query", "entities": selectors})
    assert [one["id"] for one in answer.json()] == ids
    last = await api.post("/entityOperations/query?limit=1&offset=1", json={"type": "Query", "entities": selectors})
    assert [one["id"] for one in last.json()] == ids[1:]


async def test_selectors_cannot_be_given_as_a_parameter(api: httpx.AsyncClient) -> None:
    assert (await api.get("/entities?type=WasteContainer&entities=[]")).status_code == 400
