"""Single-attribute PATCH over HTTP from 50 connections, durable, with history.

Published beside it: Stellio 417/s (8 vCPU, docs/admin/performance.md), Antares 3 127/s, coraine 16 000/s (C).
"""

import random

import msgspec

from benchmarks.harness.bare_sqlite import patches_per_second
from benchmarks.harness.http_load import request, run_load
from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import entity_id, load
from parvis.kernel.time import SECOND, format_instant

ENTITIES = 20_000
REQUESTS = 60_000
CONNECTIONS = 50
ANTARES = 3_127


def main() -> list[Figure]:
    source = random.Random(4)
    requests = [patch(source.randrange(ENTITIES), tick, source) for tick in range(REQUESTS)]
    with serving() as served:
        load(served.port, ENTITIES)
        served.wait_until_quiet()
        tally = run_load(served.port, iter(requests), CONNECTIONS)
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"patches were refused: {tally.statuses}")
    return [
        Figure(
            "PATCH of one attribute, 50 connections",
            tally.per_second,
            "requests/s",
            6_000,
            ANTARES,
            "Antares (published)",
        ),
        Figure(
            "PATCH, share of bare SQLite",
            100 * tally.per_second / patches_per_second(ENTITIES, CONNECTIONS),
            "%",
            None,
            100,
            "bare SQLite, 50 a transaction",
        ),
        Figure("PATCH p95", tally.percentile_ms(0.95), "ms", 30, smaller_is_better=True),
    ]


def patch(number: int, tick: int, source: random.Random) -> bytes:
    observed = format_instant(1_780_000_000 * SECOND + tick * SECOND)
    body = {"type": "Property", "value": round(source.random() * 40, 2), "unitCode": "CEL", "observedAt": observed}
    return request("PATCH", f"/ngsi-ld/v1/entities/{entity_id(number)}/attrs/temperature", msgspec.json.encode(body))


if __name__ == "__main__":
    tell(*main())
