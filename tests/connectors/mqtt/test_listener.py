"""The listener as real clients meet it: paho-mqtt at both versions, the mosquitto programs, and bare sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from prometheus_client import REGISTRY

from parvis.connectors.mqtt.config import ListenerConfig, listener_config
from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.listener import MqttListener
from parvis.connectors.mqtt.session import Session
from parvis.fleet.model.delivery import Ack, Message, Route
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import OPERATOR, Caller, Right
from parvis.kernel.settings import MqttSettings
from parvis.mqttwire import codec
from parvis.mqttwire.packets import Publish, Reason, Version
from tests import system_tools
from tests.fleet.conftest import eventually

GATEWAY = Caller("default", "key:gateway", OPERATOR)
READER = Caller("default", "key:reader", Right.READ)
SENSOR = Caller("default", "key:sensor", Right.INGEST)
KEYS = {b"gateway-key": GATEWAY, b"reader-key": READER, b"sensor-key": SENSOR}
each_version = pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
UPLINKS = "application/+/device/+/event/up"
TOPIC = "application/1/device/0101010101010101/event/up"


def authenticate(_client_id: str, _username: str | None, password: bytes | None) -> Caller | None:
    return KEYS.get(password or b"")


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class Platform:
    """Takes messages; commits while `commits` is set, as a store does."""

    messages: list[Message] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    commits: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Ack = Ack.STORED
    overloads: int = 0

    def __post_init__(self) -> None:
        self.commits.set()

    async def handle(self, messages: list[Message]) -> list[Ack]:
        if self.overloads:
            self.overloads -= 1
            raise Overloaded("the queue is full")
        self.messages += messages
        self.batches.append(len(messages))
        await self.commits.wait()
        return [self.answer] * len(messages)


@pytest.fixture
def platform() -> Platform:
    return Platform()


Start = Callable[..., Awaitable[MqttListener]]


@pytest.fixture
async def start(platform: Platform) -> AsyncIterator[Start]:
    listeners: list[MqttListener] = []

    async def run(**bounds: Any) -> MqttListener:
        config = ListenerConfig(port=0, **{"overload_retries": 0, **bounds})
        listener = MqttListener(config, [Route(UPLINKS, platform.handle)], authenticate)
        await listener.start()
        listeners.append(listener)
        return listener

    yield run
    platform.commits.set()
    for listener in listeners:
        await listener.stop()


@dataclass
class Device:
    """A paho client in its own thread."""

    client: paho.Client
    connected: list[int] = field(default_factory=list)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    received: list[tuple[str, bytes, bool]] = field(default_factory=list)
    disconnected: list[int] = field(default_factory=list)


@contextlib.contextmanager
def device(
    listener: MqttListener,
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    password: str | None = "gateway-key",
    will: str | None = None,
    client_id: str = "",
) -> Iterator[Device]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, reconnect_on_failure=False)
    made = Device(client)
    client.on_connect = lambda _c, _u, _f, reason, _p: made.connected.append(reason.value)
    client.on_publish = lambda _c, _u, mid, reason, _p: made.acknowledged.append((mid, reason.value))
    client.on_message = lambda _c, _u, message: made.received.append(
        (message.topic, bytes(message.payload), message.retain)
    )
    client.on_disconnect = lambda _c, _u, _f, reason, _p: made.disconnected.append(reason.value)
    if password is not None:
        client.username_pw_set("gateway", password)
    if will is not None:
        client.will_set(will, b"gone", qos=1)
    client.connect_async("127.0.0.1", listener.port)
    client.loop_start()
    try:
        yield made
    finally:
        client.disconnect()
        client.loop_stop()


class Wire:
    """A bare socket, for what a well-behaved client never does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def expect(self, count: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readexactly(count)

    async def until_closed(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.read(-1)


def subscribers(listener: MqttListener) -> list[Session]:
    return [session for session in listener._sessions if session.subscriptions]


def connections_of(sessions: list[Session]) -> list[Connection]:
    return [session.line for session in sessions if isinstance(session.line, Connection)]


def connect_packet(password: bytes = b"gateway-key", keepalive_s: int = 0, level: int = 4) -> bytes:
    properties = b"\0" if level == 5 else b""
    fields = [b"", b"gateway", password]
    body = b"\0\4MQTT" + bytes([level, 0xC2]) + keepalive_s.to_bytes(2) + properties
    body += b"".join(len(one).to_bytes(2) + one for one in fields)
    return bytes([0x10, len(body)]) + body


@contextlib.asynccontextmanager
async def wire(listener: MqttListener, first: bytes = b"") -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(first)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@each_version
async def test_a_client_hears_that_its_message_is_stored(
    start: Start, platform: Platform, version: MQTTProtocolVersion
) -> None:
    listener = await start()
    with device(listener, version) as gateway:
        gateway.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: len(gateway.acknowledged) == 1)
    assert gateway.connected == [0]
    assert gateway.acknowledged[0][1] == 0
    assert [(one.topic, one.payload, one.caller) for one in platform.messages] == [(TOPIC, b"frame", GATEWAY)]


@each_version
async def test_no_acknowledgement_leaves_before_the_commit(
    start: Start, platform: Platform, version: MQTTProtocolVersion
) -> None:
    listener = await start()
    platform.commits.clear()
    with device(listener, version) as gateway:
        gateway.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: len(platform.messages) == 1)
        await asyncio.sleep(0.1)
        assert gateway.acknowledged == []
        platform.commits.set()
        await eventually(lambda: len(gateway.acknowledged) == 1)


async def test_messages_of_one_turn_reach_the_platform_together(start: Start, platform: Platform) -> None:
    listener = await start()
    frames = [codec.encode_publish(Publish(TOPIC, b"%d" % n, 1, packet_id=n), Version.V311) for n in range(1, 101)]
    async with wire(listener, connect_packet() + b"".join(frames)) as gateway:
        assert await gateway.expect(4) == b"\x20\x02\0\0"
        acknowledged = await gateway.expect(400)
    assert platform.batches == [100]
    assert acknowledged == b"".join(b"\x40\x02" + n.to_bytes(2) for n in range(1, 101))


async def test_acknowledgements_keep_the_order_of_arrival_though_a_later_batch_is_done_first(start: Start) -> None:
    listener = await start()
    first_may_end = asyncio.Event()
    seen: list[bytes] = []

    async def handle(messages: list[Message]) -> list[Ack]:
        seen.extend(one.payload for one in messages)
        if b"slow" in [one.payload for one in messages]:
            await first_may_end.wait()
        return [Ack.STORED] * len(messages)

    listener._intake.routes = (Route(UPLINKS, handle),)
    async with wire(listener, connect_packet()) as gateway:
        await gateway.expect(4)
        gateway.writer.write(codec.encode_publish(Publish(TOPIC, b"slow", 1, packet_id=1), Version.V311))
        await eventually(lambda: seen == [b"slow"])
        gateway.writer.write(codec.encode_publish(Publish(TOPIC, b"fast", 1, packet_id=2), Version.V311))
        await eventually(lambda: seen == [b"slow", b"fast"])
        await asyncio.sleep(0.02)
        first_may_end.set()
        assert await gateway.expect(8) == b"\x40\x02\0\x01\x40\x02\0\x02"


@each_version
@pytest.mark.parametrize("password", ["wrong", None])
async def test_who_has_no_key_is_refused(start: Start, version: MQTTProtocolVersion, password: str | None) -> None:
    listener = await start()
    with device(listener, version, password) as stranger:
        await eventually(lambda: stranger.connected != [])
    assert stranger.connected[0] != 0


async def test_anonymous_clients_on_the_loopback_come_in_only_where_the_settings_say_so(start: Start) -> None:
    listener = await start(anonymous=GATEWAY)
    with device(listener, password=None) as visitor:
        await eventually(lambda: visitor.connected == [0])


async def test_a_reader_may_not_publish(start: Start, platform: Platform) -> None:
    listener = await start()
    with device(listener, password="reader-key") as reader:
        reader.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: reader.acknowledged != [])
    assert reader.acknowledged[0][1] == Reason.NOT_AUTHORIZED
    assert platform.messages == []


async def test_who_may_only_deliver_frames_publishes(start: Start, platform: Platform) -> None:
    listener = await start()
    with device(listener, password="sensor-key") as sensor:
        sensor.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: sensor.acknowledged != [])
    assert sensor.acknowledged[0][1] == Reason.SUCCESS
    assert [message.caller for message in platform.messages] == [SENSOR]


def test_anonymous_clients_may_deliver_frames_and_nothing_else() -> None:
    anonymous = listener_config(MqttSettings(anonymous=True)).anonymous
    assert anonymous is not None
    assert anonymous.rights == Right.INGEST
    assert listener_config(MqttSettings()).anonymous is None


async def test_an_overloaded_platform_tells_a_5_0_client_so_and_counts_it(start: Start, platform: Platform) -> None:
    listener = await start()
    platform.overloads = 1
    before = counted("parvis_mqtt_messages_overloaded_total")
    with device(listener) as gateway:
        gateway.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: gateway.acknowledged != [])
    assert gateway.acknowledged[0][1] == Reason.QUOTA_EXCEEDED
    assert counted("parvis_mqtt_messages_overloaded_total") == before + 1


async def test_an_overloaded_platform_lets_a_3_1_1_client_connect_again_and_resend(
    start: Start, platform: Platform
) -> None:
    listener = await start()
    platform.overloads = 1
    publish = codec.encode_publish(Publish(TOPIC, b"frame", 1, packet_id=1), Version.V311)
    async with wire(listener, connect_packet() + publish) as gateway:
        assert await gateway.until_closed() == b"\x20\x02\0\0"
    async with wire(listener, connect_packet() + publish) as gateway:
        assert await gateway.expect(8) == b"\x20\x02\0\0\x40\x02\0\x01"


async def test_a_short_overload_is_waited_out(start: Start, platform: Platform) -> None:
    listener = await start(overload_retries=2, overload_pause_s=0.01)
    platform.overloads = 2
    with device(listener) as gateway:
        gateway.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: gateway.acknowledged != [])
    assert gateway.acknowledged[0][1] == Reason.SUCCESS


async def test_a_fault_of_the_platform_is_not_acknowledged_as_stored(start: Start) -> None:
    listener = await start()

    async def fail(messages: list[Message]) -> list[Ack]:
        raise ZeroDivisionError

    listener._intake.routes = (Route(UPLINKS, fail),)
    with device(listener) as gateway:
        gateway.client.publish(TOPIC, b"frame", qos=1)
        await eventually(lambda: gateway.acknowledged != [])
    assert gateway.acknowledged[0][1] == Reason.UNSPECIFIED_ERROR


async def test_a_client_at_its_receive_maximum_is_read_no_further(start: Start, platform: Platform) -> None:
    listener = await start(receive_maximum=10, concurrent_batches=30)
    platform.commits.clear()
    frames = [codec.encode_publish(Publish(TOPIC, b"x", 1, packet_id=n), Version.V311) for n in range(1, 21)]
    async with wire(listener, connect_packet()) as gateway:
        await gateway.expect(4)
        for frame in frames:
            gateway.writer.write(frame)
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
        assert len(platform.messages) == 10
        platform.commits.set()
        await gateway.expect(80)
    assert len(platform.messages) == 20


async def test_a_5_0_client_beyond_the_receive_maximum_is_disconnected(start: Start, platform: Platform) -> None:
    listener = await start(receive_maximum=2)
    platform.commits.clear()
    frames = b"".join(codec.encode_publish(Publish(TOPIC, b"x", 1, packet_id=n), Version.V5) for n in (1, 2, 3))
    async with wire(listener, connect_packet(level=5) + frames) as gateway:
        answer = await gateway.until_closed()
    assert answer.endswith(bytes([0xE0, 1, Reason.RECEIVE_MAXIMUM_EXCEEDED]))


async def test_when_all_are_full_everyone_waits_and_then_goes_on(start: Start, platform: Platform) -> None:
    listener = await start(max_in_flight=4, concurrent_batches=30)
    platform.commits.clear()
    frames = [codec.encode_publish(Publish(TOPIC, b"x", 1, packet_id=n), Version.V311) for n in range(1, 7)]
    async with wire(listener, connect_packet()) as first, wire(listener, connect_packet()) as second:
        for gateway in (first, second):
            await gateway.expect(4)
            for frame in frames:
                gateway.writer.write(frame)
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        assert len(platform.messages) <= 5
        platform.commits.set()
        await first.expect(24)
        await second.expect(24)
    assert len(platform.messages) == 12


async def test_a_silent_client_is_disconnected_after_one_and_a_half_keepalives(start: Start) -> None:
    listener = await start()
    async with wire(listener, connect_packet(keepalive_s=1, level=5)) as silent:
        began = asyncio.get_running_loop().time()
        answer = await silent.until_closed()
        took_s = asyncio.get_running_loop().time() - began
    assert answer.endswith(bytes([0xE0, 1, Reason.KEEP_ALIVE_TIMEOUT]))
    assert 1.4 < took_s < 3


async def test_pings_keep_a_client_alive(start: Start) -> None:
    listener = await start()
    async with wire(listener, connect_packet(keepalive_s=1)) as quiet:
        await quiet.expect(4)
        for _ in range(4):
            await asyncio.sleep(0.5)
            quiet.writer.write(b"\xc0\0")
            assert await quiet.expect(2) == b"\xd0\0"


async def test_who_connects_and_says_nothing_is_dropped(start: Start) -> None:
    listener = await start(connect_timeout_s=0.05)
    async with wire(listener) as mute:
        with contextlib.suppress(ConnectionError):
            assert await mute.until_closed() == b""


@pytest.mark.parametrize(
    ("after_connect", "reason"),
    [
        (b"\xf0\x00", Reason.PROTOCOL_ERROR),
        (b"\x10\x00", Reason.PROTOCOL_ERROR),
        (b"\x32\x04\0\1a\0", Reason.MALFORMED_PACKET),
        (b"\x30\xff\xff\xff\x7f", Reason.PACKET_TOO_LARGE),
        (b"\x30\x04\0\1#\0", Reason.TOPIC_NAME_INVALID),
        (b"\x30\x07\0\0\3\x23\0\1x", Reason.TOPIC_ALIAS_INVALID),
        (b"\x82\x06\0\1\0\0\0\0", Reason.TOPIC_FILTER_INVALID),
    ],
)
async def test_a_broken_packet_is_counted_and_ends_the_connection(
    start: Start, after_connect: bytes, reason: Reason
) -> None:
    listener = await start()
    before = counted("parvis_mqtt_protocol_errors_total", reason=reason.name.lower())
    async with wire(listener, connect_packet(level=5) + after_connect) as broken:
        if reason is Reason.TOPIC_FILTER_INVALID:
            await broken.expect(2 + (await broken.expect(2))[1] - 2)
            assert (await broken.expect(6))[-1] == reason
            return
        answer = await broken.until_closed()
    assert bytes([reason]) in answer[answer.rindex(b"\xe0") :]
    assert counted("parvis_mqtt_protocol_errors_total", reason=reason.name.lower()) == before + 1


async def test_another_protocol_version_is_told_so(start: Start) -> None:
    listener = await start()
    async with wire(listener, b"\x10\x0e\0\6MQIsdp\x03\x02\0\0\0\0") as old:
        assert await old.until_closed() == b"\x20\x02\0\x01"


@each_version
async def test_subscribers_get_what_their_filters_match(start: Start, version: MQTTProtocolVersion) -> None:
    listener = await start()
    with device(listener, version, client_id="screen") as screen, device(listener, client_id="gateway") as gateway:
        await eventually(lambda: screen.connected == [0] and gateway.connected == [0])
        screen.client.subscribe([("application/#", 1), ("town/+/level", 0)])
        await eventually(lambda: len(subscribers(listener)) == 1)
        gateway.client.publish(TOPIC, b"frame", qos=1)
        gateway.client.publish("town/a/level", b"7", qos=1)
        gateway.client.publish("town/a/b/level", b"8", qos=1)
        gateway.client.publish("town/b/level", b"9", qos=0)
        await eventually(lambda: len(screen.received) == 3)
        screen.client.unsubscribe(["application/#", "town/+/level"])
    assert [payload for _, payload, _ in screen.received] == [b"frame", b"7", b"9"]


async def test_tenants_do_not_hear_each_other(start: Start) -> None:
    listener = await start()
    KEYS[b"neighbour-key"] = Caller("neighbour", "key:neighbour", OPERATOR)
    with device(listener, password="neighbour-key") as neighbour, device(listener) as gateway:
        await eventually(lambda: neighbour.connected == [0])
        neighbour.client.subscribe("#")
        await eventually(lambda: len(subscribers(listener)) == 1)
        gateway.client.publish("town/a", b"x", qos=1)
        await eventually(lambda: len(gateway.acknowledged) == 1)
        await asyncio.sleep(0.05)
    assert neighbour.received == []


async def test_a_retained_message_greets_later_subscribers(start: Start) -> None:
    listener = await start()
    with device(listener, client_id="gateway") as gateway:
        gateway.client.publish("town/a", b"last word", qos=1, retain=True)
        gateway.client.publish("town/b", b"taken back", qos=1, retain=True)
        gateway.client.publish("town/b", b"", qos=1, retain=True)
        await eventually(lambda: len(gateway.acknowledged) == 3)
    with device(listener, client_id="screen") as screen:
        await eventually(lambda: screen.connected == [0])
        screen.client.subscribe("town/#")
        await eventually(lambda: screen.received != [])
    assert screen.received == [("town/a", b"last word", True)]


async def test_the_will_of_a_client_that_vanishes_is_published(start: Start) -> None:
    listener = await start()
    with device(listener, client_id="screen") as screen:
        await eventually(lambda: screen.connected == [0])
        screen.client.subscribe("wills/#")
        await eventually(lambda: len(subscribers(listener)) == 1)
        with device(listener, client_id="mortal", will="wills/mortal") as mortal:
            await eventually(lambda: mortal.connected == [0])
            connection = listener._clients["default", "mortal"]
            assert connection._transport is not None
            connection._transport.abort()
            await eventually(lambda: screen.received != [])
        with device(listener, client_id="polite", will="wills/polite") as polite:
            await eventually(lambda: polite.connected == [0])
        await asyncio.sleep(0.05)
    assert screen.received == [("wills/mortal", b"gone", False)]


async def test_a_second_client_of_the_same_name_takes_over(start: Start) -> None:
    listener = await start()
    with device(listener, client_id="one") as first:
        await eventually(lambda: first.connected == [0])
        with device(listener, client_id="one") as second:
            await eventually(lambda: second.connected == [0])
            await eventually(lambda: first.disconnected != [])
    assert first.disconnected == [Reason.SESSION_TAKEN_OVER]


async def test_stopping_finishes_what_is_in_flight(start: Start, platform: Platform) -> None:
    listener = await start()
    platform.commits.clear()
    publish = codec.encode_publish(Publish(TOPIC, b"frame", 1, packet_id=1), Version.V311)
    async with wire(listener, connect_packet() + publish) as gateway:
        await eventually(lambda: len(platform.messages) == 1)
        stopping = asyncio.create_task(listener.stop())
        await asyncio.sleep(0.02)
        platform.commits.set()
        await stopping
        assert await gateway.until_closed() == b"\x20\x02\0\0\x40\x02\0\x01"


async def test_stopping_does_not_wait_for_a_client_that_never_stops_publishing() -> None:
    async def slowly(messages: list[Message]) -> list[Ack]:
        await asyncio.sleep(0.02)
        return [Ack.STORED] * len(messages)

    listener = MqttListener(ListenerConfig(port=0, receive_maximum=64), [Route(UPLINKS, slowly)], authenticate)
    await listener.start()
    publish = codec.encode_publish(Publish(TOPIC, b"frame", 0), Version.V311) * 100

    async def flood(gateway: Wire) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                gateway.writer.write(publish)
                await gateway.writer.drain()
                await asyncio.sleep(0)

    async with wire(listener, connect_packet()) as one, wire(listener, connect_packet()) as other:
        flooding = [asyncio.create_task(flood(one)), asyncio.create_task(flood(other))]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            await listener.stop()
        for task in flooding:
            task.cancel()


async def test_the_will_of_a_client_is_not_published_because_the_server_stops(start: Start, platform: Platform) -> None:
    listener = await start()
    with device(listener, client_id="mortal", will=TOPIC) as mortal:
        await eventually(lambda: mortal.connected == [0])
        await listener.stop()
        await eventually(lambda: mortal.disconnected != [])
        await asyncio.sleep(0.05)
    assert platform.messages == []


async def test_a_client_that_says_goodbye_and_reads_nothing_more_is_cut_off(start: Start) -> None:
    listener = await start(close_timeout_s=0.1, outgoing_bytes=50_000_000)
    subscribe = b"\x82\x0a\0\1\0\x05big/#\1"
    async with wire(listener, connect_packet() + subscribe) as deaf, wire(listener, connect_packet()) as loud:
        await deaf.expect(9)
        await loud.expect(4)
        for _ in range(100):
            loud.writer.write(codec.encode_publish(Publish("big/a", bytes(200_000)), Version.V311))
        (connection,) = connections_of(subscribers(listener))
        await eventually(lambda: connection._is_deaf)
        connection.resume_writing()
        deaf.writer.write(b"\xe0\0")
        await eventually(lambda: connection not in listener._admission.connections)


async def test_a_connection_ends_when_its_key_is_revoked(platform: Platform) -> None:
    in_force = {GATEWAY, READER}
    config = ListenerConfig(port=0, recheck_every_s=0.02)
    routes = [Route(UPLINKS, platform.handle)]
    listener = MqttListener(config, routes, authenticate, lambda caller: caller in in_force)
    await listener.start()
    with device(listener) as gateway, device(listener, password="reader-key") as reader:
        await eventually(lambda: gateway.connected == [0] and reader.connected == [0])
        in_force.discard(GATEWAY)
        await eventually(lambda: gateway.disconnected != [])
        assert gateway.disconnected == [Reason.NOT_AUTHORIZED]
        assert reader.disconnected == []
    await listener.stop()


async def test_messages_that_nobody_stores_are_counted(start: Start) -> None:
    listener = await start()
    before = counted("parvis_mqtt_messages_unrouted_total")
    with device(listener) as gateway:
        gateway.client.publish("application/1/device/typo/event/upp", b"frame", qos=1)
        await eventually(lambda: len(gateway.acknowledged) == 1)
    assert counted("parvis_mqtt_messages_unrouted_total") == before + 1


async def test_a_subscriber_that_does_not_read_costs_a_bounded_memory(start: Start) -> None:
    listener = await start(outgoing_bytes=10_000, outgoing_messages=5, outgoing_window=2)
    before = counted("parvis_mqtt_messages_dropped_total")
    subscribe = b"\x82\x0a\0\1\0\x05big/#\1"
    async with wire(listener, connect_packet() + subscribe) as deaf, wire(listener, connect_packet()) as loud:
        assert await deaf.expect(9) == b"\x20\x02\0\0\x90\x03\0\1\1"
        await loud.expect(4)
        for number in range(1, 101):
            publish = Publish("big/a", bytes(100_000), number % 2, packet_id=number)
            loud.writer.write(codec.encode_publish(publish, Version.V311))
            if number % 2:
                await loud.expect(4)
    assert counted("parvis_mqtt_messages_dropped_total") > before


async def test_a_client_that_does_not_read_its_answers_is_read_no_further(start: Start) -> None:
    listener = await start()
    async with wire(listener, connect_packet()) as deaf:
        await deaf.expect(4)
        (connection,) = listener._admission.connections
        connection.pause_writing()
        deaf.writer.write(b"\xc0\0")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(deaf.reader.readexactly(2), 0.1)
        connection.resume_writing()
        assert await deaf.expect(2) == b"\xd0\0"


async def test_noise_on_the_line_harms_nobody_else(start: Start, platform: Platform) -> None:
    listener = await start(connect_timeout_s=1)
    random = Random(4)
    publish = codec.encode_publish(Publish(TOPIC, b"frame", 1, packet_id=1), Version.V311)
    async with wire(listener, connect_packet()) as gateway:
        await gateway.expect(4)
        for number in range(60):
            opening = connect_packet(level=random.choice([4, 5])) if number % 2 else b""
            async with wire(listener, opening + random.randbytes(random.randrange(200))):
                pass
        gateway.writer.write(publish)
        assert await gateway.expect(4) == b"\x40\x02\0\x01"
    await eventually(lambda: not listener._admission.connections)


async def run_program(name: str, *arguments: str) -> str:
    program = system_tools.require_program("mosquitto-clients", name)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(10):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_the_mosquitto_programs_can_talk_through_it(start: Start, platform: Platform, version: str) -> None:
    listener = await start()
    common = ("-h", "127.0.0.1", "-p", str(listener.port), "-V", version, "-u", "gateway", "-P", "gateway-key")
    heard = asyncio.create_task(run_program("mosquitto_sub", *common, "-t", "application/#", "-q", "1", "-C", "2"))
    await eventually(lambda: len(subscribers(listener)) == 1)
    await run_program("mosquitto_pub", *common, "-t", TOPIC, "-q", "1", "-m", "first")
    await run_program("mosquitto_pub", *common, "-t", TOPIC, "-q", "0", "-m", "second")
    assert (await heard).split() == ["first", "second"]
    assert [one.payload for one in platform.messages] == [b"first", b"second"]
