"""`parvis import file`: what it tells, what it leaves, and that a running platform does it instead."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.bootstrap import open_platform
from parvis.cli import commands
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, Settings

BINS = "ref,nom,lon,lat\n1,Port,-3.36,47.74\n2,Rue,-3.35,47.75\n3,Bois,-3.35,nowhere\n4,Lac,-3.35,47.7\n"


def run(folder: Path, *words: str) -> Result:
    path = folder / "poubelles.csv"
    path.write_text(BINS)
    return CliRunner().invoke(commands, ["import", "file", str(path), "--data", str(folder / "data"), *words])


def test_a_dry_run_tells_everything_and_writes_nothing(tmp_path: Path) -> None:
    answer = run(tmp_path, "--dry-run", "--report", str(tmp_path / "report.csv"))
    assert answer.exit_code == 3, answer.output
    assert "4 rows read" in answer.stdout
    assert "3 created" in answer.stdout
    assert "Nothing was written (dry run)." in answer.stdout
    assert "row 4, geometry: '-3.35, nowhere' (Places that cannot be read, or are not on Earth)" in answer.stderr
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 5
    again = run(tmp_path)
    assert "3 created" in again.stdout, "nothing was there yet"


def test_a_saved_mapping_is_used_again(tmp_path: Path) -> None:
    assert run(tmp_path, "--save", "bins").exit_code == 3
    answer = run(tmp_path, "--mapping", "bins")
    assert "3 unchanged" in answer.stdout
    assert "bins" in run(tmp_path, "--mapping", "none").output


def test_the_guess_is_a_mapping(tmp_path: Path) -> None:
    mapping = json.loads(run(tmp_path, "--guess").stdout)
    assert mapping["inventory"]["type"] == "WasteContainer"


def test_what_the_environment_tells_connectors_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "territory.toml").write_text(
        '[connectors.thingsstack]\ntoken = "${NOT_IN_THIS_SHELL}"\n'
        '[[connectors.files.sftp]]\nhost = "files.example.org"\npassword = "${NEITHER_IS_THIS}"\n'
    )
    answer = run(tmp_path)
    assert answer.exit_code == 3, answer.output
    assert "3 created" in answer.stdout


async def test_a_platform_that_runs_does_the_work(tmp_path: Path) -> None:
    settings = Settings((tmp_path / "data").resolve(), mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False) as platform, platform.jobs.running():
        answer = await asyncio.to_thread(run, tmp_path)
        assert answer.exit_code == 3, answer.output
        assert "3 created" in answer.stdout
        entity = await platform.broker.get(system_caller("test"), "urn:ngsi-ld:WasteContainer:1")
        assert entity.find(platform.broker.contexts.parvis.expand("location")) is not None


@pytest.mark.parametrize("name", ["x.pdf", "x.csv"])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    words = ["import", "file", str(tmp_path / name), "--data", str(tmp_path / "data")]
    answer = CliRunner().invoke(commands, words)
    assert answer.exit_code == 1
    assert name in str(answer.exception)
