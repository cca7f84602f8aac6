"""Commands there and back through the programs of mosquitto (C, Eclipse), in ChirpStack's place and beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from chirpstack_api import integration
from google.protobuf.json_format import Parse

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.fleet.commands.command import Command, CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.records import DeviceRecord
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, Settings
from tests import system_tools

EUI = "0254520112345699"
CALLER = system_caller("test")
VALVE = CommandWish(10, b"\1", is_confirmed=True)
COMMANDS = "application/+/device/+/command/+"
UPLINK = {
    "deviceInfo": {"devEui": EUI, "applicationId": "bins"},
    "time": "2026-09-21T07:04:05Z",
    "fPort": 1,
    "data": "A2cBEA==",
}
BRIDGE = """
connection parvis
address 127.0.0.1:{port}
topic application/+/device/+/event/+ out 1
topic application/+/device/+/command/+ in 1
remote_username chirpstack
remote_password {key}
cleansession false
notifications false
try_private false
restart_timeout 1
"""


class Site:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        _, self.key = platform.access.keys.create(COMMAND_LINE, "ChirpStack", "device")

    @property
    def port(self) -> int:
        assert self.platform.mqtt is not None
        return self.platform.mqtt.port

    def at(self, port: int | None = None) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(port or self.port), "-u", "chirpstack", "-P", self.key, "-q", "1")

    async def newest(self) -> Command:
        return (await self.platform.commands.list_commands(CALLER, EUI))[0]

    async def until(self, holds: Callable[[Command], bool]) -> Command:
        async with asyncio.timeout(20):
            while not holds(command := await self.newest()):  # noqa: ASYNC110 (others change it)
                await asyncio.sleep(0.05)
        return command

    async def route_is_known(self) -> None:
        registry = self.platform.fleet.registry
        async with asyncio.timeout(20):
            while not getattr(registry.find("default", EUI), "route", ""):  # noqa: ASYNC110 (a frame brings it)
                await asyncio.sleep(0.05)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_platform(Settings(tmp_path / "data", mqtt=MqttSettings(port=0))) as platform:
        room = DeviceRecord(EUI, "cayenne-lpp", "urn:ngsi-ld:IndoorEnvironmentObserved:council")
        await platform.fleet.register(CALLER, [room])
        yield Site(platform)


async def run(name: str, *arguments: str) -> str:
    program = system_tools.require_program("mosquitto-clients", name)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def publish(place: tuple[str, ...], kind: str, **more: Any) -> None:
    topic = f"application/bins/device/{EUI}/event/{kind}"
    await run("mosquitto_pub", *place, "-t", topic, "-m", json.dumps({**UPLINK, **more}))


async def listen(place: tuple[str, ...]) -> "asyncio.Task[str]":
    hearing = asyncio.create_task(run("mosquitto_sub", *place, "-t", COMMANDS, "-C", "1"))
    await asyncio.sleep(0.3)
    return hearing


def read(heard: str) -> Any:
    return Parse(heard, integration.DownlinkCommand())


async def test_a_command_and_what_becomes_of_it(site: Site) -> None:
    hearing = await listen(site.at())
    await publish(site.at(), "up")
    given = await site.platform.commands.give(CALLER, EUI, VALVE)
    command = read(await hearing)
    assert (command.id, command.dev_eui, command.f_port, command.data) == (given.id, EUI, 10, b"\1")
    assert command.confirmed
    await site.until(lambda one: one.state is CommandState.SENT)
    await publish(site.at(), "txack", queueItemId=given.id, gatewayId="0016c001f153a14c")
    transmitted = await site.newest()
    assert transmitted.transmitted_at is not None
    await publish(site.at(), "ack", queueItemId=given.id, acknowledged=True)
    assert (await site.newest()).state is CommandState.ACKNOWLEDGED


async def test_a_command_waits_until_chirpstack_listens(site: Site) -> None:
    await publish(site.at(), "up")
    await site.platform.commands.give(CALLER, EUI, VALVE)
    waiting = await site.until(lambda one: one.attempts == 1)
    assert waiting.state is CommandState.QUEUED
    assert "nobody has subscribed" in waiting.detail


async def test_a_broker_between_them_carries_both_directions(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with system_tools.running_mosquitto(folder, BRIDGE.format(port=site.port, key=site.key)) as port:
        await publish(site.at(port), "up")
        await site.route_is_known()
        hearing = await listen(site.at(port))
        given = await site.platform.commands.give(CALLER, EUI, VALVE)
        assert read(await hearing).id == given.id
        await publish(site.at(port), "ack", queueItemId=given.id, acknowledged=True)
        await site.until(lambda one: one.state is CommandState.ACKNOWLEDGED)
