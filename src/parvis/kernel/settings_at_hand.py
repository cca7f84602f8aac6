"""What of the settings holds from the moment it is chosen: the territory and the ground under its map."""

import logging
import os
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import Any

from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import TERRITORY_FILE, MapSettings, Settings, TerritorySettings
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.territory_file import change_territory_file

LOOK_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class SettingsAtHand:
    """`[territory]` and `[map]` as the file has them now; what is wrong in it changes nothing, and the log says so.

    Each process looks for itself, so that several hear of what one of them, or an editor, has changed. Of the other
    sections a change holds from the next start on.
    """

    def __init__(
        self,
        started_with: Settings,
        environment: Mapping[str, str] | None = None,
        ticks_s: Callable[[], float] = monotonic,
    ) -> None:
        self._started_with = started_with
        self._environment = os.environ if environment is None else environment
        self._path = started_with.data_dir / TERRITORY_FILE
        self._ticks_s = ticks_s
        self._territory, self._map = started_with.territory, started_with.map
        self._seen = self._signature()
        self._look_at_s = ticks_s() + LOOK_EVERY_S
        self._told_at_start = self._load()

    @property
    def territory(self) -> TerritorySettings:
        self._follow()
        return self._territory

    @property
    def map(self) -> MapSettings:
        self._follow()
        return self._map

    def change(self, changes: Mapping[str, Any]) -> None:
        """Writes the file. Raises InvalidSettings or OSError."""
        change_territory_file(self._started_with.data_dir, changes)
        self._look_at_s = -inf

    def find_changed(self, key: str) -> Any:
        """What holds from the next start on instead of what this process was started with; None where nothing does."""
        told = _value_of(self._load(), key)
        return None if told == _value_of(self._told_at_start, key) else told

    def find_overruled(self, changes: Mapping[str, Any]) -> list[str]:
        """Those that the environment decides, whatever the file says."""
        fresh = load_settings(self._started_with.data_dir, self._environment)
        return [key for key, value in changes.items() if _value_of(fresh, key) != _comparable(value)]

    def _follow(self) -> None:
        now_s = self._ticks_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        if (signature := self._signature()) != self._seen:
            self._seen = signature
            self._read()

    def _read(self) -> None:
        try:
            fresh = load_settings(self._started_with.data_dir, self._environment)
        except (ParvisError, OSError) as fault:
            _log.warning("territory.toml has changed and cannot be read", extra={"reason": str(fault)})
            return
        self._territory, self._map = fresh.territory, fresh.map

    def _load(self) -> Settings:
        """Without what the command line has said."""
        try:
            return load_settings(self._started_with.data_dir, self._environment)
        except (ParvisError, OSError):
            return self._started_with

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            told = self._path.stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino


def _value_of(settings: Settings, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


def _comparable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
