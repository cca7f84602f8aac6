"""Other people's clients: gmqtt (MQTT 5, asyncio), the mosquitto programs (C), paho (3.1.1 and 5), at every QoS."""

import asyncio
import contextlib
from typing import Any

import gmqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.connectors.mqtt.conftest import House, Meet, at, run_program, subscribe
from tests.fleet.conftest import eventually

each_qos = pytest.mark.parametrize("qos", [0, 1, 2])
each_version = pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])


def payloads(house: House) -> list[bytes]:
    return [one.payload for one in house.stored]


@each_qos
@pytest.mark.parametrize("version", [4, 5])
async def test_gmqtt_publishes_and_subscribes(house: House, meet: Meet, qos: int, version: int) -> None:
    screen, gateway = await meet("screen", version), await meet("gateway", version)
    await subscribe(screen, "town/#", qos)
    assert screen.granted == [qos]
    for number in range(20):
        gateway.client.publish("town/a/stored", b"%d" % number, qos=qos)
    await eventually(lambda: len(screen.received) == 20)
    assert [payload for _, payload, _ in screen.received] == [b"%d" % number for number in range(20)]
    assert payloads(house) == [b"%d" % number for number in range(20)]
    session = house.listener._sessions.find(("default", "screen"))
    assert session is not None
    await eventually(lambda: len(session.mailbox) == 0)


@each_qos
@each_version
async def test_the_mosquitto_programs_talk_to_each_other(house: House, qos: int, version: str) -> None:
    count = 15
    heard = asyncio.create_task(
        run_program("mosquitto_sub", *at(house, version), "-t", "town/#", "-q", str(qos), "-C", str(count))
    )
    await eventually(lambda: bool(house.listener._router.tree))
    repeated = ("--repeat", str(count), "--repeat-delay", "0")
    await run_program("mosquitto_pub", *at(house, version), "-t", "town/a/stored", "-q", str(qos), "-m", "x", *repeated)
    assert (await heard).split() == ["x"] * count
    assert payloads(house) == [b"x"] * count


@each_version
async def test_mosquitto_keeps_a_session_and_finds_what_came_meanwhile(house: House, version: str) -> None:
    kept = ("-c", "-i", "keeper", "-q", "2", "-t", "town/#")
    expiry = ("-x", "3600") if version == "mqttv5" else ()
    await run_program("mosquitto_sub", *at(house, version), *kept, *expiry, "-E")
    for text in ("one", "two"):
        await run_program("mosquitto_pub", *at(house), "-t", "town/a", "-q", "2", "-m", text)
    await house.restart()
    heard = await run_program("mosquitto_sub", *at(house, version), *kept, *expiry, "-C", "2")
    assert heard.split() == ["one", "two"]


@each_version
async def test_mosquitto_retains_and_takes_back(house: House, version: str) -> None:
    await run_program("mosquitto_pub", *at(house, version), "-t", "town/a", "-q", "1", "-m", "last", "-r")
    await run_program("mosquitto_pub", *at(house, version), "-t", "town/b", "-q", "1", "-m", "gone", "-r")
    await run_program("mosquitto_pub", *at(house, version), "-t", "town/b", "-q", "1", "-n", "-r")
    await house.restart()
    heard = await run_program("mosquitto_sub", *at(house, version), "-t", "town/#", "-v", "-W", "1", fails=True)
    assert heard.splitlines()[:1] == ["town/a last"]
    assert "gone" not in heard


async def test_mosquitto_publishes_a_will(house: House) -> None:
    heard = asyncio.create_task(run_program("mosquitto_sub", *at(house), "-t", "wills/#", "-C", "1"))
    await eventually(lambda: bool(house.listener._router.tree))
    will = ("--will-topic", "wills/a", "--will-payload", "gone", "--will-qos", "1")
    dying = asyncio.create_task(
        run_program("mosquitto_sub", *at(house), "-i", "mortal", "-t", "x", *will, "-W", "5", fails=True)
    )
    await eventually(lambda: ("default", "mortal") in house.listener._clients)
    house.listener._clients["default", "mortal"].abort()
    assert (await heard).split() == ["gone"]
    dying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await dying


async def test_mosquitto_asks_and_is_answered_with_response_topic_and_correlation_data(house: House) -> None:
    answering = asyncio.create_task(
        run_program("mosquitto_sub", *at(house), "-t", "questions", "-C", "1", "-F", "%R %D %P")
    )
    await eventually(lambda: bool(house.listener._router.tree))
    properties = [
        *("-D", "PUBLISH", "response-topic", "answers/7"),
        *("-D", "PUBLISH", "correlation-data", "abc"),
        *("-D", "PUBLISH", "user-property", "colour", "green"),
    ]
    await run_program("mosquitto_pub", *at(house), "-t", "questions", "-m", "?", "-q", "1", *properties)
    assert (await answering).split() == ["answers/7", "abc", "colour:green"]


async def test_mosquitto_shares_a_subscription(house: House) -> None:
    members = [
        asyncio.create_task(run_program("mosquitto_sub", *at(house), "-t", "$share/readers/town/#", "-C", "3"))
        for _ in range(2)
    ]
    await eventually(lambda: sum(map(len, house.listener._router.groups._members.values())) == 2)
    lines = ("--repeat", "6", "--repeat-delay", "0")
    await run_program("mosquitto_pub", *at(house), "-t", "town/a", "-q", "1", "-m", "x", *lines)
    assert [(await one).split() for one in members] == [["x"] * 3] * 2


@each_qos
async def test_mosquitto_uses_topic_aliases(house: House, qos: int) -> None:
    alias = ("-D", "PUBLISH", "topic-alias", "3")
    lines = ("--repeat", "3", "--repeat-delay", "0")
    await run_program("mosquitto_pub", *at(house), "-t", "town/a/stored", "-q", str(qos), "-m", "x", *alias, *lines)
    await eventually(lambda: payloads(house) == [b"x"] * 3)
    assert {one.topic for one in house.stored} == {"town/a/stored"}


async def test_paho_hears_by_alias_where_it_offers_room_for_them(house: House) -> None:
    heard: list[tuple[str, bytes]] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "screen", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("gateway", "gateway-key")
    aliases: list[int | None] = []

    def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        aliases.append(getattr(message.properties, "TopicAlias", None))
        heard.append((message.topic, bytes(message.payload)))

    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.TopicAliasMaximum = 1
    client.connect_async("127.0.0.1", house.listener.port, properties=properties)
    client.loop_start()
    try:
        await eventually(client.is_connected)
        client.subscribe("town/#", 1)
        await eventually(lambda: bool(house.listener._router.tree))
        for topic in ("town/a", "town/b"):
            await run_program("mosquitto_pub", *at(house), "-t", topic, "-q", "1", "-m", "x")
        await eventually(lambda: len(aliases) == 2)
        assert heard[:2] == [("town/a", b"x"), ("town/b", b"x")]
        assert aliases == [1, None]
    finally:
        client.disconnect()
        client.loop_stop()


async def test_gmqtt_is_told_of_its_subscription_identifiers(meet: Meet) -> None:
    screen, gateway = await meet("screen"), await meet("gateway")
    await subscribe(screen, "town/#", 1, subscription_identifier=7)
    await subscribe(screen, "town/+", 0, subscription_identifier=70_000)
    gateway.client.publish("town/a", b"x", qos=1)
    await eventually(lambda: len(screen.received) == 1)
    assert sorted(screen.received[0][2]["subscription_identifier"]) == [7, 70_000]


async def test_gmqtt_is_told_what_the_server_decides(house: House, meet: Meet) -> None:
    stranger = await meet("stranger", keepalive_s=60_000, session_expiry_interval=0xFFFF_FFFF, clean_session=False)
    (told,) = stranger.connected
    assert told["server_keep_alive"] == [3600]
    session = house.listener._sessions.find(("default", "stranger"))
    assert session is not None
    assert session.expiry_s == 604_800
    assert told["receive_maximum"] == [1024]


async def test_paho_is_told_the_name_it_is_given(house: House) -> None:
    given: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("gateway", "gateway-key")
    client.on_connect = lambda _c, _u, _f, _r, told: given.append(told.AssignedClientIdentifier)
    client.connect_async("127.0.0.1", house.listener.port)
    client.loop_start()
    try:
        await eventually(lambda: given != [])
        assert ("default", given[0]) in house.listener._clients
    finally:
        client.disconnect()
        client.loop_stop()


@each_qos
async def test_gmqtt_finds_its_session_and_its_messages_after_a_restart(house: House, meet: Meet, qos: int) -> None:
    options: dict[str, Any] = {"clean_session": False, "session_expiry_interval": 3600}
    keeper = await meet("keeper", **options)
    await subscribe(keeper, "town/#", 2)
    await keeper.client.disconnect(session_expiry_interval=3600)
    gateway = await meet("gateway")
    for number in range(5):
        gateway.client.publish("town/a/stored", b"%d" % number, qos=qos)
    await eventually(lambda: len(house.stored) == 5)
    await gateway.client.disconnect()
    await house.restart()
    again = await meet("keeper", **options)
    assert again.connected[0]["flags"] & 1 == 1
    expected = [b"%d" % number for number in range(5)] if qos else []
    await eventually(lambda: [payload for _, payload, _ in again.received] == expected)
    session = house.listener._sessions.find(("default", "keeper"))
    assert session is not None
    await eventually(lambda: len(session.mailbox) == 0)


async def test_an_expired_message_is_not_sent_and_another_tells_how_long_it_is_still_good(
    house: House, meet: Meet
) -> None:
    options: dict[str, Any] = {"clean_session": False, "session_expiry_interval": 3600}
    keeper = await meet("keeper", **options)
    await subscribe(keeper, "town/#", 1)
    await keeper.client.disconnect(session_expiry_interval=3600)
    gateway = await meet("gateway")
    gateway.client.publish(gmqtt.Message("town/a/stored", b"short", qos=1, message_expiry_interval=1))
    gateway.client.publish(gmqtt.Message("town/a/stored", b"long", qos=1, message_expiry_interval=100))
    await eventually(lambda: len(house.stored) == 2)
    await asyncio.sleep(1.1)
    again = await meet("keeper", **options)
    await eventually(lambda: again.received != [])
    ((_, payload, properties),) = again.received
    assert payload == b"long"
    assert properties["message_expiry_interval"][0] in (98, 99)
