"""What each way in has brought since this process started, and what went wrong with it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from parvis.broker.leading import Work
from parvis.fleet.model.refusal import COUNTED_ONLY, RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ways.sources import Sources
from parvis.kernel.time import Clock, Instant

MOST_WAYS = 100
"""Of one tenant: names are given by connectors, not by devices."""
LONGEST_FAULT = 300


class Brought(msgspec.Struct):
    """Frames of one tenant, among them the refused ones and the ones that wait for their device."""

    frames: int = 0
    refused: int = 0
    last_at: Instant = 0
    refused_at: Instant = 0
    reason: RefusalReason | None = None
    waiting: int = 0


class WayFault(msgspec.Struct, frozen=True):
    """Why what a connector does by itself came to an end; it has begun again since."""

    at: Instant
    detail: str


class Ways:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._brought: dict[str, dict[str, Brought]] = {}
        self._unkept: dict[str, Counter[RefusalReason]] = {}
        self._faults: dict[str, WayFault] = {}
        self.sources = Sources(clock)
        self.since: Instant = clock()

    def note(self, tenant: str, uplinks: Sequence[Uplink], results: Sequence[Refused | None]) -> None:
        unkept = [one.reason for one in results if one is not None and one.reason in COUNTED_ONLY]
        if unkept:
            self._unkept.setdefault(tenant, Counter()).update(unkept)
        for uplink, refused in zip(uplinks, results, strict=True):
            self._count(tenant, uplink.way, None if refused is None else refused.reason)

    def note_unreadable(self, tenant: str, way: str, messages: int) -> None:
        """Messages that are no frames; `way` is empty where nobody knows."""
        for _ in range(messages if way else 0):
            self._count(tenant, way, RefusalReason.MALFORMED_MESSAGE)

    def _count(self, tenant: str, way: str, reason: RefusalReason | None) -> None:
        now, of_way = self._clock(), self._brought.setdefault(tenant, {})
        brought = of_way.get(way)
        if brought is None:
            if len(of_way) >= MOST_WAYS:
                return
            brought = of_way[way] = Brought()
        brought.frames += 1
        brought.last_at = now
        if reason is RefusalReason.UNKNOWN_DEVICE:
            brought.waiting += 1
        elif reason is not None:
            brought.refused += 1
            brought.refused_at, brought.reason = now, reason

    def unkept_of(self, tenant: str) -> Mapping[RefusalReason, int]:
        """How many frames were refused for reasons that are counted and not kept."""
        return self._unkept.get(tenant, {})

    def brought_to(self, tenant: str) -> Mapping[str, Brought]:
        """By way."""
        return self._brought.get(tenant, {})

    def find_fault(self, way: str) -> WayFault | None:
        """The newest."""
        return self._faults.get(way)

    def watched(self, way: str, work: Work) -> Work:
        """The same work; how it fails is noted."""

        async def run() -> None:
            try:
                await work()
            except Exception as fault:
                told = f"{type(fault).__name__}: {fault}"[:LONGEST_FAULT]
                self._faults[way] = WayFault(self._clock(), told)
                raise

        return run
