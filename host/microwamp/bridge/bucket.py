"""A bound on how often something may happen."""

import math


class Bucket:
    """Holds up to `burst` and fills with `rate` a second. Time is an argument, in seconds; a rate
    of 0 is no limit. debt: the most that may be owed."""

    def __init__(self, rate: float, burst: float, debt: float = math.inf) -> None:
        self.rate = rate
        self.burst = burst
        self.debt = debt
        self._level = burst
        self._at: float | None = None

    def take(self, n: float, now: float) -> float:
        """Take n, also what is not there; returns the seconds until the bucket is no more in
        debt, 0 if it is not."""
        if not self.rate:
            return 0.0
        if self._at is not None:
            self._level = min(self._level + (now - self._at) * self.rate, self.burst)
        self._at = now
        self._level = max(self._level - n, -self.debt)
        return -self._level / self.rate if self._level < 0 else 0.0

    def allow(self, now: float) -> bool:
        """Take one if it is there."""
        if self.take(1, now) == 0.0:
            return True
        self._level += 1
        return False
