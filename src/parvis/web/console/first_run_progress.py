"""How far the first run is: kept over restarts, so that each step can be left and come back to."""

from enum import Enum
from typing import Final

import msgspec

from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import Instant

_PLACE: Final = Place(Box(DEFAULT_TENANT, "first-run"), b"progress")


class Step(Enum):
    """In the order in which they are gone through; the account comes before them all."""

    TERRITORY = "territory"
    GROUND = "ground"
    WAY_IN = "way-in"
    PEOPLE = "people"

    @property
    def key(self) -> str:
        """As it stands in the catalogues' keys."""
        return self.name.lower()


class Progress(msgspec.Struct, frozen=True):
    """`way` is the connector that is being set up since `asked_at`, `key_id` the key that was made for it, `heard_at`
    when its first frame was seen here."""

    done: tuple[Step, ...] = ()
    skipped: tuple[Step, ...] = ()
    way: str = ""
    key_id: str = ""
    asked_at: Instant = 0
    heard_at: Instant = 0
    is_finished: bool = False

    def find_next(self) -> Step | None:
        """The first that is neither done nor skipped."""
        return next((one for one in Step if one not in (*self.done, *self.skipped)), None)

    def find_open(self) -> Step | None:
        """The first that is not done."""
        return next((one for one in Step if one not in self.done), None)

    def with_done(self, step: Step) -> "Progress":
        skipped = tuple(one for one in self.skipped if one is not step)
        return msgspec.structs.replace(self, done=_with(self.done, step), skipped=skipped)

    def with_skipped(self, step: Step) -> "Progress":
        return self if step in self.done else msgspec.structs.replace(self, skipped=_with(self.skipped, step))


def _with(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    return steps if step in steps else (*steps, step)


async def find_progress(shelf: Shelf) -> Progress | None:
    """None where nobody has begun. What another version has written begins anew."""
    kept = (await shelf.read(_PLACE)).get(_PLACE.key)
    try:
        return None if kept is None else msgspec.json.decode(kept, type=Progress)
    except msgspec.ValidationError:
        return Progress()


async def keep_progress(shelf: Shelf, progress: Progress) -> None:
    await shelf.change((), {_PLACE: msgspec.json.encode(progress)}, ())
