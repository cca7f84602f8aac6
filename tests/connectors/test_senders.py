"""What is set up for one tenant obeys no other, whatever the other's devices say of their way."""

from pathlib import Path
from typing import Any

import pytest

from parvis.connectors.bacnet.plugin import build as build_bacnet
from parvis.connectors.modbus.plugin import build as build_modbus
from parvis.connectors.ocpp.plugin import build as build_ocpp
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.ways.connector import Build
from tests.connectors.town import open_town

METER = {"hardware_id": "boiler", "host": "127.0.0.1", "profile": "eastron-sdm630", "port": 1}
BY_SETTINGS: list[tuple[Build, dict[str, Any]]] = [
    (build_modbus, {"device": [METER]}),
    (build_bacnet, {"address": "127.0.0.1/24:47999"}),
    (build_ocpp, {"station": [{"id": "boiler"}]}),
]


@pytest.mark.parametrize(("build", "table"), BY_SETTINGS, ids=["modbus", "bacnet", "ocpp"])
async def test_a_command_of_another_tenant_reaches_nothing(tmp_path: Path, build: Build, table: dict[str, Any]) -> None:
    async with open_town(tmp_path) as town:
        sender = build(town.surroundings(table | {"tenant": "school"})).sender
        assert sender is not None
        with pytest.raises(NotSendable, match="another tenant"):
            await sender.send(Order("c-1", "neighbour", "boiler", "boiler", 1, b"{}", False, 60))
        with pytest.raises((NotSendable, NotSentNow)) as own:
            await sender.send(Order("c-1", "school", "boiler", "boiler", 1, b'{"x": 1}', False, 60))
        assert "tenant" not in str(own.value)
