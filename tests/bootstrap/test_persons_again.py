"""Who was erased does not come back: not with a backup, not with a bundle."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner

from parvis.access.privacy.person.erasing import Eraser
from parvis.access.privacy.person.identifiers import By
from parvis.backup.repository import BackupUnusable, make_repository
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.backup import take_backup
from parvis.bootstrap.leaving import export_tenant
from parvis.bootstrap.persons_again import do_again, load_erasures, read_erasures, write_erasures
from parvis.bootstrap.stores import open_access
from parvis.broker.query.tree import TemporalQuery
from parvis.cli import commands
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.settings import Settings
from tests.fakes.marie import EMAIL, MARIE, REPORT, TELEPHONE, erase, fill, search
from tests.fakes.places import settings_in

CALLER = system_caller("test")
Told = TypeVar("Told")


def at_work(settings: Settings, act: Callable[[Platform], Awaitable[Told]]) -> Told:
    async def run() -> Told:
        async with open_platform(settings, listen=False) as platform:
            return await act(platform)

    return asyncio.run(run())


async def forget_marie(platform: Platform) -> None:
    await erase(platform, await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE)))


async def what_is_there(platform: Platform) -> dict[str, bool]:
    report = await platform.broker.history(CALLER, REPORT, TemporalQuery())
    return {
        "marie": await platform.broker.find(CALLER, MARIE) is not None,
        "her past": await platform.broker.find_history(CALLER, MARIE, TemporalQuery()) is not None,
        "account": platform.access.store.find_account(EMAIL) is not None,
        "named": MARIE in repr(report) or TELEPHONE in repr(report),
        "report": await platform.broker.find(CALLER, REPORT) is not None,
    }


ALL_THERE = dict.fromkeys(("marie", "her past", "account", "named", "report"), True)
GONE = {**dict.fromkeys(ALL_THERE, False), "report": True}


def run(*words: object) -> str:
    result = CliRunner().invoke(commands, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_in(tmp_path / "data")
    at_work(settings, fill)
    return settings


def test_an_older_backup_comes_back_without_who_was_erased_before_the_newest(
    settings: Settings, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "backups")
    before = take_backup(settings, repository)
    at_work(settings, forget_marie)
    take_backup(settings, repository)

    told = run("restore", repository.folder, before.id, "--data", tmp_path / "back")

    assert "1 erasures of persons were done again" in told
    back = settings_in(tmp_path / "back")
    assert at_work(back, what_is_there) == GONE
    with closing(open_access(back).store) as access:
        assert "person-erased-again" in {one.record.action for one in access.read_audit()}
        assert len(access.privacy.list_ledger(DEFAULT_TENANT)) == 1


def test_a_backup_taken_while_somebody_was_erased_does_not_bring_them_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, erase_now = make_repository(tmp_path / "backups"), Eraser.erase

    async def with_a_backup_before(self: Eraser, *given: Any) -> None:
        await asyncio.to_thread(take_backup, settings, repository)
        await erase_now(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Eraser, "erase", with_a_backup_before)
        at_work(settings, forget_marie)

    run("restore", repository.folder, "--data", tmp_path / "back", "--erasures-of", settings.data_dir)

    assert at_work(settings_in(tmp_path / "back"), what_is_there) == GONE


def test_the_old_data_directory_knows_of_what_no_backup_does(settings: Settings, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "backups")
    take_backup(settings, repository)
    at_work(settings, forget_marie)

    run("restore", repository.folder, "--data", tmp_path / "forgotten")
    run("restore", repository.folder, "--data", tmp_path / "back", "--erasures-of", settings.data_dir)

    assert at_work(settings_in(tmp_path / "forgotten"), what_is_there) == ALL_THERE
    assert at_work(settings_in(tmp_path / "back"), what_is_there) == GONE


def test_a_bundle_from_before_brings_nobody_back(settings: Settings, tmp_path: Path) -> None:
    """The later bundle brings the ledger along."""
    export_tenant(settings, DEFAULT_TENANT, tmp_path / "before.zip", "test")
    at_work(settings, forget_marie)
    export_tenant(settings, DEFAULT_TENANT, tmp_path / "after.zip", "test")
    there = settings_in(tmp_path / "there")
    run("import", "bundle", tmp_path / "after.zip", "--data", there.data_dir)

    told = run("import", "bundle", tmp_path / "before.zip", "--data", there.data_dir, "--add")

    assert "1 erasures of persons were done again" in told
    assert at_work(there, what_is_there) == GONE


def test_who_is_known_anew_afterwards_stays_with_a_later_bundle(settings: Settings, tmp_path: Path) -> None:
    at_work(settings, forget_marie)
    export_tenant(settings, DEFAULT_TENANT, tmp_path / "after.zip", "test")
    there = settings_in(tmp_path / "there")
    run("import", "bundle", tmp_path / "after.zip", "--data", there.data_dir)
    later = settings_in(tmp_path / "later")
    at_work(later, fill)
    export_tenant(later, DEFAULT_TENANT, tmp_path / "later.zip", "test")

    run("import", "bundle", tmp_path / "later.zip", "--data", there.data_dir, "--add")

    assert at_work(there, what_is_there)["marie"]


def test_the_ledger_goes_along_as_a_file_that_tells_of_nobody(settings: Settings, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "backups")
    take_backup(settings, repository)
    at_work(settings, forget_marie)
    file = tmp_path / "erasures.json"
    run("person", "ledger", "--to", file, "--data", settings.data_dir)
    run("restore", repository.folder, "--data", tmp_path / "back")

    told = run("person", "again", "--from", file, "--data", tmp_path / "back")

    assert "1 erasures" in told
    assert b"example.fr" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert at_work(settings_in(tmp_path / "back"), what_is_there) == GONE
    assert "0 things" in run("person", "again", "--from", file, "--data", tmp_path / "back")


def test_what_is_there_still_after_all_rounds_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "backups")
    take_backup(settings, repository)
    at_work(settings, forget_marie)

    async def in_vain(_self: Eraser, *_given: Any) -> None:
        pass

    monkeypatch.setattr(Eraser, "erase", in_vain)
    told = run("restore", repository.folder, "--data", tmp_path / "back", "--erasures-of", settings.data_dir)

    assert " 0 things that had come back are gone." in told
    assert "are there still" in told
    with closing(open_access(settings_in(tmp_path / "back")).store) as access:
        left = {
            one.record.action: one.record.facts["left"] for one in access.read_audit() if "left" in one.record.facts
        }
    assert min(left["person-erased"], left["person-erased-again"]) > 0


def test_the_erasures_of_another_installation_are_refused(settings: Settings, tmp_path: Path) -> None:
    at_work(settings, forget_marie)
    other = settings_in(tmp_path / "other")
    at_work(other, fill)
    at_work(other, forget_marie)
    write_erasures(tmp_path / "file", read_erasures(other))

    with pytest.raises(BackupUnusable):
        asyncio.run(do_again(settings, load_erasures(tmp_path / "file")))


def test_what_was_found_of_somebody_is_in_no_backup(settings: Settings, tmp_path: Path) -> None:
    at_work(settings, lambda platform: search(platform, (By.EMAIL, EMAIL)))

    manifest = take_backup(settings, make_repository(tmp_path / "backups"))

    assert not [one.path for one in manifest.files if one.path.startswith("persons/")]
