"""Query `type` + `q`, limit 20, over 200 000 entities.

Published beside it: Stellio 32/s, p95 1 440 ms at 100 000 entities (docs/admin/performance.md).
"""

import random

from benchmarks.harness.bare_sqlite import queries_per_second
from benchmarks.harness.http_load import request, run_load
from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import load

REQUESTS = 20_000
DEEPER_REQUESTS = 4_000
CONNECTIONS = 20
STELLIO = 32
LOWEST, HIGHEST = 50, 99.5
"""Thresholds of `temperature`, evenly spread: half of the entities match at one end, one in 200 at the other.
First pages are of the entities created first, many of them from the cache of those read last; deeper ones are not."""


def main() -> list[Figure]:
    source = random.Random(5)
    thresholds = [round(source.uniform(LOWEST, HIGHEST), 1) for _ in range(REQUESTS)]
    requests = [query(one) for one in thresholds]
    deeper = [query(one, 20 * source.randrange(20)) for one in thresholds[:DEEPER_REQUESTS]]
    with serving() as served:
        load(served.port)
        tally = run_load(served.port, iter(requests), CONNECTIONS)
        pages = run_load(served.port, iter(deeper), CONNECTIONS)
    if set(tally.statuses) != {200}:
        raise RuntimeError(f"queries were refused: {tally.statuses}")
    return [
        Figure(
            "query type + q, limit 20, 200 000 entities",
            tally.per_second,
            "requests/s",
            2_500,
            STELLIO,
            "Stellio (published)",
        ),
        Figure(
            "query, share of bare SQLite",
            100 * tally.per_second / queries_per_second(thresholds[:2_000]),
            "%",
            None,
            100,
            "bare SQLite, no HTTP, no JSON",
        ),
        Figure(
            "query, any of the first 20 pages", pages.per_second, "requests/s", None, STELLIO, "Stellio (published)"
        ),
        Figure("query p95", tally.percentile_ms(0.95), "ms", 25, 1_440, "Stellio (published)", smaller_is_better=True),
    ]


def query(threshold: float, offset: int = 0) -> bytes:
    path = f"/ngsi-ld/v1/entities?type=AirQualityObserved&q=temperature%3E{threshold}&limit=20&offset={offset}"
    return request("GET", path)


if __name__ == "__main__":
    tell(*main())
