"""A device of nobody's network: its key, its readings, its commands, through the platform as it runs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.fleet.commands.command import CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.registry import DeviceRecord
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.settings import MqttSettings, Settings
from tests.connectors.mqtt.conftest import run_program

TOWN_HALL = "urn:ngsi-ld:IndoorEnvironmentObserved:town-hall"
CLERK = Caller("default", "user:clerk", ADMINISTRATOR)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(port=0))) as opened:
        record = DeviceRecord(hardware_id="esp-7", profile="generic-climate", entity_id=TOWN_HALL, name="Town hall")
        await opened.fleet.register(CLERK, [record])
        yield opened


def signed_in(platform: Platform, device: str) -> tuple[str, ...]:
    _, key = platform.access.keys.create(COMMAND_LINE, f"key of {device}", "device", device=device)
    assert platform.mqtt is not None
    return ("-h", "127.0.0.1", "-p", str(platform.mqtt.port), "-V", "mqttv5", "-P", key, "-u", device, "-q", "1")


async def value_of(platform: Platform, name: str) -> object:
    entity = await platform.broker.find(CLERK, TOWN_HALL)
    assert entity is not None
    found = [one for one in entity.instances if one.name.endswith(name)]
    return found[0].value if found else None


async def test_readings_become_attributes_of_what_the_device_observes(platform: Platform) -> None:
    mine = signed_in(platform, "esp-7")
    await run_program("mosquitto_pub", *mine, "-t", "device/esp-7/up", "-m", '{"temperature_c": 21.5}')
    assert await value_of(platform, "temperature") == 21.5
    late = {"fields": {"temperature_c": 3}, "time": "2026-01-01T00:00:00Z", "counter": 1}
    await run_program("mosquitto_pub", *mine, "-t", "device/esp-7/up", "-m", json.dumps([late]))
    assert await value_of(platform, "temperature") == 21.5


async def test_a_device_may_not_speak_for_another(platform: Platform) -> None:
    other = signed_in(platform, "esp-8")
    told = await run_program("mosquitto_pub", *other, "-t", "device/esp-7/up", "-m", '{"temperature_c": 99}')
    assert "not authorized" in told.lower()
    assert await value_of(platform, "temperature") is None


async def test_a_command_waits_for_its_device_and_the_device_says_what_became_of_it(platform: Platform) -> None:
    mine = signed_in(platform, "esp-7")
    await run_program("mosquitto_pub", *mine, "-t", "device/esp-7/up", "-m", '{"temperature_c": 21.5}')
    kept = ("-i", "esp-7", "-c", "-x", "3600", "-t", "device/esp-7/down")
    await run_program("mosquitto_sub", *mine, *kept, "-E")
    command = await platform.commands.give(CLERK, "esp-7", CommandWish(5, b"\x01", is_confirmed=True))
    heard = await run_program("mosquitto_sub", *mine, *kept, "-C", "1")
    assert json.loads(heard) == {"id": command.id, "port": 5, "payload": "AQ==", "confirm": True}
    outcome = json.dumps({"id": command.id, "state": "acknowledged"})
    await run_program("mosquitto_pub", *mine, "-t", "device/esp-7/ack", "-m", outcome)
    (known,) = await platform.commands.list_commands(CLERK, "esp-7")
    assert known.state is CommandState.ACKNOWLEDGED
