"""What the how-to pages of buildings and charging points tell to write is taken as it is written."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parvis.connectors.bacnet.config import BacnetConfig
from parvis.connectors.bacnet.mapping import PointsDocument
from parvis.connectors.mbus.config import MBusConfig
from parvis.connectors.modbus.config import ModbusConfig
from parvis.connectors.modbus.mapping import MapDocument, check_map
from parvis.connectors.ocpp.commands import StationCommand, read_command
from parvis.connectors.ocpp.config import OcppConfig
from tests.conftest import ROOT

PAGES = [ROOT / "docs/howto" / name for name in ("connect-buildings.md", "connect-charging-points.md")]
CONFIGS: dict[str, type[msgspec.Struct]] = {
    "bacnet": BacnetConfig,
    "mbus": MBusConfig,
    "modbus": ModbusConfig,
    "ocpp": OcppConfig,
}


def blocks(page: Path) -> list[dict[str, Any]]:
    return [tomllib.loads(one) for one in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)]


BLOCKS = [block for page in PAGES for block in blocks(page)]


def test_every_connector_is_shown() -> None:
    assert {name for block in BLOCKS for name in block.get("connectors", {})} == CONFIGS.keys()


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if "connectors" in one], ids=lambda one: str(list(one["connectors"]))
)
def test_settings_are_taken(block: dict[str, Any]) -> None:
    for name, table in block["connectors"].items():
        assert isinstance(msgspec.convert(table, CONFIGS[name]), CONFIGS[name])


def test_the_register_map_holds_its_example() -> None:
    (document,) = [msgspec.convert(one, MapDocument) for one in BLOCKS if "register" in one]
    assert document.example
    assert check_map(document) == ""


def test_the_list_of_points_is_taken() -> None:
    (document,) = [msgspec.convert(one, PointsDocument) for one in BLOCKS if "point" in one]
    assert all(point.identifier for point in document.point)


COMMANDS = re.findall(r"\| `(\{\"command\".*?\})` \|", PAGES[1].read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_taken(command: str) -> None:
    assert isinstance(read_command(command.encode()), StationCommand)


def test_commands_are_shown() -> None:
    assert len(COMMANDS) == 6
