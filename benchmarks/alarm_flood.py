"""Seconds to fold 10 000 alarms that a cut cable raises within a minute into their one cause.

200 feeders of 50 lamps each hang on one cabinet that nothing watches, in a town of 34 000 light points; 500 alarms of
other places come in between and stay what they are.
"""

import random
import time

from benchmarks.harness.report import Figure, tell
from parvis.kernel.time import HOUR, MINUTE
from parvis.operations.alarms.flood import Cause, Tree, fold

FEEDERS = 200
LAMPS = 50
ELSEWHERE = 500
TOWN = 34_000
TIMES = 5


def main() -> list[Figure]:
    alarms, trees = flooded(random.Random(8))
    seconds = sorted(folded(alarms, trees) for _ in range(TIMES))
    return [
        Figure(
            "10 000 alarms at once folded into one cause, median", seconds[TIMES // 2], "s", 2, smaller_is_better=True
        )
    ]


def flooded(source: random.Random) -> tuple[list[Cause], list[Tree]]:
    lamps = {f"lamp-{number}": f"feeder-{number // LAMPS}" for number in range(TOWN)}
    feeders = {name: f"cabinet-{int(name[7:]) // FEEDERS}" for name in lamps.values()}
    tree = Tree(lamps | feeders, dict.fromkeys(feeders, LAMPS) | dict.fromkeys(feeders.values(), FEEDERS))
    zones = Tree(dict.fromkeys((*lamps, *feeders, *feeders.values()), "town"), {"town": TOWN})
    cut = [f"lamp-{number}" for number in range(FEEDERS * LAMPS)]
    spread = [f"lamp-{number}" for number in source.sample(range(FEEDERS * LAMPS, TOWN), ELSEWHERE)]
    alarms = [Cause(name, HOUR + source.randrange(MINUTE), f"alarm of {name}") for name in cut + spread]
    return alarms, [tree, zones]


def folded(alarms: list[Cause], trees: list[Tree]) -> float:
    began_s = time.perf_counter()
    causes = fold(alarms, trees)
    seconds = time.perf_counter() - began_s
    sizes = sorted(len(list(one.list_alarms())) for one in causes)
    if sizes != [1] * ELSEWHERE + [FEEDERS * LAMPS]:
        raise RuntimeError(f"{len(sizes)} causes, the largest of {sizes[-1]} alarms")
    return seconds


if __name__ == "__main__":
    tell(*main())
