"""How much one device or one codec may take, so that none slows the others."""


class TokenBucket:
    """Fills by `rate` a second up to `size`; full at first."""

    __slots__ = ("_at_s", "_left", "rate", "size")

    def __init__(self, rate: float, size: float) -> None:
        self.rate = rate
        self.size = size
        self._left = size
        self._at_s: float | None = None

    def left(self, now_s: float) -> float:
        if self._at_s is not None and now_s > self._at_s:
            self._left = min(self.size, self._left + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
        return self._left

    def take(self, amount: float, now_s: float) -> bool:
        """Whether there was enough; if not nothing is taken."""
        if self.left(now_s) < amount:
            return False
        self._left -= amount
        return True

    def charge(self, amount: float, now_s: float) -> None:
        """For what is known only afterwards: may leave less than nothing."""
        self._left = self.left(now_s) - amount
