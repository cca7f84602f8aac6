"""Pushing over HTTP: the proofs that devices can send, and the answers they get."""

import base64
import gzip
import json
from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from tests.fakes.terms import PARVIS_TERMS

URL = "/api/connectors/httppush"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:archive"
RECORD = {"hardware_id": "probe-01", "profile": "generic-climate", "entity_id": ROOM}
READING = {"device": "probe-01", "temperature_c": 21.5, "humidity_percent": 40}


async def temperature(operator: httpx.AsyncClient) -> Any:
    answer = await operator.get(f"/ngsi-ld/v1/entities/{ROOM}", headers=PARVIS_TERMS)
    return answer.json()["temperature"]["value"]


@pytest.fixture
async def key(platform: Platform, operator: httpx.AsyncClient) -> str:
    assert (await operator.post("/api/devices", json=[RECORD])).status_code == 201
    _, key = platform.access.keys.create(COMMAND_LINE, "probes", "device")
    return key


@pytest.mark.parametrize("way", ["bearer", "header", "query", "basic"])
async def test_a_key_is_taken_in_each_way_that_devices_can_send_it(
    visitor: httpx.AsyncClient, operator: httpx.AsyncClient, key: str, way: str
) -> None:
    basic = base64.b64encode(f"probe:{key}".encode()).decode()
    headers = {
        "bearer": {"authorization": f"Bearer {key}"},
        "header": {"x-api-key": key},
        "query": {},
        "basic": {"authorization": f"Basic {basic}"},
    }[way]
    query = {"key": key} if way == "query" else {}
    answer = await visitor.post(URL, json=READING, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    assert (await operator.get(f"/ngsi-ld/v1/entities/{ROOM}", headers=PARVIS_TERMS)).json()["temperature"][
        "value"
    ] == 21.5


async def test_a_key_acts_in_its_own_tenant_and_is_told_where_there_is_none(
    platform: Platform, visitor: httpx.AsyncClient
) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "probes", "device", "harbour")
    own = await visitor.post(URL, json=READING, headers={"x-api-key": key})
    other = await visitor.post(URL, json=READING, headers={"x-api-key": key, "ngsild-tenant": "default"})
    assert (own.status_code, own.json()["type"].rpartition("/")[2]) == (404, "NonexistentTenant")
    assert "harbour" in own.json()["detail"]
    assert other.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "parvis_wrong"}, {"authorization": "Basic ="}])
async def test_without_a_key_in_force_nothing_is_taken(visitor: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await visitor.post(URL, json=READING, headers=headers)).status_code in (401, 403)


async def test_such_a_key_opens_nothing_but_ways_in(visitor: httpx.AsyncClient, key: str) -> None:
    for answer in (
        await visitor.get("/api/devices", headers={"x-api-key": key}),
        await visitor.get("/api/devices", params={"key": key}),
    ):
        assert answer.status_code in (401, 403)


async def test_the_answers_say_what_to_do(visitor: httpx.AsyncClient, key: str) -> None:
    headers = {"x-api-key": key, "content-type": "application/json"}
    bomb = gzip.compress(b" " * 30_000_000)
    partly = await visitor.post(URL, content=json.dumps([READING, {"device": "nobody", "a": 1}]), headers=headers)
    packed = await visitor.post(URL, content=bomb, headers=headers | {"content-encoding": "gzip"})
    other = await visitor.post(URL, content=b"<a/>", headers=headers | {"content-type": "application/xml"})
    broken = await visitor.post(URL, content=b"{", headers=headers)
    nowhere = await visitor.post(f"{URL}/no-such-mapping", content=b"{}", headers=headers)
    statuses = [one.status_code for one in (partly, packed, other, broken, nowhere)]
    assert statuses == [202, 413, 415, 400, 404]
    assert partly.json()["items"][0]["reason"] == "UNKNOWN_DEVICE"


async def test_who_pushes_without_a_pause_is_told_when_to_go_on(visitor: httpx.AsyncClient, key: str) -> None:
    many = [READING | {"time": 1790000000 + number} for number in range(10_000)]
    headers = {"x-api-key": key}
    answers = [await visitor.post(URL, json=many, headers=headers) for _ in range(3)]
    limited = next(one for one in answers if one.status_code == 429)
    assert int(limited.headers["retry-after"]) > 0


async def test_a_key_of_one_device_needs_no_name_and_speaks_for_no_other(
    platform: Platform, visitor: httpx.AsyncClient, operator: httpx.AsyncClient, key: str
) -> None:
    _, own = platform.access.keys.create(COMMAND_LINE, "probe 1", "device", device="probe-01")
    headers = {"x-api-key": own}
    answer = await visitor.post(URL, json={"temperature_c": 18}, headers=headers)
    assert answer.json()["accepted"] == 1
    other = await visitor.post(URL, json={"temperature_c": 99}, headers=headers, params={"device": "probe-02"})
    assert other.json()["items"][0]["reason"] == "OTHER_DEVICE"
    assert (await operator.get(f"/ngsi-ld/v1/entities/{ROOM}", headers=PARVIS_TERMS)).json()["temperature"][
        "value"
    ] == 18


async def test_keys_in_the_address_are_not_logged(
    visitor: httpx.AsyncClient, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="parvis"):
        for content in (json.dumps(READING), "{", json.dumps([{"device": "nobody"}])):
            await visitor.post(URL, content=content, params={"key": key})
    assert key not in caplog.text
