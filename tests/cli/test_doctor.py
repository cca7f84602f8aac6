"""What the doctor says of backups: that there is none, or that the last one is late."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from parvis.backup.repository import make_repository
from parvis.bootstrap import open_platform
from parvis.bootstrap.backup import take_backup
from parvis.cli.doctor import examine
from parvis.kernel.backup_settings import BackupSettings
from parvis.kernel.settings import MqttSettings, Settings
from parvis.kernel.time import DAY, system_clock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(tmp_path / "data", mqtt=MqttSettings(enabled=False))

    async def begin() -> None:
        async with open_platform(settings, listen=False):
            pass

    asyncio.run(begin())
    return settings


def told(settings: Settings) -> str:
    [finding] = [one for one in examine(settings) if one.subject == "backups"]
    return f"{finding.verdict.value}: {finding.words}"


def test_where_no_backup_is_set_it_warns(settings: Settings) -> None:
    assert told(settings).startswith("warn: none is taken")


def test_where_the_last_backup_is_late_it_warns(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    taking = replace(settings, backup=BackupSettings(str(folder)))
    assert told(taking).startswith("warn: there is none yet")

    take_backup(settings, make_repository(folder), clock=lambda: system_clock() - 3 * DAY)
    assert told(taking).startswith("warn: the newest is of")
    assert told(replace(taking, backup=replace(taking.backup, schedule=""))).startswith("ok: 1,")

    take_backup(settings, make_repository(tmp_path / "other"))
    assert told(replace(settings, backup=BackupSettings(str(tmp_path / "other")))).startswith("ok: 1,")
