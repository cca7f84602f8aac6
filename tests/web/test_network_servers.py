"""The Things Stack and Live Objects from their request to the entities."""

from typing import Any

import httpx
import pytest

from tests.fakes.terms import PARVIS_TERMS

EUI = "0254520112345699"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:council"
DEVICE = f"urn:ngsi-ld:Device:{EUI}"
RECORD = {"hardware_id": EUI, "profile": "cayenne-lpp", "entity_id": ROOM}
THINGS_STACK = {
    "end_device_ids": {
        "device_id": "council",
        "application_ids": {"application_id": "town"},
        "dev_eui": EUI.upper(),
        "dev_addr": "260B1234",
    },
    "received_at": "2026-09-21T07:04:05Z",
    "uplink_message": {
        "f_port": 1,
        "f_cnt": 7,
        "frm_payload": "A2cBEA==",
        "rx_metadata": [{"gateway_ids": {"gateway_id": "hall", "eui": "0016C001F153A14C"}, "rssi": -71, "snr": 8}],
        "last_battery_percentage": {"value": 80.0, "received_at": "2026-09-21T06:00:00Z"},
    },
}
LIVE_OBJECTS = {
    "streamId": f"urn:lo:nsid:lora:{EUI.upper()}",
    "timestamp": "2026-09-21T07:04:05.000Z",
    "value": {"payload": "03670110"},
    "metadata": {"connector": "lora", "network": {"lora": {"devEUI": EUI.upper(), "port": 1, "fcnt": 7, "rssi": -113}}},
}
each_server = pytest.mark.parametrize(
    ("name", "message", "route"),
    [("thingsstack", THINGS_STACK, "thingsstack:town/council"), ("liveobjects", LIVE_OBJECTS, "liveobjects:device")],
)


async def read(client: httpx.AsyncClient, entity_id: str) -> Any:
    path = f"/ngsi-ld/v1/entities/{entity_id}"
    return (await client.get(path, params={"options": "keyValues"}, headers=PARVIS_TERMS)).json()


@each_server
async def test_an_uplink_becomes_an_entity(
    operator: httpx.AsyncClient, name: str, message: dict[str, Any], route: str
) -> None:
    await operator.post("/api/devices", json=[RECORD])
    for status in (204, 202):
        answer = await operator.post(f"/api/connectors/{name}", json=message)
        assert answer.status_code == status, "the second is a duplicate"
    assert (await read(operator, ROOM))["temperature"] == 27.2
    assert (await read(operator, DEVICE))["downlinkRoute"] == route


@each_server
async def test_what_is_none_of_its_messages_is_kept(
    operator: httpx.AsyncClient, name: str, message: dict[str, Any], route: str
) -> None:
    answer = await operator.post(f"/api/connectors/{name}", json={**message, "metadata": 1, "end_device_ids": 2})
    assert answer.status_code == 202
    assert (await operator.get("/api/refusals")).json()["counts"] == {"MALFORMED_MESSAGE": 1}


async def test_what_comes_with_a_frame_is_told_too(operator: httpx.AsyncClient) -> None:
    await operator.post("/api/devices", json=[RECORD])
    await operator.post("/api/connectors/thingsstack", json=THINGS_STACK)
    assert (await read(operator, DEVICE))["batteryLevel"] == 0.8
    (gateway,) = (await operator.get("/api/gateways")).json()
    assert (gateway["id"], gateway["rssi_dbm"]) == ("urn:ngsi-ld:Gateway:0016c001f153a14c", -71)
