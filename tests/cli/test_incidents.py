"""The register from the command line, beside a platform that runs."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import open_platform
from parvis.cli import commands
from parvis.kernel.identity import Caller
from parvis.operations.incidents.register import IncidentRegister
from tests.web.conftest import settings


def run(data_dir: Path, *words: str) -> Result:
    return CliRunner().invoke(commands, ["incident", *words, "--data", str(data_dir)])


def told(data_dir: Path, *words: str) -> str:
    result = run(data_dir, *words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "territory.toml").write_text("", encoding="utf-8")
    async with open_platform(settings(tmp_path, auth=True), listen=False):
        pass
    return tmp_path


def test_an_incident_is_entered_told_and_closed(data_dir: Path) -> None:
    first = told(data_dir, "open", "Mail server", "--known-at", "2026-01-05T08:00", "--personal-data", "no")
    name = first.split()[0]
    assert "early-warning: due 2026-01-06T08:00:00Z" in first
    assert "h over" in first
    assert "personal-data: not-needed" in first

    told(data_dir, "sent", name, "early-warning", "--at", "2026-01-05T20:00", "--reference", "FR-1")
    told(data_dir, "not-needed", name, "notification", "it turned out to be a test")
    told(data_dir, "note", name, "Two accounts are locked.")
    shown = told(data_dir, "show", name)
    assert "early-warning: sent" in shown
    assert "system:command-line  note  Two accounts are locked." in shown
    document = json.loads(told(data_dir, "show", name, "--json"))
    assert document["clocks"][0]["reference"] == "FR-1"

    told(data_dir, "close", name, "A drill")
    assert told(data_dir, "list").split()[:2] == [name, "closed"]


def test_what_is_wrong_is_said(data_dir: Path) -> None:
    assert "There is no incident 'x'." in str(run(data_dir, "show", "x").exception)
    assert run(data_dir, "sent", "x", "nothing").exit_code == 2


async def test_it_is_written_beside_the_platform(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text("", encoding="utf-8")
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        await asyncio.to_thread(told, tmp_path, "open", "Seen from the shell")
        register = IncidentRegister(platform.shelf, platform.access.store.append_audit)
        (found,) = await register.list_all(Caller("default", COMMAND_LINE.subject, COMMAND_LINE.rights))
    assert found.title == "Seen from the shell"
