"""What sessions put on the shelf: the changes of a moment are one transaction, told when it is durable."""

import asyncio
import logging
from collections.abc import Callable

from parvis.kernel.errors import Overloaded
from parvis.kernel.shelf import Place, Shelf

_AGAIN_AFTER_S = 0.5
_log = logging.getLogger(__name__)


class _Changes:
    def __init__(self) -> None:
        self.emptied: set[Place] = set()
        self.puts: dict[Place, bytes] = {}
        self.drops: set[Place] = set()
        self.durable = asyncio.get_running_loop().create_future()


class Journal:
    """Changes become durable in the order in which they are made. While the store does not write they wait."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.made = 0
        self._next: _Changes | None = None
        self._under_way: _Changes | None = None
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False

    def put(self, place: Place, value: bytes) -> None:
        changes = self._open()
        changes.puts[place] = value
        changes.drops.discard(place)

    def drop(self, place: Place) -> None:
        changes = self._open()
        changes.puts.pop(place, None)
        changes.drops.add(place)

    def empty(self, prefix: Place) -> None:
        """Drop every record whose key begins so."""
        changes = self._open()
        begins = [one for one in changes.puts if one.box == prefix.box and one.key.startswith(prefix.key)]
        for place in begins:
            del changes.puts[place]
        changes.emptied.add(prefix)

    async def settle(self) -> None:
        """Until every change made up to now is durable."""
        last = self._next or self._under_way
        if last is not None:
            await asyncio.shield(last.durable)

    def then(self, act: Callable[[], None]) -> None:
        """`act` once every change made up to now is durable."""
        last = self._next or self._under_way
        if last is None:
            act()
        else:
            last.durable.add_done_callback(lambda _durable: act())

    async def close(self, within_s: float) -> None:
        """Give what is not durable yet a moment to become so."""
        try:
            async with asyncio.timeout(within_s):
                await self.settle()
        except TimeoutError:
            _log.warning("changes of MQTT sessions could not be kept before the end")
        self._is_closed = True
        if self._writing is not None:
            self._writing.cancel()

    def _open(self) -> _Changes:
        self.made += 1
        if self._next is None:
            self._next = _Changes()
            if not self._is_closed and (self._writing is None or self._writing.done()):
                self._writing = asyncio.get_running_loop().create_task(self._write())
        return self._next

    async def _write(self) -> None:
        while self._next is not None:
            changes, self._next = self._next, None
            self._under_way = changes
            await self._make_durable(changes)
            self._under_way = None
            changes.durable.set_result(None)

    async def _make_durable(self, changes: _Changes) -> None:
        while True:
            try:
                return await self.shelf.change(changes.emptied, changes.puts, changes.drops)
            except Overloaded:
                pass
            except Exception:
                _log.exception("changes of MQTT sessions could not be kept and are tried again")
            await asyncio.sleep(_AGAIN_AFTER_S)
