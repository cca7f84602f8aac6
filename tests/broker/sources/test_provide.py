"""A town's changes, carried out where its registrations say, and told in one answer."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from parvis.kernel.outbound import CallFailed
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration, said

ID = bin_()["id"]
BIN = f"/entities/{ID}"
CHANGES = ["redirectionOps", "createBatch", "upsertBatch", "updateBatch", "mergeBatch", "deleteBatch"]
LEVEL = {"type": "Property", "value": 0.4}


class Brokers:
    def __init__(self, around: Neighbourhood, **clients: httpx.AsyncClient) -> None:
        self.around = around
        self.town, self.syndicate, self.county = clients["town"], clients["syndicate"], clients["county"]

    async def register(self, host: str = "syndicate", **more: Any) -> None:
        document = registration(host, **{"operations": CHANGES, **more})
        answer = await self.town.post("/csourceRegistrations", json=document)
        assert answer.status_code == 201, answer.text

    async def exclusive(self, *names: str, host: str = "syndicate", **more: Any) -> None:
        information = [{"entities": [{"type": "WasteContainer", "id": ID}], "propertyNames": list(names)}]
        await self.register(host, mode="exclusive", information=information, **more)

    async def held(self, broker: httpx.AsyncClient, number: int = 1) -> dict[str, Any] | None:
        """The attributes that a broker itself has of a bin."""
        path = f"/entities/{bin_(number)['id']}"
        answer = await broker.get(path, params={"local": "true", "format": "keyValues"})
        if answer.status_code == 404:
            return None
        return {name: value for name, value in answer.json().items() if name not in ("id", "type")}


@pytest.fixture
async def brokers() -> AsyncIterator[Brokers]:
    async with Neighbourhood() as around:
        yield Brokers(around, **{name: await around.build(name) for name in ("town", "syndicate", "county")})


async def test_a_copy_goes_to_an_inclusive_source(brokers: Brokers) -> None:
    await brokers.register()
    answer = await brokers.town.post("/entities", json=bin_(fillingLevel=0.4))
    assert answer.status_code == 201
    assert await brokers.held(brokers.town) == await brokers.held(brokers.syndicate) == {"fillingLevel": 0.4}
    assert (await brokers.town.delete(BIN)).status_code == 204
    assert await brokers.held(brokers.town) is None
    assert await brokers.held(brokers.syndicate) is None


async def test_what_is_exclusive_goes_there_alone(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel")
    answer = await brokers.town.post("/entities", json=bin_(fillingLevel=0.4, note="ours"))
    assert answer.status_code == 201
    assert await brokers.held(brokers.town) == {"note": "ours"}
    assert await brokers.held(brokers.syndicate) == {"fillingLevel": 0.4}


async def test_what_is_redirected_goes_to_all_and_stays_nowhere(brokers: Brokers) -> None:
    await brokers.register(mode="redirect")
    await brokers.register("county", mode="redirect")
    assert (await brokers.town.post("/entities", json=bin_(fillingLevel=0.4))).status_code == 201
    assert await brokers.held(brokers.town) is None
    assert await brokers.held(brokers.syndicate) == await brokers.held(brokers.county) == {"fillingLevel": 0.4}
    assert (await brokers.town.delete(BIN)).status_code == 204
    assert await brokers.held(brokers.county) is None


async def test_an_auxiliary_source_is_never_changed(brokers: Brokers) -> None:
    await brokers.register(mode="auxiliary", operations=["retrieveOps"])
    assert (await brokers.town.post("/entities", json=bin_(note="ours"))).status_code == 201
    assert brokers.around.calls == []


async def test_local_stays_here(brokers: Brokers) -> None:
    await brokers.register()
    assert (await brokers.town.post("/entities", json=bin_(), params={"local": "true"})).status_code == 201
    assert brokers.around.calls == []


async def test_a_source_that_alone_has_it_and_cannot_is_a_conflict(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel", operations=["retrieveOps"])
    alone = await brokers.town.post("/entities", json=bin_(fillingLevel=0.4))
    assert alone.status_code == 409
    assert alone.json()["type"].endswith("/Conflict")
    partly = await brokers.town.post("/entities", json=bin_(fillingLevel=0.4, note="ours"))
    assert partly.status_code == 207
    [error] = partly.json()["errors"]
    assert error["error"]["status"] == 409
    assert error["registrationId"] == registration("syndicate")["id"]
    assert partly.json()["success"] == [ID]
    assert await brokers.held(brokers.town) == {"note": "ours"}
    assert brokers.around.calls == []


async def test_an_inclusive_source_that_cannot_is_left_out(brokers: Brokers) -> None:
    await brokers.register(operations=["retrieveOps"])
    assert (await brokers.town.post("/entities", json=bin_())).status_code == 201
    assert brokers.around.calls == []


async def test_what_fails_there_is_told_beside_what_succeeded_here(brokers: Brokers) -> None:
    await brokers.register()
    await brokers.syndicate.post("/entities", json=bin_())
    answer = await brokers.town.post("/entities", json=bin_(note="ours"))
    assert answer.status_code == 207
    assert [one["error"]["status"] for one in answer.json()["errors"]] == [409]
    again = await brokers.town.post("/entities", json=bin_(note="ours"))
    assert [one["error"]["status"] for one in again.json()["errors"]] == [409, 409]
    assert again.json()["success"] == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [(CallFailed("away"), 504), (said(403), 502), (said(401), 502), (said(500), 500), (said(404), 404)],
)
async def test_a_failure_of_the_only_one_that_has_it_is_the_answer(brokers: Brokers, answer: Any, status: int) -> None:
    await brokers.register(mode="redirect")
    brokers.around.answers["syndicate"] = answer
    told = await brokers.town.patch(f"{BIN}/attrs/fillingLevel", json={"type": "Property", "value": 1})
    assert told.status_code == status
    assert told.json()["status"] == status
    assert registration("syndicate")["id"] in told.json()["detail"]
    assert len(brokers.around.calls) == 1, "a change is sent once"


@pytest.mark.parametrize(("status", "told"), [(409, 409), (401, 502), (403, 502), (404, 404)])
async def test_a_partial_failure_there_is_one_here(brokers: Brokers, status: int, told: int) -> None:
    await brokers.register()
    result = {"success": [], "errors": [{"entityId": ID, "error": {"type": "x", "status": status, "title": "no"}}]}
    brokers.around.answers["syndicate"] = said(207, msgspec.json.encode(result))
    answer = await brokers.town.post("/entities", json=bin_())
    assert answer.status_code == 207
    [failure] = answer.json()["errors"]
    assert failure["error"]["status"] == told
    assert registration("syndicate")["id"] in failure["error"]["detail"]


OF_THE_PAST = ["upsertTemporal", "deleteTemporal"]
EVERY_CHANGE: list[tuple[str, str, Any]] = [
    ("POST", "/entities", bin_()),
    ("PUT", BIN, {"type": "WasteContainer", "fillingLevel": LEVEL}),
    ("PATCH", BIN, {"fillingLevel": LEVEL}),
    ("DELETE", BIN, None),
    ("POST", f"{BIN}/attrs", {"fillingLevel": LEVEL}),
    ("PATCH", f"{BIN}/attrs", {"fillingLevel": LEVEL}),
    ("PATCH", f"{BIN}/attrs/fillingLevel", LEVEL),
    ("PUT", f"{BIN}/attrs/fillingLevel", LEVEL),
    ("DELETE", f"{BIN}/attrs/fillingLevel", None),
    ("POST", "/entityOperations/create", [bin_()]),
    ("POST", "/entityOperations/upsert", [bin_()]),
    ("POST", "/entityOperations/update", [bin_()]),
    ("POST", "/entityOperations/merge", [bin_()]),
    ("POST", "/entityOperations/delete", [ID]),
    ("DELETE", "/entities?type=WasteContainer", None),
    ("POST", "/temporal/entities", bin_()),
    ("DELETE", f"/temporal{BIN}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), EVERY_CHANGE, ids=[f"{one[0]} {one[1]}" for one in EVERY_CHANGE])
@pytest.mark.parametrize("status", [401, 403])
async def test_the_caller_is_not_told_that_his_key_was_refused_elsewhere(
    brokers: Brokers, method: str, path: str, body: Any, status: int
) -> None:
    await brokers.register(mode="redirect", operations=[*CHANGES, *OF_THE_PAST, "purgeEntity"])
    problem = {"type": "x", "title": "No", "detail": "Send an API key."}
    brokers.around.answers["syndicate"] = said(status, msgspec.json.encode(problem))
    answer = await brokers.town.request(method, path, json=body)
    assert answer.status_code in (207, 502), answer.text
    assert registration("syndicate")["id"] in answer.text
    assert f'"status":{status}' not in answer.text


async def test_every_change_of_one_entity_reaches_the_exclusive_source(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel")
    await brokers.town.post("/entities", json=bin_(fillingLevel=0.1, note="ours"))
    one = f"{BIN}/attrs/fillingLevel"
    for number, (method, path, body) in enumerate(
        [
            ("PATCH", BIN, {"fillingLevel": {"type": "Property", "value": 2}, "note": LEVEL}),
            ("PATCH", f"{BIN}/attrs", {"fillingLevel": {"type": "Property", "value": 3}}),
            ("POST", f"{BIN}/attrs", {"fillingLevel": {"type": "Property", "value": 4}}),
            ("PATCH", one, {"type": "Property", "value": 5}),
            ("PUT", one, {"type": "Property", "value": 6}),
            ("PUT", BIN, {"type": "WasteContainer", "fillingLevel": {"type": "Property", "value": 7}}),
        ],
        start=2,
    ):
        answer = await brokers.town.request(method, path, json=body)
        assert answer.status_code == 204, f"{method} {path}: {answer.text}"
        assert (await brokers.held(brokers.syndicate)) == {"fillingLevel": number}
        assert "fillingLevel" not in (await brokers.held(brokers.town) or {})
    assert (await brokers.held(brokers.town)) == {"note": 0.4}
    assert (await brokers.town.delete(one)).status_code == 204
    assert await brokers.held(brokers.syndicate) == {}


async def test_options_go_along(brokers: Brokers) -> None:
    await brokers.register()
    await brokers.town.post("/entities", json=bin_(note="ours"))
    await brokers.town.post(f"{BIN}/attrs", json={"note": LEVEL}, params={"options": "noOverwrite"})
    assert brokers.around.calls[-1].query == {"options": "noOverwrite"}
    assert await brokers.held(brokers.syndicate) == {"note": "ours"}


async def test_a_change_of_another_type_of_entity_concerns_nobody(brokers: Brokers) -> None:
    lamp = {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight", "note": LEVEL}
    await brokers.register()
    await brokers.town.post("/entities", json=lamp)
    assert (await brokers.town.patch("/entities/urn:ngsi-ld:Streetlight:1/attrs", json={"note": LEVEL})).is_success
    assert (await brokers.town.delete("/entities/urn:ngsi-ld:Streetlight:1")).status_code == 204
    assert brokers.around.calls == []


async def test_a_change_that_comes_back_is_a_loop(brokers: Brokers) -> None:
    await brokers.register(mode="redirect")
    answer = await brokers.syndicate.post(
        "/csourceRegistrations", json=registration("town", operations=CHANGES, mode="redirect")
    )
    assert answer.status_code == 201
    told = await brokers.town.post("/entities", json=bin_())
    assert told.status_code == 508
    assert [call.host for call in brokers.around.calls] == ["syndicate", "town"]


async def test_inclusive_loops_end_by_themselves(brokers: Brokers) -> None:
    await brokers.register()
    await brokers.syndicate.post("/csourceRegistrations", json=registration("town", operations=CHANGES))
    told = await brokers.town.post("/entities", json=bin_())
    assert told.status_code == 207, "it was created here by its own way around"
    assert [call.host for call in brokers.around.calls] == ["syndicate", "town"]


async def test_a_source_may_want_other_names(brokers: Brokers) -> None:
    names = {"key": "jsonldContext", "value": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"}
    await brokers.register(contextSourceInfo=[names, {"key": "contentType", "value": "application/ld+json"}])
    assert (await brokers.town.post("/entities", json=bin_(note="ours"))).status_code == 201
    [call] = brokers.around.calls
    assert call.headers["content-type"] == "application/ld+json"
    assert "link" not in call.headers
    assert msgspec.json.decode(call.body)["@context"] == names["value"]


async def test_a_batch_is_one_batch_for_each_source(brokers: Brokers) -> None:
    await brokers.register()
    batch = [bin_(1, note="a"), bin_(2, note="b")]
    answer = await brokers.town.post("/entityOperations/create", json=batch)
    assert (answer.status_code, answer.json()) == (201, [one["id"] for one in batch])
    for operation in ("upsert", "update", "merge"):
        answer = await brokers.town.post(f"/entityOperations/{operation}", json=[bin_(1, note=operation)])
        assert answer.status_code == 204, answer.text
        assert await brokers.held(brokers.syndicate) == await brokers.held(brokers.town) == {"note": operation}
    answer = await brokers.town.post("/entityOperations/delete", json=[one["id"] for one in batch])
    assert answer.status_code == 204
    assert await brokers.held(brokers.syndicate, 2) is None
    assert [call.path.rpartition("/")[2] for call in brokers.around.calls] == [
        "create",
        "upsert",
        "update",
        "merge",
        "delete",
    ]


async def test_a_batch_is_shared_out_by_entity_and_attribute(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel")
    answer = await brokers.town.post(
        "/entityOperations/create", json=[bin_(1, note="a", fillingLevel=1), bin_(2, note="b", fillingLevel=2)]
    )
    assert answer.status_code == 201
    assert await brokers.held(brokers.town, 1) == {"note": "a"}
    assert await brokers.held(brokers.town, 2) == {"note": "b", "fillingLevel": 2}
    assert await brokers.held(brokers.syndicate, 1) == {"fillingLevel": 1}
    assert await brokers.held(brokers.syndicate, 2) is None


async def test_in_a_batch_each_failure_is_told_with_its_source(brokers: Brokers) -> None:
    await brokers.register()
    await brokers.syndicate.post("/entities", json=bin_(2))
    batch = [bin_(1), bin_(2), {"id": "nothing", "type": "WasteContainer"}]
    answer = await brokers.town.post("/entityOperations/create", json=batch)
    assert answer.status_code == 207
    assert answer.json()["success"] == [bin_(1)["id"]]
    told = [(one["entityId"], one.get("registrationId")) for one in answer.json()["errors"]]
    assert told == [("nothing", None), (bin_(2)["id"], registration("syndicate")["id"])]


async def test_a_source_without_batches_gets_one_entity_a_call(brokers: Brokers) -> None:
    await brokers.register(operations=["redirectionOps"])
    batch = [bin_(1), bin_(2)]
    assert (await brokers.town.post("/entityOperations/create", json=batch)).status_code == 201
    assert (await brokers.town.post("/entityOperations/delete", json=[bin_(2)["id"]])).status_code == 204
    assert [(call.method, call.path.partition("/v1")[2]) for call in brokers.around.calls] == [
        ("POST", "/entities"),
        ("POST", "/entities"),
        ("DELETE", f"/entities/{bin_(2)['id']}"),
    ]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_attributes_that_failed_are_told_by_name(brokers: Brokers, method: str) -> None:
    await brokers.exclusive("fillingLevel")
    await brokers.town.post("/entities", json=bin_(note="ours"), params={"local": "true"})
    brokers.around.answers["syndicate"] = CallFailed("away")
    answer = await brokers.town.request(method, f"{BIN}/attrs", json={"fillingLevel": LEVEL, "note": LEVEL})
    assert answer.status_code == 207
    assert answer.json().keys() == {"updated", "notUpdated"}
    assert [name.rpartition("/")[2] for name in answer.json()["updated"]] == ["note"]
    [missing] = answer.json()["notUpdated"]
    assert missing["attributeName"].endswith("/fillingLevel")
    assert missing["registrationId"] == registration("syndicate")["id"]


async def test_another_type_than_the_one_named_is_not_meant_anywhere(brokers: Brokers) -> None:
    await brokers.register(mode="redirect")
    assert (await brokers.town.delete(BIN, params={"type": "Streetlight"})).status_code == 404
    assert brokers.around.calls == []


@pytest.mark.parametrize(("options", "method", "path"), [("update", "PATCH", f"{BIN}/attrs"), ("replace", "PUT", BIN)])
async def test_an_upsert_without_batches_is_an_update_or_a_replacement(
    brokers: Brokers, options: str, method: str, path: str
) -> None:
    await brokers.exclusive("fillingLevel", operations=["redirectionOps"])
    await brokers.syndicate.post("/entities", json=bin_(fillingLevel=1))
    answer = await brokers.town.post(
        "/entityOperations/upsert", json=[bin_(fillingLevel=2)], params={"options": options}
    )
    assert answer.status_code == 204, answer.text
    assert await brokers.held(brokers.syndicate) == {"fillingLevel": 2}
    [call] = brokers.around.calls
    assert (call.method, call.path) == (method, f"/ngsi-ld/v1{path}")


PAST_CHANGES = ["upsertTemporal", "appendAttrsTemporal", "deleteAttrsTemporal", "deleteTemporal"]
PAST = f"/temporal{BIN}"


def told(day: int, value: float = 0.4) -> dict[str, Any]:
    return {"fillingLevel": [{"type": "Property", "value": value, "observedAt": f"2026-05-0{day}T08:00:00Z"}]}


async def instances(broker: httpx.AsyncClient, name: str = "fillingLevel") -> int | None:
    """Of the past that a broker itself has of the bin."""
    answer = await broker.get(PAST, params={"local": "true"})
    if answer.status_code == 404:
        return None
    found = answer.json().get(name, [])
    return len(found) if isinstance(found, list) else 1


async def test_the_past_is_added_to_and_taken_back_at_an_inclusive_source_too(brokers: Brokers) -> None:
    await brokers.register(operations=PAST_CHANGES)
    answer = await brokers.town.post("/temporal/entities", json={**bin_(), **told(1)})
    assert answer.status_code == 201
    assert (await brokers.town.post(f"{PAST}/attrs", json=told(2))).status_code == 204
    assert (await instances(brokers.town), await instances(brokers.syndicate)) == (2, 2)
    gone = await brokers.town.delete(f"{PAST}/attrs/fillingLevel", params={"deleteAll": "true"})
    assert gone.status_code == 204
    assert not await instances(brokers.town)
    assert not await instances(brokers.syndicate)
    assert (await brokers.town.post("/temporal/entities", json={**bin_(), **told(3)})).status_code < 300
    assert (await brokers.town.delete(PAST)).status_code == 204
    assert (await instances(brokers.town), await instances(brokers.syndicate)) == (None, None)


async def test_the_past_of_what_is_exclusive_goes_there_alone(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel", operations=PAST_CHANGES)
    note = {"note": [{"type": "Property", "value": "ours", "observedAt": "2026-05-01T08:00:00Z"}]}
    assert (await brokers.town.post("/temporal/entities", json={**bin_(), **told(1), **note})).status_code == 201
    assert (await instances(brokers.town), await instances(brokers.town, "note")) == (0, 1)
    assert (await instances(brokers.syndicate), await instances(brokers.syndicate, "note")) == (1, 0)


async def test_an_exclusive_source_that_takes_no_past_is_a_conflict(brokers: Brokers) -> None:
    await brokers.exclusive("fillingLevel", operations=["retrieveOps"])
    answer = await brokers.town.post("/temporal/entities", json={**bin_(), **told(1)})
    assert answer.status_code == 409
    assert await instances(brokers.town) is None
