"""Pressure zones: where a tree of pipes runs down to lower ground, a reducer keeps the pressure bearable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parvis.demo.land.ways import Ways
from parvis.demo.networks.districts import Distribution

LEAST_M, MOST_M = 24.0, 64.0
"""Head over the ground that customers get at the peak, and at night: 2.4 to 6.4 bar."""
TOO_MUCH_M, BRANCH_M = 68.0, 45.0
WORTH_M = 9.0
SPARE_M = 2.5


@dataclass(frozen=True, slots=True)
class Zones:
    """`outlet_m` by node: the head behind the reducer before it, for nodes before which one stands.

    `zone` by node: the node behind its nearest reducer upwards, so that pipes between two zones stay closed.
    `branch_m` by node: the head for its own customers where the pipe itself must hold more for higher ground beyond.
    """

    outlet_m: dict[int, float]
    zone: dict[int, int]
    branch_m: dict[int, float]


def set_zones(ways: Ways, distribution: Distribution, count: Sequence[int]) -> Zones:
    """Reducers at all inlets, and further down wherever one is worth its while."""
    ground = ways.elevation_m.tolist()
    members = distribution.members()
    need, lowest = _needs(ground, distribution, members)
    outlet: dict[int, float] = {}
    zone: dict[int, int] = {}
    head: dict[int, float] = {}
    for node in members:
        before = distribution.reached.before[node]
        if before < 0:
            outlet[node], zone[node] = need[node] + SPARE_M, node
            head[node] = outlet[node]
            continue
        head[node], zone[node] = head[before] - distribution.loss_m[node], zone[before]
        wanted = need[node] + SPARE_M
        static_m = outlet[zone[node]]
        if static_m - lowest[node] > MOST_M and static_m - wanted > WORTH_M:
            outlet[node], zone[node], head[node] = wanted, node, wanted
    branches = {
        node: ground[node] + BRANCH_M
        for node in members
        if count[node] and outlet[zone[node]] - ground[node] > TOO_MUCH_M
    }
    return Zones(outlet, zone, branches)


def _needs(
    ground: list[float], distribution: Distribution, members: Iterable[int]
) -> tuple[dict[int, float], dict[int, float]]:
    """By node: the head that its whole subtree asks for at the peak, and the lowest ground in it."""
    need: dict[int, float] = {}
    lowest: dict[int, float] = {}
    for node in reversed(list(members)):
        need[node] = max(need.get(node, 0.0), ground[node] + LEAST_M)
        lowest[node] = min(lowest.get(node, ground[node]), ground[node])
        before = distribution.reached.before[node]
        if before >= 0:
            need[before] = max(need.get(before, 0.0), need[node] + distribution.loss_m[node])
            lowest[before] = min(lowest.get(before, ground[before]), lowest[node])
    return need, lowest
