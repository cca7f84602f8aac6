"""Page caches grow in a burst, and SQLite keeps them for as long as their connections live."""

import time
from collections.abc import Callable

LOOKED_AT_EVERY_S = 10.0
ROWS_OF_A_LULL = 4_000
"""Of the log, between two looks: so few come and go by a small cache as quickly."""


class Lull:
    """Whether little has been written since the last look. Rows are told by the number of the newest."""

    def __init__(self, newest: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._newest, self._look_at_s = newest, clock_s() + LOOKED_AT_EVERY_S

    def has_come(self, newest: int) -> bool:
        if self._clock_s() < self._look_at_s:
            return False
        came, self._newest = newest - self._newest, newest
        self._look_at_s = self._clock_s() + LOOKED_AT_EVERY_S
        return came < ROWS_OF_A_LULL
