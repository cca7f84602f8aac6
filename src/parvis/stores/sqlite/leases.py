"""Leases in memory: one process holds the data directory, and an idle platform writes nothing."""

import time
from collections.abc import Callable

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun


class Leases:
    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._held: dict[str, tuple[str, float]] = {}

    def take(self, name: str, holder: str, for_s: float) -> bool:
        now_s = self._clock_s()
        known, until_s = self._held.get(name, (holder, now_s))
        if known != holder and now_s < until_s:
            return False
        self._held[name] = (holder, now_s + for_s)
        return True

    def is_last(self, fence: Fence) -> bool:
        """Whether nobody has taken the lease since, nor has it been given back."""
        return self._held.get(fence.name, ("", 0.0))[0] == fence.holder

    def give_back(self, name: str, holder: str) -> None:
        if self._held.get(name, ("", 0.0))[0] == holder:
            del self._held[name]


def outrun(fence: Fence) -> Outrun:
    return Outrun(f"Another has taken over {fence.name}.")
