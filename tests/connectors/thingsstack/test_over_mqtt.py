"""The Things Stack's topics through somebody else's broker (mosquitto), where the platform is a client."""

import asyncio
import json
from pathlib import Path
from typing import Any

from parvis.bootstrap import Platform, open_platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, OutboundSettings, Settings
from tests import system_tools

EUI = "0254520112345699"
CALLER = system_caller("test")
ROOM = DeviceRecord(EUI, "cayenne-lpp", "urn:ngsi-ld:IndoorEnvironmentObserved:council")
DEVICE = {"dev_eui": EUI, "device_id": "council", "application_ids": {"application_id": "town"}}


async def publish(port: int, kind: str, **message: Any) -> None:
    program = system_tools.require_program("mosquitto-clients", "mosquitto_pub")
    place = ("-h", "127.0.0.1", "-p", str(port), "-t", f"v3/town@ttn/devices/council/{kind}", "-q", "1", "-r")
    body = json.dumps({"end_device_ids": DEVICE, **message})
    process = await asyncio.create_subprocess_exec(program, *place, "-m", body)
    assert await process.wait() == 0


async def attribute(platform: Platform, entity_id: str, term: str) -> Any:
    name = platform.broker.contexts.parvis.expand(term)
    async with asyncio.timeout(20):
        while True:
            entity = await platform.broker.find(CALLER, entity_id)
            held = None if entity is None else entity.find(name)
            if held is not None:
                return held.value
            await asyncio.sleep(0.05)


async def test_its_topics_are_taken_from_another_broker(tmp_path: Path) -> None:
    with system_tools.running_mosquitto(tmp_path) as port:
        topics = ["v3/+/devices/+/up", "v3/+/devices/+/join"]
        settings = Settings(
            tmp_path / "data",
            mqtt=MqttSettings(enabled=False),
            outbound=OutboundSettings(allow=("127.0.0.0/8",)),
            connectors={"mqttbridge": {"things": {"url": f"mqtt://127.0.0.1:{port}", "topics": topics}}},
        )
        async with open_platform(settings) as platform:
            await platform.fleet.register(CALLER, [ROOM])
            await publish(port, "up", uplink_message={"f_port": 1, "frm_payload": "A2cBEA=="})
            assert await attribute(platform, ROOM.entity_id, "temperature") == 27.2
            device = f"urn:ngsi-ld:Device:{EUI}"
            assert await attribute(platform, device, "downlinkRoute") == "thingsstack:town@ttn/council"
            await publish(port, "join", join_accept={"session_key_id": "x"})
            assert (await attribute(platform, device, "dateLastJoined"))["@type"] == "DateTime"
