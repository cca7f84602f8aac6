"""What a way in asks by itself, feed by feed and device by device: when each answered last, and since when it fails."""

from collections.abc import Mapping

import msgspec

from parvis.kernel.time import Clock, Instant

MOST_SOURCES = 1000
"""Of one way; they are named by the settings."""
LONGEST_REASON = 300


class Source(msgspec.Struct, frozen=True):
    """`failing_since` is None while it answers, `reason` what it failed by last, told in English. Of what it tells of,
    `stale` have had nothing new for too long, `missing` have never been heard of."""

    answered_at: Instant | None = None
    failed_at: Instant | None = None
    failing_since: Instant | None = None
    reason: str = ""
    fresh: int = 0
    stale: int = 0
    missing: int = 0

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None

    @property
    def is_stale(self) -> bool:
        """It answers, and says nothing new of anything."""
        return not self.fresh and bool(self.stale or self.missing)


class Sources:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_way: dict[str, dict[str, Source]] = {}

    def note_answer(self, way: str, name: str) -> None:
        self._change(way, name, answered_at=self._clock(), failing_since=None, reason="")

    def note_failure(self, way: str, name: str, fault: Exception | None) -> None:
        now, known = self._clock(), self.list_of(way).get(name, Source())
        since = now if known.failing_since is None else known.failing_since
        self._change(way, name, failed_at=now, failing_since=since, reason=_told(fault))

    def note_stations(self, way: str, name: str, fresh: int, stale: int, missing: int) -> None:
        self._change(way, name, fresh=fresh, stale=stale, missing=missing)

    def forget(self, way: str, name: str) -> None:
        """Another process asks it now."""
        self._by_way.get(way, {}).pop(name, None)

    def list_of(self, way: str) -> Mapping[str, Source]:
        """By name, those that this process asks."""
        return self._by_way.get(way, {})

    @property
    def failing_count(self) -> int:
        """Of all ways."""
        return sum(one.is_failing for of_way in self._by_way.values() for one in of_way.values())

    def _change(self, way: str, name: str, **changed: object) -> None:
        of_way = self._by_way.setdefault(way, {})
        if name in of_way or len(of_way) < MOST_SOURCES:
            of_way[name] = msgspec.structs.replace(of_way.get(name, Source()), **changed)


def _told(fault: Exception | None) -> str:
    if fault is None:
        return ""
    told = getattr(fault, "detail", "") or f"{type(fault).__name__}: {fault}"
    return str(told)[:LONGEST_REASON]
