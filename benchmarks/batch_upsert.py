"""Batch upsert over HTTP: 1 000 entities a call, 4 changing attributes each, 200 000 existing entities, durable.

Published beside it: Orion-LD 970 to 6 700 entities/s (FIWARE/load-tests, batches of 250); coraine with PostgreSQL
history 21 000/s on 8 cores (doc/performance.md, batches of 20).
"""

import random

from benchmarks.harness.bare_sqlite import entities_per_second
from benchmarks.harness.http_load import run_load
from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import ATTRIBUTES, BATCH, ENTITIES, load, measured, upsert

CALLS = 240
ORION_LD_LARGE = 6_700


def main() -> list[Figure]:
    source = random.Random(3)
    chosen = [source.sample(range(ENTITIES), BATCH) for _ in range(CALLS)]
    bodies = [upsert([measured(one, tick, source) for one in batch]) for tick, batch in enumerate(chosen, 1)]
    with serving() as served:
        loaded = load(served.port)
        served.wait_until_quiet()
        before, cpu = served.bytes_written(), served.cpu_s()
        tally = run_load(served.port, iter(bodies), connections=4)
        busy = (served.cpu_s() - cpu) / tally.seconds
        put_off = served.wait_until_quiet()
        written = served.bytes_written() - before
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"upserts were refused: {tally.statuses}")
    reached = tally.requests * BATCH / tally.seconds
    print(
        f"created {loaded:,.0f} entities/s; the platform kept {busy:.2f} cores busy;"
        f" p95 of a call {tally.percentile_ms(0.95):.0f} ms;"
        f" settling the history that was put off took {put_off:.1f} s more"
    )
    bare = entities_per_second()
    observations = tally.requests * BATCH * len(ATTRIBUTES)
    return [
        Figure("batch upsert", reached, "entities/s", 25_000, ORION_LD_LARGE, "Orion-LD, 16 cores (published)"),
        Figure(
            "batch upsert, until the history is settled too", tally.requests * BATCH / (tally.seconds + put_off),
            "entities/s", None,
        ),
        Figure("batch upsert, share of bare SQLite", 100 * reached / bare, "%", 30, 100.0, "bare SQLite, same rows"),
        Figure("bytes written per observation", written / observations, "bytes", 1_000, smaller_is_better=True),
    ]  # fmt: skip


if __name__ == "__main__":
    tell(*main())
