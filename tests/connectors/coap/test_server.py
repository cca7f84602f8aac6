"""CoAP against clients of others: aiocoap's, and libcoap's where it is installed."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiocoap
import cbor2
import pytest
from aiocoap import CHANGED, CONTENT, DELETE, POST, Context, Message
from aiocoap.resource import ObservableResource, Site
from msgspec.json import decode, encode
from prometheus_client import REGISTRY

from parvis.connectors.coap import registrations
from parvis.connectors.coap.plugin import build
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.ways.connector import Connector
from parvis.kernel.identity import Caller, Right
from tests import system_tools
from tests.connectors.town import CALLER, Town, at_work, open_town

SENSOR = "866425030000001"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:cellar"
KEY = Caller("default", "key:sensors", Right.INGEST)
PROFILE = """
[profile]
id = "lwm2m-climate"
name = "Temperature and humidity"
entity_type = "IndoorEnvironmentObserved"
[[attribute]]
field = "temperature"
name = "temperature"
[[attribute]]
field = "relativeHumidity"
name = "relativeHumidity"
scale = 0.01
[[attribute]]
field = "battery_percent"
name = "batteryLevel"
scale = 0.01
"""


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    folder = tmp_path / "profiles/lwm2m-climate"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "codec.js").write_text("function decodeUplink(i) { return {data: {temperature: i.bytes[0]}}; }")
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord(SENSOR, "lwm2m-climate", ROOM)])
        yield town


REVOKED: set[Caller] = set()


@contextmanager
def connector(town: Town, port: int = 0, **table: Any) -> Iterator[tuple[Connector, int]]:
    port = port or system_tools.free_port()
    surroundings = town.surroundings({"host": "127.0.0.1", "port": port, **table})

    def authenticate(key: bytes) -> Caller | None:
        return KEY if key == b"parvis_right" else None

    in_force = replace(surroundings, authenticate=authenticate, is_in_force=lambda caller: caller not in REVOKED)
    made = build(replace(in_force, shelf=town.store.shelf))
    yield made, port


@asynccontextmanager
async def serving(town: Town, **table: Any) -> AsyncIterator[str]:
    with connector(town, **table) as (made, port):
        async with at_work(made, "server"):
            await asyncio.sleep(0.05)
            yield f"coap://127.0.0.1:{port}"


@pytest.fixture
async def client() -> AsyncIterator[Context]:
    context = await Context.create_client_context(transports=["udp6"])
    yield context
    await context.shutdown()


async def post(client: Context, uri: str, payload: bytes, content_format: int | None = None) -> Message:
    async with asyncio.timeout(10):
        return await client.request(
            Message(code=POST, uri=uri, payload=payload, content_format=content_format)
        ).response


@pytest.mark.parametrize(
    ("content_format", "body"),
    [
        (50, encode({"temperature": 21.5})),
        (60, cbor2.dumps({"temperature": 21.5})),
        (110, encode([{"n": "temperature", "u": "Cel", "v": 21.5}])),
        (112, cbor2.dumps([{-2: f"urn:dev:imei:{SENSOR}:", 0: "temperature", 2: 21.5}])),
        (None, b'{"temperature": 21.5}'),
    ],
)
async def test_readings_in_each_content_format(
    town: Town, client: Context, content_format: int | None, body: bytes
) -> None:
    async with serving(town) as uri:
        answer = await post(client, f"{uri}/push?device={SENSOR}&key=parvis_right", body, content_format)
    assert answer.code == CHANGED, answer.payload
    assert decode(answer.payload)["accepted"] == 1
    assert await town.value(ROOM, "temperature") == 21.5


async def test_bytes_are_for_the_codec_of_the_profile(town: Town, client: Context) -> None:
    async with serving(town, is_closed_network=True) as uri:
        answer = await post(client, f"{uri}/push?device={SENSOR}", b"\x15", 42)
    assert answer.code == CHANGED
    assert await town.value(ROOM, "temperature") == 21


async def test_a_frame_has_an_end(town: Town, client: Context) -> None:
    async with serving(town, is_closed_network=True) as uri:
        answer = await post(client, f"{uri}/push?device={SENSOR}", b"\x15" * 4097, 42)
    assert answer.code.dotted == "4.00"
    assert await town.value(ROOM, "temperature") is None


async def test_a_body_in_many_blocks(town: Town, client: Context) -> None:
    many = [{"device": SENSOR, "time": 1790000000 + number, "temperature": number} for number in range(300)]
    async with serving(town, is_closed_network=True) as uri:
        answer = await post(client, f"{uri}/push", encode(many), 50)
    assert decode(answer.payload)["accepted"] == 300
    assert len(await town.history(ROOM, "temperature")) == 300


async def test_refusals_are_told_in_codes_of_coap(town: Town, client: Context) -> None:
    async with serving(town, max_body_bytes=2000) as uri:
        key = "key=parvis_right"
        answers = [
            await post(client, f"{uri}/push", b"{}"),
            await post(client, f"{uri}/push?key=wrong", b"{}"),
            await post(client, f"{uri}/push?{key}", b"{"),
            await post(client, f"{uri}/push?{key}", b"<a/>", 41),
            await post(client, f"{uri}/push?{key}", b" " * 5000),
            await post(client, f"{uri}/push/none?{key}", b"{}"),
            await post(client, f"{uri}/push?{key}", b'{"device": "stranger-01", "a": 1}'),
        ]
    codes = [one.code.dotted for one in answers]
    assert REGISTRY.get_sample_value("parvis_coap_requests_total", {"code": "4.13"})
    assert codes == ["4.01", "4.01", "4.00", "4.15", "4.13", "4.04", "2.04"]
    assert decode(answers[-1].payload)["waiting"] == 1


async def test_libcoaps_client(town: Town) -> None:
    program = system_tools.require_program("libcoap3-bin", "coap-client", "coap-client-notls", "coap-client-openssl")
    async with serving(town) as uri:
        address = f"{uri}/push?device={SENSOR}&key=parvis_right"
        command = [str(program), "-m", "post", "-t", "50", "-e", '{"temperature": 19.5}', "-B", "5", address]
        ended = await asyncio.to_thread(lambda: subprocess.run(command, capture_output=True, timeout=20, check=True))
    assert b'"accepted":1' in ended.stdout
    assert await town.value(ROOM, "temperature") == 19.5


class Reading(ObservableResource):  # type: ignore[misc]
    """A resource of a device, as text, TLV or SenML."""

    def __init__(self, payload: bytes, content_format: int) -> None:
        super().__init__()
        self.payload = payload
        self.content_format = content_format

    async def render_get(self, request: Message) -> Message:
        return Message(code=CONTENT, payload=self.payload, content_format=self.content_format)

    def change(self, payload: bytes) -> None:
        self.payload = payload
        self.updated_state()


class Device:
    """An LwM2M client of the tests, on aiocoap."""

    def __init__(self, context: Context, temperature: Reading) -> None:
        self.context = context
        self.temperature = temperature

    async def register(self, uri: str, lifetime_s: int = 300) -> Message:
        links = b'</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3304/0>'
        query = f"ep=urn:imei:{SENSOR}&lt={lifetime_s}&lwm2m=1.1&b=U&key=parvis_right"
        return await post(self.context, f"{uri}/rd?{query}", links, 40)


@asynccontextmanager
async def device(temperature: Reading) -> AsyncIterator[Device]:
    site = Site()
    site.add_resource(["3303", "0"], temperature)
    site.add_resource(["3304", "0"], Reading(TLV_HUMIDITY, 11_542))
    site.add_resource(["3", "0", "9"], Reading(b"87", 0))
    context = await Context.create_server_context(
        site, bind=("127.0.0.1", system_tools.free_port()), transports=["udp6"]
    )
    yield Device(context, temperature)
    await context.shutdown()


TLV_HUMIDITY = bytes.fromhex("e41644" + "42200000")
"""Resource 5700 (0x1644), four bytes: 40.0."""


def senml(temperature: float) -> bytes:
    return encode([{"bn": "/3303/0/", "n": "5700", "v": temperature}])


async def test_a_device_that_registers_is_observed(town: Town) -> None:
    temperature = Reading(senml(20.5), 110)
    async with serving(town) as uri, device(temperature) as sensor:
        answer = await sensor.register(uri)
        assert answer.code == aiocoap.CREATED
        assert answer.opt.location_path[0] == "rd"
        await town.eventually(ROOM, "temperature")
        assert (await town.eventually(ROOM, "relativeHumidity")).value == 0.4
        assert (await town.eventually(f"urn:ngsi-ld:Device:{SENSOR}", "batteryLevel")).value == 0.87
        temperature.change(senml(23.0))
        async with asyncio.timeout(5):
            while await town.value(ROOM, "temperature") != 23.0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        place = "/".join(answer.opt.location_path)
        assert (await post(sensor.context, f"{uri}/{place}?lt=600", b"")).code == CHANGED
        gone = await sensor.context.request(Message(code=DELETE, uri=f"{uri}/{place}")).response
        assert gone.code == aiocoap.DELETED
        assert (await post(sensor.context, f"{uri}/{place}", b"")).code == aiocoap.NOT_FOUND


async def test_a_device_sends_of_itself(town: Town) -> None:
    temperature = Reading(b"", 0)
    pack = [{"bn": "/3303/0/", "bt": 1790000000, "n": "5700", "v": 5}, {"n": "5700", "v": 6, "t": 60}]
    async with serving(town) as uri, device(temperature) as sensor:
        assert (await post(sensor.context, f"{uri}/dp", encode(pack), 110)).code == aiocoap.NOT_FOUND
        await sensor.register(uri)
        assert (await post(sensor.context, f"{uri}/dp", encode(pack), 110)).code == CHANGED
    assert [one for one in await town.history(ROOM, "temperature") if one in (5, 6)] == [5, 6]


async def test_registered_devices_are_observed_again_after_a_restart(town: Town) -> None:
    temperature, port = Reading(senml(20.5), 110), system_tools.free_port()
    async with device(temperature) as sensor:
        async with serving(town, port=port) as uri:
            place = "/".join((await sensor.register(uri)).opt.location_path)
            await town.eventually(ROOM, "temperature")
        temperature.change(senml(24.5))
        async with serving(town, port=port) as uri:
            async with asyncio.timeout(5):
                while await town.value(ROOM, "temperature") != 24.5:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert (await post(sensor.context, f"{uri}/{place}?lt=600", b"")).code == CHANGED


async def test_a_registration_ends_with_the_key_it_came_with(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrations, "_SWEEP_EVERY_S", 0.05)
    async with serving(town) as uri, device(Reading(senml(20.5), 110)) as sensor:
        await sensor.register(uri)
        await town.eventually(ROOM, "temperature")
        await asyncio.sleep(0.1)
        pack = [{"bn": "/3303/0/", "n": "5700", "v": 6}]
        assert (await post(sensor.context, f"{uri}/dp", encode(pack), 110)).code == CHANGED
        monkeypatch.setattr(f"{__name__}.REVOKED", {KEY})
        await asyncio.sleep(0.3)
        assert (await post(sensor.context, f"{uri}/dp", encode(pack), 110)).code == aiocoap.NOT_FOUND


async def test_names_that_are_no_devices_do_not_register(town: Town, client: Context) -> None:
    async with serving(town) as uri:
        for endpoint in ("", "a b c d", "é" * 5, "x" * 100):
            answer = await post(client, f"{uri}/rd?ep={endpoint}&key=parvis_right", b"</3303/0>", 40)
            assert answer.code == aiocoap.BAD_REQUEST


async def test_there_is_an_end_to_registrations(town: Town, client: Context) -> None:
    async with serving(town, max_registrations=1) as uri:
        first = await post(client, f"{uri}/rd?ep=sensor-1&key=parvis_right", b"", 40)
        again = await post(client, f"{uri}/rd?ep=sensor-1&key=parvis_right", b"", 40)
        second = await post(client, f"{uri}/rd?ep=sensor-2&key=parvis_right", b"", 40)
    assert (first.code, again.code) == (aiocoap.CREATED, aiocoap.CREATED)
    assert second.code == aiocoap.SERVICE_UNAVAILABLE
