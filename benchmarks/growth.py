"""Growth: what a write costs with 10 000 to 1 000 000 entities, and after 1 to 100 million observations.

The cost is the processor's time of the platform and the bytes it writes, settling of the history included, for each
observation of the batches of `batch_upsert`; a load beside it changes that little. `--most` ends the second row sooner:

    .venv/bin/python -m benchmarks.growth --most 10 --picture docs/images/growth.svg

The cost of the last write is to be within twice that of the first.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.http_load import run_load
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import ATTRIBUTES, BATCH, load, measured, upsert
from parvis.kernel.time import SECOND, format_instant

ENTITIES = (10_000, 100_000, 1_000_000)
OBSERVED_ENTITIES = 100_000
OBSERVATIONS = (1_000_000, 10_000_000, 100_000_000)
MEASURED_CALLS = 200
BODIES = 250
A_CALL = BATCH * len(ATTRIBUTES)
_FIRST_TICK = format_instant(1_780_000_000 * SECOND).encode()
_TICKS_FROM = 1_780_000_001


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one observation, when the territory had `size` entities or observations."""

    size: int
    cpu_us: float
    bytes_written: float


class Traffic:
    """Batches of entities drawn anew among `entities`; each call observes one second later than the one before."""

    def __init__(self, entities: int) -> None:
        source = random.Random(entities)
        drawn = [source.sample(range(entities), BATCH) for _ in range(BODIES)]
        self._bodies = [upsert([measured(one, 0, source) for one in batch]) for batch in drawn]
        self._tick = _TICKS_FROM

    def calls(self, count: int) -> Iterator[bytes]:
        for number in range(count):
            self._tick += 1
            yield self._bodies[number % BODIES].replace(_FIRST_TICK, format_instant(self._tick * SECOND).encode())


def main(most: int = OBSERVATIONS[-1], picture: Path | None = None) -> list[Figure]:
    by_entities = [_told(_with_entities(size), "entities") for size in ENTITIES]
    sizes = [size for size in OBSERVATIONS if size <= most]
    by_observations = [_told(cost, "observations") for cost in _with_observations(sizes)]
    if picture is not None:
        picture.write_text(draw(by_entities, by_observations), encoding="utf-8")
    return [
        *_figures(f"{ENTITIES[-1]:,} entities against {ENTITIES[0]:,}", by_entities),
        *_figures(f"{by_observations[-1].size:,} observations against {OBSERVATIONS[0]:,}", by_observations),
    ]


def _told(cost: Cost, title: str) -> Cost:
    told = f"{cost.cpu_us:6.1f} us and {cost.bytes_written:6.0f} bytes an observation"
    print(f"{cost.size:>13,} {title}: {told}", flush=True)
    return cost


def _figures(what: str, costs: list[Cost]) -> Iterator[Figure]:
    first, last = costs[0], costs[-1]
    yield Figure(f"cost of a write, {what}: processor", last.cpu_us / first.cpu_us, "x", 2, smaller_is_better=True)
    written = last.bytes_written / first.bytes_written
    yield Figure(f"cost of a write, {what}: bytes", written, "x", 2, smaller_is_better=True)


def _with_entities(size: int) -> Cost:
    with serving() as served:
        load(served.port, size)
        served.wait_until_quiet()
        return _measure(served, Traffic(size), size)


def _with_observations(sizes: list[int]) -> Iterator[Cost]:
    with serving() as served:
        load(served.port, OBSERVED_ENTITIES)
        traffic, stored = Traffic(OBSERVED_ENTITIES), OBSERVED_ENTITIES * len(ATTRIBUTES)
        for size in sizes:
            before = size - MEASURED_CALLS * A_CALL
            _send(served, traffic, max(0, before - stored) // A_CALL)
            served.wait_until_quiet()
            yield _measure(served, traffic, size)
            stored = size


def _measure(served: Served, traffic: Traffic, size: int) -> Cost:
    cpu, written = served.cpu_s(), served.bytes_written()
    _send(served, traffic, MEASURED_CALLS)
    served.wait_until_quiet()
    observations = MEASURED_CALLS * A_CALL
    return Cost(
        size, (served.cpu_s() - cpu) / observations * 1e6, (served.bytes_written() - written) / observations
    )  # fmt: skip


def _send(served: Served, traffic: Traffic, calls: int) -> None:
    tally = run_load(served.port, traffic.calls(calls), connections=4)
    if set(tally.statuses) - {204}:
        raise RuntimeError(f"upserts were refused: {tally.statuses}")


def draw(by_entities: list[Cost], by_observations: list[Cost]) -> str:
    """Two small bar charts, side by side: microseconds an observation at each size."""
    highest = max(cost.cpu_us for cost in by_entities + by_observations)
    panels = "".join(
        _panel(left, title, costs, highest)
        for left, title, costs in ((0, "entities", by_entities), (320, "observations stored", by_observations))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 260" role="img" font-family="sans-serif"'
        ' font-size="13"><title>Processor time of one written observation as the territory grows</title>'
        f'<rect width="640" height="260" fill="#fff"/>{panels}</svg>\n'
    )


def _panel(left: int, title: str, costs: list[Cost], highest: float) -> str:
    bars = "".join(_bar(left + 40 + 90 * place, cost, highest) for place, cost in enumerate(costs))
    return (
        f'<text x="{left + 40}" y="24" font-weight="bold" fill="#222">µs an observation, by {title}</text>{bars}'
        f'<line x1="{left + 30}" y1="220" x2="{left + 300}" y2="220" stroke="#888"/>'
    )


def _bar(left: int, cost: Cost, highest: float) -> str:
    height = 160 * cost.cpu_us / highest
    return (
        f'<rect x="{left}" y="{220 - height:.0f}" width="60" height="{height:.0f}" fill="#1f6f78"/>'
        f'<text x="{left + 30}" y="{212 - height:.0f}" text-anchor="middle" fill="#222">{cost.cpu_us:.1f}</text>'
        f'<text x="{left + 30}" y="240" text-anchor="middle" fill="#222">{_short(cost.size)}</text>'
    )


def _short(size: int) -> str:
    return f"{size // 1_000_000} M" if size >= 1_000_000 else f"{size // 1_000} k"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100, help="millions of observations to go up to")
    parser.add_argument("--picture", type=Path, help="where to draw the costs as SVG")
    arguments = parser.parse_args()
    tell(*main(arguments.most * 1_000_000, arguments.picture))
