"""What the installers of all kinds share: the ground they stand on, and a device before it has a number."""

from dataclasses import dataclass, field
from functools import cached_property
from random import Random

import shapely

from parvis.demo.devices.device import Link
from parvis.demo.devices.kinds import Kind
from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.roads import Road
from parvis.demo.land.territory import Territory
from parvis.demo.land.venues import Venue
from parvis.demo.land.ways import DRIVEN
from parvis.demo.networks.networks import Networks


@dataclass(frozen=True, slots=True)
class Draft:
    """`identity` ends the entity's id where its asset has a number of its own; others are numbered by commune."""

    kind: Kind
    name: str
    x: float
    y: float
    address: str
    commune: int
    link: Link
    place: str = ""
    weight: float = 1.0
    attributes: dict[str, object] = field(default_factory=dict)
    identity: str = ""
    relations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    territory: Territory
    networks: Networks
    gazetteer: Gazetteer
    rng: Random

    @property
    def venues(self) -> tuple[Venue, ...]:
        return self.territory.venues

    def by_population(self, count: int, each: int = 1) -> list[int]:
        """Every commune `each` times, the rest of `count` drawn by inhabitants."""
        communes = [*range(len(self.territory.communes))] * each
        weights = [commune.population for commune in self.territory.communes]
        return [*communes, *self.rng.choices(range(len(weights)), weights, k=max(0, count - len(communes)))]

    def streets(self, commune: int, shortest_m: float = 60.0) -> list[tuple[int, Road]]:
        """Of its bourg, each with its index of `Territory.roads`."""
        return [(index, road) for index, road in self._streets.get(commune, []) if road.line.length > shortest_m]

    @cached_property
    def _streets(self) -> dict[int, list[tuple[int, Road]]]:
        town = {id(road) for each in self.territory.towns for road in each.streets}
        found: dict[int, list[tuple[int, Road]]] = {}
        for index, road in enumerate(self.territory.roads):
            if id(road) in town and road.commune is not None:
                found.setdefault(road.commune, []).append((index, road))
        return found

    @cached_property
    def public_buildings(self) -> list[int]:
        """Indices of the buildings of the communes and the agglomeration, in the order of the facilities."""
        first = len(self.territory.buildings) - len(self.territory.facilities) - self._halls
        return [*range(first, first + len(self.territory.facilities))]

    @property
    def _halls(self) -> int:
        return sum(len(park.halls) for park in self.territory.parks)

    def inside(self, building: int) -> tuple[float, float]:
        at = self.territory.buildings[building].footprint.representative_point()
        return at.x, at.y

    def address_of(self, building: int) -> str:
        return f"{self.territory.buildings[building].number} {self.territory.buildings[building].street}"

    def nearest_road(self, x: float, y: float) -> int:
        return self._driven[int(self._road_tree.nearest(shapely.Point(x, y)))]

    @cached_property
    def _driven(self) -> list[int]:
        return [index for index, road in enumerate(self.territory.roads) if road.kind in DRIVEN]

    @cached_property
    def _road_tree(self) -> shapely.STRtree:
        return shapely.STRtree([self.territory.roads[index].line for index in self._driven])
