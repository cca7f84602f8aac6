"""All decisions about the water network of a territory, before pipes are laid by them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways
from parvis.demo.networks.customers import Customers, count_customers
from parvis.demo.networks.districts import Distribution, choose_inlets, distribute
from parvis.demo.networks.transport import Transport, lay_transport
from parvis.demo.networks.zones import Zones, set_zones

ABOVE_INLETS_M = 16.0
SERVICE_M3_PER_DAY = 4.0


@dataclass(frozen=True)
class WaterPlan:
    territory: Territory
    ways: Ways
    gazetteer: Gazetteer
    customers: Customers
    distribution: Distribution
    zones: Zones
    transport: Transport

    @cached_property
    def full_head_m(self) -> float:
        """Of full towers: enough for the inlet that asks for most, after the losses on the way to it."""
        return ABOVE_INLETS_M + max(self.zones.outlet_m[inlet.node] for inlet in self.distribution.inlets)

    @cached_property
    def demand_m3_per_day(self) -> float:
        return float(self.customers.m3_per_day.sum())

    @cached_property
    def structuring(self) -> set[int]:
        """Nodes that a model needs: those whose customers and beyond draw enough, and those up to a reducer."""
        distribution = self.distribution
        found = {node for node in distribution.members() if distribution.through_m3_per_day[node] >= SERVICE_M3_PER_DAY}
        for node in (*self.zones.outlet_m, *self.zones.branch_m):
            while node >= 0 and node not in found:
                found.add(node)
                node = distribution.reached.before[node]
        return found

    def customers_at(self, node: int) -> str:
        """The junction from which a node's customers draw: behind a reducer of their own where they have one."""
        return f"B{node:04d}" if node in self.zones.branch_m else f"N{node:04d}"

    def commune_of(self, node: int) -> int:
        return int(self.ways.node_commune[node])

    def members_of(self, district: int) -> list[int]:
        return [node for node in self.distribution.members() if self.distribution.district[node] == district]


def plan_water(territory: Territory, ways: Ways, gazetteer: Gazetteer) -> WaterPlan:
    customers = count_customers(territory, ways)
    inlets = choose_inlets(territory, ways)
    distribution = distribute(ways, inlets, customers)
    zones = set_zones(ways, distribution, customers.count.tolist())
    nodes = [inlet.node for inlet in inlets]
    drawn = np.zeros(len(ways.xy))
    drawn[nodes] = distribution.through_m3_per_day[nodes]
    transport = lay_transport(territory, ways, nodes, drawn)
    return WaterPlan(territory, ways, gazetteer, customers, distribution, zones, transport)
