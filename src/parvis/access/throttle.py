"""Bounds guessing: so many attempts per subject within a window, then a wait."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Network, ip_address

from parvis.access.model import Bound, Digest
from parvis.kernel.time import MINUTE, SECOND, Instant

WINDOW = 15 * MINUTE
MOST_SUBJECTS = 30_000


def wait_s(since: Instant, now: Instant, window: Instant = WINDOW) -> int:
    """Whole seconds until an attempt made at `since` counts no more."""
    return -((now - window - since) // SECOND)


def subscriber_of(address: str) -> str:
    """Who pays for a line has a whole /64 of IPv6 (RFC 6177): within it a new address costs nothing."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv4Address) or found.ipv4_mapped:
        return str(getattr(found, "ipv4_mapped", None) or found)
    return str(IPv6Network((int(found) >> 64 << 64, 64)))


class Throttle:
    """Counts the attempts of at most `capacity` subjects; the ones longest untouched are forgotten first. What was
    counted by a clock that was put back since is forgotten too: nobody waits for a day."""

    def __init__(self, window: Instant = WINDOW, capacity: int = MOST_SUBJECTS) -> None:
        self._window = window
        self._capacity = capacity
        self._attempts: OrderedDict[Digest, deque[Instant]] = OrderedDict()

    def count(self, bounds: Sequence[Bound], now: Instant) -> int:
        """Whole seconds to wait where one of the subjects has had its attempts; else 0, and one is counted of each."""
        wait = max((self._wait_s(bound, now) for bound in bounds), default=0)
        if not wait:
            for bound in bounds:
                self._count(bound, now)
        return wait

    def forget(self, subject: Digest) -> None:
        self._attempts.pop(subject, None)

    def _wait_s(self, bound: Bound, now: Instant) -> int:
        attempts = self._attempts.get(bound.subject)
        if attempts is None:
            return 0
        while attempts and attempts[0] <= now - self._window:
            attempts.popleft()
        while attempts and attempts[-1] > now:
            attempts.pop()
        return 0 if len(attempts) < bound.allowed else wait_s(attempts[0], now, self._window)

    def _count(self, bound: Bound, now: Instant) -> None:
        attempts = self._attempts.setdefault(bound.subject, deque(maxlen=bound.allowed))
        attempts.append(now)
        self._attempts.move_to_end(bound.subject)
        while len(self._attempts) > self._capacity:
            self._attempts.popitem(last=False)
