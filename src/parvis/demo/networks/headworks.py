"""Where water comes from: works at the lakes, pumps, towers on the heights."""

from collections.abc import Sequence

import numpy as np

from parvis.demo.land.ways import Ways
from parvis.demo.networks.plan import WaterPlan
from parvis.demo.networks.water import Pump, Tower, Works

BOWL_M, STAYS_DAYS, ASIDE_M = 7.0, 0.9, 20.0
PEAK_DAY, PUMPED_SHARE_OF_DAY = 1.8, 1.25
LOST_ON_THE_WAY_M = 9.0
ON_SHARE, OFF_SHARE = 0.66, 0.95


def build_towers(plan: WaterPlan) -> list[Tower]:
    """Together they hold the water of most of a day; all are full at the same head."""
    capacity_m3 = plan.demand_m3_per_day * STAYS_DAYS / len(plan.transport.towers)
    diameter_m = round(2 * float(np.sqrt(capacity_m3 / BOWL_M / np.pi)), 1)
    towers = []
    for number, node in enumerate(plan.transport.towers):
        x, y = _aside(plan.ways, node)
        towers.append(
            Tower(
                id=f"CE{number + 1}", name=f"Château d’eau de {_place(plan, x, y)}", x=x, y=y,
                commune=plan.commune_of(node), junction=f"T{node:04d}",
                ground_m=float(plan.ways.elevation_m[node]),
                floor_m=round(plan.full_head_m - BOWL_M, 1), full_m=BOWL_M, diameter_m=diameter_m,
            )
        )  # fmt: skip
    return towers


def build_works(plan: WaterPlan) -> list[Works]:
    works = []
    for number, node in enumerate(plan.transport.works):
        x, y = plan.ways.xy[node].tolist()
        works.append(
            Works(
                id=f"UEP{number + 1}", name=f"Usine d’eau potable de {_place(plan, x, y)}", x=x, y=y,
                commune=plan.commune_of(node), head_m=round(float(plan.ways.elevation_m[node]) + 2, 1),
                capacity_m3_per_day=round(plan.demand_m3_per_day * PEAK_DAY / len(plan.transport.works), -2),
            )
        )  # fmt: skip
    return works


def build_pumps(plan: WaterPlan, works: Sequence[Works], towers: Sequence[Tower]) -> list[Pump]:
    """Each works lifts into the mains until the tower nearest to it is full."""
    pumps = []
    for number, (source, node) in enumerate(zip(works, plan.transport.works, strict=True)):
        tower = min(towers, key=lambda each: (each.x - source.x) ** 2 + (each.y - source.y) ** 2)
        pumps.append(
            Pump(
                id=f"PO{number + 1}", name=f"Pompage vers {tower.name}", start=source.id, end=f"T{node:04d}",
                flow_l_per_s=round(source.capacity_m3_per_day / PUMPED_SHARE_OF_DAY / 86.4, 1),
                head_m=round(plan.full_head_m - source.head_m + LOST_ON_THE_WAY_M, 1),
                tower=tower.id, on_m=ON_SHARE * BOWL_M, off_m=OFF_SHARE * BOWL_M,
            )
        )  # fmt: skip
    return pumps


def _place(plan: WaterPlan, x: float, y: float) -> str:
    return min(plan.territory.hamlets, key=lambda each: (each.x - x) ** 2 + (each.y - y) ** 2).name


def _aside(ways: Ways, node: int) -> tuple[float, float]:
    """Beside the road, on the side where no other road leaves."""
    leaving = [np.array(ways.line_of([edge], node).interpolate(15).coords[0]) for edge, _ in ways.at_node[node]]
    out = ways.xy[node] - np.mean(leaving, axis=0)
    along = leaving[0] - ways.xy[node]
    out = np.array((-along[1], along[0])) if np.hypot(*out) < 1.0 else out
    x, y = ways.xy[node] + out / np.hypot(*out) * ASIDE_M
    return float(x), float(y)
