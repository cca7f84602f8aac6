"""Shared subscriptions, and listeners of several processes that are as one to their clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.model.delivery import Route
from parvis.kernel.bus import Bus, Hear
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller
from parvis.mqttwire.packets import Reason
from parvis.stores.postgres.bus import CHANNEL, PostgresBus
from parvis.stores.postgres.database import Database
from tests.connectors.mqtt.test_listener import UPLINKS, Device, Platform, authenticate, device, subscribers
from tests.fleet.conftest import eventually

Open = Callable[[], Awaitable[MqttListener]]


class Line:
    """Buses of one process, in one order, as PostgreSQL's."""

    def __init__(self) -> None:
        self.ends: list[LineEnd] = []

    def end(self) -> "LineEnd":
        self.ends.append(LineEnd(self, f"process {len(self.ends)}"))
        return self.ends[-1]


class LineEnd:
    def __init__(self, line: Line, process: str) -> None:
        self.process = process
        self.hear: Hear = lambda _sender, _message: None
        self._line = line

    def tell(self, message: bytes) -> None:
        for end in self._line.ends:
            asyncio.get_running_loop().call_soon(end.hear, self.process, message)

    def listen(self, hear: Hear) -> None:
        self.hear = hear


@pytest.fixture(params=["line", "postgres"])
async def open_listener(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Each call is another process."""
    line, platform = Line(), Platform()
    database = Database(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None
    if database is not None:
        database.prepare()
    listeners: list[MqttListener] = []
    buses: list[PostgresBus] = []

    async def run() -> MqttListener:
        bus: Bus = line.end()
        if database is not None:
            bus = PostgresBus(database)
            buses.append(bus)
        listener = MqttListener(ListenerConfig(port=0), [Route(UPLINKS, platform.handle)], authenticate, bus=bus)
        await listener.start()
        listeners.append(listener)
        return listener

    yield run
    for listener in listeners:
        await listener.stop()
    for one in buses:
        await one.close()


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def subscribed(stack: ExitStack, listener: MqttListener, topic_filter: str, **more: str) -> Device:
    one = stack.enter_context(device(listener, **more))  # type: ignore[arg-type]
    await eventually(lambda: one.connected == [0])
    one.client.subscribe(topic_filter, qos=1)
    return one


async def joined(*listeners: MqttListener, peers_with: int) -> None:
    """Each listener knows what the clients of so many others want."""
    await eventually(lambda: all(_count_peers(listener) == peers_with for listener in listeners))


def _count_peers(listener: MqttListener) -> int:
    assert listener._relay is not None
    return sum(bool(one.filters or one.groups) for one in listener._relay._peers.values())


async def publish(stack: ExitStack, listener: MqttListener, *payloads: bytes, retain: bool = False) -> Device:
    one = stack.enter_context(device(listener))
    await eventually(lambda: one.connected == [0])
    for payload in payloads:
        one.client.publish("town/level", payload, qos=1, retain=retain)
    await eventually(lambda: len(one.acknowledged) == len(payloads))
    return one


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
async def test_of_a_group_one_member_gets_each_message_in_turn(
    clients: ExitStack, version: MQTTProtocolVersion
) -> None:
    listener = MqttListener(ListenerConfig(port=0), [], authenticate)
    await listener.start()
    members = [
        await subscribed(clients, listener, "$share/readers/town/+", version=version)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    everything = await subscribed(clients, listener, "town/#")
    await eventually(lambda: len(list(listener._router.groups)) == 1 and len(subscribers(listener)) == 3)
    await publish(clients, listener, *(b"%d" % number for number in range(6)))
    await eventually(lambda: len(everything.received) == 6)
    await eventually(lambda: [len(one.received) for one in members] == [3, 3])
    members[0].client.unsubscribe("$share/readers/town/+")
    await eventually(lambda: len(listener._router.groups._members[next(iter(listener._router.groups))]) == 1)
    await publish(clients, listener, b"6", b"7")
    await eventually(lambda: [len(one.received) for one in members] == [3, 5])
    clients.close()
    await listener.stop()


async def test_a_group_that_is_none_is_refused(clients: ExitStack) -> None:
    listener = MqttListener(ListenerConfig(port=0), [], authenticate)
    await listener.start()
    one = clients.enter_context(device(listener))
    codes: list[int] = []
    one.client.on_subscribe = lambda _c, _u, _m, reasons, _p: codes.extend(reason.value for reason in reasons)
    await eventually(lambda: one.connected == [0])
    one.client._send_subscribe(False, [(b"$share/no#name/a", SubscribeOptions(qos=1))])
    await eventually(lambda: codes == [Reason.TOPIC_FILTER_INVALID])
    clients.close()
    await listener.stop()


async def test_a_message_reaches_subscribers_of_every_process(open_listener: Open, clients: ExitStack) -> None:
    here, there = await open_listener(), await open_listener()
    near, far = await subscribed(clients, here, "town/#"), await subscribed(clients, there, "town/level")
    await joined(here, there, peers_with=1)
    payloads = [b"%d" % number * 3000 * number for number in range(1, 5)]  # longer ones than a notification takes, too
    await publish(clients, here, *payloads)
    await eventually(lambda: all([payload for _, payload, _ in one.received] == payloads for one in (near, far)))


async def test_of_a_group_in_two_processes_one_member_gets_each_message(
    open_listener: Open, clients: ExitStack
) -> None:
    here, there, elsewhere = [await open_listener() for _ in range(3)]
    members = [await subscribed(clients, one, "$share/readers/town/#") for one in (here, there)]
    await joined(elsewhere, peers_with=2)
    await publish(clients, here, b"1", b"2")
    await publish(clients, there, b"3")
    await publish(clients, elsewhere, b"4")
    await eventually(lambda: sum(len(one.received) for one in members) == 4)
    await asyncio.sleep(0.1)
    got = sorted(payload for one in members for _, payload, _ in one.received)
    assert got == [b"1", b"2", b"3", b"4"]
    assert {b"1", b"2"} <= {payload for _, payload, _ in members[0].received}, "members beside the sender come first"


async def test_a_client_that_connects_elsewhere_is_taken_over(open_listener: Open, clients: ExitStack) -> None:
    here, there = await open_listener(), await open_listener()
    await eventually(lambda: all(one._relay is not None and one._relay._peers for one in (here, there)))
    first = clients.enter_context(device(here, client_id="pump 4"))
    await eventually(lambda: first.connected == [0])
    other = clients.enter_context(device(here, client_id="pump 5"))
    await eventually(lambda: other.connected == [0])
    second = clients.enter_context(device(there, client_id="pump 4"))
    await eventually(lambda: second.connected == [0])
    await eventually(lambda: first.disconnected == [Reason.SESSION_TAKEN_OVER])
    await asyncio.sleep(0.1)
    assert (second.disconnected, other.disconnected) == ([], [])


async def test_a_new_process_learns_what_is_retained(open_listener: Open, clients: ExitStack) -> None:
    here = await open_listener()
    await publish(clients, here, b"old", b"new", retain=True)
    there = await open_listener()
    await eventually(lambda: len(list(there._router.list_retained())) == 1)
    late = await subscribed(clients, there, "town/#")
    await eventually(lambda: [(payload, kept) for _, payload, kept in late.received] == [(b"new", True)])


@pytest.mark.parametrize(("version", "code"), [(MQTTProtocolVersion.MQTTv311, 3), (MQTTProtocolVersion.MQTTv5, 0x88)])
async def test_while_the_keys_are_out_of_reach_devices_are_asked_to_come_again(
    clients: ExitStack, version: MQTTProtocolVersion, code: int
) -> None:
    def out_of_reach(_client_id: str, _username: str | None, _password: bytes | None) -> Caller | None:
        raise Overloaded("The database of accounts and keys does not answer.")

    listener = MqttListener(ListenerConfig(port=0), [], out_of_reach)
    await listener.start()
    one = clients.enter_context(device(listener, version))
    await eventually(lambda: bool(one.connected))
    assert one.connected[0] in (code, 0x88)
    clients.close()
    await listener.stop()


async def test_what_is_no_news_of_this_version_deafens_nobody(
    open_listener: Open, clients: ExitStack, request: pytest.FixtureRequest
) -> None:
    here, there = await open_listener(), await open_listener()
    far = await subscribed(clients, there, "town/#")
    await joined(here, peers_with=1)
    assert here._relay is not None
    here._relay._bus.tell(b"\xc1")
    if "postgres" in request.node.name:
        with psycopg.connect(request.getfixturevalue("postgres_url"), autocommit=True) as stranger:
            for payload in ("no letter", "#one", "#999999999", ""):
                stranger.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
    await publish(clients, here, b"1")
    await eventually(lambda: [payload for _, payload, _ in far.received] == [b"1"])
