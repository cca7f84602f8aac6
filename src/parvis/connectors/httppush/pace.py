"""How much each key may push, so that one that sends without a pause does not slow the others."""

from collections import OrderedDict
from math import ceil

from parvis.fleet.model.budgets import TokenBucket

MOST_REMEMBERED = 10_000


class Pace:
    def __init__(self, items_per_s: float, burst: float) -> None:
        self._rate = items_per_s
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait_s(self, subject: str, now_s: float) -> int:
        """Seconds until the next request of the subject is taken; 0 is now."""
        left = self._bucket(subject).left(now_s)
        return 0 if left > 0 else ceil(-left / self._rate) + 1

    def charge(self, subject: str, items: int, now_s: float) -> None:
        self._bucket(subject).charge(max(items, 1), now_s)

    def _bucket(self, subject: str) -> TokenBucket:
        bucket = self._buckets.pop(subject, None) or TokenBucket(self._rate, self._burst)
        self._buckets[subject] = bucket
        if len(self._buckets) > MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket
