"""One HTTP notification per PATCH: what it costs the PATCH rate. Load, receiver and platform share the cores.

Published beside it: coraine keeps 45 % of its rate, Orion-LD loses 24 to 73 %.
"""

import os
import random
import time
import urllib.request
from statistics import median
from typing import Any, NamedTuple

import msgspec

from benchmarks.harness.http_load import Tally, run_load
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.receiver import Receiver, receiving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import load
from benchmarks.patch_attribute import patch

ENTITIES = 5_000
REQUESTS = 15_000
ROUNDS = 3
CONNECTIONS = 50
ARRIVED_WITHIN_S = 30.0
SUBSCRIPTION = "urn:ngsi-ld:Subscription:bench"


class Round(NamedTuple):
    per_second: float
    cpu_us: float
    late_s: float


def main() -> list[Figure]:
    """Rounds with and without by turns, the medians of each: what else the machine does meets both alike."""
    os.environ["PARVIS_OUTBOUND_ALLOW"] = "127.0.0.0/8"
    source = random.Random(7)
    with receiving() as receiver, serving() as served:
        load(served.port, ENTITIES)
        _subscribe(served, receiver)
        _round(served, receiver, source, expected=REQUESTS)
        without, notified = [], []
        for number in range(ROUNDS):
            _set_active(served, active=False)
            without.append(_round(served, receiver, source, expected=0))
            _set_active(served, active=True)
            notified.append(_round(served, receiver, source, expected=(number + 2) * REQUESTS))
    rate, quiet_rate = (median(one.per_second for one in rounds) for rounds in (notified, without))
    cpu_us, quiet_cpu_us = (median(one.cpu_us for one in rounds) for rounds in (notified, without))
    return [
        Figure(
            "PATCH with one notification each, share of the rate without",
            100 * rate / quiet_rate,
            "%",
            60,
            45,
            "coraine (published)",
        ),
        Figure("PATCH with one notification each, 50 connections", rate, "requests/s", None, quiet_rate, "without"),
        Figure(
            "a notification, processor time of the platform", cpu_us - quiet_cpu_us, "µs", None, quiet_cpu_us, "PATCH"
        ),
        Figure("last notification after the last PATCH", 1000 * max(one.late_s for one in notified), "ms", None),
    ]


def _round(served: Served, receiver: Receiver, source: random.Random, *, expected: int) -> Round:
    """`expected` notifications must have come in all by its end."""
    cpu_s = served.cpu_s()
    tally = _patch(served, source, REQUESTS)
    late_s = _wait_for_all(receiver, expected) if expected else 0.0
    return Round(tally.per_second, 1e6 * (served.cpu_s() - cpu_s) / REQUESTS, late_s)


def _patch(served: Served, source: random.Random, count: int) -> Tally:
    requests = [patch(source.randrange(ENTITIES), tick, source) for tick in range(count)]
    tally = run_load(served.port, iter(requests), CONNECTIONS)
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"patches were refused: {tally.statuses}")
    return tally


def _subscribe(served: Served, receiver: Receiver) -> None:
    subscription = {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "AirQualityObserved"}],
        "watchedAttributes": ["temperature"],
        "notification": {"endpoint": {"uri": receiver.url, "accept": "application/json"}},
    }
    _send(served, "POST", "", subscription)


def _set_active(served: Served, *, active: bool) -> None:
    _send(served, "PATCH", f"/{SUBSCRIPTION}", {"isActive": active})


def _send(served: Served, method: str, path: str, document: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{served.address}/ngsi-ld/v1/subscriptions{path}",
        msgspec.json.encode(document),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        if answer.status not in (201, 204):
            raise RuntimeError(f"the subscription was refused: {answer.status}")
    time.sleep(1.0)


def _wait_for_all(receiver: Receiver, expected: int) -> float:
    began = time.perf_counter()
    while (counts := receiver.counts()).different < expected:
        if time.perf_counter() - began > ARRIVED_WITHIN_S:
            raise RuntimeError(f"of {expected} notifications {counts.different} arrived")
        time.sleep(0.005)
    if counts.different != expected:
        raise RuntimeError(f"{expected} notifications were due, {counts.different} came")
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(*main())
