"""Lays the water network of a territory: the decisions of `districts`, `zones` and `transport`, as pipes with names."""

from dataclasses import dataclass, field
from random import Random

import numpy as np
import shapely
from shapely.geometry import LineString
from shapely.ops import substring

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, street_of
from parvis.demo.networks import sizes
from parvis.demo.networks.customers import Customers, count_customers
from parvis.demo.networks.districts import Distribution, choose_inlets, distribute
from parvis.demo.networks.transport import Transport, lay_transport
from parvis.demo.networks.water import (
    District,
    Hydrant,
    Junction,
    Pipe,
    Pump,
    Reducer,
    Tower,
    WaterNetwork,
    Works,
)
from parvis.demo.networks.zones import Zones, set_zones

CHAMBER_M = 5.0
ABOVE_INLETS_M = 16.0
BOWL_M, TOWER_STAYS_DAYS, TOWER_ASIDE_M = 7.0, 0.9, 20.0
HYDRANT_EVERY_M, HYDRANT_LEAST_MM = 170.0, 100
SERVICE_M3_PER_DAY = 4.0
TOWN_CLASSES = (RoadClass.RESIDENTIAL, RoadClass.PEDESTRIAN)


def lay_water(territory: Territory, ways: Ways, gazetteer: Gazetteer) -> WaterNetwork:
    customers = count_customers(territory, ways)
    inlets = choose_inlets(territory, ways)
    distribution = distribute(ways, inlets, customers)
    zones = set_zones(ways, distribution, customers.count.tolist())
    drawn = np.zeros(len(ways.xy))
    nodes = [inlet.node for inlet in inlets]
    drawn[nodes] = distribution.through_m3_per_day[nodes]
    transport = lay_transport(territory, ways, nodes, drawn)
    laying = _Laying(territory, ways, gazetteer, customers, distribution, zones, transport)
    laying.lay()
    return laying.network()


@dataclass
class _Laying:
    territory: Territory
    ways: Ways
    gazetteer: Gazetteer
    customers: Customers
    distribution: Distribution
    zones: Zones
    transport: Transport
    junctions: dict[str, Junction] = field(default_factory=dict)
    pipes: list[Pipe] = field(default_factory=list)
    reducers: list[Reducer] = field(default_factory=list)
    districts: dict[int, District] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = Random(self.territory.seed * 6007 + 3)
        self._served = self._structuring()

    def lay(self) -> None:
        self._lay_transport()
        members = self.distribution.members()
        for node in members:
            self._add_consumer(node)
        for node in members:
            if self.distribution.reached.before[node] < 0:
                self._open_district(node)
            else:
                self._lay_branch(node)
        for node in self.zones.branch_m:
            self._reduce_customers(node)
        self._close_rings(set(members))

    def network(self) -> WaterNetwork:
        towers = self._towers()
        return WaterNetwork(
            works=tuple(self._works()),
            towers=tuple(towers),
            pumps=tuple(self._pumps(towers)),
            junctions=tuple(self.junctions.values()),
            pipes=tuple(self.pipes),
            reducers=tuple(self.reducers),
            districts=tuple(self.districts[number] for number in range(len(self.districts))),
            hydrants=tuple(self._hydrants()),
            junction_of_building=tuple(map(self._customers_at, self.customers.node.tolist())),
        )

    # Nodes

    def _customers_at(self, node: int) -> str:
        return f"B{node:04d}" if node in self.zones.branch_m else f"N{node:04d}"

    def _add(self, name: str, node: int, district: int | None, at: tuple[float, float] | None = None) -> None:
        x, y = self.ways.xy[node].tolist() if at is None else at
        served = name == self._customers_at(node)
        self.junctions[name] = Junction(
            id=name, x=x, y=y,
            elevation_m=round(float(self.ways.elevation_m[node]), 1),
            commune=int(self.ways.node_commune[node]),
            district=district,
            customers=int(self.customers.count[node]) if served else 0,
            demand_m3_per_day=round(float(self.customers.m3_per_day[node]), 3) if served else 0.0,
        )  # fmt: skip

    def _add_consumer(self, node: int) -> None:
        self._add(f"N{node:04d}", node, self.distribution.district[node])

    def _structuring(self) -> set[int]:
        """Nodes whose customers and those beyond draw enough to be seen in a model."""
        return {
            node
            for node in self.distribution.members()
            if self.distribution.through_m3_per_day[node] >= SERVICE_M3_PER_DAY
            or node in self.zones.outlet_m
            or node in self.zones.branch_m
        } | self._above_reducers()

    def _above_reducers(self) -> set[int]:
        above: set[int] = set()
        for node in (*self.zones.outlet_m, *self.zones.branch_m):
            while node >= 0 and node not in above:
                above.add(node)
                node = self.distribution.reached.before[node]
        return above

    # Pipes

    def _lay_transport(self) -> None:
        for edge, size in self.transport.size_mm.items():
            a, b = self.ways.ends[edge].tolist()
            for node in (a, b):
                if f"T{node:04d}" not in self.junctions:
                    self._add(f"T{node:04d}", node, None)
            self._pipe(f"T{a:04d}", f"T{b:04d}", edge, size, "transport", None, self.ways.lines[edge], False)

    def _lay_branch(self, node: int) -> None:
        distribution = self.distribution
        edge, before = distribution.reached.edge[node], distribution.reached.before[node]
        line = self.ways.line_of([edge], before)
        start = f"N{before:04d}"
        if node in self.zones.outlet_m:
            cut_m = min(CHAMBER_M, 0.3 * line.length)
            start = self._reduce(start, node, substring(line, 0, cut_m), self.zones.outlet_m[node])
            line = substring(line, cut_m, line.length)
        self._pipe(
            start, f"N{node:04d}", edge, distribution.size_mm[node], self._quarter(edge), distribution.district[node],
            line, node not in self._served,
        )  # fmt: skip

    def _close_rings(self, members: set[int]) -> None:
        """Streets of a town whose two ends are of one zone get a pipe too."""
        laid = {self.distribution.reached.edge[node] for node in members}
        for edge, (a, b) in enumerate(self.ways.ends.tolist()):
            ring = a in members and b in members and edge not in laid and self.ways.kind[edge] in TOWN_CLASSES
            if ring and self.zones.zone[a] == self.zones.zone[b]:
                seen = a in self._served and b in self._served
                self._pipe(
                    f"N{a:04d}", f"N{b:04d}", edge, 110 if seen else 63, self._quarter(edge),
                    self.distribution.district[a], self.ways.lines[edge], not seen,
                )  # fmt: skip

    def _pipe(
        self, start: str, end: str, edge: int, size_mm: int, quarter: str, district: int | None, line: LineString,
        is_service: bool,
    ) -> Pipe:  # fmt: skip
        road = int(self.ways.road[edge])
        year = sizes.laid_year(self._rng, quarter)
        material = sizes.material_of(self._rng, year, size_mm)
        pipe = Pipe(
            id=f"C{len(self.pipes) + 1:05d}", start=start, end=end, line=line, road=road,
            street=street_of(self.territory.roads[road]),
            commune=int(self.ways.node_commune[self.ways.ends[edge][0]]),
            district=district,
            length_m=round(max(1.0, line.length), 1),
            diameter_mm=sizes.made_as(size_mm, material),
            material=material, laid_year=year, is_service=is_service,
        )  # fmt: skip
        self.pipes.append(pipe)
        return pipe

    def _quarter(self, edge: int) -> str:
        a = int(self.ways.ends[edge][0])
        town = self.territory.towns[int(self.ways.node_commune[a])]
        away = float(np.hypot(*(self.ways.xy[a] - (town.x, town.y))))
        if away < town.core_m:
            return "core"
        return "town" if self.ways.kind[edge] in TOWN_CLASSES else "country"

    # Valves and districts

    def _reduce(self, start: str, node: int, chamber: LineString, outlet_head_m: float) -> str:
        """A reducer at the beginning of a branch; returns the junction behind it."""
        number = len(self.reducers) + 1
        end = f"R{number:03d}"
        x, y = (float(each) for each in chamber.coords[-1])
        self._add(end, node, self.distribution.district[node], (x, y))
        setting_m = outlet_head_m - self.junctions[end].elevation_m
        self._add_reducer(start, end, node, (x, y), setting_m, self.distribution.size_mm[node] or 160)
        return end

    def _add_reducer(
        self, start: str, end: str, node: int, at: tuple[float, float], setting_m: float, size_mm: int
    ) -> None:
        district = self.distribution.district[node]
        address = self.gazetteer.near(*at)
        self.reducers.append(
            Reducer(
                id=f"RP{len(self.reducers) + 1:03d}", name=f"Réducteur de pression, {address}", start=start, end=end,
                x=at[0], y=at[1], address=address, commune=int(self.ways.node_commune[node]), district=district,
                diameter_mm=min(200, size_mm), setting_m=round(setting_m, 1),
            )
        )  # fmt: skip

    def _reduce_customers(self, node: int) -> None:
        """Where the pipe must hold more than customers bear, they have a reducer of their own."""
        x, y = self.ways.xy[node].tolist()
        self._add(f"B{node:04d}", node, self.distribution.district[node])
        setting_m = self.zones.branch_m[node] - self.junctions[f"B{node:04d}"].elevation_m
        self._add_reducer(f"N{node:04d}", f"B{node:04d}", node, (x, y), setting_m, 63)

    def _open_district(self, node: int) -> None:
        """From the transport main through reducer and meter to where the streets' pipes begin."""
        number = self.distribution.district[node]
        inlet = self.distribution.inlets[number]
        edge = self.ways.at_node[node][0][0]
        line = self.ways.line_of([edge], node)
        chamber = substring(line, 0, min(CHAMBER_M, 0.4 * line.length))
        through = float(self.distribution.through_m3_per_day[node])
        size = sizes.diameter_mm(sizes.peak_flow_l_per_s(through), 1.0, 125)
        behind = self._reduce(f"T{node:04d}", node, chamber, self.zones.outlet_m[node])
        pipe = self._pipe(behind, f"N{node:04d}", edge, size, "transport", number, chamber.reverse(), False)
        members = [each for each in self._members_of(number) if self.customers.count[each]]
        x, y = self.junctions[behind].x, self.junctions[behind].y
        self.districts[number] = District(
                id=f"{self.territory.communes[inlet.commune].short}-S{number + 1:02d}",
                name=inlet.name, commune=inlet.commune, meter_pipe=pipe.id, x=x, y=y,
                address=self.gazetteer.near(x, y),
                critical=self._customers_at(max(members, key=lambda each: float(self.ways.elevation_m[each]))),
                customers=int(self.customers.count[members].sum()),
                demand_m3_per_day=round(float(self.customers.m3_per_day[members].sum()), 1),
        )  # fmt: skip

    def _members_of(self, number: int) -> list[int]:
        return [node for node in self.distribution.members() if self.distribution.district[node] == number]

    # Works, towers, hydrants

    def _full_head_m(self) -> float:
        return ABOVE_INLETS_M + max(self.zones.outlet_m[inlet.node] for inlet in self.distribution.inlets)

    def _towers(self) -> list[Tower]:
        total = float(self.customers.m3_per_day.sum())
        capacity = total * TOWER_STAYS_DAYS / len(self.transport.towers)
        diameter_m = round(2 * float(np.sqrt(capacity / BOWL_M / np.pi)), 1)
        towers = []
        for number, node in enumerate(self.transport.towers):
            x, y = _aside(self.ways, node)
            place = self._place(x, y)
            towers.append(
                Tower(
                    id=f"CE{number + 1}", name=f"Château d’eau de {place}", x=x, y=y,
                    commune=int(self.ways.node_commune[node]), junction=f"T{node:04d}",
                    ground_m=float(self.ways.elevation_m[node]),
                    floor_m=round(self._full_head_m() - BOWL_M, 1), full_m=BOWL_M, diameter_m=diameter_m,
                )
            )  # fmt: skip
        return towers

    def _works(self) -> list[Works]:
        total = float(self.customers.m3_per_day.sum())
        works = []
        for number, node in enumerate(self.transport.works):
            x, y = self.ways.xy[node].tolist()
            works.append(
                Works(
                    id=f"UEP{number + 1}", name=f"Usine d’eau potable de {self._place(x, y)}", x=x, y=y,
                    commune=int(self.ways.node_commune[node]), head_m=round(float(self.ways.elevation_m[node]) + 2, 1),
                    capacity_m3_per_day=round(total * 1.8 / len(self.transport.works), -2),
                )
            )  # fmt: skip
        return works

    def _pumps(self, towers: list[Tower]) -> list[Pump]:
        pumps = []
        for number, (works, node) in enumerate(zip(self._works(), self.transport.works, strict=True)):
            tower = min(towers, key=lambda each: (each.x - works.x) ** 2 + (each.y - works.y) ** 2)
            pumps.append(
                Pump(
                    id=f"PO{number + 1}", name=f"Pompage vers {tower.name}", start=works.id, end=f"T{node:04d}",
                    flow_l_per_s=round(works.capacity_m3_per_day / 1.25 / 86.4, 1),
                    head_m=round(self._full_head_m() - works.head_m + 9.0, 1),
                    tower=tower.id, on_m=0.66 * BOWL_M, off_m=0.95 * BOWL_M,
                )
            )  # fmt: skip
        return pumps

    def _place(self, x: float, y: float) -> str:
        hamlet = min(self.territory.hamlets, key=lambda each: (each.x - x) ** 2 + (each.y - y) ** 2)
        return hamlet.name

    def _hydrants(self) -> list[Hydrant]:
        """Along wide pipes, about as far apart as a fire engine's hose allows; never two side by side."""
        numbers: dict[int, int] = {}
        hydrants: list[Hydrant] = []
        taken: set[tuple[int, int]] = set()
        for pipe in self.pipes:
            if pipe.district is None or pipe.diameter_mm < HYDRANT_LEAST_MM or pipe.length_m < 20:
                continue
            at = shapely.line_interpolate_point(pipe.line, 0.5, normalized=True)
            cell = (int(at.x // (0.6 * HYDRANT_EVERY_M)), int(at.y // (0.6 * HYDRANT_EVERY_M)))
            if cell in taken:
                continue
            taken.add(cell)
            numbers[pipe.commune] = numbers.get(pipe.commune, 0) + 1
            short = self.territory.communes[pipe.commune].short
            hydrants.append(
                Hydrant(
                    id=f"PI-{short}-{numbers[pipe.commune]:03d}", x=at.x, y=at.y,
                    address=self.gazetteer.near(at.x, at.y), commune=pipe.commune, pipe=pipe.id, junction=pipe.start,
                    diameter_mm=100,
                )
            )  # fmt: skip
        return hydrants


def _aside(ways: Ways, node: int) -> tuple[float, float]:
    """Beside the road, on the side where no other road leaves."""
    leaving = [np.array(ways.line_of([edge], node).interpolate(15).coords[0]) for edge, _ in ways.at_node[node]]
    out = ways.xy[node] - np.mean(leaving, axis=0)
    along = leaving[0] - ways.xy[node]
    out = np.array((-along[1], along[0])) if np.hypot(*out) < 1.0 else out
    x, y = ways.xy[node] + out / np.hypot(*out) * TOWER_ASIDE_M
    return float(x), float(y)
