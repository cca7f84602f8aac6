"""Batch operations over HTTP (NGSI-LD 1.9.1, 6.14 to 6.18): one bad entity costs only itself."""

from typing import Any

import httpx
import pytest

from tests.broker.api.territory import BIN, BIN_2, LAMP, bin_at_the_port, lamp

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"


async def operate(api: httpx.AsyncClient, operation: str, body: Any, options: str = "") -> httpx.Response:
    return await api.post(f"/entityOperations/{operation}{options}", json=body)


async def levels(api: httpx.AsyncClient) -> dict[str, float]:
    entities = (await api.get("/entities?type=WasteContainer&options=keyValues")).json()
    return {one["id"]: one["fillingLevel"] for one in entities}


async def test_creating_all_answers_with_their_ids(api: httpx.AsyncClient) -> None:
    answer = await operate(api, "create", [bin_at_the_port(), lamp()])
    assert (answer.status_code, answer.json()) == (201, [BIN, LAMP])


async def test_the_good_ones_are_written_and_each_bad_one_is_told(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [lamp()])
    no_type = {"id": "urn:ngsi-ld:Thing:1", "name": "nameless"}
    answer = await operate(api, "create", [bin_at_the_port(), lamp(), no_type])
    assert answer.status_code == 207
    assert answer.json()["success"] == [BIN]
    told = {one["entityId"]: (one["error"]["status"], one["error"]["type"]) for one in answer.json()["errors"]}
    assert told == {
        LAMP: (409, ERRORS + "AlreadyExists"),
        "urn:ngsi-ld:Thing:1": (400, ERRORS + "BadRequestData"),
    }


@pytest.mark.parametrize("stray", [None, 7, "urn:ngsi-ld:Thing:1", []])
async def test_a_member_that_is_no_entity_fails_them_all(api: httpx.AsyncClient, stray: Any) -> None:
    for operation in ("create", "upsert", "update", "merge"):
        answer = await operate(api, operation, [bin_at_the_port(), stray])
        assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")
    assert (await operate(api, "delete", [BIN, None])).status_code == 400
    assert (await api.get(f"/entities/{BIN}")).status_code == 404


async def test_contexts_stand_in_a_batch_of_ld_json_and_not_in_a_link(api: httpx.AsyncClient) -> None:
    link = '<https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
    headers = {"Content-Type": "application/ld+json", "Link": link}
    answer = await api.post("/entityOperations/create", json=[bin_at_the_port()], headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")


async def test_an_upsert_answers_with_what_was_new_and_with_nothing_when_all_was_known(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [bin_at_the_port()])
    first = await operate(api, "upsert", [bin_at_the_port(level=0.5), bin_at_the_port(BIN_2, 0.6)])
    assert (first.status_code, first.json()) == (201, [BIN_2])
    second = await operate(api, "upsert", [bin_at_the_port(level=0.7)])
    assert (second.status_code, second.content) == (204, b"")
    assert await levels(api) == {BIN: 0.7, BIN_2: 0.6}


async def test_an_upsert_replaces_unless_told_to_update(api: httpx.AsyncClient) -> None:
    level = {"id": BIN, "type": "WasteContainer", "fillingLevel": {"type": "Property", "value": 0.9}}
    await operate(api, "upsert", [bin_at_the_port()])
    await operate(api, "upsert", [level], "?options=update")
    assert "location" in (await api.get(f"/entities/{BIN}")).json()
    await operate(api, "upsert", [level])
    assert "location" not in (await api.get(f"/entities/{BIN}")).json()


async def test_an_entity_twice_in_one_batch_is_written_twice_in_order(api: httpx.AsyncClient) -> None:
    answer = await operate(api, "upsert", [bin_at_the_port(level=0.1), bin_at_the_port(level=0.2)])
    assert (answer.status_code, answer.json()) == (201, [BIN])
    assert await levels(api) == {BIN: 0.2}


async def test_an_update_needs_the_entity(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [bin_at_the_port()])
    changes = [{"id": one, "fillingLevel": {"type": "Property", "value": 1.0}} for one in (BIN, BIN_2)]
    answer = await operate(api, "update", changes)
    assert answer.status_code == 207
    assert answer.json()["success"] == [BIN]
    assert answer.json()["errors"][0]["error"]["type"] == ERRORS + "ResourceNotFound"
    assert (await operate(api, "update", changes[:1])).status_code == 204


async def test_an_update_without_overwriting_adds_only(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [bin_at_the_port()])
    change = {"id": BIN, "fillingLevel": {"value": 1.0}, "temperature": {"value": 20}}
    answer = await operate(api, "update", [change], "?options=noOverwrite")
    assert answer.status_code == 207
    assert answer.json()["success"] == []
    [error] = answer.json()["errors"]
    assert (error["entityId"], error["error"]["type"]) == (BIN, ERRORS + "AlreadyExists")
    read = (await api.get(f"/entities/{BIN}?options=keyValues")).json()
    assert (read["fillingLevel"], read["temperature"]) == (0.4, 20)


async def test_a_merge_patches_each_entity(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [bin_at_the_port()])
    patch = {"id": BIN, "fillingLevel": {"value": 0.8}, "location": "urn:ngsi-ld:null"}
    assert (await operate(api, "merge", [patch])).status_code == 204
    read = (await api.get(f"/entities/{BIN}")).json()
    assert read["fillingLevel"]["value"] == 0.8
    assert "location" not in read


async def test_a_delete_takes_ids(api: httpx.AsyncClient) -> None:
    await operate(api, "create", [bin_at_the_port(), lamp()])
    answer = await operate(api, "delete", [BIN, BIN_2, "no uri"])
    assert answer.status_code == 207
    assert answer.json()["success"] == [BIN]
    assert {one["entityId"] for one in answer.json()["errors"]} == {BIN_2, "no uri"}
    assert (await operate(api, "delete", [LAMP])).status_code == 204


async def test_each_entity_of_json_ld_has_its_own_context(api: httpx.AsyncClient) -> None:
    french = {**lamp(), "@context": [{"Lampadaire": "https://example.org/Lamp"}, CORE], "type": "Lampadaire"}
    without = bin_at_the_port()
    answer = await api.post(
        "/entityOperations/create", json=[french, without], headers={"Content-Type": "application/ld+json"}
    )
    assert answer.status_code == 207
    assert answer.json()["success"] == [LAMP]
    assert answer.json()["errors"][0]["entityId"] == BIN
    assert (await api.get(f"/entities/{LAMP}")).json()["type"] == "https://example.org/Lamp"


async def test_plain_json_has_no_context_in_it(api: httpx.AsyncClient) -> None:
    answer = await operate(api, "create", [{**lamp(), "@context": CORE}, bin_at_the_port()])
    assert answer.status_code == 207
    assert answer.json()["success"] == [BIN]
