"""Entity maps over HTTP (NGSI-LD 1.9.1, 5.5.14, 5.14)."""

from typing import Any

import httpx
import pytest

from parvis.broker import entity_maps

ROOMS = [f"urn:ngsi-ld:Room:{number}" for number in range(5)]
EVERYTHING = {"type": "Room"}


def room(entity_id: str, level: int) -> dict[str, Any]:
    return {"id": entity_id, "type": "Room", "level": {"type": "Property", "value": level}}


@pytest.fixture(autouse=True)
async def rooms(api: httpx.AsyncClient) -> None:
    entities = [room(entity_id, level) for level, entity_id in enumerate(ROOMS)]
    assert (await api.post("/entityOperations/create", json=entities)).status_code == 201


async def made(api: httpx.AsyncClient, **parameters: str) -> httpx.Response:
    answer = await api.get("/entityMaps", params={**EVERYTHING, **parameters})
    assert answer.status_code == 201, answer.text
    return answer


async def paged(api: httpx.AsyncClient, location: str, **parameters: str) -> httpx.Response:
    return await api.get("/entities", params={**EVERYTHING, **parameters}, headers={"ngsild-entitymap": location})


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_a_map_tells_what_was_found_and_where(api: httpx.AsyncClient) -> None:
    answer = await made(api, q="level>2")
    document = answer.json()
    assert document["type"] == "EntityMap"
    assert document["entityMap"] == {ROOMS[3]: ["@none"], ROOMS[4]: ["@none"]}
    again = await api.get(f"/entityMaps/{document['id']}")
    assert again.json() == document
    assert answer.headers["ngsild-entitymap"] == f"/ngsi-ld/v1/entityMaps/{document['id']}"


async def test_a_query_may_leave_a_map_behind(api: httpx.AsyncClient) -> None:
    answer = await api.get("/entities?type=Room&entityMap=true&limit=2")
    assert (answer.status_code, len(answer.json())) == (201, 2)
    following = await paged(api, answer.headers["ngsild-entitymap"], limit="2", offset="2")
    assert ids(following) == ROOMS[2:4]
    assert following.headers["ngsild-entitymap"] == answer.headers["ngsild-entitymap"]


async def test_pages_hold_what_was_found_first_and_fits_still(api: httpx.AsyncClient) -> None:
    location = (await made(api, orderBy="level;desc")).headers["ngsild-entitymap"]
    assert (await api.post("/entities", json=room("urn:ngsi-ld:Room:new", 9))).status_code == 201
    assert (await api.delete(f"/entities/{ROOMS[1]}")).status_code == 204
    answer = await paged(api, location, limit="3", count="true")
    assert ids(answer) == [ROOMS[4], ROOMS[3], ROOMS[2]]
    assert answer.headers["ngsild-results-count"] == "4"
    kept = await api.get(location.removeprefix("/ngsi-ld/v1"))
    assert ROOMS[1] not in kept.json()["entityMap"]


async def test_a_map_is_prolonged_within_bounds_and_expires(api: httpx.AsyncClient) -> None:
    document = (await made(api, entityMapLifetime="P10Y")).json()
    assert document["expiresAt"] < "2100"
    path = f"/entityMaps/{document['id']}"
    changed = {"expiresAt": "2999-01-01T00:00:00Z", "entityMap": {"urn:ngsi-ld:Room:forged": ["@none"]}}
    assert (await api.patch(path, json=changed)).status_code == 204
    kept = (await api.get(path)).json()
    assert kept["expiresAt"] < "2100"
    assert list(kept["entityMap"]) == ROOMS
    assert (await api.patch(path, json={"expiresAt": "2000-01-01T00:00:00Z"})).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_a_map_is_deleted_once(api: httpx.AsyncClient) -> None:
    path = f"/entityMaps/{(await made(api)).json()['id']}"
    assert (await api.delete(path)).status_code == 204
    assert (await api.delete(path)).status_code == 404


async def test_a_map_is_for_those_who_see_what_its_conditions_asked_for(api: httpx.AsyncClient) -> None:
    path = f"/entityMaps/{(await made(api, q='level>3')).json()['id']}"
    assert (await api.get(path, headers={"subject": "clerk"})).status_code == 404
    assert (await api.patch(path, json={}, headers={"subject": "clerk"})).status_code == 404
    assert (await api.delete(path, headers={"subject": "clerk"})).status_code == 404
    asked = {"ngsild-entitymap": path, "subject": "clerk"}
    anew = await api.get("/entities?type=Room&limit=1&entityMap=true", headers=asked)
    assert (anew.status_code, anew.json()[0]["id"]) == (201, ROOMS[0])
    assert (await api.get(path, headers={"subject": "administrator"})).json()["entityMap"] == {ROOMS[4]: ["@none"]}

    clerks = (await api.get("/entityMaps?type=Room", headers={"subject": "clerk"})).json()["id"]
    assert (await api.get(f"/entityMaps/{clerks}", headers={"subject": "another clerk"})).status_code == 200
    assert (await api.get(f"/entityMaps/{clerks}")).status_code == 404


async def test_a_map_that_is_gone_is_made_anew(api: httpx.AsyncClient) -> None:
    answer = await paged(api, "urn:ngsi-ld:entitymap:gone")
    assert answer.status_code == 201
    assert "gone" not in answer.headers["ngsild-entitymap"]
    retrieved = await api.get(f"/entities/{ROOMS[0]}?entityMap=true")
    assert (retrieved.status_code, "ngsild-entitymap" in retrieved.headers) == (200, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/entityMaps?id=urn:ngsi-ld:Room:0", 400),
        ("/entityMaps?type=Room&entityMapLifetime=1hour", 400),
        ("/entityMaps/no%20uri", 400),
        ("/entityMaps/urn:ngsi-ld:entitymap:unknown", 404),
        ("/temporal/entityMaps?type=Room", 400),
    ],
)
async def test_what_is_refused(api: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await api.get(path)).status_code == status


async def test_a_map_of_the_past_holds_what_has_one(api: httpx.AsyncClient) -> None:
    asked = "/temporal/entityMaps?type=Room&timerel=before&timeproperty=createdAt&timeAt="
    assert list((await api.get(f"{asked}2999-01-01T00:00:00Z")).json()["entityMap"]) == ROOMS
    assert (await api.get(f"{asked}2000-01-01T00:00:00Z")).json()["entityMap"] == {}


async def test_a_resident_sees_no_map_of_those_who_see_more(api: httpx.AsyncClient) -> None:
    path = f"/entityMaps/{(await made(api)).json()['id']}"
    assert (await api.get(path, headers={"subject": "resident"})).status_code == 404
    own = await api.get("/entityMaps?type=Room", headers={"subject": "resident"})
    assert own.json()["entityMap"] == {}


async def test_a_tenant_keeps_so_many_maps(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_maps, "MOST_MAPS", 2)
    first, second, third = [(await made(api, entityMapLifetime=f"PT{n}M")).json()["id"] for n in (10, 20, 30)]
    assert (await api.get(f"/entityMaps/{first}")).status_code == 404
    assert [(await api.get(f"/entityMaps/{one}")).status_code for one in (second, third)] == [200, 200]


async def test_a_map_has_bounds(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.broker.api.whole_query.MOST_FOUND", 4)
    answer = await api.get("/entityMaps?type=Room")
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (403, "TooManyResults")
