"""Draws the bus lines over the roads, and the stops along them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString, Point

from parvis.demo.land.facilities import FacilityKind
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, weighted
from parvis.demo.networks.buses import BusNetwork, Direction, Line, Stop
from parvis.demo.networks.timetable import PLANS, Plan, schedule

BUS_COST = {
    RoadClass.PRIMARY: 0.8, RoadClass.SECONDARY: 0.85, RoadClass.TERTIARY: 1.1, RoadClass.RESIDENTIAL: 1.5,
    RoadClass.PEDESTRIAN: 30.0,
}  # fmt: skip
TOWN_STOPS_M, COUNTRY_STOPS_M, HAMLET_REACH_M, SAME_STOP_M = 380.0, 1700.0, 260.0, 90.0
TOWN_M_PER_S, COUNTRY_M_PER_S, DWELL_S = 6.4, 13.0, 18
BACK_AND_FORTH_M = 350.0
WALKED_TO = (
    FacilityKind.HOSPITAL, FacilityKind.COLLEGE, FacilityKind.TOWN_HALL, FacilityKind.MARKET, FacilityKind.POOL,
    FacilityKind.HARBOUR_OFFICE, FacilityKind.TOURIST_OFFICE, FacilityKind.LIBRARY, FacilityKind.SCHOOL,
)  # fmt: skip
STREET_WORDS = re.compile(
    r"^(Rue|Venelle|Ruelle|Passage|Allée|Impasse|Chemin|Clos|Avenue)\s+(de la |de l’|des |du |de )?"
)


def run_buses(territory: Territory, ways: Ways) -> BusNetwork:
    drawing = _Drawing(territory, ways)
    lines = tuple(drawing.line(number, plan) for number, plan in enumerate(PLANS))
    vehicles, trips = schedule(lines, PLANS)
    depot = territory.parks[0].roads[1].line.interpolate(0.8, normalized=True)
    return BusNetwork(tuple(drawing.stops), lines, vehicles, trips, (depot.x, depot.y))


@dataclass
class _Drawing:
    territory: Territory
    ways: Ways
    stops: list[Stop] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cost = weighted(self.ways, BUS_COST)
        self._urban = shapely.union_all([town.urban for town in self.territory.towns])
        shapely.prepare(self._urban)
        self._hamlets = shapely.STRtree([Point(each.x, each.y) for each in self.territory.hamlets])
        self._names: Counter[tuple[int, str]] = Counter()
        places = [each for each in self.territory.facilities if each.kind in WALKED_TO]
        self._places = sorted(places, key=lambda each: WALKED_TO.index(each.kind))

    def line(self, number: int, plan: Plan) -> Line:
        shape = self._shape([self._anchor(name) for name in plan.anchors])
        at_m = self._stopping_places(shape)
        stops = [self._stop(shape, at) for at in at_m]
        keep = [position for position, stop in enumerate(stops) if position == 0 or stops[position - 1] != stop]
        out = self._direction(shape, [stops[each] for each in keep], [at_m[each] for each in keep])
        back = self._direction(
            shape.reverse(), [stops[each] for each in reversed(keep)],
            [shape.length - at_m[each] for each in reversed(keep)],
        )  # fmt: skip
        text = "FFFFFF"
        return Line(f"L{number + 1}", plan.short_name, plan.name, plan.colour, text, (out, back))

    def _anchor(self, name: str) -> int:
        if name == "park":
            return self.ways.nearest_node(*self.territory.parks[0].area.centroid.coords[0])
        slug, _, kind = name.partition(":")
        index = self.territory.commune_index(slug)
        commune = self.territory.communes[index]
        for facility in self.territory.facilities:
            if facility.commune == index and facility.kind.value == kind:
                return self.ways.nearest_node(*facility.footprint.centroid.coords[0])
        return self.ways.nearest_node(commune.x, commune.y)

    def _shape(self, anchors: Sequence[int]) -> LineString:
        edges: list[int] = []
        for before, goal in pairwise(anchors):
            edges = self._joined(edges, self.ways.reach([before], self._cost).path(goal))
        return self.ways.line_of(edges, anchors[0])

    def _joined(self, there: list[int], onward: list[int]) -> list[int]:
        """A short way into a place and back is left out: the bus stops where it passes."""
        common = 0
        while common < min(len(there), len(onward)) and there[-1 - common] == onward[common]:
            common += 1
        if sum(self.ways.length(edge) for edge in onward[:common]) > BACK_AND_FORTH_M:
            return there + onward
        return there[: len(there) - common] + onward[common:]

    def _stopping_places(self, shape: LineString) -> list[float]:
        """Every few hundred metres in town; outside of it at hamlets, else seldom."""
        steps = np.arange(0.0, shape.length, 20.0)
        points = shapely.line_interpolate_point(shape, steps)
        in_town = shapely.contains(self._urban, points)
        hamlet = self._near_hamlet(shape, len(steps))
        places = [0.0]
        for at, town, by_hamlet in zip(steps.tolist(), in_town.tolist(), hamlet, strict=True):
            since = at - places[-1]
            if (town and since > TOWN_STOPS_M) or (by_hamlet and since > TOWN_STOPS_M) or since > COUNTRY_STOPS_M:
                places.append(at)
        if shape.length - places[-1] < 0.6 * TOWN_STOPS_M and len(places) > 1:
            places.pop()
        return [*places, shape.length]

    def _near_hamlet(self, shape: LineString, steps: int) -> list[bool]:
        """Where the road passes a hamlet closest."""
        passed = [False] * steps
        for number in self._hamlets.query(shape, predicate="dwithin", distance=HAMLET_REACH_M).tolist():
            passed[int(shape.project(self._hamlets.geometries[number]) // 20.0)] = True
        return passed

    def _stop(self, shape: LineString, at_m: float) -> int:
        at = shape.interpolate(at_m)
        for index, stop in enumerate(self.stops):
            if (stop.x - at.x) ** 2 + (stop.y - at.y) ** 2 < SAME_STOP_M**2:
                return index
        edge = int(self.ways.tree.nearest(at))
        commune = int(self.ways.node_commune[self.ways.ends[edge][0]])
        name = self._stop_name(at, edge, commune)
        number = len(self.stops) + 1
        self.stops.append(
            Stop(f"ARR{number:03d}", name, at.x, at.y, commune, int(self.ways.road[edge]), number % 3 != 0)
        )
        return number - 1

    def _stop_name(self, at: Point, edge: int, commune: int) -> str:
        """As operators name stops: the place one goes to, the hamlet, or the side street without its "Rue de"."""
        for candidate in self._candidates(at, edge):
            name = candidate[:1].upper() + candidate[1:]
            if not self._names[commune, name]:
                self._names[commune, name] += 1
                return name
        return f"{self.territory.communes[commune].name} {len(self.stops) + 1}"

    def _candidates(self, at: Point, edge: int) -> Iterator[str]:
        yield from (each.name for each in self._places if each.footprint.distance(at) < 130)
        hamlet = self.territory.hamlets[int(self._hamlets.nearest(at))]
        if at.distance(Point(hamlet.x, hamlet.y)) < HAMLET_REACH_M + 40:
            yield hamlet.name
        near = self.ways.tree.query(at, predicate="dwithin", distance=220.0).tolist()
        own = self.territory.roads[int(self.ways.road[edge])].name
        for each in sorted(near, key=lambda other: float(shapely.distance(self.ways.lines[other], at))):
            road = self.territory.roads[int(self.ways.road[each])]
            if road.name != own:
                yield STREET_WORDS.sub("", road.name)
        yield STREET_WORDS.sub("", own)

    def _direction(self, shape: LineString, stops: Sequence[int], at_m: Sequence[float]) -> Direction:
        offsets = [0]
        for before, after in pairwise(at_m):
            town = self._urban.contains(shape.interpolate((before + after) / 2))
            pace = TOWN_M_PER_S if town else COUNTRY_M_PER_S
            offsets.append(offsets[-1] + round((after - before) / pace) + DWELL_S)
        last = self.stops[stops[-1]]
        commune = self.territory.communes[last.commune].name
        headsign = last.name if commune in last.name else f"{commune} {last.name}"
        return Direction(headsign, shape, tuple(stops), tuple(at_m), tuple(offsets))
