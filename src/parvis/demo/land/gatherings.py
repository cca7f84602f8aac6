"""Finds where people gather, from what the land has: squares, quays, the beaches and meadows near the bourgs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.communes import Character
from parvis.demo.land.facilities import FacilityKind, Ground
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.venues import Venue, VenueKind

if TYPE_CHECKING:
    from parvis.demo.land.territory import Territory

MARKET_DAYS = {
    "trevalan": 5, "port-trevalan": 1, "kervoalan": 4, "plouvarec": 3, "penhervan": 2, "trezavel": 6, "locvelan": 4,
    "lanzuhel": 0, "saint-gwenvred": 3, "guervalon": 1, "bodvelan": 2, "quelvennec": 0,
}  # fmt: skip
"""Monday is 0; every bourg has its own day, so that stall keepers can go from one to the next."""
BEACH_NAMES = ("Grande Plage", "Plage du Stivel", "Plage des Sternes", "Plage de Porz Gwenn", "Plage des Avocettes")
MEADOW_M2, MEADOW_REACH_M = (26_000, 90_000), 1500.0
SEASIDE = (Character.PORT, Character.RESORT)


def list_venues(territory: "Territory", gazetteer: Gazetteer) -> tuple[Venue, ...]:
    """In the order of their kinds, the same for the same territory."""
    return tuple(_Search(territory, gazetteer).found())


def meadow_near(territory: "Territory", x: float, y: float) -> BaseGeometry | None:
    """A field without houses or roads, wide enough for a festival or a campsite."""
    near = Point(x, y).buffer(MEADOW_REACH_M)
    fields = [each.area for each in territory.fields if MEADOW_M2[0] < each.area.area < MEADOW_M2[1]]
    close = [each for each in fields if near.contains(each)]
    taken = shapely.STRtree([each.footprint for each in territory.buildings] + [each.line for each in territory.roads])
    free = [each for each in close if not len(taken.query(each, predicate="intersects"))]
    forest, land = territory.terrain.forest, territory.terrain.land
    free = [each for each in free if land.contains(each) and not forest.intersects(each)]
    return min(free, key=lambda each: float(each.distance(Point(x, y))), default=None)


@dataclass
class _Search:
    territory: "Territory"
    gazetteer: Gazetteer
    _numbers: Counter[str] = field(default_factory=Counter)

    def found(self) -> Iterator[Venue]:
        yield from self._markets()
        yield from self._old_town()
        yield from self._waterfront()
        yield from self._beaches()
        yield from self._meadows()
        yield from self._elsewhere()

    def _venue(
        self, kind: VenueKind, name: str, at: Point, commune: int, capacity: int, weekday: int | None = None
    ) -> Venue:
        short = self.territory.communes[commune].short
        self._numbers[short] += 1
        return Venue(
            id=f"LIEU-{short}-{self._numbers[short]:02d}", kind=kind, name=name, x=at.x, y=at.y,
            address=self.gazetteer.near(at.x, at.y), commune=commune, capacity=capacity, weekday=weekday,
        )  # fmt: skip

    def _markets(self) -> Iterator[Venue]:
        """Before the market hall where there is one, else before the town hall."""
        for index, commune in enumerate(self.territory.communes):
            own = [each for each in self.territory.facilities if each.commune == index]
            hall = next((each for each in own if each.kind is FacilityKind.MARKET), None)
            square = hall or next(each for each in own if each.kind is FacilityKind.TOWN_HALL)
            name = f"Marché de {commune.name}" if hall else f"Place de la mairie, {commune.name}"
            capacity = 250 + commune.population // 8
            weekday = MARKET_DAYS[commune.slug]
            yield self._venue(
                VenueKind.MARKET, name, _before(square.grounds, square.footprint), index, capacity, weekday
            )

    def _old_town(self) -> Iterator[Venue]:
        """The pedestrian streets nearest to the centre of the old town, and of the port."""
        for index, commune in enumerate(self.territory.communes):
            wanted = {Character.OLD_TOWN: 4, Character.PORT: 2}.get(commune.character, 0)
            streets = [each for each in self.territory.towns[index].streets if each.kind is RoadClass.PEDESTRIAN]
            streets.sort(key=lambda each: float(each.line.distance(Point(commune.x, commune.y))))
            for street in streets[:wanted]:
                at = street.line.interpolate(0.5, normalized=True)
                yield self._venue(VenueKind.OLD_TOWN, street.name, at, index, 140)

    def _waterfront(self) -> Iterator[Venue]:
        for index, commune in enumerate(self.territory.communes):
            if commune.character not in SEASIDE:
                continue
            piers = [
                each.line for each in self.territory.roads if each.kind is RoadClass.PIER and each.commune == index
            ]
            moles, pontoons = piers[:2], piers[2:]
            quay = shapely.shortest_line(moles[0], self._ways_of(index)).coords[1]
            yield self._venue(VenueKind.QUAY, f"Quai de {commune.name}", Point(quay), index, 320)
            root = Point(pontoons[len(pontoons) // 2].coords[0])
            yield self._venue(VenueKind.MARINA, f"Port de plaisance de {commune.name}", root, index, 180)

    def _ways_of(self, commune: int) -> BaseGeometry:
        return shapely.union_all([street.line for street in self.territory.towns[commune].streets])

    def _beaches(self) -> Iterator[Venue]:
        """Where the roads of a coastal commune come nearest to broad sand."""
        sand = next(ground.area for ground in self.territory.grounds if ground.kind == "sand")
        parts = [part for part in shapely.get_parts(sand) if part.area > 15_000]
        names = iter(BEACH_NAMES)
        for slug, wanted in (("penhervan", 2), ("trezavel", 2), ("saint-gwenvred", 1)):
            index = self.territory.commune_index(slug)
            commune = self.territory.communes[index]
            parts.sort(key=lambda part: float(part.distance(Point(commune.x, commune.y))))
            for part in parts[:wanted]:
                at = shapely.shortest_line(part, commune.area).coords[1]
                yield self._venue(VenueKind.BEACH, next(names), Point(at), index, 900)

    def _meadows(self) -> Iterator[Venue]:
        for ground, kind, slug, capacity in meadow_grounds(self.territory):
            at = ground.area.representative_point()
            yield self._venue(kind, ground.name, at, self.territory.commune_index(slug), capacity)

    def _elsewhere(self) -> Iterator[Venue]:
        territory = self.territory
        rail = next(road.line for road in territory.roads if road.kind is RoadClass.RAIL)
        stop = rail.interpolate(rail.project(Point(territory.communes[0].x, territory.communes[0].y)))
        street = shapely.shortest_line(stop, self._ways_of(0)).coords[1]
        yield self._venue(VenueKind.STATION, "Gare de Trevalan", Point(street), 0, 260)
        for park in territory.parks[:2]:
            at = park.roads[0].line.interpolate(0.5, normalized=True)
            yield self._venue(VenueKind.SHOPPING, park.name, at, park.commune, 420)
        for facility in territory.facilities:
            if facility.kind is FacilityKind.POOL:
                yield self._venue(VenueKind.SPORTS, facility.name, facility.footprint.centroid, facility.commune, 220)
        for name, at, commune in list(self._capes())[:2]:
            yield self._venue(VenueKind.VIEWPOINT, name, at, commune, 120)

    def _capes(self) -> Iterator[tuple[str, Point, int]]:
        """Headlands of the agglomeration's own coast."""
        for place in self.territory.places:
            at = Point(place.x, place.y)
            near = [float(commune.area.distance(at)) for commune in self.territory.communes]
            if place.kind == "cape" and min(near) < 250:
                yield place.name, at, int(np.argmin(near))


def _before(grounds: BaseGeometry, footprint: BaseGeometry) -> Point:
    """The open part of the grounds."""
    free = grounds.difference(footprint.buffer(3))
    largest = max(shapely.get_parts(free), key=lambda part: part.area, default=grounds)
    return largest.representative_point()


def meadow_grounds(territory: "Territory") -> Iterator[tuple[Ground, VenueKind, str, int]]:
    """The festival's ground by the suburb, and a campsite at each resort."""
    wanted = (
        ("kervoalan", VenueKind.FESTIVAL, "Prairie du Festival des Rias", 9000),
        ("penhervan", VenueKind.CAMPSITE, "Camping des Embruns", 600),
        ("trezavel", VenueKind.CAMPSITE, "Camping de la Grève", 450),
    )
    for slug, kind, name, capacity in wanted:
        town = territory.towns[territory.commune_index(slug)]
        area = meadow_near(territory, town.x, town.y)
        if area is not None:
            yield Ground("park", area.buffer(-6), name), kind, slug, capacity
