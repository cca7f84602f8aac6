"""Answers of the broker, kept for seconds: however many people look at a dashboard, it is asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, TypeVar

from parvis.kernel.identity import Caller

HOLDS_S = 2.0
MOST_HELD = 500
Told = TypeVar("Told")


@dataclass(slots=True)
class _Held:
    """`until`: as long as there is no answer yet, whoever asks waits for it."""

    answer: asyncio.Future[Any]
    waiting: int = 0
    until: float = inf


class Cached:
    """By tenant, by what the caller may see, and by the question."""

    def __init__(self, holds_s: float = HOLDS_S, ticks_s: Callable[[], float] = monotonic) -> None:
        self._holds_s = holds_s
        self._ticks_s = ticks_s
        self._held: dict[Hashable, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    async def ask(self, caller: Caller, question: Hashable, answer: Callable[[], Awaitable[Told]]) -> Told:
        """Who asks while somebody else does waits for the same answer; when nobody waits any more it is given up. What
        failed is not kept."""
        key = (caller.sight, question)
        held = self._held.get(key)
        if held is None or self._ticks_s() >= held.until:
            held = self._begin(key, answer)
        held.waiting += 1
        try:
            told: Told = await asyncio.shield(held.answer)
        finally:
            held.waiting -= 1
            if held.waiting == 0 and not held.answer.done():
                self._drop(key, held)
                held.answer.cancel()
        return told

    def _begin(self, key: Hashable, answer: Callable[[], Awaitable[Any]]) -> _Held:
        if len(self._held) >= MOST_HELD:
            self._held = {key: held for key, held in self._held.items() if not held.answer.done()}
        held = self._held[key] = _Held(asyncio.ensure_future(answer()))
        held.answer.add_done_callback(lambda _: self._end(key, held))
        return held

    def _end(self, key: Hashable, held: _Held) -> None:
        """From now on it grows old."""
        if held.answer.cancelled() or held.answer.exception() is not None:
            self._drop(key, held)
            return
        held.until = self._ticks_s() + self._holds_s
        held.answer.get_loop().call_later(self._holds_s, self._drop, key, held)

    def _drop(self, key: Hashable, held: _Held) -> None:
        if self._held.get(key) is held:
            del self._held[key]
