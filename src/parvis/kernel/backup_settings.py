"""Backups that the platform takes by itself."""

from dataclasses import dataclass

from parvis.kernel.setting import setting


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Backups that the platform takes by itself, where its store is embedded."""

    folder: str = setting("", "A folder for them, best on another disk or machine; empty: none is taken.")
    key: str = setting(
        "",
        "The passphrase that seals them, from the first one in the folder on; empty: whoever reads the folder reads"
        " everything. Without it nobody opens them again.",
        secret=True,
    )
    schedule: str = setting(
        "30 1 * * *",
        "When one is taken, in the five fields of cron and the territory's time; empty: when somebody asks for it.",
    )
    drill_schedule: str = setting(
        "0 5 1 * *", "When the newest is brought back beside, looked at, and taken away again; empty: when asked for."
    )
    keep_days: int = setting(90, "Older ones go when one was taken, never the newest; 0: none does.", minimum=0)


NO_BACKUPS = BackupSettings()
