"""Entities and attributes that are kept for a time, over HTTP (NGSI-LD 1.9.1, 4.22, 4.8 and 6.3.11)."""

from typing import Any

import httpx
import pytest

from tests.broker.api.territory import BIN

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
FUTURE = "2100-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
PATH = f"/entities/{BIN}"


def transient(**members: Any) -> dict[str, Any]:
    return {"id": BIN, "type": "WasteContainer", "note": {"type": "Property", "value": "stays"}, **members}


def level(until: str) -> dict[str, Any]:
    return {"type": "Property", "value": 0.4, "expiresAt": until}


async def create(api: httpx.AsyncClient, **members: Any) -> None:
    assert (await api.post("/entities", json=transient(**members))).status_code == 201


async def test_the_end_is_told_with_system_attributes_alone(api: httpx.AsyncClient) -> None:
    speed = {**level(FUTURE), "accuracy": level(FUTURE)}
    await create(api, expiresAt=FUTURE, speed=speed)
    told = (await api.get(f"{PATH}?options=sysAttrs")).json()
    assert told["expiresAt"] == told["speed"]["expiresAt"] == told["speed"]["accuracy"]["expiresAt"] == FUTURE
    for options in ("", "?options=concise", "?options=keyValues"):
        assert "expiresAt" not in (await api.get(PATH + options)).text


@pytest.mark.parametrize("bad", ["not-a-date", "2026-13-45T00:00:00Z", 7, None, "urn:ngsi-ld:null"])
async def test_an_end_is_a_date_and_time(api: httpx.AsyncClient, bad: Any) -> None:
    for members in ({"expiresAt": bad}, {"speed": {"type": "Property", "value": 1, "expiresAt": bad}}):
        answer = await api.post("/entities", json=transient(**members))
        assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")


async def test_what_was_over_before_it_came_is_never_told(api: httpx.AsyncClient) -> None:
    await create(api, expiresAt=PAST)
    assert (await api.get(PATH)).status_code == 404
    assert (await api.get("/entities?type=WasteContainer&count=true&limit=0")).headers["NGSILD-Results-Count"] == "0"
    assert (await api.get("/types")).json()["typeList"] == []
    await create(api, speed=level(PAST))
    assert (await api.get(PATH)).json().keys() == {"id", "type", "note"}
    assert (await api.get("/entities?q=speed&local=true")).json() == []


async def test_a_merge_sets_the_end_and_takes_it_away(api: httpx.AsyncClient) -> None:
    await create(api, speed=level(FUTURE))
    patch = {"expiresAt": FUTURE, "speed": {"type": "Property", "expiresAt": "urn:ngsi-ld:null"}}
    assert (await api.patch(PATH, json=patch)).status_code == 204
    told = (await api.get(f"{PATH}?options=sysAttrs")).json()
    assert (told["expiresAt"], "expiresAt" in told["speed"]) == (FUTURE, False)
    assert (await api.patch(PATH, json={"expiresAt": "urn:ngsi-ld:null"})).status_code == 204
    assert "expiresAt" not in (await api.get(f"{PATH}?options=sysAttrs")).json()
    assert (await api.patch(PATH, json={"expiresAt": PAST})).status_code == 204
    assert (await api.get(PATH)).status_code == 404


@pytest.mark.parametrize("operation", ["create", "upsert"])
async def test_a_batch_brings_what_is_kept_for_a_time(api: httpx.AsyncClient, operation: str) -> None:
    answer = await api.post(f"/entityOperations/{operation}", json=[transient(expiresAt=FUTURE)])
    assert answer.status_code == 201
    assert (await api.get(f"{PATH}?options=sysAttrs")).json()["expiresAt"] == FUTURE


async def test_what_replaces_it_is_there_to_stay(api: httpx.AsyncClient) -> None:
    await create(api, expiresAt=FUTURE, speed=level(FUTURE))
    assert (await api.put(PATH, json=transient(speed={"type": "Property", "value": 1}))).status_code == 204
    assert "expiresAt" not in (await api.get(f"{PATH}?options=sysAttrs")).text
