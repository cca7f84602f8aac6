"""Where platforms of tests keep their data."""

from pathlib import Path

from parvis.kernel.settings import ArchiveSettings, HistorySettings, MqttSettings, Settings, StoreSettings


def settings_in(folder: Path, url: str = "") -> Settings:
    return Settings(
        folder,
        store=StoreSettings(url),
        archive=ArchiveSettings(memory_mib=64),
        history=HistorySettings(archive_after_days=2),
        mqtt=MqttSettings(enabled=False),
    )
