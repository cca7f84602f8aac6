"""The registry over HTTP, as an installer and an integrator use it."""

import asyncio
from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.fleet.joining.onboarding import REGISTER
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant
from tests.fakes.town import FULL_BIN
from tests.web.conftest import client_of

EUI, NEW_EUI = "0254520112345699", "02545201123456aa"
RECORD: dict[str, Any] = {
    "hardware_id": EUI,
    "profile": "generic-climate",
    "entity_id": FULL_BIN,
    "name": "Second",
    "technology": "lorawan",
    "groups": ["north"],
    "tags": ["2026"],
}
CSV = f"deveui;profil;nom\n{EUI};generic-climate;Été\n0254520112345700;nothing;x\n"


def uplink(caller: Caller, now: Instant, number: int, hardware_id: str = EUI) -> Uplink:
    return Uplink(
        hardware_id, b"\x01", 1, number, now, device_name="a sensor", way="test", fields={"temperature_c": 20.5}
    )


@pytest.fixture
async def registered(operator: httpx.AsyncClient) -> httpx.AsyncClient:
    answer = await operator.post("/api/devices", json=[RECORD])
    assert answer.status_code == 201, answer.text
    return operator


async def test_a_device_is_found_changed_and_suspended(registered: httpx.AsyncClient) -> None:
    found = (await registered.get("/api/devices", params={"group": "north", "technology": "lorawan"})).json()
    assert [one["hardware_id"] for one in found] == [EUI]
    assert (await registered.get("/api/devices", params={"tag": "none"})).json() == []
    assert (await registered.get("/api/devices/facets")).json()["groups"] == {"north": 1}
    answer = await registered.patch(f"/api/devices/{EUI.upper()}", json={"suspended": True, "tags": []})
    assert answer.json()["standing"] == "suspended"
    told = (await registered.get(f"/api/devices/urn:ngsi-ld:Device:{EUI}")).json()
    assert (told["standing"], told["tags"], told["groups"], told["name"]) == ("suspended", [], ["north"], "Second")


@pytest.mark.parametrize(
    "change", [{"technology": "smoke"}, {"name": None}, {"expected_interval_s": -5}, {"nothing": 1}]
)
async def test_a_change_that_cannot_be_is_a_problem_report(registered: httpx.AsyncClient, change: Any) -> None:
    answer = await registered.patch(f"/api/devices/{EUI}", json=change)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_broken_device_is_replaced(registered: httpx.AsyncClient) -> None:
    answer = await registered.post(f"/api/devices/{EUI}/replace", json={"hardware_id": NEW_EUI})
    assert (answer.status_code, answer.json()["controlled_asset"]) == (201, FULL_BIN)
    again = await registered.post(f"/api/devices/{EUI}/replace", json={"hardware_id": "02545201123456bb"})
    assert again.status_code == 409
    assert (await registered.delete(f"/api/devices/{NEW_EUI}")).status_code == 204
    assert (await registered.get(f"/api/devices/{NEW_EUI}")).status_code == 404


async def test_an_unknown_device_waits_and_its_frames_are_seen_once_it_is_registered(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller, now: Instant
) -> None:
    await platform.fleet.take(caller, [uplink(caller, now, 1)])
    (waiting,) = (await operator.get("/api/quarantine")).json()
    assert (waiting["hardware_id"], waiting["frames"], waiting["name"]) == (EUI, 1, "a sensor")
    assert (await operator.get("/api/labels", params={"text": EUI})).json()["is_waiting"]
    (refusal,) = (await operator.get("/api/refusals", params={"device": EUI})).json()["refusals"]
    retried = (await operator.post("/api/refusals/retry", json={"ids": [refusal["id"]]})).json()
    assert retried["results"][str(refusal["id"])]["reason"] == "UNKNOWN_DEVICE"
    await operator.post("/api/devices", json=[RECORD])
    async with asyncio.timeout(5):  # whoever hears of it first adopts them
        while (await operator.get("/api/quarantine")).json():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (frame,) = (await operator.get(f"/api/devices/{EUI}/frames")).json()
    assert (frame["decoded"], frame["refused"], frame["payload_hex"]) == ({"temperature_c": 20.5}, None, "01")


async def test_waiting_frames_are_forgotten_on_request(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller, now: Instant
) -> None:
    await platform.fleet.take(caller, [uplink(caller, now, 1), uplink(caller, now, 2)])
    assert (await operator.delete(f"/api/quarantine/{EUI}")).json() == {"frames": 2}


async def test_a_file_is_looked_through_then_a_job_registers_it(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    headers = {"content-type": "text/csv"}
    report = (await operator.post("/api/devices/import/check", content=CSV, headers=headers)).json()
    assert (report["new"], report["left_out"], report["fault_counts"]) == (1, 1, {"unknown-profile": 1})
    answer = await operator.post("/api/devices/import", content=CSV, headers=headers)
    assert answer.status_code == 202, answer.text
    job = await platform.jobs.get(caller, answer.json()["job"])
    assert job.kind == REGISTER
    assert job.arguments.keys() == {"list", "by"}
    assert job.arguments["by"] == job.created_by
    exported = (await operator.get("/api/devices.csv", params={"language": "fr"})).text
    assert exported.startswith("\ufeffidentifiant;profil;objet")


async def test_what_is_no_file_of_devices_is_refused(operator: httpx.AsyncClient) -> None:
    for path in ("/api/devices/import/check", "/api/devices/import"):
        assert (await operator.post(path, content=b"\x00\x01")).status_code == 400


async def test_a_label_is_read_and_a_claim_code_used_once(operator: httpx.AsyncClient) -> None:
    label = (await operator.get("/api/labels", params={"text": f"LW:D0:70B3D57ED0000010:{EUI}:000AF8BE"})).json()
    assert (label["kind"], label["hardware_id"], label["is_registered"]) == ("lorawan", EUI, False)
    batch = {"batch": "Autumn", "devices": [{"hardware_id": EUI, "profile": "generic-climate"}]}
    (issued,) = (await operator.post("/api/devices/claims", json=batch)).json()
    assert issued["qr_text"] == issued["code"]
    where = {"code": issued["code"], "entity_id": FULL_BIN, "name": "Here"}
    assert (await operator.post("/api/devices/claim", json=where)).json()["hardware_id"] == EUI
    assert (await operator.post("/api/devices/claim", json=where)).status_code == 409
    (told,) = (await operator.get("/api/devices/claims")).json()
    assert told["used_by"] == "user:ada"
    sheet = await operator.post("/api/devices/claims/sheet", json=batch | {"batch": "Winter"})
    assert sheet.headers["content-type"].startswith("text/html")
    assert "<svg" in sheet.text
    assert (await operator.delete("/api/devices/claims/Winter")).json() == {"codes": 1}


async def test_a_key_of_a_device_ends_with_it(registered: httpx.AsyncClient, platform: Platform) -> None:
    made = (await registered.post(f"/api/devices/{EUI}/keys", json={})).json()
    caller = platform.access.gate.authenticate_device(made["key"].encode())
    assert caller is not None
    assert caller.device == EUI
    (listed,) = (await registered.get(f"/api/devices/{EUI}/keys")).json()
    assert (listed["id"], listed["key"]) == (made["id"], "")
    await registered.post(f"/api/devices/{EUI}/replace", json={"hardware_id": NEW_EUI})
    assert platform.access.gate.authenticate_device(made["key"].encode()) is None


async def test_a_key_is_ended_under_the_name_of_its_own_device_only(
    registered: httpx.AsyncClient, platform: Platform
) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "another's", "device", device="0011aabb")
    other = platform.access.keys.list_device_keys(COMMAND_LINE, "0011aabb")[0]
    answer = await registered.delete(f"/api/devices/{EUI}/keys/{other.id}")
    assert answer.status_code == 404
    assert platform.access.gate.authenticate_device(key.encode()) is not None


NOT_PUBLIC: list[tuple[str, str, Any]] = [
    ("GET", "/api/quarantine", None),
    ("GET", f"/api/devices/{EUI}", None),
    ("GET", f"/api/devices/{EUI}/frames", None),
    ("GET", "/api/devices.csv", None),
    ("GET", "/api/devices/facets", None),
    ("GET", "/api/labels?text=70b3d549", None),
    ("GET", "/api/devices/claims", None),
    ("GET", f"/api/devices/{EUI}/keys", None),
    ("POST", f"/api/devices/{EUI}/keys", {}),
    ("PATCH", f"/api/devices/{EUI}", {"name": "x"}),
    ("DELETE", f"/api/devices/{EUI}", None),
    ("DELETE", f"/api/devices/{EUI}/keys/x", None),
    ("POST", f"/api/devices/{EUI}/replace", {"hardware_id": NEW_EUI}),
    ("POST", "/api/devices/import", None),
    ("POST", "/api/devices/claim", {"code": "PV-7K2M-Q9XA-0B1C", "entity_id": FULL_BIN}),
    ("DELETE", f"/api/quarantine/{EUI}", None),
    ("POST", "/api/refusals/retry", {"ids": [1]}),
]


async def test_nothing_of_it_is_public(registered: httpx.AsyncClient, platform: Platform) -> None:
    async with client_of(platform) as visitor:
        answers = {
            (method, path): (await visitor.request(method, path, json=body)).status_code
            for method, path, body in NOT_PUBLIC
        }
    assert answers == {(method, path): 403 for method, path, _ in NOT_PUBLIC}


async def test_who_did_what_stands_in_the_trail(registered: httpx.AsyncClient, platform: Platform) -> None:
    await registered.patch(f"/api/devices/{EUI}", json={"suspended": True})
    await registered.post(f"/api/devices/{EUI}/replace", json={"hardware_id": NEW_EUI})
    await registered.delete(f"/api/devices/{NEW_EUI}")
    told = [entry.record for entry in platform.access.store.read_audit() if entry.record.action.startswith("device-")]
    assert [(one.subject, one.action, one.object) for one in told] == [
        ("user:ada", "device-changed", EUI),
        ("user:ada", "device-replaced", EUI),
        ("user:ada", "device-removed", NEW_EUI),
    ]
