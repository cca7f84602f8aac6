"""Which ways in there are."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from parvis.bootstrap import open_platform
from parvis.bootstrap.plug_ins import list_packaged
from parvis.fleet.commands.command import CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.registry import DeviceRecord
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.settings import InvalidSettings, MqttSettings, Settings

PORT = MqttSettings(port=0)


async def test_those_that_need_no_settings_are_always_there(tmp_path: Path) -> None:
    always = {name for name, one in list_packaged().items() if one.manifest.is_always_on}
    async with open_platform(Settings(tmp_path, mqtt=PORT)) as platform:
        assert platform.connectors.keys() == always
        assert "chirpstack" in always


async def test_settings_of_a_connector_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="carrier-pigeon"):
        async with open_platform(Settings(tmp_path, mqtt=PORT, connectors={"carrier-pigeon": {}})):
            pass


async def test_a_variable_that_is_not_there_stops_the_start_by_its_name(tmp_path: Path) -> None:
    table = {"password": "${PARVIS_NOT_THERE}"}
    with pytest.raises(InvalidSettings, match=r"connectors\.mqttbridge: .*PARVIS_NOT_THERE"):
        async with open_platform(Settings(tmp_path, mqtt=PORT, connectors={"mqttbridge": table})):
            pass


async def test_a_command_goes_out_over_the_connection_that_a_connector_holds(tmp_path: Path, free_port: int) -> None:
    table = {"port": free_port, "station": [{"id": "CP-1"}]}
    record = DeviceRecord("CP-1", "ocpp-charging-station", "urn:ngsi-ld:EVChargingStation:market-place")
    caller = Caller("default", "somebody", ADMINISTRATOR)
    async with open_platform(Settings(tmp_path, mqtt=PORT, connectors={"ocpp": table})) as platform:
        await platform.fleet.register(caller, [record])
        async with asyncio.timeout(20), station(free_port) as wire:
            await wire.send('[2,"1","BootNotification",{"chargePointVendor":"Maker","chargePointModel":"7"}]')
            assert json.loads(await wire.recv())[2]["status"] == "Accepted"
            await platform.commands.give(caller, "cp-1", CommandWish(data={"command": "reset"}))
            kind, number, action, payload = json.loads(await wire.recv())
            assert (kind, action, payload) == (2, "Reset", {"type": "Soft"})
            await wire.send(json.dumps([3, number, {"status": "Accepted"}]))
            command = (await platform.commands.list_commands(caller, "cp-1"))[0]
            while command.state is not CommandState.SENT:
                await asyncio.sleep(0.05)
                command = (await platform.commands.list_commands(caller, "cp-1"))[0]


@contextlib.asynccontextmanager
async def station(port: int) -> AsyncIterator[ClientConnection]:
    while True:
        try:
            wire = await connect(f"ws://127.0.0.1:{port}/CP-1", subprotocols=[Subprotocol("ocpp1.6")])
            break
        except OSError:
            await asyncio.sleep(0.05)
    async with wire:
        yield wire
