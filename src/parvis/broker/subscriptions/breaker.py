"""When an endpoint that failed is tried again: later and later, one notification at a time until one is taken."""

from collections.abc import Callable
from enum import Enum

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
_JITTER = 0.25
_DOUBLINGS = 10
OPEN_FROM = 3
"""Failures in a row from which on an endpoint counts as away: that is after about a second."""


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"  # nothing is sent before `open_until_s`
    TRYING = "trying"  # half open: one notification at a time


def pause_s(failures: int) -> float:
    """After so many failures in a row."""
    return float(min(FIRST_PAUSE_S * 2 ** min(failures - 1, _DOUBLINGS), LONGEST_PAUSE_S))


class Breaker:
    """`chance` gives numbers from 0 to 1: endpoints that failed together are not tried together."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.failures = 0
        self.open_until_s = 0.0

    def state(self, now_s: float) -> BreakerState:
        if self.failures == 0:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self.open_until_s else BreakerState.TRYING

    @property
    def is_away(self) -> bool:
        return self.failures >= OPEN_FROM

    def note_taken(self) -> None:
        self.failures = 0
        self.open_until_s = 0.0

    def note_failure(self, now_s: float, wait_s: float = 0.0) -> None:
        """`wait_s`: at least so long, as the receiver or the subscription wish. What failed together counts once."""
        if now_s >= self.open_until_s:
            self.failures += 1
        paused_s = max(pause_s(self.failures), wait_s) * (1 + _JITTER * self._chance())
        self.open_until_s = max(self.open_until_s, now_s + paused_s)
