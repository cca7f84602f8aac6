"""Far more writes than the store can take, for a minute: memory stays bounded, refusals say when to come back, and
everything that was accepted is there.

One client sends batches before, until the store's caches are full: what they take is no growth under overload. Then
many do, as fast as they are answered, and never wait after a refusal.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx
import msgspec

from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell

SECONDS = 60.0
CONNECTIONS = 300
BATCH = 500
CACHED = 200_000
"""Entities after which the caches are full (one client: 117, 142, 169, 200, 202 and 210 MiB resident after 57, 100,
151, 204, 258 and 333 thousand)."""
MOST_GROWTH = 2.0
_UPSERT = "/ngsi-ld/v1/entityOperations/upsert"
_TYPE = "Meter"


@dataclass
class Verdict:
    """`growth` is the most resident memory under overload, over the most under one client's load."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    unanswered: int = 0
    accepted: int = 0
    stored: int = 0
    calm_mib: float = 0.0
    most_mib: float = 0.0

    @property
    def refused(self) -> int:
        return sum(count for status, count in self.statuses.items() if status in (429, 503))

    @property
    def is_whole(self) -> bool:
        """Whether everything accepted is there, and nothing else but what had no answer."""
        return self.accepted <= self.stored <= self.accepted + self.unanswered * BATCH

    @property
    def growth(self) -> float:
        return self.most_mib / self.calm_mib


async def overload(served: Served, seconds: float) -> Verdict:
    verdict, numbers = Verdict(), iter(range(1 << 40))
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=served.address, timeout=60, trust_env=False, limits=limits) as http:

        async def send(is_over: Callable[[], bool]) -> None:
            while not is_over():
                body = _batch([next(numbers) for _ in range(BATCH)])
                try:
                    answer = await http.post(_UPSERT, content=body, headers={"content-type": "application/json"})
                except httpx.TransportError:  # the server may close a connection that waits for its client
                    verdict.unanswered += 1
                    continue
                verdict.statuses[answer.status_code] += 1
                if answer.status_code in (201, 204):
                    verdict.accepted += BATCH
                else:
                    verdict.without_retry_after += "retry-after" not in answer.headers

        alone = asyncio.create_task(send(lambda: verdict.accepted >= CACHED))
        verdict.calm_mib = await _most_resident_mib(served, alone)
        ends_at_s = monotonic() + seconds
        crowd = asyncio.gather(*(send(lambda: monotonic() > ends_at_s) for _ in range(CONNECTIONS)))
        verdict.most_mib = await _most_resident_mib(served, crowd)
        count = await http.get("/ngsi-ld/v1/entities", params={"type": _TYPE, "count": "true", "limit": 0})
        verdict.stored = int(count.headers["NGSILD-Results-Count"])
    return verdict


def _batch(numbers: list[int]) -> bytes:
    return msgspec.json.encode(
        [
            {"id": f"urn:ngsi-ld:{_TYPE}:{number}", "type": _TYPE, "index": {"type": "Property", "value": number}}
            for number in numbers
        ]
    )


async def _most_resident_mib(served: Served, work: "asyncio.Future[Any]") -> float:
    most = 0.0
    while not work.done():
        most = max(most, served.resident_mib())
        await asyncio.wait((work,), timeout=0.1)
    await work
    return most


def main() -> list[Figure]:
    with serving() as served:
        verdict = asyncio.run(overload(served, SECONDS))
    if verdict.without_retry_after or not verdict.is_whole or not verdict.refused:
        raise RuntimeError(f"overload was not told, or not survived: {verdict}")
    print(f"{verdict.refused} of {verdict.statuses.total()} requests refused with Retry-After", file=sys.stderr)
    what = f"resident memory under {CONNECTIONS} clients that never wait, for {SECONDS:.0f} s"
    return [Figure(what, verdict.growth, "x of one client's", MOST_GROWTH, smaller_is_better=True)]


if __name__ == "__main__":
    tell(*main())
