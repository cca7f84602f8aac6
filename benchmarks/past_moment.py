"""Seconds until map and list of 5 000 objects stand at a moment of the past, as the console asks for it.

Each has 24 instances of four attributes, an hour apart, settled.
"""

import random
import time
import urllib.parse
import urllib.request

from benchmarks.harness import territory
from benchmarks.harness.http_load import run_load
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell
from parvis.kernel.time import HOUR, SECOND, format_instant

OBJECTS = 5_000
HOURS = 24
QUESTIONS = 20


def main() -> list[Figure]:
    with serving() as served:
        territory.load(served.port, OBJECTS)
        fill(served)
        served.wait_until_quiet()
        seconds = sorted(ask(served, number) for number in range(QUESTIONS))
        now = sorted(ask(served, None) for _ in range(QUESTIONS))
    return [
        Figure(
            "5 000 objects at a moment of the past, median",
            seconds[len(seconds) // 2],
            "s",
            1,
            now[len(now) // 2],
            "the same now",
            smaller_is_better=True,
        ),
        Figure("the same, slowest of 20", seconds[-1], "s", None),
    ]


def fill(served: Served) -> None:
    source = random.Random(3)
    bodies = (
        territory.upsert(
            [territory.measured(number, hour * HOUR // SECOND, source) for number in range(start, start + 1000)]
        )
        for hour in range(1, HOURS)
        for start in range(0, OBJECTS, 1000)
    )
    tally = run_load(served.port, bodies, connections=2)
    if set(tally.statuses) - {201, 204}:
        raise RuntimeError(f"filling was refused: {tally.statuses}")


def ask(served: Served, number: int | None) -> float:
    moment = "" if number is None else format_instant(territory.START + (number % HOURS) * HOUR + 7 * SECOND)
    query = urllib.parse.urlencode({"moment": moment})
    began = time.perf_counter()
    with urllib.request.urlopen(f"{served.address}/console/map.geojson?{query}") as answer:
        body = answer.read()
    if body.count(b'"Feature"') != OBJECTS:
        raise RuntimeError(f"{body.count(b'Feature')} objects are shown at {moment or 'now'}, not {OBJECTS}")
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(*main())
