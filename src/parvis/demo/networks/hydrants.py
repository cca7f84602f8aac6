"""Fire hydrants along pipes that can feed them."""

from collections import Counter
from collections.abc import Iterable

import shapely

from parvis.demo.networks.plan import WaterPlan
from parvis.demo.networks.water import Hydrant, Pipe

APART_M, LEAST_MM, SHORTEST_M = 102.0, 100, 20.0


def set_hydrants(plan: WaterPlan, pipes: Iterable[Pipe]) -> list[Hydrant]:
    """At most one in each square of `APART_M`, so that a fire engine's hose reaches the next house."""
    numbers: Counter[int] = Counter()
    hydrants: list[Hydrant] = []
    taken: set[tuple[int, int]] = set()
    for pipe in pipes:
        if pipe.district is None or pipe.diameter_mm < LEAST_MM or pipe.length_m < SHORTEST_M:
            continue
        at = shapely.line_interpolate_point(pipe.line, 0.5, normalized=True)
        square = (int(at.x // APART_M), int(at.y // APART_M))
        if square in taken:
            continue
        taken.add(square)
        numbers[pipe.commune] += 1
        hydrants.append(
            Hydrant(
                id=f"PI-{plan.territory.communes[pipe.commune].short}-{numbers[pipe.commune]:03d}", x=at.x, y=at.y,
                address=plan.gazetteer.near(at.x, at.y), commune=pipe.commune, pipe=pipe.id, junction=pipe.start,
                diameter_mm=100,
            )
        )  # fmt: skip
    return hydrants
