"""Bounds guessing: so many attempts per subject within a window, then a wait."""

from collections import OrderedDict, deque

from parvis.kernel.time import MINUTE, SECOND, Instant


class Throttle:
    """Counts the attempts of at most `capacity` subjects; the ones longest untouched are forgotten first."""

    def __init__(self, allowed: int, window: Instant = 15 * MINUTE, capacity: int = 10_000) -> None:
        self._allowed = allowed
        self._window = window
        self._capacity = capacity
        self._attempts: OrderedDict[str, deque[Instant]] = OrderedDict()

    def wait_s(self, subject: str, now: Instant) -> int:
        """Whole seconds until the next attempt is taken; 0: now."""
        attempts = self._attempts.get(subject)
        if attempts is None:
            return 0
        while attempts and attempts[0] <= now - self._window:
            attempts.popleft()
        if len(attempts) < self._allowed:
            return 0
        return -((now - self._window - attempts[0]) // SECOND)

    def count(self, subject: str, now: Instant) -> None:
        attempts = self._attempts.setdefault(subject, deque(maxlen=self._allowed))
        attempts.append(now)
        self._attempts.move_to_end(subject)
        while len(self._attempts) > self._capacity:
            self._attempts.popitem(last=False)

    def forget(self, subject: str) -> None:
        self._attempts.pop(subject, None)
