"""From what a wall clock showed to the instant it meant, through hours that a change of time repeats or skips."""

from datetime import datetime
from enum import Enum
from typing import Literal
from zoneinfo import ZoneInfo

from parvis.kernel.time import Instant, from_datetime

RepeatedHour = Literal["in-order", "first", "second", "refuse"]


class NoInstant(Enum):
    """Why a local time means no instant."""

    SKIPPED = "in the hour that the change to summer time skips"
    REPEATED = "in the hour that the change to winter time repeats"
    THIRD = "a third time in an hour that is repeated only once"


class LocalClock:
    """Reads the local times of one table. `repeats` counts those of repeated hours that it could place."""

    def __init__(self, zone: ZoneInfo, repeated_hour: RepeatedHour) -> None:
        self._zone = zone
        self._repeated_hour = repeated_hour
        self._reached: dict[str, tuple[datetime, int]] = {}
        self.repeats = 0

    def instant(self, local: datetime, series: str) -> Instant | NoInstant:
        """`series` keeps the order of one series' repeated hours apart from another's."""
        first = local.replace(tzinfo=self._zone, fold=0)
        second = local.replace(tzinfo=self._zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return from_datetime(first)
        if _is_skipped(first, second):
            return NoInstant.SKIPPED
        fold = self._fold(local, series)
        if isinstance(fold, NoInstant):
            return fold
        self.repeats += 1
        return from_datetime(second if fold else first)

    def _fold(self, local: datetime, series: str) -> int | NoInstant:
        if self._repeated_hour == "refuse":
            return NoInstant.REPEATED
        if self._repeated_hour != "in-order":
            return int(self._repeated_hour == "second")
        return self._fold_by_order(local, series)

    def _fold_by_order(self, local: datetime, series: str) -> int | NoInstant:
        """The clock went back between two rows where the later one shows no later time."""
        before, fold = self._reached.get(series, (local, 0))
        if before.date() != local.date():
            fold = 0
        elif series in self._reached and local <= before:
            if fold == 1:
                return NoInstant.THIRD
            fold = 1
        self._reached[series] = (local, fold)
        return fold


def _is_skipped(first: datetime, second: datetime) -> bool:
    """Clocks go forward over it: the offset before the change (fold 0) is the smaller one (PEP 495)."""
    before, after = first.utcoffset(), second.utcoffset()
    return before is not None and after is not None and before < after
