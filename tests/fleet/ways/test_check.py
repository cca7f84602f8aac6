import json
import sys
from pathlib import Path

import pytest

from parvis.fleet.ways.check import check_connector

CODEC = """
from parvis.fleet.ways.intake import MalformedMessage
from parvis.fleet.model.uplink import NO_COUNTER, Uplink


def read_message(message):
    if not message.payload:
        raise MalformedMessage("it is empty")
    return [Uplink("a1", message.payload, 1, NO_COUNTER, message.received_at, fields={"level_m": len(message.payload)})]
"""
TOLD = {"hardware_id": "a1", "f_port": 1, "f_cnt": -1, "fields": {"level_m": 2}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Of a name of its own: what was imported once stays."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"gauge{abs(hash((request.node.name, str(tmp_path)))) % 10**9}"
    made = tmp_path / f"parvis_{name}"
    made.mkdir()
    (made / "__init__.py").touch()
    (made / "README.md").write_text("# Gauge\n\nTakes levels.\n")
    (made / "manifest.toml").write_text(f'name = "{name}"\nsummary = "Levels of the river"\n')
    (made / "plugin.py").write_text("def build(surroundings):\n    raise NotImplementedError\n")
    (made / "codec.py").write_text(CODEC)
    return made


def give_examples(folder: Path, *examples: object) -> None:
    (folder / "examples.json").write_text(json.dumps(examples))


def test_a_folder_of_the_shape_is_sound(folder: Path) -> None:
    assert check_connector(folder) == []


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("README.md", "Gauge", "README.md: begins with a title"),
        ("README.md", "# Gauge\n\n", "README.md: begins with a title"),
        ("manifest.toml", "name = ", "manifest.toml: "),
        ("manifest.toml", 'name = "other"\nsummary = "Levels of the river"', "manifest.toml: its name is 'other'"),
        ("manifest.toml", 'name = "gauge"\nsummary = "Levels of the river"\ncolour = 1', "unknown field `colour`"),
        ("tables.py", "", "tables.py: is outside the shape"),
        ("codec.py", "import asyncio.subprocess", "codec.py: imports asyncio,"),
        ("mapping.py", "def f():\n    from socket import socket", "mapping.py: imports socket,"),
        ("client.py", "from parvis.connectors.mqtt.client import x", "imports parvis.connectors.mqtt.client, and no"),
        ("plugin.py", "build = None", "plugin.py: has no function build"),
        ("plugin.py", "def build(:", "plugin.py: invalid syntax"),
    ],
)
def test_what_is_not_of_the_shape_is_told(folder: Path, file: str, content: str, fault: str) -> None:
    (folder / file).write_text(content)
    (told,) = check_connector(folder)
    assert fault in told


@pytest.mark.parametrize("file", ["README.md", "manifest.toml"])
def test_what_every_connector_has_must_be_there(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (told,) = check_connector(folder)
    assert told.startswith(f"{file}: ")
    assert "No such file" in told


def test_a_file_outside_the_shape_needs_a_reason_and_a_reason_its_file(folder: Path) -> None:
    manifest = (folder / "manifest.toml").read_text() + '[extra_files]\n"tables.py" = "the tables of the maker"\n'
    (folder / "manifest.toml").write_text(manifest)
    assert check_connector(folder) == ["manifest.toml: gives a reason for tables.py, which is not there, or needs none"]
    (folder / "tables.py").touch()
    assert check_connector(folder) == []


def test_no_folder_is_told(tmp_path: Path) -> None:
    assert check_connector(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'} is no folder"]


def test_examples_that_hold_are_sound(folder: Path) -> None:
    give_examples(
        folder,
        {"description": "text", "payload": "ab", "told": [TOLD]},
        {"description": "JSON", "payload": {}, "told": [TOLD]},
        {"description": "bytes", "payload_hex": "00ff", "told": [{**TOLD, "payload": "00ff"}]},
        {"description": "its time", "payload": "ab", "told": [{**TOLD, "received_at": "2026-01-01T00:00:00Z"}]},
        {"description": "nothing", "payload": "", "refused": "empty"},
    )
    assert check_connector(folder) == []


@pytest.mark.parametrize(
    ("example", "fault"),
    [
        ({"payload": "abc", "told": [TOLD]}, "fields: {'level_m': 3}, expected {'level_m': 2}"),
        ({"payload": "ab", "told": [{"hardware_id": "a1", "f_port": 1, "f_cnt": -1}]}, "expected nothing"),
        ({"payload": "ab", "told": [{**TOLD, "colour": 1}]}, "colour: nothing, expected 1"),
        ({"payload": "ab", "told": [{**TOLD, "kind": "DeviceJoined"}]}, "kind: 'Uplink', expected 'DeviceJoined'"),
        ({"payload": "ab", "told": []}, "tells 1 things, expected 0"),
        ({"payload": "ab", "refused": "empty"}, "is not refused"),
        ({"payload": "", "told": [TOLD]}, "is refused: it is empty"),
        ({"payload": "", "refused": "too long"}, "is refused because 'it is empty'"),
        ({"payload": "ab"}, "either told or refused"),
        ({"told": []}, "either payload or payload_hex"),
        ({"payload_hex": "0", "told": []}, "hexadecimal"),
        ({"payload": "ab", "told": [], "colour": 1}, "unknown field `colour`"),
    ],
)
def test_an_example_that_does_not_hold_is_told(folder: Path, example: dict[str, object], fault: str) -> None:
    give_examples(folder, {"description": "one", **example})
    (told,) = check_connector(folder)
    assert told.startswith("examples.json: ")
    assert fault in told


def test_a_codec_that_fails_is_told(folder: Path) -> None:
    (folder / "codec.py").write_text("def read_message(message):\n    return 1 / 0\n")
    give_examples(folder, {"description": "one", "payload": "ab", "told": []})
    assert check_connector(folder) == ["examples.json: 1 (one): the codec fails: ZeroDivisionError('division by zero')"]


@pytest.mark.parametrize("codec", ["", "import a_library_that_is_not_there", "unknown_name"])
def test_examples_need_a_codec_that_reads_messages(folder: Path, codec: str) -> None:
    (folder / "codec.py").write_text(codec)
    give_examples(folder, {"description": "one", "payload": "ab", "told": []})
    (told,) = check_connector(folder)
    assert told.startswith("examples.json: needs read_message(message) in codec.py")
