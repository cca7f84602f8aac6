"""Answers of the broker, kept for seconds: however many people look at a dashboard, it is asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any, TypeVar

from parvis.kernel.identity import Caller, Right

HOLDS_S = 2.0
MOST_HELD = 500
_READERS = Right.READ | Right.READ_PUBLIC
Told = TypeVar("Told")


class Cached:
    """By tenant, by what the caller may see, and by the question."""

    def __init__(self, holds_s: float = HOLDS_S, ticks_s: Callable[[], float] = monotonic) -> None:
        self._holds_s = holds_s
        self._ticks_s = ticks_s
        self._held: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    async def ask(self, caller: Caller, question: Hashable, answer: Callable[[], Awaitable[Told]]) -> Told:
        """Who asks while somebody else does waits for the same answer. What failed is not kept."""
        key = (caller.tenant, caller.rights & _READERS, question)
        held = self._held.get(key)
        if held is None or self._ticks_s() >= held[0]:
            held = (self._ticks_s() + self._holds_s, asyncio.ensure_future(answer()))
            self._make_room()
            self._held[key] = held
        try:
            told: Told = await asyncio.shield(held[1])
        except BaseException:
            if self._held.get(key) is held and held[1].done():
                del self._held[key]
            raise
        return told

    def _make_room(self) -> None:
        if len(self._held) < MOST_HELD:
            return
        now = self._ticks_s()
        fresh = {key: held for key, held in self._held.items() if held[0] > now}
        self._held = fresh if len(fresh) < MOST_HELD else {}
