"""A listener on a store that outlives it, and clients of other people's making."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gmqtt
import pytest

from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.model.delivery import Ack, Message, Route
from parvis.kernel.identity import OPERATOR, Caller, Right
from parvis.kernel.time import system_clock
from parvis.stores.sqlite.store import SqliteStore
from tests import system_tools
from tests.contract.territory import Ticking
from tests.fleet.conftest import eventually

TENANT = "default"
STORED = "town/+/stored"
CALLERS = {
    b"gateway-key": Caller(TENANT, "key:gateway", OPERATOR),
    b"other-key": Caller(TENANT, "key:other", OPERATOR),
    b"server-key": Caller(TENANT, "key:server", Right.INGEST),
    b"device-key": Caller(TENANT, "key:device", Right.INGEST, "0011aabb"),
}


def authenticate(_client_id: str, _username: str | None, password: bytes | None) -> Caller | None:
    return CALLERS.get(password or b"")


@dataclass
class House:
    """A platform that can stop and start again on its data. `stored` is what it took, of all its lives."""

    folder: Path
    clock: Callable[[], int] = system_clock
    stored: list[Message] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    in_force: Callable[[Caller], bool] = lambda _caller: True
    listener: MqttListener = field(init=False)
    store: SqliteStore = field(init=False)

    async def take(self, messages: list[Message]) -> list[Ack]:
        self.stored += messages
        return [Ack.STORED] * len(messages)

    async def start(self) -> None:
        self.store = await SqliteStore.open(self.folder / "parvis.db")
        config = ListenerConfig(port=0, recheck_every_s=0.05, **self.config)
        routes = [Route(STORED, self.take)]
        self.listener = MqttListener(
            config, routes, authenticate, self.in_force, clock=self.clock, shelf=self.store.shelf
        )
        await self.listener.start()

    async def stop(self) -> None:
        await self.listener.stop()
        await self.store.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.start()
    yield made
    await made.stop()


@dataclass
class Gmqtt:
    """A gmqtt client (MQTT 5 written from scratch, on asyncio)."""

    client: gmqtt.Client
    received: list[tuple[str, bytes, dict[str, Any]]] = field(default_factory=list)
    suback: asyncio.Event = field(default_factory=asyncio.Event)
    granted: list[int] = field(default_factory=list)
    connected: list[dict[str, Any]] = field(default_factory=list)


Meet = Callable[..., Awaitable[Gmqtt]]


@pytest.fixture
async def meet(house: House) -> AsyncIterator[Meet]:
    """Connect a gmqtt client."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(client_id: str, version: int = 5, key: str = "gateway-key", **options: Any) -> Gmqtt:
            clean = options.pop("clean_session", True)
            tls = options.pop("ssl", False)
            port = options.pop("port", None) or house.listener.port
            keepalive_s = options.pop("keepalive_s", 60)
            client = gmqtt.Client(client_id, clean_session=clean, **options)
            client.set_config({"reconnect_retries": 0})
            client.set_auth_credentials("gateway", key)
            made = Gmqtt(client)

            async def on_message(_client: Any, topic: str, payload: bytes, _qos: int, properties: Any) -> int:
                made.received.append((topic, bytes(payload), dict(properties)))
                return 0

            def on_subscribe(_client: Any, _mid: int, qos: Any, _properties: Any) -> None:
                made.granted.extend(qos)
                made.suback.set()

            client.on_message = on_message
            client.on_subscribe = on_subscribe
            client.on_connect = lambda _c, flags, _r, properties: made.connected.append({"flags": flags, **properties})
            await client.connect("127.0.0.1", port, ssl=tls, keepalive=keepalive_s, version=version)
            await eventually(lambda: made.connected != [])

            async def leave() -> None:
                if client.is_connected:
                    with contextlib.suppress(Exception):
                        await client.disconnect()

            stack.push_async_callback(leave)
            return made

        yield connect


async def subscribe(one: Gmqtt, topic_filter: str, qos: int = 1, **options: Any) -> None:
    one.suback.clear()
    one.client.subscribe(topic_filter, qos=qos, **options)
    async with asyncio.timeout(5):
        await one.suback.wait()


async def run_program(name: str, *arguments: str, fails: bool = False) -> str:
    """One of the mosquitto programs (C, Eclipse)."""
    program = system_tools.require_program("mosquitto-clients", name)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(10):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert (process.returncode != 0) is fails, output.decode()
    return output.decode()


def at(house: House, version: str = "mqttv5", key: str = "gateway-key") -> tuple[str, ...]:
    return ("-h", "127.0.0.1", "-p", str(house.listener.port), "-V", version, "-u", "gateway", "-P", key)
