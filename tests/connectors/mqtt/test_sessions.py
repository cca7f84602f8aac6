"""Sessions as the standard has them (MQTT 3.1.1 and 5.0, 4.1 and 4.3): on bare sockets, over kills and restarts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.model.delivery import Ack, Message, Route
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.mqttwire import codec, wire
from parvis.mqttwire.packets import Properties, Property, Publish, Reason, Version
from tests.connectors.mqtt.conftest import CALLERS, House
from tests.fleet.conftest import eventually

FOR_AN_HOUR: Properties = {Property.SESSION_EXPIRY_INTERVAL: 3600}
TOPIC = "town/a/stored"


def connect(
    client_id: str,
    *,
    level: int = 5,
    clean: bool = False,
    properties: Properties | None = None,
    key: bytes = b"gateway-key",
    will: Publish | None = None,
) -> bytes:
    flags = 0xC0 | (0x02 if clean else 0) | (0x04 | will.qos << 3 | will.retain << 5 if will else 0)
    body = wire.text("MQTT") + bytes([level, flags]) + wire.two_bytes(0)
    body += wire.write_properties(properties if properties is not None else FOR_AN_HOUR) if level == 5 else b""
    body += wire.text(client_id)
    if will is not None:
        body += wire.write_properties(will.properties) if level == 5 else b""
        body += wire.text(will.topic) + wire.binary(will.payload)
    body += wire.text("gateway") + wire.binary(key)
    return b"\x10" + wire.variable_integer(len(body)) + body


def subscribe(topic_filter: str, qos: int, level: int = 5) -> bytes:
    body = b"\0\1" + (b"\0" if level == 5 else b"") + wire.text(topic_filter) + bytes([qos])
    return b"\x82" + wire.variable_integer(len(body)) + body


def publish(
    packet_id: int, payload: bytes = b"x", qos: int = 2, *, duplicate: bool = False, topic: str = TOPIC
) -> bytes:
    return codec.encode_publish(Publish(topic, payload, qos, packet_id=packet_id, duplicate=duplicate), Version.V5)


def ack(kind: int, packet_id: int) -> bytes:
    return bytes([kind, 2]) + packet_id.to_bytes(2)


PUBACK, PUBREC, PUBREL, PUBCOMP = 0x40, 0x50, 0x62, 0x70


class Talk:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *packets: bytes) -> None:
        self.writer.write(b"".join(packets))

    async def hear(self) -> bytes:
        """The next packet, as first byte and body."""
        async with asyncio.timeout(5):
            first, length = await self.reader.readexactly(2)
            assert length < 128
            return bytes([first]) + await self.reader.readexactly(length)

    async def hear_publish(self) -> tuple[int, bool, bytes]:
        """(packet identifier, DUP, payload) of a message that has no properties."""
        packet = await self.hear()
        assert packet[0] & 0xF0 == 0x30
        end = 3 + int.from_bytes(packet[1:3])
        return int.from_bytes(packet[end : end + 2]), bool(packet[0] & 8), packet[end + 3 :]

    async def silence(self, for_s: float = 0.05) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.reader.readexactly(1), for_s)

    async def until_closed(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.read(-1)


class Place(Protocol):
    listener: MqttListener


@contextlib.asynccontextmanager
async def talk(house: Place, first: bytes) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    writer.write(first)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def is_resumed(one: Talk) -> bool:
    connack = await one.hear()
    assert connack[0] == 0x20
    assert connack[2] == 0
    return connack[1] == 1


async def test_a_qos_2_message_is_taken_once_however_often_it_is_sent(house: House) -> None:
    async with talk(house, connect("c")) as one:
        assert not await is_resumed(one)
        one.say(publish(1))
        assert await one.hear() == b"\x50\0\1"
        one.say(publish(1, duplicate=True))
        assert await one.hear() == b"\x50\0\1"
    async with talk(house, connect("c")) as again:
        assert await is_resumed(again)
        again.say(publish(1, duplicate=True))
        assert await again.hear() == b"\x50\0\1"
        again.say(ack(PUBREL, 1))
        assert await again.hear() == b"\x70\0\1"
        again.say(publish(1, b"another"))
        assert await again.hear() == b"\x50\0\1"
    assert [message.payload for message in house.stored] == [b"x", b"another"]


async def test_a_restart_does_not_forget_which_qos_2_messages_it_has_taken(house: House) -> None:
    async with talk(house, connect("c")) as one:
        await is_resumed(one)
        one.say(publish(1), publish(2))
        assert [await one.hear(), await one.hear()] == [b"\x50\0\1", b"\x50\0\2"]
        one.say(ack(PUBREL, 1))
        assert await one.hear() == b"\x70\0\1"
    await house.restart()
    async with talk(house, connect("c")) as again:
        assert await is_resumed(again)
        again.say(publish(2, duplicate=True), publish(1, b"new"))
        assert [await again.hear(), await again.hear()] == [b"\x50\0\2", b"\x50\0\1"]
    assert [message.payload for message in house.stored] == [b"x", b"x", b"new"]


async def test_a_duplicate_that_comes_while_the_first_is_on_its_way_waits_for_the_same_answer(house: House) -> None:
    may_end = asyncio.Event()

    async def slowly(messages: list[Message]) -> list[Ack]:
        await may_end.wait()
        return await house.take(messages)

    house.listener._intake.routes = (Route("town/+/stored", slowly),)
    async with talk(house, connect("c")) as one:
        await is_resumed(one)
        one.say(publish(1))
        await eventually(lambda: house.listener._intake.in_flight.used == 1)
    async with talk(house, connect("c")) as again:
        await is_resumed(again)
        again.say(publish(1, duplicate=True))
        await again.silence()
        may_end.set()
        assert await again.hear() == b"\x50\0\1"
        await again.silence()
    assert len(house.stored) == 1


@pytest.mark.parametrize(("level", "said"), [(5, b"\x50\0\1\x97"), (4, b"")])
async def test_a_qos_2_message_that_is_not_taken_may_be_sent_again(house: House, level: int, said: bytes) -> None:
    tries: list[int] = []

    async def busy_first(messages: list[Message]) -> list[Ack]:
        tries.append(len(messages))
        if len(tries) <= house.listener.config.overload_retries + 1:
            raise Overloaded("busy")
        return await house.take(messages)

    house.listener._intake.routes = (Route("town/+/stored", busy_first),)
    version = Version(level)
    message = codec.encode_publish(Publish(TOPIC, b"x", 2, packet_id=1), version)
    async with talk(house, connect("c", level=level)) as one:
        await is_resumed(one)
        one.say(message)
        if said:
            assert await one.hear() == said
        else:
            assert await one.until_closed() == b""
    async with talk(house, connect("c", level=level)) as again:
        await is_resumed(again)
        again.say(message)
        assert await again.hear() == b"\x50\0\1"
    assert len(house.stored) == 1


async def test_a_pubrel_of_nothing_is_told_so(house: House) -> None:
    async with talk(house, connect("c")) as one:
        await is_resumed(one)
        one.say(ack(PUBREL, 9))
        assert await one.hear() == bytes([0x70, 0, 9, Reason.PACKET_IDENTIFIER_NOT_FOUND])
        one.say(ack(PUBREC, 9))
        assert await one.hear() == bytes([0x62, 0, 9, Reason.PACKET_IDENTIFIER_NOT_FOUND])


async def test_a_message_goes_out_once_at_qos_2_though_the_server_restarts_at_every_step(house: House) -> None:
    async with talk(house, connect("s") + subscribe("town/#", 2)) as screen, talk(house, connect("p")) as gateway:
        await is_resumed(screen)
        await screen.hear()
        gateway.say(publish(1))
        assert await screen.hear_publish() == (1, False, b"x")
    await house.restart()
    async with talk(house, connect("s")) as screen:
        assert await is_resumed(screen)
        assert await screen.hear_publish() == (1, True, b"x")
        screen.say(ack(PUBREC, 1))
        assert await screen.hear() == b"\x62\0\1"
    await house.restart()
    async with talk(house, connect("s")) as screen:
        await is_resumed(screen)
        assert await screen.hear() == b"\x62\0\1"
        screen.say(ack(PUBCOMP, 1))
        await eventually(lambda: _waiting(house, "s") == 0)
    await house.restart()
    async with talk(house, connect("s")) as screen:
        await is_resumed(screen)
        await screen.silence()


def _waiting(house: House, client_id: str) -> int:
    session = house.listener._sessions.find(("default", client_id))
    assert session is not None
    return len(session.mailbox)


async def test_what_waits_is_sent_in_order_within_the_window_and_after_a_restart_too(house: House) -> None:
    window: Properties = {**FOR_AN_HOUR, Property.RECEIVE_MAXIMUM: 2}
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    async with talk(house, connect("p", properties={})) as gateway:
        await is_resumed(gateway)
        for number in range(1, 6):
            gateway.say(publish(number, b"%d" % number, qos=1))
        for _ in range(5):
            assert (await gateway.hear())[0] == PUBACK
    await house.restart()
    async with talk(house, connect("s", properties=window)) as screen:
        assert await is_resumed(screen)
        got = [await screen.hear_publish() for _ in range(2)]
        await screen.silence()
        for packet_id, _, _ in list(got):
            screen.say(ack(PUBACK, packet_id))
            got.append(await screen.hear_publish())
    assert [payload for _, _, payload in got] == [b"1", b"2", b"3", b"4"]


async def test_puback_waits_until_what_waits_for_others_is_durable(house: House) -> None:
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    may_write, change = asyncio.Event(), house.store.shelf.change

    async def slow_change(*arguments: Any) -> None:
        await may_write.wait()
        await change(*arguments)

    house.store.shelf.change = slow_change  # type: ignore[assignment,method-assign]
    async with talk(house, connect("p", properties={})) as gateway:
        await is_resumed(gateway)
        gateway.say(publish(1, qos=1))
        await gateway.silence()
        may_write.set()
        assert await gateway.hear() == b"\x40\0\1"


async def test_while_the_store_does_not_write_changes_wait_and_then_all_are_there(house: House) -> None:
    faults, change = [Overloaded("away"), RuntimeError("odd")], house.store.shelf.change

    async def flaky_change(*arguments: Any) -> None:
        if faults:
            raise faults.pop()
        await change(*arguments)

    house.store.shelf.change = flaky_change  # type: ignore[assignment,method-assign]
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        assert (await screen.hear())[0] == 0x90
    assert faults == []
    await house.restart()
    async with talk(house, connect("s")) as screen:
        assert await is_resumed(screen)


async def test_a_clean_start_ends_the_session_there_was(house: House) -> None:
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    async with talk(house, connect("s", clean=True)) as screen:
        assert not await is_resumed(screen)
        assert not house.listener._router.tree
    await house.restart()
    async with talk(house, connect("s")) as screen:
        assert await is_resumed(screen)
    assert not house.listener._router.tree


@pytest.mark.parametrize(("level", "clean"), [(4, True), (5, True), (5, False)])
async def test_a_session_that_is_not_to_be_kept_leaves_nothing(house: House, level: int, clean: bool) -> None:
    async with talk(
        house, connect("s", level=level, clean=clean, properties={}) + subscribe("town/#", 1, level)
    ) as one:
        assert not await is_resumed(one)
        await one.hear()
    await eventually(lambda: house.listener._sessions.find(("default", "s")) is None)
    assert not house.listener._router.tree
    assert await house.store.shelf.read_all("mqtt-sessions") == {}


async def test_a_session_for_which_nobody_comes_back_ends(house: House) -> None:
    now = house.clock()
    house.listener.clock = house.listener._sessions._clock = lambda: now
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    await eventually(lambda: house.listener._sessions.find(("default", "s")).line is None)  # type: ignore[union-attr]
    now += 3599 * 1_000_000
    await asyncio.sleep(0.1)
    assert house.listener._sessions.kept == 1
    now += 2 * 1_000_000
    await eventually(lambda: house.listener._sessions.kept == 0)
    assert not house.listener._router.tree
    await house.listener._journal.settle()  # type: ignore[union-attr]
    assert await house.store.shelf.read_all("mqtt-sessions") == {}


async def test_a_session_is_not_for_another_key_of_the_same_client_name(house: House) -> None:
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    async with talk(house, connect("s", key=b"other-key")) as other:
        assert not await is_resumed(other)


async def test_a_session_ends_with_the_key_it_came_with(house: House) -> None:
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
    revoked = CALLERS[b"gateway-key"]

    def is_in_force(caller: Caller) -> bool:
        return caller.subject != revoked.subject

    house.listener._is_in_force = is_in_force
    await eventually(lambda: house.listener._sessions.kept == 0)


async def test_beyond_the_most_sessions_a_newcomer_hears_that_its_own_is_not_kept(house: House) -> None:
    house.config["max_sessions"] = 1
    await house.restart()
    async with talk(house, connect("one")) as one, talk(house, connect("two")) as two:
        assert b"\x11\0\0\0\0" not in await one.hear()
        assert b"\x11\0\0\0\0" in await two.hear()


async def test_disconnecting_a_client_may_say_anew_how_long_its_session_is_kept(house: House) -> None:
    async with talk(house, connect("s")) as one:
        await is_resumed(one)
        one.say(b"\xe0\x07\0\x05\x11\0\0\0\0")
        await one.until_closed()
    assert house.listener._sessions.kept == 0
    async with talk(house, connect("s", properties={})) as one:
        await is_resumed(one)
        one.say(b"\xe0\x07\0\x05\x11\0\0\0\1")
        assert Reason.PROTOCOL_ERROR in await one.until_closed()


def will(delay_s: int = 0) -> Publish:
    properties: Properties = {Property.WILL_DELAY_INTERVAL: delay_s} if delay_s else {}
    return Publish(TOPIC, b"gone", 1, properties=properties)


async def test_a_will_with_delay_waits_for_the_client_to_come_back(house: House) -> None:
    async with talk(house, connect("m", will=will(delay_s=1))) as mortal:
        await is_resumed(mortal)
    await asyncio.sleep(0.1)
    assert house.stored == []
    async with talk(house, connect("m")) as mortal:
        assert await is_resumed(mortal)
        await asyncio.sleep(1.2)
        assert house.stored == []


async def test_a_will_is_published_after_its_delay_or_with_the_end_of_the_session(house: House) -> None:
    async with (
        talk(house, connect("m", will=will(delay_s=1))) as mortal,
        talk(house, connect("n", will=will(delay_s=1000), properties={})) as unkept,
    ):
        await is_resumed(mortal)
        await is_resumed(unkept)
    await eventually(lambda: len(house.stored) == 1)
    await asyncio.sleep(1.1)
    await eventually(lambda: len(house.stored) == 2)


async def test_a_will_is_published_on_take_over_unless_it_may_wait(house: House) -> None:
    async with talk(house, connect("m", will=will())) as mortal, talk(house, connect("n", will=will(5))) as patient:
        await is_resumed(mortal)
        await is_resumed(patient)
        async with talk(house, connect("m")), talk(house, connect("n")):
            await mortal.until_closed()
            await patient.until_closed()
            await eventually(lambda: len(house.stored) == 1)
            await asyncio.sleep(0.05)
    assert len(house.stored) == 1


async def test_a_retained_message_that_has_expired_greets_nobody_and_goes(house: House) -> None:
    now = house.clock()
    house.listener.clock = house.listener._router._clock = lambda: now
    properties: Properties = {Property.MESSAGE_EXPIRY_INTERVAL: 10}
    retained = codec.encode_publish(Publish("town/a", b"x", 1, True, packet_id=1, properties=properties), Version.V5)
    async with talk(house, connect("p") + retained) as gateway:
        await is_resumed(gateway)
        await gateway.hear()
        assert len(house.listener._router.retained) == 1
        now += 11 * 1_000_000
        gateway.say(subscribe("town/#", 1))
        assert (await gateway.hear())[0] == 0x90
        await gateway.silence()
    await eventually(lambda: len(house.listener._router.retained) == 0)


async def test_enhanced_authentication_is_refused_by_name(house: House) -> None:
    properties: Properties = {Property.AUTHENTICATION_METHOD: "SCRAM-SHA-1", Property.AUTHENTICATION_DATA: b"x"}
    async with talk(house, connect("c", properties=properties)) as one:
        assert (await one.hear())[2] == Reason.BAD_AUTHENTICATION_METHOD
    async with talk(house, connect("c", properties={Property.AUTHENTICATION_DATA: b"x"})) as one:
        assert await one.until_closed() == b""
    async with talk(house, connect("c") + b"\xf0\0") as one:
        await is_resumed(one)
        assert Reason.PROTOCOL_ERROR in await one.until_closed()


async def test_reasons_are_told_in_words_unless_the_client_does_not_want_them(house: House) -> None:
    for wanted in (1, 0):
        properties: Properties = {Property.REQUEST_PROBLEM_INFORMATION: wanted}
        async with talk(house, connect("c", properties=properties)) as one:
            await is_resumed(one)
            one.say(publish(1, topic="$SYS/secret"))
            answer = await one.hear()
            assert answer[:4] == bytes([PUBREC, 0, 1, Reason.NOT_AUTHORIZED])
            assert (b"may not publish" in answer) is bool(wanted)


async def test_a_topic_alias_means_what_it_meant_last_and_only_on_its_connection(house: House) -> None:
    def aliased(topic: str, payload: bytes, alias: int = 1) -> bytes:
        return codec.encode_publish(Publish(topic, payload, properties={Property.TOPIC_ALIAS: alias}), Version.V5)

    async with talk(house, connect("c")) as one:
        await is_resumed(one)
        one.say(aliased("town/a/stored", b"1"), aliased("", b"2"), aliased("town/b/stored", b"3"), aliased("", b"4"))
        await eventually(lambda: len(house.stored) == 4)
    assert [message.topic for message in house.stored] == [f"town/{name}/stored" for name in "aabb"]
    for packet in (aliased("", b"x"), aliased("town/a", b"x", alias=33)):
        async with talk(house, connect("c")) as again:
            await is_resumed(again)
            again.say(packet)
            assert Reason.TOPIC_ALIAS_INVALID in await again.until_closed()


async def test_more_unreleased_qos_2_messages_than_the_receive_maximum_end_the_connection(house: House) -> None:
    house.config["receive_maximum"] = 3
    await house.restart()
    async with talk(house, connect("c")) as one:
        await is_resumed(one)
        for packet_id in (1, 2, 3):
            one.say(publish(packet_id))
            assert (await one.hear())[0] == PUBREC
        one.say(publish(4))
        assert Reason.RECEIVE_MAXIMUM_EXCEEDED in await one.until_closed()


async def test_connections_of_one_address_are_bounded(house: House) -> None:
    house.config["max_connections_of_address"] = 2
    await house.restart()
    before = metrics.REFUSED_CONNECTIONS.labels("too_many")._value.get()
    async with talk(house, connect("a")) as one, talk(house, connect("b")) as two:
        await is_resumed(one)
        await is_resumed(two)
        async with talk(house, connect("c")) as three:
            with contextlib.suppress(ConnectionError):
                assert await three.until_closed() == b""
    assert metrics.REFUSED_CONNECTIONS.labels("too_many")._value.get() == before + 1
    await eventually(lambda: not house.listener._admission.of_address)


async def test_the_platform_tells_its_clients_and_knows_whether_anybody_hears(house: House) -> None:
    assert isinstance(house.listener, MqttListener)
    assert not house.listener.tell("default", "device/x/down", b"go")
    async with talk(house, connect("s") + subscribe("device/x/down", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
        assert house.listener.tell("default", "device/x/down", b"go")
        assert await screen.hear_publish() == (1, False, b"go")
        assert not house.listener.tell("neighbour", "device/x/down", b"go")


async def test_stopping_does_not_wait_for_a_store_that_does_not_write(house: House) -> None:
    house.config["stop_timeout_s"] = 0.1
    await house.restart()
    async with talk(house, connect("s") + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
        change = house.store.shelf.change

        async def away(*_arguments: Any) -> None:
            raise Overloaded("away")

        house.store.shelf.change = away  # type: ignore[assignment,method-assign]
        screen.say(publish(1))
        await eventually(lambda: house.listener._intake.in_flight.used == 1)
        began_s = asyncio.get_running_loop().time()
        await house.listener.stop()
        assert asyncio.get_running_loop().time() - began_s < 8
        house.store.shelf.change = change  # type: ignore[method-assign]


async def test_a_fault_in_passing_on_is_told_to_the_sender_and_blocks_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> bool:
        raise ZeroDivisionError

    async with talk(house, connect("s") + subscribe("#", 1)) as screen, talk(house, connect("p")) as gateway:
        await is_resumed(screen)
        await is_resumed(gateway)
        await screen.hear()
        with monkeypatch.context() as broken:
            broken.setattr(house.listener._router, "fan_out", fail)
            gateway.say(publish(1), publish(2, qos=1))
            answers = {await gateway.hear(), await gateway.hear()}
        assert answers == {bytes([PUBREC, 0, 1, 0x80]), bytes([PUBACK, 0, 2, 0x80])}
        gateway.say(publish(1))
        assert await gateway.hear() == b"\x50\0\1"
    assert house.listener._intake.in_flight.used == 0


DEVICES = {
    b"bin-key": Caller("default", "key:bin", Right.INGEST, "0011aabb"),
    b"thief-key": Caller("default", "key:thief", Right.INGEST, "0022ccdd"),
}


async def test_a_device_cannot_take_the_session_of_another_by_its_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, caller in DEVICES.items():
        monkeypatch.setitem(CALLERS, key, caller)
    async with talk(house, connect("pump", key=b"bin-key") + subscribe("device/0011aabb/down", 1)) as pump:
        await is_resumed(pump)
        await pump.hear()
        for name in ("pump", "0011aabb", "0011aabb/pump"):
            async with talk(house, connect(name, key=b"thief-key", clean=True)) as thief:
                assert not await is_resumed(thief)
        await pump.silence()
    house.listener.tell("default", "device/0011aabb/down", b"open")
    async with talk(house, connect("pump", key=b"bin-key")) as pump:
        assert await is_resumed(pump)
        assert (await pump.hear_publish())[2] == b"open"


async def test_a_device_leaves_room_for_the_sessions_of_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, caller in DEVICES.items():
        monkeypatch.setitem(CALLERS, key, caller)
    house.config["max_sessions_of_device"] = 2
    await house.restart()
    for number in range(3):
        async with talk(house, connect(f"many-{number}", key=b"thief-key")) as thief:
            is_kept = b"\x11\0\0\0\0" not in await thief.hear()
            assert is_kept is (number < 2)
    async with talk(house, connect("pump", key=b"bin-key")) as pump:
        assert b"\x11\0\0\0\0" not in await pump.hear()


async def test_a_device_leaves_room_for_what_others_have_retained(house: House) -> None:
    house.config["max_retained_of_device"] = 2
    await house.restart()
    retained = house.listener._router.retained
    kept = [retained.keep("default", Publish(f"device/0022ccdd/{n}", b"x", 1, True), None) for n in range(3)]
    assert kept == [True, True, False]
    assert retained.keep("default", Publish("device/0022ccdd/1", b"y", 1, True), None)
    assert retained.keep("default", Publish("device/0011aabb/1", b"x", 1, True), None)
    assert retained.keep("default", Publish("device/0022ccdd/0", b"", 1, True), None)
    assert retained.keep("default", Publish("device/0022ccdd/2", b"x", 1, True), None)
    assert not retained._of_device.keys() - {("default", "0022ccdd"), ("default", "0011aabb")}
    assert not retained.keep("default", Publish("device/0011aabb/2", b"x" * 300_000, 1, True), None)


async def test_topics_that_are_too_long_are_refused_and_remembered_nowhere(house: House) -> None:
    long = "town/" + "x" * 1020
    async with talk(house, connect("s", clean=True)) as one:
        await is_resumed(one)
        one.say(publish(1, qos=1, topic=long), publish(2, qos=2, topic=long))
        for kind in (PUBACK, PUBREC):
            heard = await one.hear()
            assert (heard[0], heard[3]) == (kind, Reason.TOPIC_NAME_INVALID)
        one.say(subscribe(long + "/#", 1))
        assert (await one.hear())[-1] == Reason.TOPIC_FILTER_INVALID
        one.say(publish(3, qos=1))
        assert (await one.hear())[0] == PUBACK
    assert [one.topic for one in house.stored] == [TOPIC]
    assert house.listener._intake._find_handler.cache_info().currsize == 1


async def test_a_will_of_a_topic_that_is_too_long_is_not_kept(house: House) -> None:
    async with talk(house, connect("s", clean=True, will=Publish("town/" + "x" * 1020, b"", 1))) as one:
        await is_resumed(one)
        (connection,) = house.listener._clients.values()
        assert connection.will is None


async def test_a_client_without_a_keepalive_that_is_gone_is_noticed_by_the_system(house: House) -> None:
    async with talk(house, connect("s", level=4, clean=True)) as one:
        await is_resumed(one)
        (connection,) = house.listener._clients.values()
        assert connection._transport is not None
        line = connection._transport.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
