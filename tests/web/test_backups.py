"""Backups on a page: what there is, what is missing, asked for as jobs; and how one comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event

import httpx
import msgspec
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.backup.manifest import Drill
from parvis.backup.repository import make_repository, open_repository
from parvis.bootstrap import Platform, backups, open_platform
from parvis.bootstrap.backup import run_drill, take_backup
from parvis.bootstrap.backups import DRILL, TAKE, Shelf, read_shelf
from parvis.kernel.backup_settings import BackupSettings
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.jobs import JobFilter, JobState
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.time import DAY, system_clock
from tests.web.conftest import client_of, form_token, plain, settings

PAGE = "/console/backups"
ADMINISTRATOR = msgspec.structs.replace(COMMAND_LINE, tenant=DEFAULT_TENANT)
KEY = "a long passphrase"


@pytest.fixture
def own(tmp_path: Path) -> BackupSettings:
    return BackupSettings(folder=str(tmp_path / "backups"), key=KEY)


@pytest.fixture
async def platform(tmp_path: Path, own: BackupSettings) -> AsyncIterator[Platform]:
    given = replace(settings(tmp_path / "data", auth=True), backup=own)
    async with open_platform(given, listen=False) as platform:
        yield platform


@pytest.fixture
async def administrator(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        yield await signed_in(platform, "administrator", stack)


async def signed_in(platform: Platform, role: str, stack: AsyncExitStack) -> httpx.AsyncClient:
    _, key = platform.access.keys.create(COMMAND_LINE, role, role)
    return await stack.enter_async_context(client_of(platform, authorization=f"Bearer {key}"))


async def read(client: httpx.AsyncClient, **asked: str) -> str:
    answer = await client.get(PAGE, params={"lang": "en", **asked})
    assert answer.status_code == 200, answer.text
    return plain(answer.text)


def take(platform: Platform, days_ago: float = 0) -> str:
    folder = Path(platform.settings.backup.folder)
    if not folder.exists():
        make_repository(folder, platform.settings.backup.key.encode())
    held = open_repository(folder, platform.settings.backup.key.encode())
    return take_backup(platform.settings, held, clock=lambda: round(system_clock() - days_ago * DAY)).id


async def test_it_is_for_administrators(platform: Platform, visitor: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        for role in ("operator", "auditor", "data-steward"):
            client = await signed_in(platform, role, stack)
            assert (await client.get(PAGE)).status_code == 403
            assert (await client.post(PAGE, data={"do": "take"})).status_code == 403
    assert (await visitor.get(PAGE)).status_code in (302, 303, 401, 403)


async def test_without_a_folder_it_says_what_that_means_and_what_to_write(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform, AsyncExitStack() as stack:
        page = await read(await signed_in(platform, "administrator", stack))
    assert "No backup is taken" in page
    assert 'folder = "/mnt/disk/parvis-backups"' in page
    assert "Back up now" not in page


async def test_it_says_what_there_is_and_what_could_be_better(
    platform: Platform, administrator: httpx.AsyncClient, tmp_path: Path
) -> None:
    assert "There is no backup yet" in await read(administrator)

    first, second = take(platform), take(platform)
    page = await read(administrator)
    assert first in page
    assert second in page
    assert "Full" in page
    assert "Incremental" in page
    assert "No backup was ever tried" in page
    assert "on the disk of the data" in page

    run_drill(open_repository(tmp_path / "backups", KEY.encode()), second, tmp_path)
    page = await read(administrator)
    assert "No backup was ever tried" not in page
    assert f"{second} was back after" in page


async def test_a_drill_that_failed_is_told_until_one_is_sound(
    platform: Platform, administrator: httpx.AsyncClient, tmp_path: Path
) -> None:
    backup = take(platform)
    held = open_repository(tmp_path / "backups", KEY.encode())
    held.note_drill(backup, Drill(1, 1.0, fault="parvis.db is not sound: page 3 is lost."))
    assert "parvis.db is not sound" in await read(administrator)
    assert "parvis.db n’est pas sain" in await read(administrator, lang="fr")
    run_drill(held, backup, tmp_path)
    assert "not sound" not in await read(administrator)


async def test_one_that_is_late_is_told(platform: Platform, administrator: httpx.AsyncClient) -> None:
    take(platform, days_ago=3)
    assert "older than it should be" in await read(administrator)
    take(platform)
    assert "older than it should be" not in await read(administrator)


async def overview_of(platform: Platform, role: str) -> str:
    async with AsyncExitStack() as stack:
        answer = await (await signed_in(platform, role, stack)).get("/console", params={"lang": "en"})
    assert answer.status_code == 200
    return plain(answer.text)


async def test_the_overview_warns_administrators_where_one_is_missing(platform: Platform) -> None:
    assert "There is no backup yet" in await overview_of(platform, "administrator")
    take(platform, days_ago=3)
    assert "older than it should be" in await overview_of(platform, "administrator")
    assert "older than it should be" not in await overview_of(platform, "operator")
    take(platform)
    assert "older than it should be" not in await overview_of(platform, "administrator")


async def test_the_overview_warns_administrators_where_none_is_taken(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        assert "No backup is taken" in await overview_of(platform, "administrator")
        assert "No backup is taken" not in await overview_of(platform, "operator")


async def test_a_folder_that_does_not_answer_holds_up_nobody(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = Event(), []

    def read_in_the_end(given: Settings) -> Shelf:
        asked.append(given)
        answers.wait(30)
        return Shelf(damaged=("one",))

    monkeypatch.setattr(backups, "read_shelf", read_in_the_end)
    reader = backups.ShelfReader(platform.settings)

    silent = [await reader.look(0.01) for _ in range(20)]

    assert {one.fault for one in silent} == {f"{platform.settings.backup.folder} does not answer."}
    assert len(asked) == 1, "it takes one thread, however often it is asked"
    answers.set()
    assert (await reader.look()).damaged == ("one",)


async def test_a_damaged_one_and_a_wrong_key_are_told(
    platform: Platform, administrator: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = take(platform), take(platform)
    (tmp_path / "backups" / "backups" / first).write_bytes(b"gone bad")
    page = await read(administrator)
    assert "A backup is damaged" in page
    assert second in page
    wrong = replace(platform.settings, backup=replace(platform.settings.backup, key="another"))
    assert read_shelf(wrong).fault == f"The key does not open {tmp_path / 'backups'}."


async def test_the_command_that_brings_one_back_is_given_whole(
    platform: Platform, administrator: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = take(platform), take(platform)
    restored = tmp_path / "data-restored"
    assert f"parvis restore {tmp_path}/backups {second} --data {restored} --key-file" in await read(administrator)
    assert f"parvis restore {tmp_path}/backups {first} --data" in await read(administrator, of=first)


async def test_it_is_asked_for_once(platform: Platform, administrator: httpx.AsyncClient) -> None:
    token = form_token((await administrator.get(PAGE)).text)
    for _ in range(2):
        assert (await administrator.post(PAGE, data={"form_token": token, "do": "take"})).status_code == 303
    page = await read(administrator)
    assert "Take a backup" in page
    assert "Back up now" not in page
    jobs = await platform.jobs.list_jobs(ADMINISTRATOR, JobFilter(kind=TAKE, limit=10))
    assert [one.state for one in jobs] == [JobState.WAITING]
    assert (await administrator.post(PAGE, data={"do": "take"})).status_code == 403


async def test_a_schedule_that_is_none_is_refused_at_the_start(tmp_path: Path, own: BackupSettings) -> None:
    wrong = replace(settings(tmp_path, auth=True), backup=replace(own, schedule="at night"))
    with pytest.raises(InvalidSettings, match="at night"):
        async with open_platform(wrong, listen=False):
            pass


@pytest.mark.slow
async def test_the_jobs_take_one_try_it_and_let_old_ones_go(tmp_path: Path, own: BackupSettings) -> None:
    given = replace(settings(tmp_path / "data", auth=True), backup=replace(own, keep_days=30))
    async with open_platform(given) as platform:
        old = take(platform, days_ago=31)
        for kind in (TAKE, DRILL):
            job = await platform.jobs.submit(ADMINISTRATOR, kind)
            async with asyncio.timeout(60):
                while not (job := await platform.jobs.get(ADMINISTRATOR, job.id)).state.has_ended:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert job.state is JobState.DONE, job.error
            assert KEY not in str(job)
    [kept] = read_shelf(given).kept
    assert kept.id != old
    assert kept.drill is not None
    assert not kept.drill.fault
