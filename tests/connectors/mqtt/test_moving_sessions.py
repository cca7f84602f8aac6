"""Sessions of clients that connect to one process of several, and then to another."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.listener import MqttListener
from parvis.mqttwire.packets import Reason
from parvis.stores.postgres.store import PostgresStore
from tests.connectors.mqtt.conftest import authenticate
from tests.connectors.mqtt.test_sessions import PUBACK, PUBREC, ack, connect, is_resumed, publish, subscribe, talk
from tests.connectors.mqtt.test_siblings import Line
from tests.fleet.conftest import eventually


@dataclass
class Process:
    listener: MqttListener


Open = Callable[[], Awaitable[Process]]


@pytest.fixture
async def open_process(prepared_postgres_url: str) -> AsyncIterator[Open]:
    store = await PostgresStore.open(prepared_postgres_url)
    line = Line()
    opened: list[Process] = []

    async def run() -> Process:
        config = ListenerConfig(port=0, recheck_every_s=0.1)
        listener = MqttListener(config, [], authenticate, bus=line.end(), shelf=store.shelf)
        await listener.start()
        opened.append(Process(listener))
        return opened[-1]

    yield run
    for one in opened:
        await one.listener.stop()
    await store.close()


async def acquainted(*processes: Process) -> None:
    """Each knows that the others are there."""

    def count(process: Process) -> int:
        assert process.listener._relay is not None
        return len(process.listener._relay._peers)

    await eventually(lambda: all(count(one) == len(processes) - 1 for one in processes))


async def keep_session(process: Process, topic_filter: str = "town/#", qos: int = 1) -> None:
    async with talk(process, connect("s") + subscribe(topic_filter, qos)) as screen:
        await is_resumed(screen)
        assert (await screen.hear())[0] == 0x90
    await eventually(lambda: process.listener._clients == {})


async def tell(process: Process, *payloads: bytes) -> None:
    async with talk(process, connect("p", properties={})) as gateway:
        await is_resumed(gateway)
        for number, payload in enumerate(payloads, 1):
            gateway.say(publish(number, payload, qos=1))
            assert (await gateway.hear())[0] == PUBACK


async def test_a_session_and_what_waits_in_it_move_to_where_its_client_connects(open_process: Open) -> None:
    here, there = await open_process(), await open_process()
    await acquainted(here, there)
    await keep_session(here)
    await tell(here, b"1")
    async with talk(there, connect("s")) as screen:
        assert await is_resumed(screen)
        packet_id, _, payload = await screen.hear_publish()
        assert payload == b"1"
        screen.say(ack(PUBACK, packet_id))
        assert list(here.listener._sessions) == []
        await tell(there, b"2")
        assert (await screen.hear_publish())[2] == b"2"
    async with talk(here, connect("s")) as screen:
        assert await is_resumed(screen)
        assert (await screen.hear_publish())[2] == b"2"


async def test_a_client_that_is_connected_elsewhere_still_is_taken_over_with_its_session(open_process: Open) -> None:
    here, there = await open_process(), await open_process()
    await acquainted(here, there)
    async with talk(here, connect("s") + subscribe("town/#", 2)) as first:
        await is_resumed(first)
        await first.hear()
        first.say(publish(7, topic="town/x"))
        answers = {(await first.hear())[0] & 0xF0 for _ in range(2)}
        assert answers == {PUBREC, 0x30}
        async with talk(there, connect("s")) as second:
            assert await is_resumed(second)
            assert Reason.SESSION_TAKEN_OVER in await first.until_closed()
            assert await second.hear_publish() == (1, True, b"x")
            second.say(publish(7, topic="town/x", duplicate=True))
            assert await second.hear() == bytes([PUBREC, 0, 7])


async def test_a_session_outlives_the_process_that_had_it(open_process: Open) -> None:
    here, there = await open_process(), await open_process()
    await acquainted(here, there)
    await keep_session(here)
    await tell(here, b"1")
    await here.listener.stop()
    async with talk(there, connect("s")) as screen:
        assert await is_resumed(screen)
        assert (await screen.hear_publish())[2] == b"1"


async def test_a_clean_start_elsewhere_ends_the_session(open_process: Open) -> None:
    here, there = await open_process(), await open_process()
    await acquainted(here, there)
    await keep_session(here)
    async with talk(there, connect("s", clean=True, properties={})) as screen:
        assert not await is_resumed(screen)
    await eventually(lambda: list(here.listener._sessions) == [])
    async with talk(here, connect("s")) as screen:
        assert not await is_resumed(screen)


async def test_what_is_retained_outlives_all_processes(open_process: Open) -> None:
    here = await open_process()
    async with talk(here, connect("p", properties={})) as gateway:
        await is_resumed(gateway)
        gateway.say(b"\x33\x0c\0\x06town/a\0\1\0x")
        assert (await gateway.hear())[0] == PUBACK
    await here.listener.stop()
    there = await open_process()
    async with talk(there, connect("s", properties={}) + subscribe("town/#", 1)) as screen:
        await is_resumed(screen)
        await screen.hear()
        assert (await screen.hear_publish())[2] == b"x"


async def test_sessions_of_dead_processes_are_swept_away_once_they_are_over(open_process: Open) -> None:
    here, there = await open_process(), await open_process()
    await acquainted(here, there)
    await keep_session(here)
    await tell(here, b"1")
    sessions, relay = there.listener._sessions, there.listener._relay
    assert relay is not None
    shelf = sessions._journal.shelf  # type: ignore[union-attr]
    ends = there.listener.clock() + (3600 + 3601) * 1_000_000
    sessions._clock = lambda: ends
    await sessions.sweep(relay.is_alive)
    await sessions._journal.settle()  # type: ignore[union-attr]
    assert len(await shelf.read_all("mqtt-sessions")) == 2
    await here.listener.stop()
    await eventually(lambda: not relay._peers)
    sessions._clock = lambda: ends - 10 * 1_000_000
    await sessions.sweep(relay.is_alive)
    await sessions._journal.settle()  # type: ignore[union-attr]
    assert len(await shelf.read_all("mqtt-sessions")) == 2
    sessions._clock = lambda: ends
    await sessions.sweep(relay.is_alive)
    await sessions._journal.settle()  # type: ignore[union-attr]
    assert await shelf.read_all("mqtt-sessions") == {}
    async with talk(there, connect("s")) as screen:
        assert not await is_resumed(screen)
