"""When work is due again and again: cron expressions in the territory's own time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from cronsim import CronSim, CronSimError

from parvis.kernel.time import DAY, Instant, from_datetime, to_datetime

_LOOK_BACK = 2 * DAY
_LATER = 4102444800 * 1_000_000
"""The year 2100: due at no time that matters."""


def is_cron(text: str) -> bool:
    try:
        CronSim(text, to_datetime(0))
    except CronSimError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Schedule:
    """As Debian's cron keeps it: a time that a change of clocks leaves out comes right after it, one that is repeated
    counts once; work of every hour or minute goes by real time.
    """

    name: str
    cron: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def next_after(self, after: Instant, zone: tzinfo) -> Instant:
        return next((from_datetime(moment) for moment in self._moments(after, zone)), _LATER)

    def newest_between(self, after: Instant, until: Instant, zone: tzinfo) -> Instant | None:
        """The newest due time in (after, until]: however many were missed, one is made up for."""
        recent = self._newest_in(max(after, until - _LOOK_BACK), until, zone)
        return recent if recent is not None else self._newest_in(after, until, zone)

    def _newest_in(self, after: Instant, until: Instant, zone: tzinfo) -> Instant | None:
        newest = None
        for moment in self._moments(after, zone):
            if (due_at := from_datetime(moment)) > until:
                break
            newest = due_at
        return newest

    def _moments(self, after: Instant, zone: tzinfo) -> CronSim:
        start: datetime = to_datetime(after).astimezone(zone)
        return CronSim(self.cron, start)
