"""The scope of an entity where attributes are written (NGSI-LD 1.9.1, 4.18 and 5.6.2 to 5.6.5)."""

from typing import Any

import httpx
import pytest

from tests.broker.api.territory import BIN, bin_at_the_port

SCOPE = "https://uri.etsi.org/ngsi-ld/scope"
PATH = f"/entities/{BIN}"


async def create(api: httpx.AsyncClient, **members: Any) -> None:
    assert (await api.post("/entities", json={**bin_at_the_port(), **members})).status_code == 201


async def scope_of(api: httpx.AsyncClient) -> Any:
    return (await api.get(PATH)).json().get("scope")


async def test_what_is_appended_takes_its_place_or_joins_it(api: httpx.AsyncClient) -> None:
    await create(api, scope="/Port")
    assert (await api.post(f"{PATH}/attrs", json={"scope": "/Quay"})).status_code == 204
    assert await scope_of(api) == "/Quay"
    assert (await api.post(f"{PATH}/attrs?options=noOverwrite", json={"scope": "/Port"})).status_code == 204
    assert await scope_of(api) == ["/Quay", "/Port"]


async def test_an_update_gives_no_scope_to_what_has_none(api: httpx.AsyncClient) -> None:
    await create(api)
    answer = await api.patch(f"{PATH}/attrs", json={"scope": "/Quay", "fillingLevel": {"value": 0.9}})
    assert answer.status_code == 207
    assert [one["attributeName"] for one in answer.json()["notUpdated"]] == [SCOPE]
    assert (await scope_of(api), (await api.get(PATH)).json()["fillingLevel"]["value"]) == (None, 0.9)


async def test_an_update_takes_the_place_of_a_scope(api: httpx.AsyncClient) -> None:
    await create(api, scope="/Port")
    assert (await api.patch(f"{PATH}/attrs", json={"scope": "/Quay"})).status_code == 204
    assert await scope_of(api) == "/Quay"


@pytest.mark.parametrize("name", ["scope", "https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fscope"])
async def test_it_is_deleted_as_an_attribute_is(api: httpx.AsyncClient, name: str) -> None:
    await create(api, scope="/Port")
    assert (await api.delete(f"{PATH}/attrs/{name}")).status_code == 204
    assert await scope_of(api) is None
    assert (await api.delete(f"{PATH}/attrs/{name}")).status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_it_is_no_attribute_instance(api: httpx.AsyncClient, method: str) -> None:
    await create(api, scope="/Port")
    answer = await api.request(method, f"{PATH}/attrs/scope", json={"type": "Property", "value": "/Quay"})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")
    assert await scope_of(api) == "/Port"


async def test_what_replaces_the_entity_has_its_own_scope_or_none(api: httpx.AsyncClient) -> None:
    await create(api, scope="/Port")
    assert (await api.put(PATH, json=bin_at_the_port())).status_code == 204
    assert await scope_of(api) is None
