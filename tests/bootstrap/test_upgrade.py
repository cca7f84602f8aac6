"""What an upgrade does is known before it is done; one that was stopped goes on where it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from parvis.backup.repository import BackupUnusable
from parvis.bootstrap import upgrade as module
from parvis.bootstrap.stores import DataInUse, NotOpened, holding
from parvis.bootstrap.upgrade import try_upgrade, upgrade
from parvis.broker.ports.store import StoreNotUsable
from parvis.cli import commands
from parvis.kernel.settings import Settings, StoreSettings
from parvis.stores.postgres.database import SCHEMA as POSTGRES_SCHEMA
from parvis.stores.postgres.database import Database
from parvis.stores.sqlite.database import SCHEMA, find_version

NEWEST = SCHEMA.version
BROKEN = "CREATE TABLE half (id INTEGER); SELECT one FROM nowhere;"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """On a store of the schema before the newest."""
    with closing(sqlite3.connect(tmp_path / "parvis.db")) as old:
        for step in SCHEMA.migrations[: NEWEST - 1]:
            old.executescript(step)
        old.executescript(f"PRAGMA user_version = {NEWEST - 1}")
    return Settings(tmp_path)


def test_it_is_tried_on_a_copy_of_which_nothing_stays(settings: Settings) -> None:
    content = (settings.data_dir / "parvis.db").read_bytes()

    tried = try_upgrade(settings)

    assert (tried.before, tried.after) == (NEWEST - 1, NEWEST)
    assert tried.bytes_before == len(content)
    assert tried.bytes_after > tried.bytes_before
    assert tried.has_room
    assert (settings.data_dir / "parvis.db").read_bytes() == content
    assert [path.name for path in settings.data_dir.iterdir()] == ["parvis.db"]


def test_the_command_tells_what_it_takes(settings: Settings) -> None:
    told = CliRunner().invoke(commands, ["upgrade", "--check", "--data", str(settings.data_dir)])
    assert told.exit_code == 0, told.output
    assert f"schema:   {NEWEST - 1} now, {NEWEST} with this version" in told.output
    assert find_version(settings.data_dir / "parvis.db") == NEWEST - 1

    done = CliRunner().invoke(commands, ["upgrade", "--data", str(settings.data_dir)])
    assert f"The store has schema {NEWEST}; it had {NEWEST - 1}." in done.output
    assert find_version(settings.data_dir / "parvis.db") == NEWEST


def test_a_migration_that_fails_is_told_beforehand(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCHEMA, "migrations", (*SCHEMA.migrations, BROKEN))
    with pytest.raises(StoreNotUsable, match="no such table: nowhere"):
        try_upgrade(settings)
    assert find_version(settings.data_dir / "parvis.db") == NEWEST - 1


def test_a_migration_that_loses_something_is_told_beforehand(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(settings)
    with closing(sqlite3.connect(settings.data_dir / "parvis.db")) as store:
        store.executescript(
            "INSERT INTO entity (id, tenant, urn, typeset, created, modified) VALUES (1, 1, 'a', 1, 0, 0)"
        )
    monkeypatch.setattr(SCHEMA, "migrations", (*SCHEMA.migrations, "DELETE FROM entity;"))
    with pytest.raises(BackupUnusable, match="other numbers of entities"):
        try_upgrade(settings)


def test_what_was_stopped_goes_on_where_it_was(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is done whole or not at all, and those before it stay done."""
    sound = (*SCHEMA.migrations, "CREATE TABLE further (id INTEGER);")
    monkeypatch.setattr(SCHEMA, "migrations", (*sound, BROKEN))
    with pytest.raises(StoreNotUsable):
        upgrade(settings)
    path = settings.data_dir / "parvis.db"
    with closing(sqlite3.connect(path)) as store:
        tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master")}
    assert find_version(path) == NEWEST + 1
    assert "further" in tables
    assert "half" not in tables

    monkeypatch.setattr(SCHEMA, "migrations", (*sound, "CREATE TABLE mended (id INTEGER);"))
    assert upgrade(settings) == (NEWEST + 1, NEWEST + 2)


def test_room_that_is_missing_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 100_000

    monkeypatch.setattr(module, "disk_usage", lambda _path: Full)
    assert not try_upgrade(settings).has_room


def test_nothing_is_migrated_under_a_running_platform(settings: Settings) -> None:
    with holding(settings):
        try_upgrade(settings)
        with pytest.raises(DataInUse):
            upgrade(settings)


def test_where_there_is_no_store_it_says_so(tmp_path: Path) -> None:
    for act in (try_upgrade, upgrade):
        with pytest.raises(NotOpened):
            act(Settings(tmp_path / "none"))


def test_on_postgresql_it_is_tried_and_undone(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path, store=StoreSettings(postgres_url))
    with pytest.raises(NotOpened):
        try_upgrade(settings)
    Database(postgres_url).prepare()
    version = POSTGRES_SCHEMA.version
    further = "CREATE TABLE further (id integer)"
    monkeypatch.setattr(POSTGRES_SCHEMA, "migrations", (*POSTGRES_SCHEMA.migrations, further))

    tried = try_upgrade(settings)

    assert (tried.before, tried.after) == (version, version + 1)
    assert Database(postgres_url).find_version() == version
    with Database(postgres_url).connect() as connection:
        assert connection.execute("SELECT to_regclass('further')").fetchone() == (None,)
    assert upgrade(settings) == (version, version + 1)

    monkeypatch.setattr(POSTGRES_SCHEMA, "migrations", (*POSTGRES_SCHEMA.migrations, "SELECT nothing FROM nowhere"))
    with pytest.raises(StoreNotUsable, match="nowhere"):
        try_upgrade(settings)
