"""Charging stations where people leave their cars, panels on the roofs of public buildings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import shapely

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.facilities import Facility, FacilityKind
from parvis.demo.land.geometry import beside
from parvis.demo.land.territory import Territory
from parvis.demo.networks.power import ChargingPoint, ChargingStation, Roof, Socket

PV_KINDS = (
    FacilityKind.SCHOOL, FacilityKind.COLLEGE, FacilityKind.SPORTS_HALL, FacilityKind.COMMUNITY_HALL,
    FacilityKind.MARKET, FacilityKind.OFFICES, FacilityKind.POOL, FacilityKind.HOSPITAL, FacilityKind.CARE_HOME,
    FacilityKind.LIBRARY, FacilityKind.TOWN_HALL, FacilityKind.FISH_AUCTION,
)  # fmt: skip
FLAT_KINDS = ("fish_auction", "sports_hall", "swimming_pool", "college", "hospital", "offices", "industrial")
KW_PER_M2, SMALLEST_ROOF_M2 = 0.2, 180.0
AC22 = (ChargingPoint(1, 22.0, Socket.TYPE2), ChargingPoint(2, 22.0, Socket.TYPE2))
AC7 = (ChargingPoint(1, 7.4, Socket.TYPE2), ChargingPoint(2, 7.4, Socket.TYPE2))
DC50 = (ChargingPoint(1, 50.0, Socket.COMBO), ChargingPoint(2, 50.0, Socket.CHADEMO), AC22[1])
DC150 = (ChargingPoint(1, 150.0, Socket.COMBO), ChargingPoint(2, 150.0, Socket.COMBO))
CHARGED_AT = {
    FacilityKind.TOWN_HALL: (1, AC22), FacilityKind.HOSPITAL: (3, AC22), FacilityKind.MARKET: (1, DC50),
    FacilityKind.POOL: (2, AC22), FacilityKind.COLLEGE: (1, AC7), FacilityKind.SPORTS_HALL: (1, AC7),
    FacilityKind.TOURIST_OFFICE: (2, AC22), FacilityKind.HARBOUR_OFFICE: (2, AC22), FacilityKind.OFFICES: (1, AC22),
}  # fmt: skip
STREET_STATIONS = {"trevalan": 6, "port-trevalan": 4, "kervoalan": 3}


@dataclass(frozen=True)
class _Place:
    x: float
    y: float
    name: str
    commune: int
    points: tuple[ChargingPoint, ...]
    kind: str


@dataclass(frozen=True)
class Connections:
    """What feeds from the grid and into it; `tree` is of the substations, by number."""

    territory: Territory
    gazetteer: Gazetteer
    tree: shapely.STRtree

    def nearest(self, x: float, y: float) -> int:
        return int(self.tree.nearest(shapely.Point(x, y)))

    def charging(self, rng: Random) -> Iterator[ChargingStation]:
        number: Counter[int] = Counter()
        for place in (*self._at_facilities(), *self._at_parks(), *self._in_streets(rng)):
            number[place.commune] += 1
            short = self.territory.communes[place.commune].short
            yield ChargingStation(
                id=f"IRVE-{short}-{number[place.commune]:02d}", name=f"Borne {place.name}", x=place.x, y=place.y,
                address=self.gazetteer.near(place.x, place.y), commune=place.commune,
                substation=self.nearest(place.x, place.y), points=place.points, place=place.kind,
            )  # fmt: skip

    def _at_facilities(self) -> Iterator[_Place]:
        for facility in self.territory.facilities:
            count, points = CHARGED_AT.get(facility.kind, (0, AC22))
            for number, (x, y) in enumerate(_kerb(self.territory, facility, count)):
                name = f"{facility.name} {number + 1}" if count > 1 else facility.name
                yield _Place(x, y, name, facility.commune, points, facility.kind.value)

    def _at_parks(self) -> Iterator[_Place]:
        for park in self.territory.parks:
            for number, points in enumerate((DC150, AC22)):
                at = park.roads[number].line.interpolate(0.5, normalized=True)
                yield _Place(at.x + 4, at.y, f"{park.name} {number + 1}", park.commune, points, "business park")

    def _in_streets(self, rng: Random) -> Iterator[_Place]:
        for slug, count in STREET_STATIONS.items():
            commune = self.territory.commune_index(slug)
            streets = [street for street in self.territory.towns[commune].streets if street.line.length > 90]
            for street in rng.sample(streets, count):
                x, y = beside(street.line, 0.5 * street.line.length, 3.6)
                yield _Place(x, y, street.name, commune, AC22, "street")

    def roofs(self, rng: Random, substation_of: Sequence[int]) -> Iterator[Roof]:
        kinds = {kind.value for kind in PV_KINDS}
        number: Counter[int] = Counter()
        for index, building in enumerate(self.territory.buildings):
            public = building.kind in kinds and rng.random() < 0.62
            hall = building.kind == "industrial" and rng.random() < 0.25
            if not (public or hall) or building.footprint.area < SMALLEST_ROOF_M2:
                continue
            number[building.commune] += 1
            short = self.territory.communes[building.commune].short
            at = building.footprint.representative_point()
            flat = building.kind in FLAT_KINDS
            yield Roof(
                id=f"PV-{short}-{number[building.commune]:02d}",
                name=f"Photovoltaïque {building.name or f'{building.number} {building.street}'}",
                x=at.x, y=at.y, address=f"{building.number} {building.street}", commune=building.commune,
                building=index, substation=substation_of[index],
                peak_kw=round(min(250.0, building.footprint.area * KW_PER_M2 * (0.6 if flat else 0.45)), 1),
                tilt_deg=10.0 if flat else float(rng.choice((25, 30, 35))),
                azimuth_deg=180.0 if flat else _most_southern(building.footprint),
            )  # fmt: skip


def _kerb(territory: Territory, facility: Facility, count: int) -> Iterable[tuple[float, float]]:
    """Beside the nearest street, some metres apart."""
    streets = territory.towns[facility.commune].streets
    street = min(streets, key=lambda each: float(each.line.distance(facility.footprint)))
    at = street.line.project(facility.footprint.centroid)
    for number in range(count):
        yield beside(street.line, min(street.line.length - 2, at + 6 * number), 3.6)


def _most_southern(footprint: shapely.Polygon) -> float:
    """Where the roof's slope that sees most sun looks: square to the longer side of the building."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(footprint))
    sides = np.diff(corners, axis=0)
    longer = sides[int(np.argmax(np.hypot(sides[:, 0], sides[:, 1])))]
    along_deg = float(np.degrees(np.arctan2(longer[0], longer[1])))
    facing = ((along_deg + 90) % 360, (along_deg + 270) % 360)
    best = min(facing, key=lambda each: abs(each - 180))
    return round(float(best), 0)
