"""Lays the water network of a territory: the plan's decisions as pipes, valves and districts with names."""

from dataclasses import dataclass, field
from random import Random

import numpy as np
from shapely.geometry import LineString
from shapely.ops import substring

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, street_of
from parvis.demo.networks import sizes
from parvis.demo.networks.headworks import build_pumps, build_towers, build_works
from parvis.demo.networks.hydrants import set_hydrants
from parvis.demo.networks.plan import WaterPlan, plan_water
from parvis.demo.networks.water import District, Junction, Pipe, Reducer, WaterNetwork

CHAMBER_M = 5.0
TOWN_CLASSES = (RoadClass.RESIDENTIAL, RoadClass.PEDESTRIAN)


def lay_water(territory: Territory, ways: Ways, gazetteer: Gazetteer) -> WaterNetwork:
    plan = plan_water(territory, ways, gazetteer)
    laying = _Laying(plan, Random(territory.seed * 6007 + 3))
    laying.lay()
    works, towers = build_works(plan), build_towers(plan)
    return WaterNetwork(
        works=tuple(works),
        towers=tuple(towers),
        pumps=tuple(build_pumps(plan, works, towers)),
        junctions=tuple(laying.junctions.values()),
        pipes=tuple(laying.pipes),
        reducers=tuple(laying.reducers),
        districts=tuple(laying.districts[number] for number in range(len(laying.districts))),
        hydrants=tuple(set_hydrants(plan, laying.pipes)),
        junction_of_building=tuple(map(plan.customers_at, plan.customers.node.tolist())),
    )


@dataclass
class _Laying:
    plan: WaterPlan
    rng: Random
    junctions: dict[str, Junction] = field(default_factory=dict)
    pipes: list[Pipe] = field(default_factory=list)
    reducers: list[Reducer] = field(default_factory=list)
    districts: dict[int, District] = field(default_factory=dict)

    def lay(self) -> None:
        self._lay_transport()
        members = self.plan.distribution.members()
        for node in members:
            self._add(f"N{node:04d}", node, self.plan.distribution.district[node])
        for node in members:
            if self.plan.distribution.reached.before[node] < 0:
                self._open_district(node)
            else:
                self._lay_branch(node)
        for node in self.plan.zones.branch_m:
            self._reduce_customers(node)
        self._close_rings(set(members))

    def _add(self, name: str, node: int, district: int | None, at: tuple[float, float] | None = None) -> None:
        x, y = self.plan.ways.xy[node].tolist() if at is None else at
        served = name == self.plan.customers_at(node)
        self.junctions[name] = Junction(
            id=name, x=x, y=y,
            elevation_m=round(float(self.plan.ways.elevation_m[node]), 1),
            commune=self.plan.commune_of(node),
            district=district,
            customers=int(self.plan.customers.count[node]) if served else 0,
            demand_m3_per_day=round(float(self.plan.customers.m3_per_day[node]), 3) if served else 0.0,
        )  # fmt: skip

    def _lay_transport(self) -> None:
        for edge, size in self.plan.transport.size_mm.items():
            a, b = self.plan.ways.ends[edge].tolist()
            for node in (a, b):
                if f"T{node:04d}" not in self.junctions:
                    self._add(f"T{node:04d}", node, None)
            self._pipe(f"T{a:04d}", f"T{b:04d}", edge, size, "transport", None, self.plan.ways.lines[edge], False)

    def _lay_branch(self, node: int) -> None:
        distribution = self.plan.distribution
        edge, before = distribution.reached.edge[node], distribution.reached.before[node]
        line = self.plan.ways.line_of([edge], before)
        start = f"N{before:04d}"
        if node in self.plan.zones.outlet_m:
            cut_m = min(CHAMBER_M, 0.3 * line.length)
            start = self._reduce(start, node, substring(line, 0, cut_m), self.plan.zones.outlet_m[node])
            line = substring(line, cut_m, line.length)
        self._pipe(
            start, f"N{node:04d}", edge, distribution.size_mm[node], self._quarter(edge), distribution.district[node],
            line, node not in self.plan.structuring,
        )  # fmt: skip

    def _close_rings(self, members: set[int]) -> None:
        """Streets of a town whose two ends are of one zone get a pipe too."""
        laid = {self.plan.distribution.reached.edge[node] for node in members}
        for edge, (a, b) in enumerate(self.plan.ways.ends.tolist()):
            ring = a in members and b in members and edge not in laid and self.plan.ways.kind[edge] in TOWN_CLASSES
            if ring and self.plan.zones.zone[a] == self.plan.zones.zone[b]:
                seen = a in self.plan.structuring and b in self.plan.structuring
                self._pipe(
                    f"N{a:04d}", f"N{b:04d}", edge, 110 if seen else 63, self._quarter(edge),
                    self.plan.distribution.district[a], self.plan.ways.lines[edge], not seen,
                )  # fmt: skip

    def _pipe(
        self, start: str, end: str, edge: int, size_mm: int, quarter: str, district: int | None, line: LineString,
        is_service: bool,
    ) -> Pipe:  # fmt: skip
        road = int(self.plan.ways.road[edge])
        year = sizes.laid_year(self.rng, quarter)
        material = sizes.material_of(self.rng, year, size_mm)
        pipe = Pipe(
            id=f"C{len(self.pipes) + 1:05d}", start=start, end=end, line=line, road=road,
            street=street_of(self.plan.territory.roads[road]),
            commune=int(self.plan.ways.node_commune[self.plan.ways.ends[edge][0]]),
            district=district,
            length_m=round(max(1.0, line.length), 1),
            diameter_mm=sizes.made_as(size_mm, material),
            material=material, laid_year=year, is_service=is_service,
        )  # fmt: skip
        self.pipes.append(pipe)
        return pipe

    def _quarter(self, edge: int) -> str:
        a = int(self.plan.ways.ends[edge][0])
        town = self.plan.territory.towns[int(self.plan.ways.node_commune[a])]
        away = float(np.hypot(*(self.plan.ways.xy[a] - (town.x, town.y))))
        if away < town.core_m:
            return "core"
        return "town" if self.plan.ways.kind[edge] in TOWN_CLASSES else "country"

    def _reduce(self, start: str, node: int, chamber: LineString, outlet_head_m: float) -> str:
        """A reducer at the beginning of a branch; returns the junction behind it."""
        number = len(self.reducers) + 1
        end = f"R{number:03d}"
        x, y = (float(each) for each in chamber.coords[-1])
        self._add(end, node, self.plan.distribution.district[node], (x, y))
        setting_m = outlet_head_m - self.junctions[end].elevation_m
        self._add_reducer(start, end, node, (x, y), setting_m, self.plan.distribution.size_mm[node] or 160)
        return end

    def _add_reducer(
        self, start: str, end: str, node: int, at: tuple[float, float], setting_m: float, size_mm: int
    ) -> None:
        district = self.plan.distribution.district[node]
        address = self.plan.gazetteer.near(*at)
        self.reducers.append(
            Reducer(
                id=f"RP{len(self.reducers) + 1:03d}", name=f"Réducteur de pression, {address}", start=start, end=end,
                x=at[0], y=at[1], address=address, commune=self.plan.commune_of(node), district=district,
                diameter_mm=min(200, size_mm), setting_m=round(setting_m, 1),
            )
        )  # fmt: skip

    def _reduce_customers(self, node: int) -> None:
        """Where the pipe must hold more than customers bear, they have a reducer of their own."""
        x, y = self.plan.ways.xy[node].tolist()
        self._add(f"B{node:04d}", node, self.plan.distribution.district[node])
        setting_m = self.plan.zones.branch_m[node] - self.junctions[f"B{node:04d}"].elevation_m
        self._add_reducer(f"N{node:04d}", f"B{node:04d}", node, (x, y), setting_m, 63)

    def _open_district(self, node: int) -> None:
        """From the transport main through reducer and meter to where the streets' pipes begin."""
        number = self.plan.distribution.district[node]
        inlet = self.plan.distribution.inlets[number]
        edge = self.plan.ways.at_node[node][0][0]
        line = self.plan.ways.line_of([edge], node)
        chamber = substring(line, 0, min(CHAMBER_M, 0.4 * line.length))
        through = float(self.plan.distribution.through_m3_per_day[node])
        size = sizes.diameter_mm(sizes.peak_flow_l_per_s(through), 1.0, 125)
        behind = self._reduce(f"T{node:04d}", node, chamber, self.plan.zones.outlet_m[node])
        pipe = self._pipe(behind, f"N{node:04d}", edge, size, "transport", number, chamber.reverse(), False)
        members = [each for each in self.plan.members_of(number) if self.plan.customers.count[each]]
        x, y = self.junctions[behind].x, self.junctions[behind].y
        self.districts[number] = District(
            id=f"{self.plan.territory.communes[inlet.commune].short}-S{number + 1:02d}",
            name=inlet.name, commune=inlet.commune, meter_pipe=pipe.id, x=x, y=y,
            address=self.plan.gazetteer.near(x, y),
            critical=self.plan.customers_at(max(members, key=lambda each: float(self.plan.ways.elevation_m[each]))),
            customers=int(self.plan.customers.count[members].sum()),
            demand_m3_per_day=round(float(self.plan.customers.m3_per_day[members].sum()), 1),
        )  # fmt: skip
