"""The store that a data directory's platform was last started on, where it is another than the file within.

Commands beside the platform would else make an empty SQLite file, and keys in it that nobody asks for. A password is
never written down.
"""

import contextlib
import logging
import re
from dataclasses import replace
from pathlib import Path

from parvis.kernel.durable import write_whole
from parvis.kernel.settings import InvalidSettings, Settings

REMEMBERED_FILE = "store.url"
_HIDDEN = "***"
_PASSWORD = re.compile(r"(?P<before>://[^:/?#@]*:)[^/?#@]+(?=@)|(?P<named>password=)[^&#]+", re.IGNORECASE)
_log = logging.getLogger(__name__)


def without_password(url: str) -> str:
    return _PASSWORD.sub(lambda found: (found["before"] or found["named"]) + _HIDDEN, url)


def remember_store(settings: Settings) -> None:
    """Called by what has opened the store. Where it cannot be written nothing is lost but the convenience."""
    told = without_password(settings.store.url)
    try:
        if find_remembered(settings.data_dir) != (told or None):
            _write(settings.data_dir / REMEMBERED_FILE, told)
    except OSError as fault:
        _log.warning("which store is in use could not be written down", extra={"reason": str(fault)})


def _write(path: Path, told: str) -> None:
    if not told:
        path.unlink(missing_ok=True)
        return
    write_whole(path, f"{told}\n".encode())


def find_remembered(data_dir: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return (data_dir / REMEMBERED_FILE).read_text(encoding="utf-8").strip() or None
    return None


def on_remembered_store(settings: Settings) -> Settings:
    """For commands beside the platform: the store that settings name, else the one remembered.

    Raises InvalidSettings where that one needs a password, which is not written down.
    """
    remembered = None if settings.store.url else find_remembered(settings.data_dir)
    if remembered is None:
        return settings
    if _HIDDEN in remembered:
        raise InvalidSettings(
            f"Parvis keeps the data of {settings.data_dir} in {remembered}, and the password is not written down:"
            " give the whole address in PARVIS_STORE_URL, or as url under [store] in territory.toml."
        )
    return replace(settings, store=replace(settings.store, url=remembered))


def check_store_is_named(settings: Settings) -> None:
    """For what serves. Raises InvalidSettings where it would begin anew beside the data there are."""
    remembered = None if settings.store.url else find_remembered(settings.data_dir)
    if remembered is not None:
        raise InvalidSettings(
            f"Parvis keeps the data of {settings.data_dir} in {remembered}: say so with --store, PARVIS_STORE_URL or"
            f" url under [store] in territory.toml. To begin anew on SQLite, remove {REMEMBERED_FILE} there."
        )
