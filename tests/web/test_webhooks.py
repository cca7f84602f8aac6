"""ChirpStack's HTTP integration, from its request to the entity."""

import base64
from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR, format_instant, system_clock
from tests.fakes.terms import PARVIS_TERMS

EUI = "0254520112345699"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:council"
URL = "/api/connectors/chirpstack"
RECORD = {"hardware_id": EUI, "profile": "cayenne-lpp", "entity_id": ROOM}
UPLINK = {
    "deviceInfo": {"devEui": EUI},
    "time": "2026-09-21T07:04:05+00:00",
    "fPort": 1,
    "data": base64.b64encode(bytes.fromhex("03670110")).decode(),
}


@pytest.fixture
def device_key(platform: Platform) -> dict[str, str]:
    _, key = platform.access.keys.create(COMMAND_LINE, "ChirpStack", "device")
    return {"authorization": f"Bearer {key}"}


async def test_an_uplink_becomes_an_entity(
    operator: httpx.AsyncClient, visitor: httpx.AsyncClient, device_key: dict[str, str]
) -> None:
    await operator.post("/api/devices", json=[RECORD])
    answer = await visitor.post(URL, params={"event": "up"}, json=UPLINK, headers=device_key)
    assert (answer.status_code, answer.content) == (204, b"")
    stored = (await operator.get(f"/ngsi-ld/v1/entities/{ROOM}", headers=PARVIS_TERMS)).json()
    assert stored["temperature"]["value"] == 27.2


@pytest.mark.parametrize(("body", "reason"), [(UPLINK, "UNKNOWN_DEVICE"), ({"no": "uplink"}, "MALFORMED_MESSAGE")])
async def test_what_is_refused_is_kept_and_said_so(
    operator: httpx.AsyncClient, visitor: httpx.AsyncClient, device_key: dict[str, str], body: Any, reason: str
) -> None:
    answer = await visitor.post(URL, params={"event": "up"}, json=body, headers=device_key)
    assert answer.status_code == 202
    assert (await operator.get("/api/refusals")).json()["counts"] == {reason: 1}


async def test_other_events_are_passed_over(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(URL, params={"event": "join"}, json=UPLINK)
    assert answer.status_code == 204
    assert (await operator.get("/api/refusals")).json()["counts"] == {}


async def test_nobody_delivers_frames_without_the_right_to(platform: Platform, visitor: httpx.AsyncClient) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "screen", "reader")
    for headers in ({}, {"authorization": f"Bearer {key}"}):
        answer = await visitor.post(URL, params={"event": "up"}, json=UPLINK, headers=headers)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"


async def test_who_may_not_deliver_does_not_learn_which_ways_in_there_are(visitor: httpx.AsyncClient) -> None:
    answers = [await visitor.post(f"/api/connectors/{name}", json={}) for name in ("chirpstack", "none")]
    assert [one.status_code for one in answers] == [403, 403]


async def test_a_request_without_its_event_is_explained(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(URL, json=UPLINK)
    assert answer.status_code == 400
    assert "?event=up" in answer.json()["detail"]


async def test_an_overloaded_platform_asks_to_send_again(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(_fleet: Fleet, _caller: Caller, _uplinks: list[Uplink]) -> None:
        raise Overloaded("The queue is full.")

    monkeypatch.setattr(Fleet, "take", take)
    answer = await operator.post(URL, params={"event": "up"}, json=UPLINK)
    assert answer.status_code == 503


async def test_what_a_fault_of_the_platform_spoils_is_asked_for_again(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(*_given: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Reactions, "take", take)
    status = {"deviceInfo": {"devEui": EUI}, "time": "2026-09-21T07:04:05+00:00", "margin": 7, "batteryLevel": 80.0}
    answer = await operator.post(URL, params={"event": "status"}, json=status)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_a_device_key_delivers_frames_and_does_nothing_else(
    operator: httpx.AsyncClient, visitor: httpx.AsyncClient, device_key: dict[str, str]
) -> None:
    url = "/ngsi-ld/v1/entities/"
    await operator.post("/api/devices", json=[RECORD])
    entity = {"id": "urn:ngsi-ld:Building:mine", "type": "Building"}
    deeds = [
        visitor.delete(url + ROOM, headers=device_key),
        visitor.post(url, json=entity, headers=device_key),
        visitor.post("/ngsi-ld/v1/entityOperations/delete", json=[ROOM], headers=device_key),
        visitor.post("/api/devices", json=[RECORD], headers=device_key),
        visitor.get(url + ROOM, headers=device_key),
    ]
    assert [(await deed).status_code for deed in deeds] == [403] * len(deeds)
    assert (await operator.get(url + ROOM)).status_code == 200


async def test_a_frame_further_ahead_than_the_settings_allow_is_refused(operator: httpx.AsyncClient) -> None:
    await operator.post("/api/devices", json=[RECORD])
    for hours, status in ((23, 204), (25, 202)):
        dated = UPLINK | {"fCnt": hours, "time": format_instant(system_clock() + hours * HOUR)}
        assert (await operator.post(URL, params={"event": "up"}, json=dated)).status_code == status
    assert (await operator.get("/api/refusals")).json()["counts"] == {"TIME_IN_THE_FUTURE": 1}
