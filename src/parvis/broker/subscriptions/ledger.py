"""What is to be saved of notifications: dead letters first, for a position that passes them says that they are kept."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.subscriptions import metrics
from parvis.broker.subscriptions.model import DeadLetter, Note
from parvis.kernel.errors import ParvisError

SAVE_EVERY_S = 0.5
MOST_LETTERS_UNSAVED = 200
_log = logging.getLogger(__name__)

TakeNotes = Callable[[], Iterable[Note]]
"""What is new since it was called last; called only once everything before is saved."""


class Ledger:
    """`fence` is that of the turn whose notifications these are: nothing is saved once another has begun (Outrun)."""

    def __init__(self, store: SubscriptionStore, letters_kept: int, fence: Fence) -> None:
        self.letters: list[DeadLetter] = []
        self._store = store
        self._letters_kept = letters_kept
        self._fence = fence
        self._saving = asyncio.Lock()
        self._going: set[asyncio.Task[None]] = set()
        self._unsaved: list[Note] = []
        self._has_failed = False

    async def save(self, take_notes: TakeNotes) -> None:
        """Raises what the store raises; nothing is lost then.

        It goes on where the caller is cancelled: the store has been told, and must not be told again.
        """
        task = asyncio.create_task(self._save(take_notes))
        self._going.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._going.discard(task)
        if not task.cancelled():
            task.exception()

    async def _save(self, take_notes: TakeNotes) -> None:
        async with self._saving:
            while self.letters:
                await self._save_letters()
            if not self._unsaved:
                self._unsaved = list(take_notes())
            if self._unsaved:
                await self._store.note(self._unsaved, self._fence)
                self._unsaved = []

    async def save_if_possible(self, take_notes: TakeNotes) -> None:
        """A store that cannot write just now is asked again: beginning anew would send everything unsaved again.

        Raises Outrun.
        """
        try:
            await self.save(take_notes)
        except Outrun:
            raise
        except (ParvisError, OSError) as fault:
            if not self._has_failed:
                _log.warning("what was sent cannot be saved just now", extra={"reason": str(fault)})
            self._has_failed = True
        else:
            self._has_failed = False

    async def wait_for_room(self, take_notes: TakeNotes) -> None:
        """Dead letters are held in memory within bounds."""
        while len(self.letters) >= MOST_LETTERS_UNSAVED:
            await self.save_if_possible(take_notes)
            if len(self.letters) >= MOST_LETTERS_UNSAVED:
                await asyncio.sleep(SAVE_EVERY_S)

    async def _save_letters(self) -> None:
        letters = self.letters[:]
        forgotten = await self._store.bury(letters, self._letters_kept, self._fence)
        del self.letters[: len(letters)]
        if forgotten:
            metrics.FORGOTTEN.inc(forgotten)
            _log.warning("dead letters went for newer ones", extra={"count": forgotten})
