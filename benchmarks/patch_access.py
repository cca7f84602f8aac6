"""What it costs to ask who it is and what they may: single-attribute PATCHes through the guarded door, and through one
that asks nobody, in turns, of one process.

Each round sends the same number of requests through each door, in another order each time; of the rounds the median is
told, since a machine is not as quick all the time. The time is that of all requests together, of 50 connections. The
guarded door notes for the audit trail what a key has changed, which is told by the minute; the other notes nothing.
"""

import random
from collections.abc import Iterator
from statistics import median

import msgspec

from benchmarks.harness.http_load import request, run_load
from benchmarks.harness.platform import Served
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import entity_id, load
from benchmarks.harness.two_doors import two_doors
from parvis.kernel.time import SECOND, format_instant

ENTITIES = 20_000
TYPE = "AirQualityObserved"
ROUNDS = 24
REQUESTS = 2_500
"""A round and door."""
CONNECTIONS = 50
MOST_PERCENT = 15
UNGUARDED, OPERATOR, NARROW = "unguarded", "operator", "narrow"


def main() -> list[Figure]:
    source = random.Random(4)
    spent: dict[str, list[tuple[float, float]]] = {UNGUARDED: [], OPERATOR: [], NARROW: []}
    with two_doors(TYPE) as (served, doors):
        load(doors.unguarded, ENTITIES)
        served.wait_until_quiet()
        ways = {
            UNGUARDED: (doors.unguarded, ""),
            OPERATOR: (doors.guarded, doors.operator),
            NARROW: (doors.guarded, doors.narrow),
        }
        for number in range(ROUNDS + 1):
            order = list(ways)
            source.shuffle(order)
            for way in order:
                took = _round(served, *ways[way], source)
                if number:
                    spent[way].append(took)
    return [
        Figure(
            "PATCH without asking who it is", REQUESTS / median(one[0] for one in spent[UNGUARDED]), "requests/s", None
        ),
        *_figures("an operator's key", spent[OPERATOR], spent[UNGUARDED]),
        *_figures("a key whose role ends at one type", spent[NARROW], spent[UNGUARDED]),
    ]


def _figures(whose: str, guarded: list[tuple[float, float]], unguarded: list[tuple[float, float]]) -> Iterator[Figure]:
    """Of each round against the same round: what slows the machine down slows both."""
    for what, index in (("time", 0), ("processor time", 1)):
        shares = [100 * (one[index] / other[index] - 1) for one, other in zip(guarded, unguarded, strict=True)]
        target = MOST_PERCENT if index == 0 else None
        yield Figure(f"PATCH, more {what} with {whose}", median(shares), "%", target, smaller_is_better=True)


def _round(served: Served, port: int, key: str, source: random.Random) -> tuple[float, float]:
    """Seconds on the clock, and of the server's processor time."""
    requests = [_patch(source, key) for _ in range(REQUESTS)]
    before_s = served.cpu_s()
    tally = run_load(port, iter(requests), CONNECTIONS)
    if set(tally.statuses) != {204}:
        raise RuntimeError(f"patches were refused: {tally.statuses}")
    return tally.seconds, served.cpu_s() - before_s


def _patch(source: random.Random, key: str) -> bytes:
    observed = format_instant(1_780_000_000 * SECOND + source.randrange(10**6) * SECOND)
    body = {"type": "Property", "value": round(source.random() * 40, 2), "unitCode": "CEL", "observedAt": observed}
    path = f"/ngsi-ld/v1/entities/{entity_id(source.randrange(ENTITIES))}/attrs/temperature"
    return request("PATCH", path, msgspec.json.encode(body), key=key)


if __name__ == "__main__":
    tell(*main())
