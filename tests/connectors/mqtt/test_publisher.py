"""Notifications to a broker that is not ours: mosquitto, listened to with paho."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from parvis.broker.ports.notifications import Verdict
from parvis.broker.subscriptions.model import Endpoint
from parvis.connectors.mqtt.publisher import InvalidDestination, MqttNotifications, destination_of
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient
from tests import system_tools

HEADERS = {"Content-Type": "application/json"}
BODY = b'{"id":"urn:ngsi-ld:Notification:1","type":"Notification","data":[]}'


class Listener:
    """A subscriber of everything, in its own thread."""

    def __init__(self, port: int) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", qos=2)
        self._client.loop_start()
        assert self._ready.wait(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(mosquitto: int) -> Iterator[Listener]:
    listener = Listener(mosquitto)
    yield listener
    listener.close()


@contextlib.asynccontextmanager
async def open_notifications(*allow: str, timeout_s: float = 2.0) -> AsyncIterator[MqttNotifications]:
    async with GuardedClient(OutboundSettings(allow=allow)) as http:
        notifications = MqttNotifications(http.network, timeout_s)
        try:
            yield notifications
        finally:
            await notifications.close()


@pytest.fixture
async def notifications() -> AsyncIterator[MqttNotifications]:
    async with open_notifications("127.0.0.0/8") as notifications:
        yield notifications


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that is no broker: it says `answer` to whatever it hears first."""
    connected: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await reader.read(100)
            writer.write(answer)
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*[task for task in connected if task is not None])


def endpoint(port: int, topic: str = "town/bins", **info: str) -> Endpoint:
    named = tuple((name.replace("_", "-"), value) for name, value in info.items())
    return Endpoint(f"mqtt://127.0.0.1:{port}/{topic}", notifier_info=named)


async def until(count: int, listener: Listener) -> None:
    async with asyncio.timeout(5):
        while len(listener.messages) < count:  # noqa: ASYNC110 - paho lives in another thread
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
async def test_a_notification_arrives_in_the_standards_form(
    notifications: MqttNotifications, mosquitto: int, listener: Listener, version: str, qos: str
) -> None:
    where = endpoint(mosquitto, f"town/{version}/{qos}", MQTT_Version=version, MQTT_QoS=qos)
    where = msgspec.structs.replace(where, receiver_info=(("x-town", "a"),))
    receipt = await notifications.send(where, HEADERS, BODY)
    await until(1, listener)
    message: Any = listener.messages[0]
    assert receipt.verdict is Verdict.TAKEN
    assert (message.topic, message.qos) == (f"town/{version}/{qos}", int(qos))
    assert msgspec.json.decode(message.payload) == {
        "metadata": {"Content-Type": "application/json", "x-town": "a"},
        "body": msgspec.json.decode(BODY),
    }


async def test_many_at_once_share_a_connection_and_all_arrive(
    notifications: MqttNotifications, mosquitto: int, listener: Listener
) -> None:
    where = endpoint(mosquitto, MQTT_QoS="1")
    receipts = await asyncio.gather(*[notifications.send(where, HEADERS, BODY) for _ in range(200)])
    await until(200, listener)
    assert {one.verdict for one in receipts} == {Verdict.TAKEN}


async def test_a_broker_that_is_away_is_tried_again_and_found_when_it_is_back(
    notifications: MqttNotifications, tmp_path: Path
) -> None:
    with system_tools.running_mosquitto(tmp_path) as port:
        where = endpoint(port, MQTT_QoS="1")
        assert (await notifications.send(where, HEADERS, BODY)).verdict is Verdict.TAKEN
    away = await notifications.send(where, HEADERS, BODY)
    assert away.verdict is Verdict.LATER
    assert away.reason


async def test_a_broker_that_lets_nobody_in_is_told_as_such() -> None:
    async with answering(b"\x20\x03\x00\x87\x00") as port, open_notifications("127.0.0.0/8") as notifications:
        where = Endpoint(f"mqtt://town:wrong@127.0.0.1:{port}/bins", notifier_info=(("MQTT-QoS", "1"),))
        receipt = await notifications.send(where, HEADERS, BODY)
    assert receipt.verdict is Verdict.LATER
    assert "does not let us in" in receipt.reason
    assert "wrong" not in receipt.reason


async def test_a_server_that_says_nothing_does_not_hold_up_for_ever() -> None:
    async with answering(b"") as port, open_notifications("127.0.0.0/8", timeout_s=0.3) as notifications:
        receipt = await notifications.send(endpoint(port), HEADERS, BODY)
    assert receipt.verdict is Verdict.LATER
    assert "longer than" in receipt.reason


@pytest.mark.parametrize("qos", ["0", "1"])
async def test_what_is_larger_than_the_broker_takes_is_refused_and_ends_no_connection(
    notifications: MqttNotifications, qos: str
) -> None:
    welcome = bytes((0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 200))
    async with answering(welcome) as port:
        where = endpoint(port, MQTT_QoS=qos)
        large = await notifications.send(where, HEADERS, b"[" + b" " * 200 + b"]")
        assert large.verdict is Verdict.REFUSED
        assert "0x95" in large.reason
        assert (await notifications.send(endpoint(port, MQTT_QoS="0"), HEADERS, BODY)).verdict is Verdict.TAKEN
        await notifications.close()


async def test_what_does_not_speak_mqtt_is_told_as_such() -> None:
    other = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with answering(other) as port, open_notifications("127.0.0.0/8") as notifications:
        receipt = await notifications.send(endpoint(port), HEADERS, BODY)
    assert receipt.verdict is Verdict.LATER


async def test_a_private_broker_is_called_only_where_that_is_allowed(mosquitto: int) -> None:
    async with open_notifications() as notifications:
        receipt = await notifications.send(endpoint(mosquitto), HEADERS, BODY)
    assert receipt.verdict is Verdict.REFUSED
    assert "outbound.allow" in receipt.reason


@pytest.mark.parametrize(
    ("uri", "info"),
    [
        ("mqtt://broker.example", ()),
        ("mqtt://broker.example/", ()),
        ("mqtt:///topic", ()),
        ("mqtt://broker.example/bins/#", ()),
        ("mqtt://broker.example/bins/%23", ()),
        ("mqtt://broker.example/+", ()),
        ("mqtt://broker.example:99999/bins", ()),
        ("mqtt://broker.example/bins", (("MQTT-QoS", "3"),)),
        ("mqtt://broker.example/bins", (("MQTT-Version", "mqtt4"),)),
    ],
)
async def test_an_address_that_can_be_none_is_refused(uri: str, info: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(InvalidDestination):
        destination_of(Endpoint(uri, notifier_info=info))
