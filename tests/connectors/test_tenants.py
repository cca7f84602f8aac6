"""Two tenants on one platform, with the same device in each: what one delivers is never the other's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from prometheus_client import REGISTRY, CollectorRegistry

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.fleet.devices.registry import DeviceRecord
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.settings import MqttSettings, Settings
from parvis.web.server import assemble
from tests.fleet.conftest import eventually

HARDWARE = "esp-7"
HALL = "urn:ngsi-ld:IndoorEnvironmentObserved:hall"
TENANTS = ("brume", "trevalan")
PUSH = "/api/connectors/httppush"


@dataclass
class Region:
    platform: Platform

    def key(self, tenant: str, device: str = "") -> str:
        _, token = self.platform.access.keys.create(COMMAND_LINE, f"of {tenant}", "device", tenant, device=device)
        return token

    async def temperature(self, tenant: str) -> Any:
        """Of the hall there; None where none was told."""
        entity = await self.platform.broker.find(clerk(tenant), HALL)
        assert entity is not None
        return next((one.value for one in entity.instances if one.name.endswith("temperature")), None)

    async def temperatures(self) -> list[Any]:
        return [await self.temperature(tenant) for tenant in TENANTS]

    @contextmanager
    def client(self, key: str, client_id: str = "pump") -> Iterator["Client"]:
        assert self.platform.mqtt is not None
        made = Client(key, client_id, self.platform.mqtt.port)
        try:
            yield made
        finally:
            made.close()


class Client:
    """paho-mqtt at 5.0, in a thread of its own."""

    def __init__(self, key: str, client_id: str, port: int) -> None:
        self.answers: list[str] = []
        self.acks: list[str] = []
        self.heard: list[tuple[str, bytes | bytearray]] = []
        made = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
        made.username_pw_set("device", key)
        made.on_connect = lambda _c, _u, _f, reason, _p: self.answers.append(str(reason))
        made.on_publish = lambda _c, _u, _m, reason, _p: self.acks.append(str(reason))
        made.on_message = lambda _c, _u, message: self.heard.append((message.topic, message.payload))
        made.connect("127.0.0.1", port)
        made.loop_start()
        self.paho = made

    async def is_in(self) -> bool:
        await eventually(lambda: self.answers != [])
        return self.answers[0] == "Success"

    async def publish(self, topic: str, payload: str, *, retain: bool = False) -> str:
        told = len(self.acks)
        self.paho.publish(topic, payload, 1, retain)
        await eventually(lambda: len(self.acks) > told)
        return self.acks[-1]

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


def clerk(tenant: str) -> Caller:
    return Caller(tenant, "user:clerk", ADMINISTRATOR)


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[Region]:
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(port=0))) as platform:
        for tenant in TENANTS:
            await platform.broker.add_tenant(tenant)
            record = DeviceRecord(hardware_id=HARDWARE, profile="generic-climate", entity_id=HALL, name="Hall")
            await platform.fleet.register(clerk(tenant), [record])
        yield Region(platform)


@pytest.fixture
async def http(region: Region) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(assemble(region.platform, CollectorRegistry()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_what_is_pushed_is_of_the_tenant_of_its_key(region: Region, http: httpx.AsyncClient) -> None:
    for number, tenant in enumerate(TENANTS):
        reading = {"device": HARDWARE, "temperature_c": 20 + number}
        answer = await http.post(PUSH, json=reading, headers={"x-api-key": region.key(tenant)})
        assert answer.status_code == 200, answer.text
    assert await region.temperatures() == [20, 21]


@pytest.mark.parametrize("device", ["", HARDWARE])
async def test_no_key_pushes_into_another_tenant(region: Region, http: httpx.AsyncClient, device: str) -> None:
    key = region.key("brume", device)
    named = {"NGSILD-Tenant": "trevalan"}
    reading = {"device": HARDWARE, "temperature_c": 99, "tenant": "trevalan"}
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
        refused = await http.post(PUSH, json=reading, headers=headers | named)
        assert refused.status_code in (401, 403), refused.text
    assert await region.temperatures() == [None, None]
    told = await http.post(f"{PUSH}?tenant=trevalan&key={key}", json=reading)
    assert told.status_code == 200
    assert await region.temperatures() == [99, None]


async def test_the_same_frame_is_no_duplicate_of_another_tenants(region: Region, http: httpx.AsyncClient) -> None:
    reading = {"device": HARDWARE, "temperature_c": 20, "time": "2026-09-21T07:00:00Z", "counter": 7}
    keys = [region.key(tenant) for tenant in TENANTS]
    answers = [await http.post(PUSH, json=reading, headers={"x-api-key": key}) for key in (*keys, *keys)]
    assert [one.json()["accepted"] for one in answers] == [1, 1, 0, 0]
    assert [one.json()["duplicates"] for one in answers] == [0, 0, 1, 1]


async def test_a_device_that_one_tenant_has_not_registered_waits_there_alone(
    region: Region, http: httpx.AsyncClient
) -> None:
    await region.platform.fleet.remove(clerk("trevalan"), HARDWARE)
    key = region.key("trevalan")
    answer = await http.post(PUSH, json={"device": HARDWARE, "temperature_c": 5}, headers={"x-api-key": key})
    assert answer.status_code == 202
    waiting = [await region.platform.fleet.list_waiting(clerk(tenant)) for tenant in TENANTS]
    assert [[one.hardware_id for one in there] for there in waiting] == [[], [HARDWARE]]
    assert await region.temperature("brume") is None


async def test_what_is_published_is_of_the_tenant_of_its_key(region: Region) -> None:
    """The same client identifier, the same topic."""
    with (
        region.client(region.key("brume", HARDWARE)) as one,
        region.client(region.key("trevalan", HARDWARE)) as two,
    ):
        assert await one.is_in()
        assert await two.is_in()
        for number, client in enumerate((one, two)):
            topic = f"device/{HARDWARE}/up"
            assert await client.publish(topic, f'{{"temperature_c": {20 + number}}}') == "Success"
        assert one.answers == two.answers == ["Success"], "neither has put the other out"
    assert await region.temperatures() == [20, 21]


async def test_nobody_hears_what_is_published_or_retained_in_another_tenant(region: Region) -> None:
    with region.client(region.key("brume", HARDWARE)) as one, region.client(region.key("trevalan", HARDWARE)) as two:
        assert await one.is_in()
        assert await two.is_in()
        two.paho.subscribe(f"device/{HARDWARE}/#", 1)
        await one.publish(f"device/{HARDWARE}/state", "on", retain=True)
        two.paho.subscribe(f"device/{HARDWARE}/state", 1)
        await two.publish(f"device/{HARDWARE}/state", "mine")
        await eventually(lambda: two.heard != [])
        await asyncio.sleep(0.1)
        assert {payload for _, payload in two.heard} == {b"mine"}


async def test_one_tenant_cannot_take_up_the_connections_of_another(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are three tenants, with `default`: of six connections two are sure for each."""
    listener = region.platform.mqtt
    assert listener is not None
    monkeypatch.setattr(listener._shares.connections, "_limit", 6)
    await listener._learn_tenants()
    key, before = region.key("brume"), refused("connections")
    clients = []
    try:
        for number in range(4):
            clients.append(Client(key, f"pump-{number}", listener.port))
            assert await clients[-1].is_in() is (number < 2)
        assert clients[-1].answers[0] == "Quota exceeded"
        clients.append(Client(region.key("trevalan"), "pump-0", listener.port))
        assert await clients[-1].is_in()
        await listener._learn_tenants()
        assert REGISTRY.get_sample_value("parvis_mqtt_share_used", {"tenant": "brume", "what": "connections"}) == 2
        assert refused("connections") >= before + 2
    finally:
        for one in clients:
            one.close()


async def test_one_tenant_cannot_take_up_what_others_may_retain(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = region.platform.mqtt
    assert listener is not None
    monkeypatch.setattr(listener._shares.retained, "_limit", 9)
    await listener._learn_tenants()
    with region.client(region.key("brume")) as one, region.client(region.key("trevalan")) as two:
        for client in (one, two):
            assert await client.is_in()
            for number in range(5):
                await client.publish(f"town/{number}", "x", retain=True)
    assert [listener._shares.retained.used_by(tenant) for tenant in TENANTS] == [3, 3]
    assert refused("retained") >= 2


def refused(what: str) -> float:
    return REGISTRY.get_sample_value("parvis_mqtt_share_refused_total", {"tenant": "brume", "what": what}) or 0.0
