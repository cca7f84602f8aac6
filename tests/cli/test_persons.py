"""One person's data from the command line, with the platform stopped and beside one that runs."""

import asyncio
import re
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.access.privacy.person.cases import Stage
from parvis.bootstrap import open_platform
from parvis.cli import commands
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import system_caller
from tests.fakes.marie import DWELLING, EMAIL, MARIE, STEWARD, fill
from tests.fakes.places import settings_in


def run(data_dir: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(commands, ["person", *words, "--data", str(data_dir)], input=typed)


def told(data_dir: Path, *words: str) -> str:
    result = run(data_dir, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def request_in(output: str) -> str:
    found = re.search(r"^([0-9a-f]{16}): ", output, re.MULTILINE)
    assert found, output
    return found[1]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    async def town() -> None:
        async with open_platform(settings_in(tmp_path / "data"), listen=False) as platform:
            await fill(platform)

    asyncio.run(town())
    return tmp_path / "data"


def test_somebody_is_found_and_given_a_copy_while_the_platform_is_stopped(data_dir: Path, tmp_path: Path) -> None:
    output = told(data_dir, "find", "--email", EMAIL, "--name", "Marie Dupont")
    copy = tmp_path / "marie.zip"

    told(data_dir, "export", request_in(output), "--to", str(copy))

    assert re.search(r"1  object +goes", output)
    assert "perhaps" in output
    assert MARIE in zipfile.ZipFile(copy).read("objects.ndjson").decode()
    assert copy.stat().st_mode & 0o077 == 0


def test_who_is_not_here_is_told_so(data_dir: Path) -> None:
    assert "Nothing was found." in told(data_dir, "find", "--email", "nobody@example.org")
    assert isinstance(run(data_dir, "find", "--email", "nobody").exception, BadRequestData)


def test_an_erasure_waits_for_the_platform(data_dir: Path) -> None:
    request = request_in(told(data_dir, "find", "--entity", DWELLING))

    refused = run(data_dir, "erase", request, "--ground", "objection", typed="no\n")
    ordered = run(data_dir, "erase", request, "--ground", "objection", "--wait", "0.1", typed="ERASE\n")

    assert isinstance(refused.exception, BadRequestData)
    assert (ordered.exit_code, "begins when it is started" in ordered.output) == (4, True)

    async def at_work() -> bool:
        async with open_platform(settings_in(data_dir), listen=False) as platform, platform.jobs.running():
            async with asyncio.timeout(60):
                while platform.persons.get(STEWARD, request).stage is not Stage.ERASED:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            return await platform.broker.find(system_caller("test"), DWELLING) is None

    assert asyncio.run(at_work())
