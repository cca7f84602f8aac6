"""How much one device or one codec may take, so that none slows the others."""

import msgspec


class TokenBucket(msgspec.Struct, gc=False):
    """Fills by `rate` a second up to `size`; `spent` is what was taken and has not filled again until `at_s`."""

    rate: float
    size: float
    spent: float = 0.0
    at_s: float = 0.0

    def left(self, now_s: float) -> float:
        if self.spent:
            self.spent = max(0.0, self.spent - (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        return self.size - self.spent

    def take(self, amount: float, now_s: float) -> bool:
        """Whether there was enough; if not nothing is taken."""
        if self.left(now_s) < amount:
            return False
        self.spent += amount
        return True

    def charge(self, amount: float, now_s: float) -> None:
        """For what is known only afterwards: may leave less than nothing."""
        self.left(now_s)
        self.spent += amount
