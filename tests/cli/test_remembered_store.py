"""Commands beside a platform that was started with --store work on its store, not on a new SQLite file."""

from pathlib import Path

import pytest

from parvis.bootstrap import open_platform
from parvis.bootstrap.stores import ACCESS_FILE, STORE_FILE, open_access
from parvis.kernel.remembered import find_remembered
from parvis.kernel.settings import MqttSettings, Settings, StoreSettings
from tests.cli.test_commands import call, data


@pytest.fixture
async def started(tmp_path: Path, prepared_postgres_url: str) -> Settings:
    settings = Settings(tmp_path, store=StoreSettings(prepared_postgres_url), mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False):
        pass
    return settings


def labels(settings: Settings) -> list[str]:
    access = open_access(settings)
    try:
        return [key.label for key in access.store.list_keys()]
    finally:
        access.store.close()


async def test_keys_accounts_links_jobs_and_examinations_find_it(started: Settings) -> None:
    assert find_remembered(started.data_dir) == started.store.url
    for command in (
        ("api-key", "create", "--label", "depot"),
        ("account", "create", "ada", "--role", "reader"),
        ("admin-link",),
        ("archive", "status"),
        ("check",),
    ):
        told = call(*command, *data(started.data_dir))
        assert told.exit_code == 0, (command, told.output, told.exception)
    assert "depot" in labels(started)
    assert not (started.data_dir / ACCESS_FILE).exists()
    assert not (started.data_dir / STORE_FILE).exists()


async def test_serving_without_naming_it_is_refused_before_anything_is_made(started: Settings) -> None:
    for command in ("up", "demo"):
        refused = call(command, *data(started.data_dir), "--port", "0")
        assert refused.exit_code == 1
        assert "say so with --store" in str(refused.exception)
    assert not (started.data_dir / STORE_FILE).exists()


def test_a_store_whose_password_is_not_known_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "store.url").write_text("postgresql://parvis:***@db.internal/town\n")
    for command in (("api-key", "list"), ("jobs", "list"), ("archive", "status"), ("doctor",), ("admin-link",)):
        refused = call(*command, *data(tmp_path))
        assert refused.exit_code == 1, command
        assert "PARVIS_STORE_URL" in str(refused.exception), command
    assert not (tmp_path / ACCESS_FILE).exists()
