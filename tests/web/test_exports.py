"""Leaving with everything, from the console: asked for, made as a job, fetched, and gone after some days."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.roles.model import Assignment, Role, RoleGrant
from parvis.backup.bundle.reading import opened_bundle
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.exports import EXPORT, FOLDER, KEPT_DAYS, list_exports, sweep
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller, system_caller
from parvis.kernel.jobs import JobFilter, JobState
from parvis.kernel.time import DAY, SECOND, system_clock
from tests.web.conftest import client_of, form_token, plain, settings

PAGE = "/console/exports"
COMMAND_LINE_HERE = msgspec.structs.replace(COMMAND_LINE, tenant=DEFAULT_TENANT)
BUNDLE = "default-20261122T101500Z.zip"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        yield platform


async def read(client: httpx.AsyncClient, **asked: str) -> str:
    answer = await client.get(PAGE, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(client: httpx.AsyncClient, path: str = "") -> httpx.Response:
    return await client.post(PAGE + path, data={"form_token": form_token(await read(client))})


def lay(platform: Platform, name: str = BUNDLE, tenant: str = DEFAULT_TENANT, age_days: float = 0) -> Path:
    path = platform.settings.data_dir / FOLDER / tenant / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK")
    at_s = (system_clock() - age_days * DAY) / SECOND
    os.utime(path, (at_s, at_s))
    return path


def deeds(platform: Platform) -> list[str]:
    return [entry.record.action for entry in platform.access.store.list_audit(None, 10)]


async def test_it_is_for_those_who_answer_for_the_data(platform: Platform, visitor: httpx.AsyncClient) -> None:
    lay(platform)
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as clerk:
        for path in (PAGE, f"{PAGE}/{BUNDLE}", f"{PAGE}/{BUNDLE}/delete"):
            assert (await clerk.post(path)).status_code == 403
            assert (await visitor.post(path)).status_code in (401, 403)
        assert (await clerk.get(PAGE)).status_code == 403
        assert PAGE not in (await clerk.get("/console")).text


async def test_a_data_steward_finds_it_in_the_rail(platform: Platform) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "data-steward")
    async with client_of(platform, authorization=f"Bearer {key}") as steward:
        assert f'href="{PAGE}"' in (await steward.get("/console")).text
        assert (await steward.get(PAGE)).status_code == 200


async def test_backups_are_a_link_for_who_may_see_them_and_a_command_for_others(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "data-steward")
    async with client_of(platform, authorization=f"Bearer {key}") as steward:
        page = await read(steward)

    assert ('"/console/backups"' in page, "parvis backup take" in page) == (False, True)
    assert 'href="/console/backups">See the backups' in await read(operator)


async def test_who_may_not_read_all_of_it_takes_nothing_along(platform: Platform) -> None:
    mayor = Caller(DEFAULT_TENANT, "user:maire", ADMINISTRATOR)
    platform.access.gate.roles.put(mayor, Role((RoleGrant(("read", "steward")),), clearance="internal", name="leaver"))
    key, token = platform.access.keys.create(COMMAND_LINE, "office", "resident")
    platform.access.gate.roles.assign(mayor, Assignment("", f"key:{key.id}", DEFAULT_TENANT, "leaver", 0))
    lay(platform)
    async with client_of(platform, authorization=f"Bearer {token}") as leaver:
        assert (await leaver.get(PAGE)).status_code == 403
        assert (await leaver.post(f"{PAGE}/{BUNDLE}")).status_code == 403


async def test_it_says_what_is_in_it_in_both_languages(operator: httpx.AsyncClient) -> None:
    assert f'href="{PAGE}"' in (await operator.get("/console")).text
    assert "No export has been made yet" in plain(await read(operator, lang="en"))
    assert "Aucun export n’a encore été fait" in plain(await read(operator, lang="fr"))


async def test_one_is_made_at_a_time_and_the_page_says_so(platform: Platform, operator: httpx.AsyncClient) -> None:
    assert (await post(operator)).status_code == 303
    assert (await post(operator, "")).status_code == 303

    jobs = await platform.jobs.list_jobs(COMMAND_LINE_HERE, JobFilter(kind=EXPORT, limit=10))
    assert [job.state for job in jobs] == [JobState.WAITING]
    page = await read(operator, lang="en")
    assert 'data-refresh="2"' in page
    assert "You may leave this page" in plain(page)
    assert "job-submitted" in deeds(platform)


async def test_it_is_fetched_and_deleted_and_both_are_in_the_trail(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    path = lay(platform)
    assert BUNDLE in await read(operator)

    fetched = await post(operator, f"/{BUNDLE}")
    assert fetched.content == b"PK"
    assert fetched.headers["cache-control"] == "no-store"
    assert BUNDLE in fetched.headers["content-disposition"]
    assert (await post(operator, f"/{BUNDLE}/delete")).status_code == 303

    assert not path.exists()
    assert deeds(platform)[:2] == ["export-deleted", "export-downloaded"]


async def test_nothing_else_is_fetched_by_its_name(platform: Platform, operator: httpx.AsyncClient) -> None:
    lay(platform, tenant="other")
    lay(platform, "notes.txt")
    for name in (BUNDLE, "notes.txt", "..%2F..%2Fparvis.db", "%2e%2e"):
        assert (await post(operator, f"/{name}")).status_code in (404, 405)


async def test_no_link_begins_one(platform: Platform, operator: httpx.AsyncClient) -> None:
    lay(platform)
    assert (await operator.get(f"{PAGE}/{BUNDLE}")).status_code == 405
    assert (await operator.post(PAGE)).status_code == 403
    assert (await operator.post(f"{PAGE}/{BUNDLE}")).status_code == 403


async def test_after_some_days_it_goes(platform: Platform) -> None:
    old, fresh = lay(platform, age_days=KEPT_DAYS + 0.1), lay(platform, BUNDLE.replace("22T", "23T"), age_days=1)
    unfinished = lay(platform, f"{BUNDLE}.part", age_days=KEPT_DAYS + 1)

    assert sweep(platform.settings.data_dir, system_clock()) == 2

    assert not old.exists()
    assert not unfinished.exists()
    assert fresh.exists()


@pytest.mark.slow
async def test_the_job_makes_it_in_a_process_of_its_own(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=True)) as platform:
        bin_ = Change(
            "urn:ngsi-ld:Bin:1",
            Mode.UPSERT_UPDATE,
            (Instance("https://example.org/level", Kind.PROPERTY, 1.5, observed_at=system_clock()),),
            ("https://example.org/Bin",),
        )
        await platform.broker.write(system_caller("test"), [bin_])
        job = await platform.jobs.submit(COMMAND_LINE_HERE, EXPORT)
        async with asyncio.timeout(60):
            while not (job := await platform.jobs.get(COMMAND_LINE_HERE, job.id)).state.has_ended:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    assert job.state is JobState.DONE, job.error
    [made] = list_exports(tmp_path, DEFAULT_TENANT)
    with opened_bundle(tmp_path / FOLDER / DEFAULT_TENANT / made.name) as bundle:
        bundle.verify()
        assert bundle.manifest.counts["history"] == 1
        assert bundle.manifest.counts["entities"] >= 1
