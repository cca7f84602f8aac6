"""Attributes of one entity over HTTP (NGSI-LD 1.9.1, 6.6 and 6.7)."""

from typing import Any

import httpx
import pytest

from parvis.broker.jsonld.contexts import Contexts
from tests.broker.api.territory import BIN, bin_at_the_port

LIDAR, RADAR = "urn:ngsi-ld:Dataset:lidar", "urn:ngsi-ld:Dataset:radar"
LEVEL = f"/entities/{BIN}/attrs/fillingLevel"


@pytest.fixture(autouse=True)
async def a_bin(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())


async def read(api: httpx.AsyncClient) -> dict[str, Any]:
    entity: dict[str, Any] = (await api.get(f"/entities/{BIN}")).json()
    return entity


def iri(name: str) -> str:
    """Where no @context is present, names are whole (6.3.6)."""
    return Contexts().core.expand(name)


def measured(value: float, dataset: str = "") -> dict[str, Any]:
    return {"type": "Property", "value": value} | ({"datasetId": dataset} if dataset else {})


async def test_appending_overwrites_and_adds(api: httpx.AsyncClient) -> None:
    body = {"fillingLevel": measured(0.9), "temperature": measured(21)}
    assert (await api.post(f"/entities/{BIN}/attrs", json=body)).status_code == 204
    entity = await read(api)
    assert (entity["fillingLevel"], entity["temperature"]) == (measured(0.9), measured(21))


async def test_appending_without_overwriting_tells_what_it_left_alone(api: httpx.AsyncClient) -> None:
    body = {"fillingLevel": measured(0.9), "temperature": measured(21)}
    answer = await api.post(f"/entities/{BIN}/attrs?options=noOverwrite", json=body)
    assert answer.status_code == 207
    assert answer.json()["updated"] == [iri("temperature")]
    assert [one["attributeName"] for one in answer.json()["notUpdated"]] == [iri("fillingLevel")]
    assert (await read(api))["fillingLevel"]["value"] == 0.4


async def test_updating_overwrites_whole_attributes_and_appends(api: httpx.AsyncClient) -> None:
    body = {"fillingLevel": measured(0.9), "temperature": measured(21)}
    assert (await api.patch(f"/entities/{BIN}/attrs", json=body)).status_code == 204
    entity = await read(api)
    assert (entity["fillingLevel"], entity["temperature"]) == (measured(0.9), measured(21))


async def test_updating_to_null_deletes_what_is_there(api: httpx.AsyncClient) -> None:
    body = {"fillingLevel": "urn:ngsi-ld:null", "temperature": "urn:ngsi-ld:null"}
    answer = await api.patch(f"/entities/{BIN}/attrs", json=body)
    assert answer.status_code == 207
    assert answer.json()["updated"] == [iri("fillingLevel")]
    assert [one["attributeName"] for one in answer.json()["notUpdated"]] == [iri("temperature")]
    assert "fillingLevel" not in await read(api)


async def test_updating_takes_whole_attributes(api: httpx.AsyncClient) -> None:
    body = {"fillingLevel": {"type": "Property", "unitCode": "P1"}}
    assert (await api.patch(f"/entities/{BIN}/attrs", json=body)).status_code == 400


async def test_a_partial_update_keeps_the_members_it_does_not_name(api: httpx.AsyncClient) -> None:
    answer = await api.patch(LEVEL, json={"value": 0.6, "observedAt": "2026-05-01T09:00:00Z"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await read(api))["fillingLevel"] == {
        "type": "Property",
        "value": 0.6,
        "unitCode": "C62",
        "observedAt": "2026-05-01T09:00:00Z",
    }


async def test_a_partial_update_in_simplified_form(api: httpx.AsyncClient) -> None:
    assert (await api.patch(LEVEL, params={"options": "keyValues"}, json={"value": 0.8})).status_code == 204
    assert (await read(api))["fillingLevel"]["value"] == 0.8


async def test_a_partial_update_to_null_deletes_the_instance(api: httpx.AsyncClient) -> None:
    assert (await api.patch(LEVEL, json={"type": "Property", "value": "urn:ngsi-ld:null"})).status_code == 204
    assert "fillingLevel" not in await read(api)
    assert (await api.patch(LEVEL, json={"value": "urn:ngsi-ld:null"})).status_code == 404


async def test_a_partial_update_reaches_the_dataset_it_names(api: httpx.AsyncClient) -> None:
    two = [measured(0.1, LIDAR), measured(0.2, RADAR)]
    await api.post(f"/entities/{BIN}/attrs", json={"depth": two})
    answer = await api.patch(f"/entities/{BIN}/attrs/depth", json=measured(0.3, RADAR))
    assert answer.status_code == 204
    assert (await read(api))["depth"] == [measured(0.1, LIDAR), measured(0.3, RADAR)]
    other = measured(0.3, "urn:ngsi-ld:Dataset:sonar")
    assert (await api.patch(f"/entities/{BIN}/attrs/depth", json=other)).status_code == 404


async def test_replacing_leaves_nothing_of_the_old_instance(api: httpx.AsyncClient) -> None:
    assert (await api.put(LEVEL, json=measured(0.5))).status_code == 204
    assert (await read(api))["fillingLevel"] == measured(0.5)
    assert (await api.put(f"/entities/{BIN}/attrs/temperature", json=measured(20))).status_code == 404


async def test_deleting_takes_the_default_instance_one_dataset_or_all(api: httpx.AsyncClient) -> None:
    three = [measured(0.0), measured(0.1, LIDAR), measured(0.2, RADAR)]
    await api.post(f"/entities/{BIN}/attrs", json={"depth": three})
    depth = f"/entities/{BIN}/attrs/depth"
    assert (await api.delete(depth)).status_code == 204
    assert (await read(api))["depth"] == three[1:]
    assert (await api.delete(depth, params={"datasetId": LIDAR})).status_code == 204
    assert (await read(api))["depth"] == three[2]
    assert (await api.delete(depth)).status_code == 404
    assert (await api.delete(depth, params={"deleteAll": "true"})).status_code == 204
    assert "depth" not in await read(api)
