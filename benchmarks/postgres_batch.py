"""Batch upsert over HTTP with the store on PostgreSQL: two Parvis processes, a local socket, fsync on.

Calls of the size of batch_upsert.py, from senders that each have devices of their own, as gateways and network servers
have; and, where all draw from the same devices, so that nearly every batch waits for another's rows. Beside it, in the
same run, one Parvis process on SQLite, and the bare server with the same rows by COPY and INSERT SELECT.
"""

import os
import random
import sys
from collections.abc import Sequence

from benchmarks.harness.bare_postgresql import entities_per_second
from benchmarks.harness.http_load import Tally, run_senders
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.postgresql import Cluster, cluster
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import BATCH, ENTITIES, load, measured, upsert

WORKERS = 2
SENDERS = 8
CALLS = 240


def main(calls: int = CALLS) -> list[Figure]:
    source = random.Random(3)
    own = ENTITIES // SENDERS
    ranges = [range(sender * own, (sender + 1) * own) for sender in range(SENDERS)]
    streams = [_stream(devices, calls // SENDERS, source) for devices in ranges]
    meeting = [_stream(range(ENTITIES), calls // SENDERS, source) for _ in ranges]
    with serving() as served:
        load(served.port)
        served.wait_until_quiet()
        beside = _rate(run_senders(served.port, [iter(one) for one in streams]))
    with cluster() as server:
        reached, met = _on_postgresql(server, streams, meeting)
        bare = entities_per_second(server.url)
    what = f"batch upsert on PostgreSQL, {WORKERS} processes"
    return [
        Figure(what, reached, "entities/s", None),
        Figure(f"{what}, all senders of the same devices", met, "entities/s", None),
        Figure(f"{what}, share of SQLite's", 100 * reached / beside, "%", 60, 100.0, "one process on SQLite"),
        Figure(f"{what}, share of bare PostgreSQL", 100 * reached / bare, "%", 30, 100.0, "bare PostgreSQL, same rows"),
    ]


def _stream(devices: range, calls: int, source: random.Random) -> list[bytes]:
    """What one sender sends: batches drawn from its devices."""
    return [
        upsert([measured(one, tick, source) for one in source.sample(devices, BATCH)]) for tick in range(1, calls + 1)
    ]


def _on_postgresql(
    server: Cluster, streams: Sequence[list[bytes]], meeting: Sequence[list[bytes]]
) -> tuple[float, float]:
    os.environ["PARVIS_STORE_URL"] = server.url
    try:
        with serving(None, "--workers", str(WORKERS)) as served:
            loaded = load(served.port)
            cpu, busy = server.cpu_s(), _workers_cpu_s(served)
            tally = run_senders(served.port, [iter(one) for one in streams])
            used, parvis = server.cpu_s() - cpu, _workers_cpu_s(served) - busy
            met = run_senders(served.port, [iter(one) for one in meeting])
    finally:
        del os.environ["PARVIS_STORE_URL"]
    per_entity = 1e6 / (tally.requests * BATCH)
    print(
        f"created {loaded:,.0f} entities/s; p95 of a call {tally.percentile_ms(0.95):.0f} ms;"
        f" CPU an entity: Parvis {parvis * per_entity:.0f} us, PostgreSQL {used * per_entity:.0f} us"
    )
    return _rate(tally), _rate(met)


def _rate(tally: Tally) -> float:
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"upserts were refused: {tally.statuses}")
    return tally.requests * BATCH / tally.seconds


def _workers_cpu_s(served: Served) -> float:
    return Cluster("", served.process.pid).cpu_s()


if __name__ == "__main__":
    tell(*main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS))
