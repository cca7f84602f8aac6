"""A backup taken of a platform at work comes back as a platform that knows all that was acknowledged before."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from parvis.access.model import AuditRecord
from parvis.backup.manifest import Drill, Manifest
from parvis.backup.repository import BackupUnusable, Repository, make_repository
from parvis.bootstrap import backup, open_platform
from parvis.bootstrap.archive import run_archive
from parvis.bootstrap.backup import NoRoom, forget_older, restore_backup, run_drill, take_backup
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import EntityQuery, TemporalQuery
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.settings import InvalidSettings, MqttSettings, Settings, StoreSettings
from parvis.kernel.time import DAY, system_clock
from parvis.stores.sqlite.snapshot import ArchivedFile, copy_database, list_archived

CALLER = system_caller("test")
LEVEL = "https://example.org/level"
BIN = "https://example.org/Bin"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data", mqtt=MqttSettings(enabled=False))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "backups", b"key")


def measured(number: int, level: float, age_days: int = 0) -> Change:
    at = system_clock() - age_days * DAY
    return Change(
        f"urn:ngsi-ld:Bin:{number}",
        Mode.UPSERT_UPDATE,
        (Instance(LEVEL, Kind.PROPERTY, level, observed_at=at),),
        (BIN,),
    )


def now_in(settings: Settings, data_dir: Path) -> Settings:
    return replace(settings, data_dir=data_dir)


async def test_all_that_was_acknowledged_before_is_in_it(
    settings: Settings, repository: Repository, tmp_path: Path
) -> None:
    acknowledged = 0
    done = asyncio.Event()

    async with open_platform(settings, listen=False) as platform:

        async def write() -> None:
            nonlocal acknowledged
            while not done.is_set():
                await platform.broker.write(CALLER, [measured(number, acknowledged) for number in range(20)])
                acknowledged += 1
                await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        while acknowledged < 50:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        before = acknowledged
        taken = await asyncio.to_thread(take_backup, settings, repository)
        after = acknowledged
        done.set()
        await writing
    assert after > before, "the platform went on meanwhile"

    restore_backup(repository, taken, tmp_path / "restored")
    async with open_platform(now_in(settings, tmp_path / "restored"), listen=False) as restored:
        page = await restored.broker.query(CALLER, EntityQuery(limit=100))
        assert len(page.entities) == 20
        levels = {one.instances[0].value for one in page.entities}
        assert len(levels) == 1, "one moment of all of them"
        (level,) = levels
        assert before - 1 <= level <= after
        history = await restored.broker.history(CALLER, "urn:ngsi-ld:Bin:3", TemporalQuery(limit=10_000))
        told = sorted(one.value for one in history.instances[LEVEL, ""])
        assert told == list(range(int(level) + 1))
        await restored.broker.write(CALLER, [measured(3, 99)])


async def test_the_archive_comes_with_it(settings: Settings, repository: Repository, tmp_path: Path) -> None:
    async with open_platform(settings, listen=False) as platform:
        await platform.broker.write(CALLER, [measured(number, 1, age_days=40) for number in range(5)])
        await run_archive(settings, platform.broker._store, lambda _part, _words: None)
    (settings.data_dir / "archive" / "stray.parquet").write_bytes(b"of no store")
    taken = take_backup(settings, repository)
    archived = [file.path for file in taken.files if file.path.startswith("archive/")]
    assert archived
    assert "archive/stray.parquet" not in archived
    assert run_drill(repository, taken.id, tmp_path).counts["archived instances"] == 5

    restore_backup(repository, taken, tmp_path / "restored")
    async with open_platform(now_in(settings, tmp_path / "restored"), listen=False) as restored:
        history = await restored.broker.history(CALLER, "urn:ngsi-ld:Bin:3", TemporalQuery(limit=10))
        assert [one.value for one in history.instances[LEVEL, ""]] == [1]


async def test_a_file_that_the_archive_replaces_meanwhile_is_no_harm(
    settings: Settings, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_platform(settings, listen=False) as platform:
        await platform.broker.write(CALLER, [measured(1, 1, age_days=40)])
        await run_archive(settings, platform.broker._store, lambda _part, _words: None)
    held = list_archived
    calls: list[Path] = []

    def moved_once(database: Path) -> list[ArchivedFile]:
        calls.append(database)
        return [one._replace(path="gone.parquet") for one in held(database)] if len(calls) == 1 else held(database)

    monkeypatch.setattr(backup, "list_archived", moved_once)
    taken = take_backup(settings, repository)
    assert len(calls) == 2
    assert not any("gone" in file.path for file in taken.files)
    monkeypatch.setattr(backup, "list_archived", lambda database: [one._replace(path="gone") for one in held(database)])
    with pytest.raises(BackupUnusable, match="went away"):
        take_backup(settings, repository)
    assert repository.list_ids() == [taken.id]


async def installed(settings: Settings) -> None:
    async with open_platform(settings, listen=False) as platform:
        platform.access.store.append_audit(AuditRecord(1, DEFAULT_TENANT, "user:odile", "done", "thing"))
        await platform.broker.write(CALLER, [measured(1, 1)])
    (settings.data_dir / "territory.toml").write_text("[territory]\nname = 'Trevalan'\n")
    (settings.data_dir / "profiles").mkdir()
    (settings.data_dir / "profiles" / "own.toml").write_text("# mine\n")


async def test_a_drill_says_what_it_found(settings: Settings, repository: Repository, tmp_path: Path) -> None:
    await installed(settings)
    taken = take_backup(settings, repository)
    tried = run_drill(repository, taken.id, tmp_path)
    assert tried.counts["entities"] == 1
    assert tried.counts["audit entries"] == 1
    assert len(tried.audit_digest) == 64
    assert not list(tmp_path.glob("parvis-drill-*"))  # noqa: ASYNC240
    assert repository.find_drill(taken.id) == tried
    assert not tried.fault


async def test_files_of_ones_own_are_in_it_and_locks_are_not(settings: Settings, repository: Repository) -> None:
    await installed(settings)
    paths = {file.path for file in take_backup(settings, repository).files}
    assert paths == {"access.db", "parvis.db", "territory.toml", "profiles/own.toml"}


async def test_backups_within_the_data_are_not_backed_up(settings: Settings) -> None:
    await installed(settings)
    within = make_repository(settings.data_dir / "backups")
    for _ in range(2):
        paths = {file.path for file in take_backup(settings, within).files}
    assert not any(path.startswith("backups") for path in paths)
    assert len(within.list_ids()) == 2


async def test_a_forged_trail_is_found_by_the_drill(settings: Settings, repository: Repository, tmp_path: Path) -> None:
    await installed(settings)
    with closing(sqlite3.connect(settings.data_dir / "access.db")) as connection:
        connection.execute("DROP TRIGGER audit_is_never_changed")
        connection.execute("UPDATE audit SET record = CAST(replace(CAST(record AS TEXT), 'odile', 'marie') AS BLOB)")
        connection.commit()
    taken = take_backup(settings, repository)
    with pytest.raises(BackupUnusable, match="audit"):
        run_drill(repository, taken.id, tmp_path)
    kept = repository.find_drill(taken.id)
    assert kept is not None
    assert "audit trail" in kept.fault


def test_a_folder_that_holds_something_is_not_overwritten(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "territory.toml").write_text("")
    with pytest.raises(BackupUnusable, match="not empty"):
        restore_backup(repository, Manifest("1", 0, "0.1.0", ()), tmp_path / "data")


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", ""])
def test_no_backup_writes_outside_of_the_folder(repository: Repository, tmp_path: Path, path: str) -> None:
    (tmp_path / "source").write_text("text")
    copy = repository.keep(tmp_path / "source", path)
    with pytest.raises(BackupUnusable, match="outside"):
        restore_backup(repository, Manifest("1", 0, "0.1.0", (copy,)), tmp_path / "restored")
    assert not list(tmp_path.glob("**/out"))


def test_of_a_postgresql_store_it_says_whose_work_it_is(settings: Settings, repository: Repository) -> None:
    elsewhere = replace(settings, store=StoreSettings(url="postgresql://localhost/parvis"))
    with pytest.raises(InvalidSettings, match="PostgreSQL"):
        take_backup(elsewhere, repository)


def test_a_disk_without_room_is_told_before(
    settings: Settings, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "parvis.db").write_bytes(b"x" * 4096)
    monkeypatch.setattr(backup, "disk_usage", lambda _path: type("Usage", (), {"free": 10}))
    with pytest.raises(NoRoom, match="no room"):
        take_backup(settings, repository)


async def test_a_drill_without_room_says_nothing_of_the_backup(
    settings: Settings, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(settings)
    taken = take_backup(settings, repository)
    monkeypatch.setattr(backup, "disk_usage", lambda _path: type("Usage", (), {"free": 10}))
    with pytest.raises(NoRoom):
        run_drill(repository, taken.id, tmp_path)
    assert repository.find_drill(taken.id) is None


async def test_the_first_is_whole_and_the_next_adds_what_changed(settings: Settings, repository: Repository) -> None:
    await installed(settings)
    first, second = take_backup(settings, repository), take_backup(settings, repository)
    assert first.is_first
    assert first.added_bytes > 0
    assert not second.is_first
    assert second.added_bytes == 0


async def test_old_ones_go_but_never_the_newest(settings: Settings, repository: Repository) -> None:
    await installed(settings)
    moments = iter((DAY, 2 * DAY, 3 * DAY))
    days = [take_backup(settings, repository, clock=lambda: next(moments)) for _ in range(3)]
    repository.note_drill(days[0].id, Drill(DAY, 1.0))
    gone, _ = forget_older(repository, 2 * DAY)
    assert gone == 1
    assert repository.list_ids() == [days[1].id, days[2].id]
    assert repository.find_drill(days[0].id) is None
    assert forget_older(repository, 100 * DAY)[0] == 1
    assert repository.list_ids() == [days[2].id]


async def test_a_copy_of_many_steps_is_one_moment_while_writers_go_on(tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("PRAGMA page_size = 1024")
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE pair (one INTEGER, other INTEGER, filling BLOB)")
        writer.execute(
            "INSERT INTO pair WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
            " SELECT 0, 0, randomblob(900) FROM n"
        )
        parts: list[float] = []

        def write(part: float) -> None:
            parts.append(part)
            writer.execute("UPDATE pair SET one = one + 1, other = other + 1 WHERE rowid % 97 = 0")

        copy_database(source, tmp_path / "copy.db", write)
    assert len(parts) > 2
    assert parts == sorted(parts), "it never began anew"
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT max(one), max(other) FROM pair").fetchone() == (0, 0)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
