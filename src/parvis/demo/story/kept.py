"""When a demonstration began and what its visitors set off: kept in its data folder, so that it stays one story.

The platform's process writes, the devices' process looks whether the file has changed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from parvis.demo.solitude import alone
from parvis.demo.story.events import Event
from parvis.demo.story.line import InvalidStory, Line, set_event, tell
from parvis.demo.story.stage import Stage
from parvis.demo.story.story import Story
from parvis.kernel.durable import write_whole

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
    """Safe to call from several threads. What changes it waits for the disk: call it off the event loop."""

    def __init__(self, folder: Path, kept: _Kept) -> None:
        self._lock = threading.Lock()
        self._folder = folder
        self._kept = kept

    @classmethod
    def open(cls, folder: Path, seed: int, now_s: float) -> "KeptStory":
        """As it was left; it begins now where there is none, or one of another seed. Raises InvalidStory."""
        path = folder / FILE
        with alone(path.with_suffix(".lock")):
            found = _read(path)
            if found is None or found.seed != seed:
                found = _Kept(seed, now_s)
                write_whole(path, _encoded(found))
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
        self._change(lambda kept: msgspec.structs.replace(kept, told_until=until))

    @property
    def things(self) -> str:
        """A mark of those that were written."""
        return self._kept.things

    def note_things(self, mark: str) -> None:
        self._change(lambda kept: msgspec.structs.replace(kept, things=mark))

    def refresh(self) -> bool:
        """Whether somebody has set off something since. Raises InvalidStory."""
        with self._lock:
            found = _read(self._folder / FILE)
            if found is None or found == self._kept:
                return False
            changed = found.triggered != self._kept.triggered
            self._kept = found
            return changed

    def add(self, of: str, at_s: float) -> int:
        """Durably; the how manieth of its kind it is. Raises InvalidStory when there is too much of it."""

        def added(kept: _Kept) -> _Kept:
            if len(kept.triggered) >= MOST_TRIGGERED:
                raise InvalidStory(f"More than {MOST_TRIGGERED} events were set off: begin the demonstration anew.")
            return msgspec.structs.replace(kept, triggered=(*kept.triggered, Triggered(of, at_s)))

        return sum(one.of == of for one in self._change(added).triggered)

    def _change(self, changed: Callable[[_Kept], _Kept]) -> _Kept:
        """Nobody else, here or in another process, reads or writes between the reading and the writing."""
        path = self._folder / FILE
        with self._lock, alone(path.with_suffix(".lock")):
            found = _read(path)
            before = self._kept if found is None or found.seed != self._kept.seed else found
            after = changed(before)
            write_whole(path, _encoded(after))
            self._kept = after
            return after

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


def _encoded(kept: _Kept) -> bytes:
    return msgspec.json.format(msgspec.json.encode(kept))
