import httpx
import pytest

from tests.fakes.town import FULL_BIN


async def test_the_summary_counts_by_domain(operator: httpx.AsyncClient) -> None:
    summary = (await operator.get("/api/summary")).json()
    assert (summary["total"], summary["attention"]) == (5, 2)
    waste = next(one for one in summary["domains"] if one["domain"] == "waste")
    assert waste["by_state"] == {"good": 1, "stale": 1, "warn": 0, "bad": 1}


async def test_types_are_named_short_and_in_full(operator: httpx.AsyncClient) -> None:
    types = {one["type"]: one for one in (await operator.get("/api/types")).json()}
    assert types["WasteContainer"]["count"] == 3
    assert types["WasteContainer"]["iri"].startswith("https://")


async def test_a_visitor_counts_what_is_public(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/api/summary")).json()["total"] == 4


async def test_a_device_is_registered_and_listed(operator: httpx.AsyncClient) -> None:
    record = {"hardware_id": "0254520112345699", "profile": "generic-climate", "entity_id": FULL_BIN, "name": "Second"}
    answer = await operator.post("/api/devices", json=[record])
    assert answer.status_code == 201, answer.text
    assert answer.json()[0] == {"id": "urn:ngsi-ld:Device:0254520112345699", "status": "created", "problem": None}
    names = [one["name"] for one in (await operator.get("/api/devices")).json()]
    assert sorted(names) == ["Market sensor", "Second"]


async def test_a_stranger_registers_nothing(visitor: httpx.AsyncClient) -> None:
    record = {"hardware_id": "0254520112345699", "profile": "generic-climate", "entity_id": FULL_BIN}
    answer = await visitor.post("/api/devices", json=[record])
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("forbidden")


async def test_a_request_that_does_not_fit_is_explained(operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/api/devices", json=[{"hardware_id": "xyz", "profile": "p", "entity_id": "e"}])
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["faults"][0]["where"] == "body/0/hardware_id"


async def test_an_unknown_profile_is_not_found(operator: httpx.AsyncClient) -> None:
    record = {"hardware_id": "0254520112345699", "profile": "no-such-profile", "entity_id": FULL_BIN}
    answer = await operator.post("/api/devices", json=[record])
    assert answer.status_code == 404
    assert "no-such-profile" in answer.json()["detail"]


async def test_devices_are_not_public(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/api/devices")).status_code == 403


async def test_refusals_are_not_public(visitor: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    assert (await visitor.get("/api/refusals")).status_code == 403
    assert (await operator.get("/api/refusals")).json() == {"counts": {}, "refusals": []}


async def test_an_unknown_address_is_a_problem_report(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_description_names_every_way(visitor: httpx.AsyncClient) -> None:
    description = (await visitor.get("/api/openapi.json")).json()
    assert set(description["paths"]) == {
        "/summary",
        "/types",
        "/devices",
        "/refusals",
        "/refusals/retry",
        "/quarantine",
        "/quarantine/{hardware_id}",
        "/labels",
        "/devices.csv",
        "/devices/facets",
        "/devices/import",
        "/devices/import/check",
        "/devices/claim",
        "/devices/claims",
        "/devices/claims/sheet",
        "/devices/claims/{batch}",
        "/devices/{hardware_id}",
        "/devices/{hardware_id}/frames",
        "/devices/{hardware_id}/keys",
        "/devices/{hardware_id}/keys/{key_id}",
        "/devices/{hardware_id}/replace",
        "/gateways",
        "/devices/{hardware_id}/commands",
        "/connectors/{connector}",
        "/connectors/{connector}/{path}",
        "/federation/notified/{token}",
    }
    assert description["servers"] == [{"url": "/api"}]


async def test_a_fault_of_the_platform_is_a_problem_report_too_and_tells_nothing_of_the_inside(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.web.api.devices.list_devices", None)
    answer = await operator.get("/api/devices")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text
