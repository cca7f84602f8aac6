import pytest

from parvis.connectors.mqtt.acl import TopicRights, read_rules, rights_of
from parvis.kernel.identity import OPERATOR, Caller, Right
from parvis.kernel.reach import Area
from parvis.kernel.settings import InvalidSettings
from parvis.mqttwire.packets import Reason
from tests.connectors.mqtt.conftest import House, Meet, at, run_program, subscribe
from tests.fleet.conftest import eventually

DEVICE = Caller("default", "key:device", Right.INGEST, "0011aabb")
SERVER = Caller("default", "key:server", Right.INGEST)
READER = Caller("default", "key:reader", Right.READ)


def rights(caller: Caller, *rules: str, client_id: str = "c1") -> TopicRights:
    return rights_of(caller, client_id, read_rules(rules))


def test_a_device_speaks_and_hears_below_its_own_name_only() -> None:
    mine = rights(DEVICE)
    assert not mine.publishes_all
    assert mine.publish("device/0011aabb/up")
    assert mine.subscribe("device/0011aabb/down")
    assert mine.subscribe("device/0011aabb/#")
    for topic in ("device/0011aabc/up", "application/1/device/0011aabb/event/up", "device", "town/a"):
        assert not mine.publish(topic)
    for topic_filter in ("#", "+/0011aabb/down", "device/+/down", "device/0011aabc/down", "$share/g/#"):
        assert not mine.subscribe(topic_filter)
    assert mine.subscribe("$share/g/device/0011aabb/down")


def test_a_network_server_delivers_for_all_and_hears_commands() -> None:
    all_of_them = rights(SERVER)
    for topic in ("application/1/device/ff/event/up", "v3/a@t/devices/d/down/sent", "eu868/gateway/g/command/down"):
        assert all_of_them.publish(topic)
    assert all_of_them.subscribe("application/+/device/+/command/+")
    assert all_of_them.subscribe("device/+/down")
    assert not all_of_them.subscribe("application/+/device/+/event/up")
    assert not all_of_them.subscribe("#")


def test_who_may_read_hears_everything_and_publishes_only_with_the_right_to_deliver() -> None:
    assert rights(READER).subscribe("#")
    assert not rights(READER).publish("town/a")
    assert rights(Caller("default", "user:a", OPERATOR)).publish("town/a")


def test_who_reads_or_commands_a_part_alone_hears_and_orders_nothing_by_topic() -> None:
    """A topic is of no entity: what lies in reach cannot be told by it."""
    lamps = (Area(frozenset(("https://example.org/Streetlight",))),)
    narrow = rights(Caller("default", "user:a", OPERATOR, reads=lamps, writes=lamps, commands=lamps))
    assert not narrow.subscribe("#")
    assert not narrow.publish("application/a/device/x/command/down")
    assert narrow.publish("town/a"), "what it delivers is held to its reach where it is written"


def test_a_rule_stands_in_place_of_what_the_role_gives() -> None:
    mine = rights(SERVER, "key:server publish gateways/north/#", "key:server subscribe gateways/north/+/command")
    assert mine.publish("gateways/north/g1/event")
    assert not mine.publish("gateways/south/g1/event")
    assert not mine.publish("device/x/up")
    assert mine.subscribe("gateways/north/g1/command")
    assert not mine.subscribe("gateways/north/#")
    assert rights(Caller("default", "key:else", Right.INGEST), "key:server publish a").publish("b")


def test_a_rule_gives_nobody_a_right_to_deliver() -> None:
    assert not rights(READER, "key:reader both town/#").publish("town/a")
    assert rights(READER, "key:reader both town/#").subscribe("town/a")


def test_rules_name_the_client_and_its_device() -> None:
    mine = rights(DEVICE, "device both fleet/{hardware_id}/{client_id}/#")
    assert mine.publish("fleet/0011aabb/c1/x")
    assert mine.publish("device/0011aabb/up")
    assert not mine.publish("fleet/0011aabb/c2/x")
    for evil in ("+", "#", "a/b", "", "c1/#"):
        widened = rights(DEVICE, "device both fleet/{client_id}/#", client_id=evil)
        assert not widened.publish("fleet/c1/x")
        assert not widened.subscribe("fleet/#")


@pytest.mark.parametrize("line", ["", "key:a publish", "key:a write town/#", "key:a publish town/#/a", "key:a both a+"])
def test_a_line_that_is_no_rule_is_told(line: str) -> None:
    with pytest.raises(InvalidSettings, match=r"mqtt\.rules"):
        read_rules([line])


@pytest.mark.parametrize(
    "topic",
    [
        "device/0011aabb/down",
        "device/0011aabb/down/now",
        "application/1/device/0011aabb/command/down",
        "v3/town@tenant/devices/pump/down/push",
        "v3/town/devices/pump/down/replace",
    ],
)
def test_who_only_delivers_frames_commands_no_device(topic: str) -> None:
    assert not rights(SERVER).publishes_all
    assert not rights(SERVER).publish(topic)
    assert rights(Caller("default", "user:a", OPERATOR)).publish(topic)
    assert rights(SERVER, f"key:server publish {topic}").publish(topic)


async def test_a_device_that_speaks_for_another_is_told_so(house: House, meet: Meet) -> None:
    one = await meet("c", key="device-key")
    await subscribe(one, "#")
    await subscribe(one, "device/0011aabb/down")
    assert one.granted == [Reason.NOT_AUTHORIZED, 1]
    common = (*at(house, key="device-key"), "-q", "1", "-m", "x")
    assert "not authorized" in (await run_program("mosquitto_pub", *common, "-t", "device/ff/up")).lower()
    assert house.stored == []


async def test_at_3_1_1_who_may_not_publish_is_disconnected(house: House) -> None:
    common = (*at(house, "mqttv311", "device-key"), "-q", "1", "-m", "x", "-t", "device/ff/up")
    await run_program("mosquitto_pub", *common, fails=True)


async def test_a_will_that_a_client_may_not_publish_is_not_published(house: House) -> None:
    will = ("--will-topic", "town/a/stored", "--will-payload", "gone")
    await run_program(
        "mosquitto_sub", *at(house, key="device-key"), "-t", "device/0011aabb/x", *will, "-W", "1", fails=True
    )
    await eventually(lambda: not house.listener._clients)
    assert house.stored == []


async def test_subscriptions_of_a_session_that_are_no_longer_allowed_end_with_its_next_connection(
    house: House, meet: Meet
) -> None:
    options = {"clean_session": False, "session_expiry_interval": 3600}
    one = await meet("c", key="server-key", **options)
    await subscribe(one, "device/+/down")
    await one.client.disconnect(session_expiry_interval=3600)
    house.config["rules"] = read_rules(["key:server publish a"])
    await house.restart()
    assert house.listener._router.tree
    await meet("c", key="server-key", **options)
    assert not house.listener._router.tree
