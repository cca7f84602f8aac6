"""Sets lamps along the streets and gathers them in circuits and cabinets, each fed by the nearest substation."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import shapely

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.communes import Character
from parvis.demo.land.geometry import Coords, beside
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.networks.lighting import Cabinet, Circuit, Lamp, Lantern, Lighting
from parvis.demo.networks.power import PowerGrid
from parvis.demo.networks.supply import patches

TOWN_EVERY_M, HAMLET_EVERY_M = (25.0, 35.0), (34.0, 35.0)
HAMLET_REACH_M = 110.0
LAMPS_A_CABINET, LAMPS_A_CIRCUIT = 120, 38
ASIDE_M = {RoadClass.PEDESTRIAN: 2.4, RoadClass.PRIMARY: 5.0, RoadClass.SECONDARY: 5.0}
POWER_W = {
    Lantern.LED: {RoadClass.PRIMARY: 62, RoadClass.SECONDARY: 54, RoadClass.TERTIARY: 30, RoadClass.PEDESTRIAN: 26},
    Lantern.SODIUM: {RoadClass.PRIMARY: 150, RoadClass.TERTIARY: 70, RoadClass.PEDESTRIAN: 70},
}
USUAL_W = {Lantern.LED: 36, Lantern.SODIUM: 100}
DARK_AT_NIGHT = (Character.VILLAGE, Character.BOURG, Character.SUBURB)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A lit piece of one road."""

    road: int
    line: shapely.LineString
    commune: int
    is_hamlet: bool


def set_lamps(territory: Territory, power: PowerGrid, gazetteer: Gazetteer) -> Lighting:
    setting = _Setting(territory, power, gazetteer, Random(territory.seed * 5003 + 11))
    stretches = list(_lit(territory))
    for hamlet in (False, True):
        setting.gather([stretch for stretch in stretches if stretch.is_hamlet == hamlet])
    return Lighting(tuple(setting.cabinets), tuple(setting.circuits), tuple(setting.lamps))


def _lit(territory: Territory) -> Iterator[_Stretch]:
    """The streets of towns, the main roads where they pass through them, and the hearts of hamlets."""
    urban = [town.urban for town in territory.towns]
    hamlets = shapely.STRtree([shapely.Point(each.x, each.y).buffer(HAMLET_REACH_M) for each in territory.hamlets])
    for index, road in enumerate(territory.roads):
        if road.kind in (RoadClass.RESIDENTIAL, RoadClass.PEDESTRIAN) and road.commune is not None:
            yield _Stretch(index, road.line, road.commune, False)
        elif road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY):
            for commune, area in enumerate(urban):
                yield from (_Stretch(index, part, commune, False) for part in _parts(road.line, area))
        elif road.kind is RoadClass.TERTIARY:
            for number in hamlets.query(road.line, predicate="intersects").tolist():
                parts = _parts(road.line, hamlets.geometries[number])
                yield from (_Stretch(index, part, territory.hamlets[number].commune, True) for part in parts)


def _parts(line: shapely.LineString, area: shapely.Polygon) -> list[shapely.LineString]:
    if not area.intersects(line):
        return []
    parts = shapely.get_parts(line.intersection(area))
    return [part for part in parts if part.geom_type == "LineString" and part.length > 20]


@dataclass
class _Setting:
    territory: Territory
    power: PowerGrid
    gazetteer: Gazetteer
    rng: Random
    cabinets: list[Cabinet] = field(default_factory=list)
    circuits: list[Circuit] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._substations = shapely.STRtree([shapely.Point(each.x, each.y) for each in self.power.substations])
        self._numbers: Counter[tuple[str, int]] = Counter()

    def gather(self, stretches: Sequence[_Stretch]) -> None:
        """Whole streets go to one cabinet of their commune, as many as it carries."""
        by_commune: dict[int, list[_Stretch]] = defaultdict(list)
        for stretch in stretches:
            by_commune[stretch.commune].append(stretch)
        for commune, own in sorted(by_commune.items()):
            middles = shapely.get_coordinates(
                shapely.line_interpolate_point([stretch.line for stretch in own], 0.5, normalized=True)
            )
            about_m = float(np.mean([stretch.line.length for stretch in own]))
            streets = max(1, int(LAMPS_A_CABINET * np.mean(TOWN_EVERY_M) / about_m))
            for patch in patches(middles, streets, 60.0):
                self._cabinet(commune, [own[member] for member in patch.tolist()], middles[patch])

    def _cabinet(self, commune: int, stretches: Sequence[_Stretch], middles: Coords) -> None:
        centre = middles.mean(axis=0)
        nearest = stretches[int(np.argmin(np.hypot(*(middles - centre).T)))]
        x, y = beside(nearest.line, 0.5 * nearest.line.length, 5.5)
        number, substation = len(self.cabinets), int(self._substations.nearest(shapely.Point(x, y)))
        identity = self._named("AR", commune)
        first = len(self.circuits)
        angle = np.arctan2(middles[:, 1] - centre[1], middles[:, 0] - centre[0])
        ordered = [stretches[each] for each in np.argsort(angle, kind="stable").tolist()]
        for letter, group in zip("ABCDEFGHIJKL", self._circuits_of(ordered), strict=False):
            self._circuit(f"{identity}-{letter}", commune, number, group)
        own = tuple(range(first, len(self.circuits)))
        address = self.gazetteer.near(x, y)
        self.cabinets.append(
            Cabinet(
                id=identity, name=f"Armoire {identity}, {address}", x=x, y=y, address=address, commune=commune,
                substation=substation, circuits=own,
                power_w=sum(self.circuits[each].power_w for each in own),
            )
        )  # fmt: skip

    def _circuits_of(self, stretches: Sequence[_Stretch]) -> Iterator[list[_Stretch]]:
        metres = sum(stretch.line.length for stretch in stretches)
        count = min(6, max(1, round(metres / np.mean(TOWN_EVERY_M) / LAMPS_A_CIRCUIT)), len(stretches))
        group: list[_Stretch] = []
        so_far, made = 0.0, 0
        for stretch in stretches:
            group.append(stretch)
            so_far += stretch.line.length
            if so_far >= (made + 1) * metres / count - 1e-6:
                yield group
                group, made = [], made + 1
        if group:
            yield group

    def _circuit(self, identity: str, commune: int, cabinet: int, stretches: Sequence[_Stretch]) -> None:
        character = self.territory.communes[commune].character
        renewed = self.rng.random() < 0.62
        lantern = Lantern.LED if renewed else Lantern.SODIUM
        year = self.rng.randint(2014, 2024) if renewed else self.rng.randint(1988, 2011)
        first = len(self.lamps)
        for stretch in stretches:
            self._line_of_lamps(stretch, len(self.circuits), lantern, year)
        own = tuple(range(first, len(self.lamps)))
        dark = character in DARK_AT_NIGHT and not any(self._is_main(stretch) for stretch in stretches)
        self.circuits.append(
            Circuit(
                id=identity, name=f"Circuit {identity}", cabinet=cabinet, commune=commune, lamps=own,
                power_w=float(sum(self.lamps[each].power_w for each in own)),
                dims_at_night=renewed and not dark, off_at_night=dark,
            )
        )  # fmt: skip

    def _is_main(self, stretch: _Stretch) -> bool:
        return self.territory.roads[stretch.road].kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)

    def _line_of_lamps(self, stretch: _Stretch, circuit: int, lantern: Lantern, year: int) -> None:
        road = self.territory.roads[stretch.road]
        every = self.rng.uniform(*(HAMLET_EVERY_M if stretch.is_hamlet else TOWN_EVERY_M))
        count = max(1, int(stretch.line.length / every))
        every = min(max(every, TOWN_EVERY_M[0]), TOWN_EVERY_M[1])
        begin = (stretch.line.length - every * (count - 1)) / 2
        aside = ASIDE_M.get(road.kind, 3.7)
        power = POWER_W[lantern].get(road.kind, USUAL_W[lantern])
        height = 4.5 if road.kind is RoadClass.PEDESTRIAN else 8.0 if self._is_main(stretch) else 6.0
        for number in range(count):
            x, y = beside(stretch.line, begin + number * every, aside)
            self.lamps.append(
                Lamp(
                    id=self._named("PL", stretch.commune, 4), x=x, y=y, street=road.name, road=stretch.road,
                    commune=stretch.commune, circuit=circuit, lantern=lantern, power_w=power, height_m=height,
                    installed_year=year,
                )
            )  # fmt: skip

    def _named(self, prefix: str, commune: int, digits: int = 2) -> str:
        self._numbers[prefix, commune] += 1
        return f"{prefix}-{self.territory.communes[commune].short}-{self._numbers[prefix, commune]:0{digits}d}"
