"""When a demonstration began and what its visitors set off: kept in its data folder, so that it stays one story.

The platform's process writes, the devices' process looks whether the file has changed.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from parvis.demo.story.events import Event
from parvis.demo.story.line import InvalidStory, Line, set_event, tell
from parvis.demo.story.stage import Stage
from parvis.demo.story.story import Story

FILE = "story.json"
MOST_TRIGGERED = 500


class Triggered(msgspec.Struct, frozen=True):
    """`of` is the id of a declared trigger, `at_s` the devices' time at which it begins."""

    of: str
    at_s: float


class _Kept(msgspec.Struct, frozen=True):
    """Days before `told_until` (counted since the Unix epoch, UTC) are in the platform's history."""

    seed: int
    begun_at_s: float
    triggered: tuple[Triggered, ...] = ()
    told_until: int = 0
    things: str = ""


class KeptStory:
    def __init__(self, folder: Path, kept: _Kept) -> None:
        self._folder = folder
        self._kept = kept

    @classmethod
    def open(cls, folder: Path, seed: int, now_s: float) -> "KeptStory":
        """As it was left; it begins now where there is none, or one of another seed. Raises InvalidStory."""
        found = _read(folder / FILE)
        if found is None or found.seed != seed:
            found = _Kept(seed, now_s)
            _write(folder / FILE, found)
        return cls(folder, found)

    @property
    def begun_at_s(self) -> float:
        return self._kept.begun_at_s

    @property
    def triggered(self) -> Sequence[Triggered]:
        return self._kept.triggered

    @property
    def told_until(self) -> int:
        return self._kept.told_until

    def note_told(self, until: int) -> None:
        self._keep(msgspec.structs.replace(self._kept, told_until=until))

    @property
    def things(self) -> str:
        """A mark of those that were written."""
        return self._kept.things

    def note_things(self, mark: str) -> None:
        self._keep(msgspec.structs.replace(self._kept, things=mark))

    def refresh(self) -> bool:
        """Whether somebody has set off something since. Raises InvalidStory."""
        found = _read(self._folder / FILE)
        if found is None or found == self._kept:
            return False
        changed = found.triggered != self._kept.triggered
        self._kept = found
        return changed

    def add(self, of: str, at_s: float) -> None:
        """Durably. Raises InvalidStory when there is too much of it."""
        if len(self._kept.triggered) >= MOST_TRIGGERED:
            raise InvalidStory(f"More than {MOST_TRIGGERED} events were set off: begin the demonstration anew.")
        triggered = (*self._kept.triggered, Triggered(of, at_s))
        self._keep(msgspec.structs.replace(self._kept, triggered=triggered))

    def _keep(self, kept: _Kept) -> None:
        _write(self._folder / FILE, kept)
        self._kept = kept

    def told(self, line: Line, stage: Stage) -> Story:
        """The declared line from its begin, and what was set off. Raises InvalidStory."""
        return tell(line, stage, self.begun_at_s).joined_by(self._list_events(line, stage))

    def _list_events(self, line: Line, stage: Stage) -> list[Event]:
        triggers, turns = {one.id: one for one in line.trigger}, Counter[str]()
        events = []
        for one in self._kept.triggered:
            if one.of in triggers:
                events.append(set_event(triggers[one.of], stage, one.at_s, turns[one.of], is_triggered=True))
                turns[one.of] += 1
        return events


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise InvalidStory(f"{path} cannot be read ({error}): delete it, and the story begins anew.") from error


def _write(path: Path, kept: _Kept) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".part")
    with made.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept)))
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
