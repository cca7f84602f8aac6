"""What the how-to of connectors tells to write is a connector, and works."""

import asyncio
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import open_platform
from parvis.cli import commands
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.ways.check import SHAPE, check_connector
from parvis.kernel.settings_reader import load_settings
from parvis.web.server import assemble
from tests.cli.test_new import install, run
from tests.docs.test_howto import CALLER, HOWTO, blocks, typed

PAGE = "write-a-connector.md"


def call(line: str) -> str:
    """A command line that the page has, to its end."""
    assert f"    .venv/bin/{line}\n" in (HOWTO / PAGE).read_text(encoding="utf-8")
    result = CliRunner().invoke(commands, line.split()[1:])
    return result.stdout


def write_block(language: str, path: Path) -> None:
    (text,) = blocks(PAGE, language)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory; what is imported from there is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] == "parvis_tide"]:
        del sys.modules[name]


def test_following_the_page_makes_a_connector_that_works(folder: Path) -> None:
    assert "Try it: " in call("parvis new connector tide")
    source = folder / "parvis-tide/src/parvis_tide"
    check = [Path(sys.executable).with_name("parvis"), "check", "parvis-tide"]

    write_block("json", source / "examples.json")
    assert "1 (The water is cold): is refused" in run(folder, *check).stdout
    write_block("python", source / "codec.py")
    assert check_connector(source) == []

    install(folder)
    pytest_in = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "parvis-tide"]
    tests = run(folder, *pytest_in, site=folder / "site")
    assert "3 passed" in tests.stdout, tests.stdout

    sys.path.insert(0, str(folder / "site"))
    (folder / "data").mkdir()
    write_block("toml", folder / "data/territory.toml")
    assert asyncio.run(post_line(folder / "data")) == (204, 6.8)
    check_data = CliRunner().invoke(commands, ["check", "--data", "data"])
    assert "connectors: sound" in check_data.stdout


async def post_line(data_dir: Path) -> tuple[int, object]:
    """As the page's last lines do."""
    *_, line, url = shlex.split(typed(PAGE, "curl"))
    _, *device = shlex.split(typed(PAGE, ".venv/bin/parvis device add"))
    _, _, hardware_id, profile, entity_id, *_ = device
    async with open_platform(load_settings(data_dir), listen=False) as platform:
        assert [route.topic_filter for route in platform.connectors["tide"].routes] == ["harbour/+/line"]
        await platform.fleet.register(CALLER, [DeviceRecord(hardware_id, profile, entity_id)])
        _, key = platform.access.keys.create(COMMAND_LINE, "gauge-7", "device")
        transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(url, content=line.encode(), headers={"X-API-Key": key})
        entity = await platform.broker.find(CALLER, entity_id)
        assert entity is not None
        temperature = entity.find(platform.broker.contexts.parvis.expand("temperature"))
        return answer.status_code, None if temperature is None else temperature.value


def test_every_file_of_the_shape_is_told_of() -> None:
    told = re.findall(r"^\| `(\w+\.py)` \|", (HOWTO / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    assert {*told, "__init__.py"} == SHAPE
