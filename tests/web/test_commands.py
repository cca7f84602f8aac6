"""Commands to devices and gateways over the API."""

from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.fleet.commands.downlink import Order

EUI = "0254520112345699"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:council"
RECORD = {"hardware_id": EUI, "profile": "cayenne-lpp", "entity_id": ROOM}
URL = f"/api/devices/urn:ngsi-ld:Device:{EUI}/commands"
OPEN = {"f_port": 10, "payload_hex": "01FF", "confirmed": True}
EVENTS = "/api/connectors/chirpstack"


class Network:
    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def send(self, order: Order) -> None:
        self.orders.append(order)


def event(**more: Any) -> dict[str, Any]:
    return {"deviceInfo": {"devEui": EUI, "applicationId": "bins"}, "time": "2026-09-21T07:04:05Z", **more}


async def test_a_command_from_the_request_to_its_acknowledgement(
    operator: httpx.AsyncClient, platform: Platform
) -> None:
    network = Network()
    platform.commands.send_by({"chirpstack": network})
    await operator.post("/api/devices", json=[RECORD])
    page, waits = f"/console/devices/{EUI}", "the command will wait"
    assert waits in (await operator.get(page, params={"lang": "en"})).text
    uplink = event(fPort=1, data="A2cBEA==")
    assert (await operator.post(EVENTS, params={"event": "up"}, json=uplink)).status_code == 204
    assert waits not in (await operator.get(page, params={"lang": "en"})).text
    answer = await operator.post(URL, json=OPEN, headers={"idempotency-key": "open"})
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert (given["state"], given["device"], given["payload_hex"]) == ("queued", EUI, "01ff")
    again = await operator.post(f"/api/devices/{EUI.upper()}/commands", json=OPEN, headers={"idempotency-key": "open"})
    assert again.json()["id"] == given["id"]
    await platform.commands.send_due()
    (order,) = network.orders
    assert (order.command_id, order.route, order.is_confirmed) == (given["id"], "bins", True)
    told = event(queueItemId=given["id"], gatewayId="0016c001f153a14c")
    assert (await operator.post(EVENTS, params={"event": "txack"}, json=told)).status_code == 204
    told = event(queueItemId=given["id"], acknowledged=True)
    assert (await operator.post(EVENTS, params={"event": "ack"}, json=told)).status_code == 204
    (command,) = (await operator.get(URL)).json()
    assert (command["state"], command["transmitted_at"]) == ("acknowledged", "2026-09-21T07:04:05Z")
    actions = [entry.record.action for entry in platform.access.store.read_audit()]
    assert actions.count("command-given") == 1


@pytest.mark.parametrize(
    "body",
    [
        {"f_port": 10, "payload_hex": "xy"},
        {"f_port": 300, "payload_hex": "01"},
        {"payload_hex": "01"},
        {"f_port": 1, "payload_hex": "01", "expires_in_s": 0},
        {"f_port": 1, "payload_hex": "01", "unknown": 1},
        {"data": {"valve": "open"}},
        {},
    ],
)
async def test_what_is_no_command_is_explained(operator: httpx.AsyncClient, body: Any) -> None:
    await operator.post("/api/devices", json=[RECORD])
    answer = await operator.post(URL, json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


async def test_a_device_that_is_not_there_is_told(operator: httpx.AsyncClient) -> None:
    assert (await operator.post("/api/devices/0000000000000000/commands", json=OPEN)).status_code == 404


@pytest.mark.parametrize("role", ["device", "reader"])
async def test_only_who_may_command_does(
    operator: httpx.AsyncClient, visitor: httpx.AsyncClient, platform: Platform, role: str
) -> None:
    await operator.post("/api/devices", json=[RECORD])
    _, key = platform.access.keys.create(COMMAND_LINE, "somebody", role)
    headers = {"authorization": f"Bearer {key}"}
    assert (await visitor.post(URL, json=OPEN, headers=headers)).status_code == 403
    assert (await visitor.post(URL, json=OPEN)).status_code == 403
    assert (await visitor.get("/api/gateways")).status_code == 403


async def test_gateways_are_listed_with_their_state(
    operator: httpx.AsyncClient,
) -> None:
    uplink = event(fPort=1, data="A2cBEA==", rxInfo=[{"gatewayId": "0016c001f153a14c", "rssi": -71, "snr": 8}])
    await operator.post(EVENTS, params={"event": "up"}, json=uplink)
    (gateway,) = (await operator.get("/api/gateways")).json()
    assert (gateway["id"], gateway["rssi_dbm"], gateway["state"]) == (
        "urn:ngsi-ld:Gateway:0016c001f153a14c",
        -71,
        "silent",
    )
    assert gateway["last_heard"] == "2026-09-21T07:04:05Z"
