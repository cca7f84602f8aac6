"""An import changes what whoever asked for it may change, and goes on for as long as they may."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.roles.model import Assignment, Role, RoleGrant
from parvis.bootstrap import Platform, open_platform
from parvis.connectors.files.config import load_mapping
from parvis.connectors.files.folders import Import, Origin
from parvis.connectors.files.imports import IMPORT, Imports
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller, system_caller
from parvis.kernel.jobs import Job, JobState
from parvis.web.console.imports import files_of
from tests.jobs.conftest import ended
from tests.web.conftest import client_of, settings

MAYOR = Caller(DEFAULT_TENANT, "user:maire", ADMINISTRATOR)
PEOPLE = """
[inventory]
type = "Person"
id = "urn:ngsi-ld:Person:{ref}"
[[inventory.attributes]]
column = "mail"
name = "email"
value = "text"
"""
ODILE = "urn:ngsi-ld:Person:1"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        yield platform


def key_of(platform: Platform, role: str) -> tuple[Caller, str]:
    key, token = platform.access.keys.create(COMMAND_LINE, "a label", role)
    caller = platform.access.gate.find_owner(f"key:{key.id}", DEFAULT_TENANT)
    assert caller is not None
    return caller, token


def received(imports: Imports, caller: Caller, folder: Path) -> Import:
    (folder / "mapping.toml").write_text(PEOPLE, encoding="utf-8")
    (folder / "people.csv").write_text("ref,mail\n1,odile@example.org\n", encoding="utf-8")
    one = imports.take(caller, folder / "people.csv", Origin.UPLOAD)
    return imports.choose(one, load_mapping(folder / "mapping.toml"))


async def done(platform: Platform, imports: Imports, one: Import) -> Job:
    job = await imports.find_job(one)
    assert job is not None
    async with platform.jobs.running():
        return await ended(platform.jobs, job)


async def test_what_somebody_does_not_read_they_do_not_import(platform: Platform, tmp_path: Path) -> None:
    agent, _ = key_of(platform, "field-agent")
    imports = files_of(platform).imports
    one = await imports.start(agent, received(imports, agent, tmp_path), IMPORT)
    job = await done(platform, imports, one)
    assert (job.state, job.result["verdicts"]["refused"]) == (JobState.DONE, 1)
    assert b"may not change email" in b"".join(imports.report_lines(one))
    assert await platform.broker.find(system_caller("test"), ODILE) is None


async def test_an_import_is_of_who_starts_it_and_not_of_who_brought_the_file(
    platform: Platform, tmp_path: Path
) -> None:
    mayor, _ = key_of(platform, "administrator")
    agent, _ = key_of(platform, "field-agent")
    imports = files_of(platform).imports
    one = await imports.start(agent, received(imports, mayor, tmp_path), IMPORT)
    assert (await done(platform, imports, one)).result["verdicts"]["refused"] == 1


async def test_who_has_lost_the_right_meanwhile_imports_nothing(platform: Platform, tmp_path: Path) -> None:
    operator, _ = key_of(platform, "operator")
    imports = files_of(platform).imports
    one = await imports.start(operator, received(imports, operator, tmp_path), IMPORT)
    platform.access.keys.revoke(COMMAND_LINE, operator.subject.partition(":")[2])
    job = await done(platform, imports, one)
    assert (job.state, job.error) == (JobState.FAILED, "Whoever asked for this import may not import any more.")
    assert await platform.broker.find(system_caller("test"), ODILE) is None


@pytest.fixture
async def lamplighter(platform: Platform) -> tuple[Caller, str]:
    """Reads and writes the lamps, and knows of nothing else."""
    platform.access.gate.roles.put(MAYOR, Role((RoleGrant(("read", "write"), ("Streetlight",)),), name="lamplighter"))
    resident, token = key_of(platform, "resident")
    platform.access.gate.roles.assign(MAYOR, Assignment("", resident.subject, DEFAULT_TENANT, "lamplighter", 0))
    found = platform.access.gate.find_owner(resident.subject, DEFAULT_TENANT)
    assert found is not None
    return found, token


async def test_who_writes_a_part_neither_imports_nor_sees_what_others_bring(
    platform: Platform, lamplighter: tuple[Caller, str], tmp_path: Path
) -> None:
    caller, token = lamplighter
    imports = files_of(platform).imports
    one = received(imports, MAYOR, tmp_path)
    async with client_of(platform, authorization=f"Bearer {token}") as client:
        for path in ("/console/imports", f"/console/imports/{one.id}", f"/console/imports/{one.id}/report.csv"):
            assert (await client.get(path)).status_code == httpx.codes.FORBIDDEN, path
        assert "people.csv" not in (await client.get("/console/search?q=people")).text
        console = (await client.get("/console")).text
        for path in set(re.findall(r'href="(/console/[a-z]+)"', console)) - {"/console/account"}:
            assert (await client.get(path)).status_code != httpx.codes.FORBIDDEN, path
    with pytest.raises(Forbidden):
        imports.receive(caller, "bins.csv", Origin.UPLOAD)
    with pytest.raises(Forbidden):
        await imports.start(caller, one, IMPORT)
