"""What a how-to tells people to type works as typed."""

import asyncio
import base64
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.stores import open_access
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.demo.land.communes import SITES
from parvis.demo.land.geometry import lon_lat
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.profiles.profile import check_profile, load_profile
from parvis.kernel.identity import system_caller
from parvis.kernel.settings_reader import load_settings
from parvis.web.api.devices import DeviceIn
from tests import system_tools

HOWTO = Path(__file__).resolve().parent.parent.parent / "docs/howto"
CALLER = system_caller("how-to")
WAIT_S = 20


def blocks(page: str, language: str) -> list[str]:
    text = (HOWTO / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def typed(page: str, beginning: str) -> str:
    """The one command line of the page that begins so."""
    text = (HOWTO / page).read_text(encoding="utf-8")
    (line,) = re.findall(rf"^ {{4}}({re.escape(beginning)}.*)$", text, re.MULTILINE)
    return str(line)


async def no_network(url: str) -> bytes:
    raise AssertionError(f"{url} was asked for")


def test_the_codec_to_copy_decodes_its_example(tmp_path: Path) -> None:
    (codec,) = blocks("write-a-codec.md", "js")
    (profile,) = blocks("write-a-codec.md", "toml")
    folder = tmp_path / "basin-distance"
    folder.mkdir()
    (folder / "codec.js").write_text(codec, encoding="utf-8")
    (folder / "profile.toml").write_text(profile, encoding="utf-8")
    loaded = load_profile(folder, Contexts(no_network).parvis.expand)
    assert check_profile(loaded) == []
    assert len(loaded.examples) == 1


def devices_to_register() -> list[dict[str, Any]]:
    (document,) = blocks("connect-chirpstack.md", "json")
    devices: list[dict[str, Any]] = json.loads(document)
    return devices


def test_the_devices_to_register_are_what_the_api_takes() -> None:
    assert [DeviceIn.model_validate(device).hardware_id for device in devices_to_register()] == ["70b3d5499e000001"]


def test_the_council_room_is_in_trevalan() -> None:
    (town,) = (site for site in SITES if site.name == "Trevalan")
    (device,) = devices_to_register()
    lon, lat = device["location"]["coordinates"]
    assert (lon, lat) == pytest.approx(lon_lat(town.x, town.y), abs=0.005)


def test_a_colleague_gets_a_link_that_opens(tmp_path: Path) -> None:
    run_parvis(tmp_path, "init", "--data", "data")
    for beginning in (".venv/bin/parvis account create", ".venv/bin/parvis account link"):
        _, *words = shlex.split(typed("give-access.md", beginning))
        token = run_parvis(tmp_path, *words).strip().partition("/welcome?token=")[2]
        access = open_access(load_settings(tmp_path / "data"))
        assert access.accounts.find_linked_account(token) == "erwan"
        access.store.close()


def test_a_key_for_chirpstack_is_made(tmp_path: Path) -> None:
    run_parvis(tmp_path, "init", "--data", "data")
    _, *words = shlex.split(typed("connect-chirpstack.md", ".venv/bin/parvis api-key"))
    assert run_parvis(tmp_path, *words).startswith("parvis_")


def test_the_opening_of_the_map_is_a_setting(tmp_path: Path) -> None:
    *_, settings = blocks("base-map.md", "toml")
    (tmp_path / "territory.toml").write_text(settings, encoding="utf-8")
    assert load_settings(tmp_path).territory.centre == (-3.28, 47.728)


def test_the_listener_settings_of_chirpstack_are_settings(tmp_path: Path) -> None:
    settings, _ = blocks("connect-chirpstack.md", "toml")
    (tmp_path / "territory.toml").write_text(settings, encoding="utf-8")
    assert load_settings(tmp_path).mqtt.host == "0.0.0.0"


async def test_a_frame_forwarded_by_mosquitto_becomes_an_entity(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data", given={"mqtt.port": 0})
    async with open_platform(settings) as platform:
        _, key = platform.access.keys.create(COMMAND_LINE, "ChirpStack", "device")
        records = msgspec.convert(devices_to_register(), list[DeviceRecord])
        await platform.fleet.register(CALLER, records)
        with forwarding_mosquitto(tmp_path, platform, key) as port:
            publish_uplink(port, records[0].hardware_id, bytes.fromhex("00d72a"))
            entity = await entity_with(platform, records[0].entity_id, "temperature")
    temperature = entity.find(platform.broker.contexts.parvis.expand("temperature"))
    assert temperature is not None
    assert temperature.value == 21.5


def forwarding_mosquitto(folder: Path, platform: Platform, key: str) -> system_tools.Broker:
    assert platform.mqtt is not None
    (bridge,) = blocks("connect-chirpstack.md", "conf")
    bridge = bridge.replace("parvis.example:1883", f"127.0.0.1:{platform.mqtt.port}").replace("KEY", key)
    return system_tools.running_mosquitto(folder, bridge)


def publish_uplink(port: int, dev_eui: str, payload: bytes) -> None:
    event = {
        "time": "2026-11-22T08:00:00Z",
        "deviceInfo": {"devEui": dev_eui},
        "devAddr": "00189440",
        "fCnt": 1,
        "fPort": 1,
        "data": base64.b64encode(payload).decode(),
    }
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = client.publish(f"application/town/device/{dev_eui}/event/up", json.dumps(event), qos=1)
    sent.wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


async def entity_with(platform: Platform, entity_id: str, term: str) -> Entity:
    name = platform.broker.contexts.parvis.expand(term)
    async with asyncio.timeout(WAIT_S):
        while True:
            entity = await platform.broker.find(CALLER, entity_id)
            if entity is not None and entity.find(name) is not None:
                return entity
            await asyncio.sleep(0.1)


async def test_a_backup_taken_while_parvis_runs_holds_what_was_acknowledged(tmp_path: Path) -> None:
    async with open_platform(load_settings(tmp_path / "data"), listen=False) as platform:
        await platform.broker.write(CALLER, [a_container()])
        await asyncio.to_thread(run_backup_line, tmp_path, "backup take")
    assert " is sound." in await asyncio.to_thread(run_backup_line, tmp_path, "backup drill")
    await asyncio.to_thread((tmp_path / "data").rename, tmp_path / "lost")
    await asyncio.to_thread(run_backup_line, tmp_path, "restore")
    async with open_platform(load_settings(tmp_path / "data"), listen=False) as restored:
        assert await restored.broker.find(CALLER, "urn:ngsi-ld:WasteContainer:market") is not None


def run_backup_line(folder: Path, command: str) -> str:
    text = (HOWTO / "backup.md").read_text(encoding="utf-8")
    first = re.findall(rf"^ {{4}}\.venv/bin/parvis ({command} .*)$", text, re.MULTILINE)[0]
    return run_parvis(folder, *(word.replace("/mnt/disk", str(folder)) for word in shlex.split(first)))


def a_container() -> Change:
    filling = Instance("https://uri.example/fillingLevel", Kind.PROPERTY, 0.5)
    types = ("https://uri.example/WasteContainer",)
    return Change("urn:ngsi-ld:WasteContainer:market", Mode.CREATE, (filling,), types)


def test_a_series_is_imported_once(tmp_path: Path) -> None:
    (table,), (mapping,) = blocks("import-history.md", "csv"), blocks("import-history.md", "toml")
    (tmp_path / "inflow.csv").write_text(table, encoding="utf-8")
    (tmp_path / "inflow.toml").write_text(mapping, encoding="utf-8")
    words = ["import", "inflow.toml", "inflow.csv", "--data", "data"]
    told = [run_parvis(tmp_path, *words, *more) for more in (["--dry-run"], [], [])]
    assert [re.findall(r"^(?:Nothing was written|\d+ instances were written)", one, re.MULTILINE) for one in told] == [
        ["Nothing was written"],
        ["9 instances were written"],
        ["0 instances were written"],
    ]
    assert "dma-A flow: 5 instances, 2026-10-24T21:00:00Z to 2026-10-25T02:00:00Z" in told[1]
    assert "dma-B flow: 4 instances, 1 gaps" in told[1]


def run_parvis(folder: Path, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("parvis")), *words]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout
