"""One HTTP notification per PATCH: what it costs the PATCH rate. Load, receiver and platform share the cores.

Published beside it: coraine keeps 45 % of its rate, Orion-LD loses 24 to 73 %.
"""

import os
import random
import time
import urllib.request

import msgspec

from benchmarks.harness.http_load import Tally, run_load
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.receiver import Receiver, receiving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import load
from benchmarks.patch_attribute import patch

ENTITIES = 5_000
REQUESTS = 30_000
CONNECTIONS = 50
ARRIVED_WITHIN_S = 30.0


def main() -> list[Figure]:
    os.environ["PARVIS_OUTBOUND_ALLOW"] = "127.0.0.0/8"
    source = random.Random(7)
    with receiving() as receiver, serving() as served:
        load(served.port, ENTITIES)
        _patch(served, source, REQUESTS // 10)
        without = _patch(served, source, REQUESTS)
        _subscribe(served, receiver)
        notified = _patch(served, source, REQUESTS)
        late_s = _wait_for_all(receiver)
    return [
        Figure(
            "PATCH with one notification each, share of the rate without",
            100 * notified.per_second / without.per_second,
            "%",
            60,
            45,
            "coraine (published)",
        ),
        Figure("PATCH with one notification each, 50 connections", notified.per_second, "requests/s", None),
        Figure("last notification after the last PATCH", 1000 * late_s, "ms", None, smaller_is_better=True),
    ]


def _patch(served: Served, source: random.Random, count: int) -> Tally:
    requests = [patch(source.randrange(ENTITIES), tick, source) for tick in range(count)]
    tally = run_load(served.port, iter(requests), CONNECTIONS)
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"patches were refused: {tally.statuses}")
    return tally


def _subscribe(served: Served, receiver: Receiver) -> None:
    endpoint = {"uri": receiver.url, "accept": "application/json"}
    subscription = {
        "type": "Subscription",
        "entities": [{"type": "AirQualityObserved"}],
        "watchedAttributes": ["temperature"],
        "notification": {"endpoint": endpoint},
    }
    request = urllib.request.Request(
        f"{served.address}/ngsi-ld/v1/subscriptions",
        msgspec.json.encode(subscription),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        if answer.status != 201:
            raise RuntimeError(f"the subscription was refused: {answer.status}")
    time.sleep(1.0)


def _wait_for_all(receiver: Receiver) -> float:
    began = time.perf_counter()
    while (counts := receiver.counts()).different < REQUESTS:
        if time.perf_counter() - began > ARRIVED_WITHIN_S:
            raise RuntimeError(f"of {REQUESTS} notifications {counts.different} arrived")
        time.sleep(0.005)
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(*main())
