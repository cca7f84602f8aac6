"""From the registers of a server to state and history, by settings alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyModbusTCP.server import ModbusServer

from parvis.connectors.modbus.plugin import build
from parvis.fleet.codecs.codec import Downlink
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.ways.connector import InvalidConnector
from tests.connectors.town import CALLER, at_work, open_town

METER = "urn:ngsi-ld:ThreePhaseAcMeasurement:town-hall"


def meter(port: int, **more: Any) -> dict[str, Any]:
    return {"hardware_id": "town-hall-meter", "host": "127.0.0.1", "profile": "eastron-sdm630", "port": port, **more}


async def test_a_meter_is_asked_and_its_entity_tells(tmp_path: Path, free_port: int) -> None:
    server = ModbusServer("127.0.0.1", free_port, no_block=True)
    server.start()
    server.data_bank.set_input_registers(72, [0x42F6, 0x0000])
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord("town-hall-meter", "eastron-sdm630", METER)])
        connector = build(town.surroundings({"device": [meter(free_port, every_s=0.05)]}))
        async with at_work(connector, "poll"):
            read = await town.eventually(METER, "totalActiveEnergyImport")
        assert (read.value, read.unit_code) == (123.0, "KWH")
    server.stop()


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"device": [{"host": "x"}]}, "hardware_id"),
        ({"device": [meter(1), meter(2)]}, "two devices are named town-hall-meter"),
        ({"device": [meter(70_000)]}, "port"),
        ({"device": [meter(1, profile="no-such-meter")]}, "no-such-meter"),
        ({"devices": []}, "devices"),
    ],
)
async def test_what_is_wrong_with_the_settings_is_told(tmp_path: Path, table: dict[str, Any], fault: str) -> None:
    async with open_town(tmp_path) as town:
        with pytest.raises(InvalidConnector, match=fault):
            build(town.surroundings(table))


async def test_what_a_device_is_told_is_json_where_its_profile_has_no_codec(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        profile = town.fleet.registry.profiles["eastron-sdm630"]
        encoded = await profile.encode_downlink({"set_point_c": 20.5, "label": "été"})
    assert isinstance(encoded, Downlink)
    assert (encoded.f_port, json.loads(encoded.payload)) == (1, {"set_point_c": 20.5, "label": "été"})
