"""What the platform counts, of the last minute: rates come from two looks, and what is looked at every few seconds
anyway can tell a rate to the first who asks."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from parvis.bootstrap import again_and_again
from parvis.web.siblings import Family, Sample

LEAST_APART_S = 2.0
LOOK_EVERY_S = 15.0
RATE_OVER_S = 60.0
_MOST_KEPT = 40
WORKER = "worker"
_NOTHING: Set[tuple[str, str]] = frozenset()
STARTED = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Reading:
    """All samples at one time, by name; of several workers each has its own."""

    at_s: float
    samples: Mapping[str, Sequence[Sample]]

    def total(self, name: str, without: Set[tuple[str, str]] = _NOTHING) -> float:
        """Of all samples but those with one of these labels and values."""
        return sum(one.value for one in self.samples.get(name, ()) if not without & one.labels.items())

    def most(self, name: str) -> float:
        """For what every worker tells of the whole."""
        return max((one.value for one in self.samples.get(name, ())), default=0.0)

    def by(self, name: str, label: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self.samples.get(name, ()):
            counts[one.labels.get(label, "")] += round(one.value)
        return counts

    def by_worker(self, name: str) -> dict[str, float]:
        return {one.labels.get(WORKER, ""): one.value for one in self.samples.get(name, ())}

    def by_bound(self, histogram: str) -> dict[float, float]:
        """How many were at most that long, by the bound."""
        bounds: dict[float, float] = {}
        for one in self.samples.get(f"{histogram}_bucket", ()):
            bound = float(one.labels["le"])
            bounds[bound] = bounds.get(bound, 0.0) + one.value
        return dict(sorted(bounds.items()))


@dataclass(frozen=True, slots=True)
class Window:
    """A reading and one from before; where there is none no rate is known: one since the start would tell of the start,
    with all that it brings, for hours."""

    now: Reading
    before: Reading | None = None

    @property
    def length_s(self) -> float:
        return 0.0 if self.before is None else self.now.at_s - self.before.at_s

    def rate(self, name: str, without: Set[tuple[str, str]] = _NOTHING) -> float | None:
        """A second. After a restart counts begin anew."""
        if self.before is None:
            return None
        return max(0.0, self.now.total(name, without) - self.before.total(name, without)) / self.length_s

    def rate_by_worker(self, name: str) -> dict[str, float]:
        if self.before is None:
            return {}
        now, before = self.now.by_worker(name), self.before.by_worker(name)
        return {worker: max(0.0, now[worker] - before[worker]) / self.length_s for worker in now.keys() & before.keys()}

    def quantile(self, histogram: str, share: float) -> float | None:
        """The bound that `share` of what came stayed below; None where nothing came."""
        if self.before is None:
            return None
        earlier = self.before.by_bound(histogram)
        bounds = {bound: count - earlier.get(bound, 0.0) for bound, count in self.now.by_bound(histogram).items()}
        all_of_them = max(bounds.values(), default=0.0)
        if all_of_them <= 0:
            return None
        return next(bound for bound, count in bounds.items() if count >= share * all_of_them)


class Readings:
    """The last minute's looks."""

    def __init__(self, read: Callable[[], Awaitable[list[Family]]], ticks_s: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._ticks_s = ticks_s
        self._kept: deque[Reading] = deque(maxlen=_MOST_KEPT)

    @property
    def newest(self) -> Window | None:
        return self._window() if self._kept else None

    async def look(self) -> Window:
        now = self._ticks_s()
        if not self._kept or now - self._kept[-1].at_s >= LEAST_APART_S:
            families = await self._read()
            samples: dict[str, list[Sample]] = {}
            for family in families:
                for one in family.samples:
                    samples.setdefault(one.name, []).append(one)
            while self._kept and now - self._kept[0].at_s > RATE_OVER_S:
                self._kept.popleft()
            self._kept.append(Reading(now, samples))
        return self._window()

    def _window(self) -> Window:
        newest = self._kept[-1]
        recent = [one for one in self._kept if newest.at_s - RATE_OVER_S <= one.at_s < newest.at_s]
        return Window(newest, recent[0] if recent else None)

    async def keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def kept_current(readings: Readings) -> AsyncIterator[None]:
    looks = asyncio.create_task(again_and_again(readings.keep_looking, "looks at the counts"))
    try:
        yield
    finally:
        looks.cancel()
        with suppress(asyncio.CancelledError):
            await looks
