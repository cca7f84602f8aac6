"""The agglomeration's sensors: what each measures, where it stands and which entity it feeds."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from parvis.demo.devices.sites import (
    Spot,
    commune_at,
    kerbside,
    nearest_commune,
    parking_bays,
    roadside,
    rooms,
    town_streets,
)
from parvis.demo.land.facilities import Facility, FacilityKind
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory


class Kind(StrEnum):
    """Device kinds by profile id."""

    FILL = "trevalan-fill-level"
    METER = "trevalan-water-pulse"
    ROOM = "trevalan-room-climate"
    PARKING = "trevalan-parking-bay"
    AIR = "trevalan-air-station"
    TRAFFIC = "trevalan-traffic-count"
    LEVEL = "trevalan-water-level"


ENTITY_TYPE = {
    Kind.FILL: "WasteContainer",
    Kind.METER: "WaterConsumptionObserved",
    Kind.ROOM: "IndoorEnvironmentObserved",
    Kind.PARKING: "ParkingSpot",
    Kind.AIR: "AirQualityObserved",
    Kind.TRAFFIC: "TrafficFlowObserved",
    Kind.LEVEL: "WaterObserved",
}
PERIOD_S = {
    Kind.FILL: 240,
    Kind.METER: 150,
    Kind.ROOM: 180,
    Kind.PARKING: 120,
    Kind.AIR: 300,
    Kind.TRAFFIC: 120,
    Kind.LEVEL: 180,
}
SORTING_POINTS, LITTER_BINS, METERS, ROOMS, BAYS_PER_LOT, COUNTERS = 28, 16, 100, 90, 20, 30
CAR_PARKS = (
    ("trevalan", FacilityKind.MARKET), ("trevalan", FacilityKind.TOWN_HALL), ("trevalan", FacilityKind.HOSPITAL),
    ("port-trevalan", FacilityKind.MARKET), ("port-trevalan", FacilityKind.HARBOUR_OFFICE),
    ("kervoalan", FacilityKind.POOL), ("penhervan", FacilityKind.TOURIST_OFFICE),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Device:
    """`place` says what the simulation must know of the site (waste kind, room, district, tide ...)."""

    dev_eui: str
    name: str
    kind: Kind
    entity_id: str
    x: float
    y: float
    lon: float
    lat: float
    address: str
    commune: str
    place: str
    weight: float = 1.0
    attributes: dict[str, object] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        return self.kind.value

    @property
    def entity_type(self) -> str:
        return ENTITY_TYPE[self.kind]

    @property
    def period_s(self) -> int:
        return PERIOD_S[self.kind]


@dataclass(frozen=True, slots=True)
class _Draft:
    kind: Kind
    name: str
    spot: Spot
    place: str
    weight: float = 1.0
    attributes: dict[str, object] = field(default_factory=dict)


def generate_devices(territory: Territory, seed: int) -> list[Device]:
    rng = Random(seed * 7919 + 17)
    drafts = [
        *_containers(territory, rng),
        *_meters(territory, rng),
        *_rooms(territory),
        *_bays(territory),
        *_stations(territory),
        *_counters(territory),
        *_gauges(territory),
    ]
    numbers: Counter[tuple[Kind, int]] = Counter()
    return [_installed(territory, draft, numbers, rng) for draft in drafts]


def _installed(territory: Territory, draft: _Draft, numbers: Counter[tuple[Kind, int]], rng: Random) -> Device:
    spot, commune = draft.spot, territory.communes[draft.spot.commune]
    numbers[draft.kind, spot.commune] += 1
    lon, lat = lon_lat(spot.x, spot.y)
    identity = f"{commune.slug}-{numbers[draft.kind, spot.commune]:02d}"
    return Device(
        dev_eui=f"025452{list(Kind).index(draft.kind) + 1:02x}{rng.getrandbits(32):08x}",
        name=draft.name,
        kind=draft.kind,
        entity_id=f"urn:ngsi-ld:{ENTITY_TYPE[draft.kind]}:{identity}",
        x=spot.x,
        y=spot.y,
        lon=lon,
        lat=lat,
        address=f"{spot.address}, {commune.name}",
        commune=commune.name,
        place=draft.place,
        weight=draft.weight,
        attributes={
            "address": {"streetAddress": spot.address, "addressLocality": commune.name, "addressCountry": "FR"},
            "areaServed": commune.name,
            **draft.attributes,
        },
    )


def _by_population(territory: Territory, rng: Random, count: int) -> list[int]:
    """Every commune once, the rest by inhabitants."""
    communes = range(len(territory.communes))
    weights = [commune.population for commune in territory.communes]
    return [*communes, *rng.choices(communes, weights, k=count - len(communes))]


def _containers(territory: Territory, rng: Random) -> Iterator[_Draft]:
    french = {"glass": "verre", "paper": "papier", "plastic": "emballages"}
    for number, commune in enumerate(_by_population(territory, rng, SORTING_POINTS)):
        street = rng.choice(town_streets(territory, commune))
        first = kerbside(rng, street)
        for position, (waste, word) in enumerate(french.items()):
            spot = Spot(first.x + 2.4 * position, first.y, first.address, commune)
            yield _Draft(
                Kind.FILL, f"Point tri {street.name}, {word}", spot, waste, rng.uniform(0.6, 1.5),
                {"storedWasteKind": waste, "binCapacity": 4000, "isleId": f"point-tri-{number + 1:02d}",
                 "category": ["underground" if number % 3 == 0 else "fixed"]},
            )  # fmt: skip
    for commune in _by_population(territory, rng, LITTER_BINS):
        street = rng.choice(town_streets(territory, commune))
        yield _Draft(
            Kind.FILL, f"Corbeille {street.name}", kerbside(rng, street), "other", rng.uniform(0.6, 1.6),
            {"storedWasteKind": "other", "binCapacity": 120, "category": ["fixed"]},
        )  # fmt: skip


def _meters(territory: Territory, rng: Random) -> Iterator[_Draft]:
    for index, commune in enumerate(territory.communes):
        street = min(town_streets(territory, index), key=lambda road: -road.line.length)
        yield _Draft(
            Kind.METER, f"Compteur de secteur {commune.name}", kerbside(rng, street, 3.0), "district",
            commune.population,
        )  # fmt: skip
    for facility in territory.facilities[: (METERS - len(territory.communes)) // 2]:
        yield _Draft(Kind.METER, f"Eau, {facility.name}", _inside(facility), facility.kind.value, 8.0)
    houses = [building for building in territory.buildings if building.kind == "house"]
    rest = METERS - len(territory.communes) - (METERS - len(territory.communes)) // 2
    for house in rng.sample(houses, rest):
        at = house.footprint.representative_point()
        spot = Spot(at.x, at.y, f"{house.number} {house.street}", house.commune)
        yield _Draft(Kind.METER, f"Eau, {spot.address}", spot, "house", rng.uniform(0.5, 1.8))


def _inside(facility: Facility) -> Spot:
    at = facility.footprint.representative_point()
    return Spot(at.x, at.y, f"1 {facility.street}", facility.commune)


def _rooms(territory: Territory) -> Iterator[_Draft]:
    found = [
        _Draft(Kind.ROOM, f"{facility.name}, {room}", spot, f"{facility.kind.value}:{room}")
        for facility in territory.facilities
        for room, spot in rooms(facility)
    ]
    step = max(1.0, len(found) / ROOMS)
    yield from (found[int(number * step)] for number in range(min(ROOMS, len(found))))


def _bays(territory: Territory) -> Iterator[_Draft]:
    for slug, kind in CAR_PARKS:
        commune = territory.commune_index(slug)
        facility = next(each for each in territory.facilities if (each.commune, each.kind) == (commune, kind))
        for number, spot in enumerate(parking_bays(territory, facility, BAYS_PER_LOT)):
            yield _Draft(
                Kind.PARKING, f"{facility.name}, place {number + 1}", spot, kind.value,
                attributes={"category": ["onStreet"]},
            )  # fmt: skip


def _stations(territory: Territory) -> Iterator[_Draft]:
    halls = [each for each in territory.facilities if each.kind is FacilityKind.TOWN_HALL]
    schools = [each for each in territory.facilities if each.kind is FacilityKind.COLLEGE][:2]
    for facility in (*halls, *schools):
        x, y = facility.grounds.representative_point().coords[0]
        spot = Spot(float(x), float(y), f"1 {facility.street}", facility.commune)
        yield _Draft(Kind.AIR, f"Station de l’air, {facility.name}", spot, "town")


def _counters(territory: Territory) -> Iterator[_Draft]:
    for number, (road, spot) in enumerate(roadside(territory)):
        if number == COUNTERS:
            return
        busy = 620.0 if road.kind is RoadClass.PRIMARY else 260.0
        yield _Draft(Kind.TRAFFIC, f"Comptage {road.ref} n° {number + 1}", spot, road.kind.value, busy)


def _gauges(territory: Territory) -> Iterator[_Draft]:
    courses = {river.name: river for river in territory.terrain.rivers}
    for name, above_tide_m in (
        ("Le Stervenn", 1500.0), ("Le Stervenn", 4600.0), ("Le Dourgoad", 1200.0), ("L’Hanternoz", 2500.0),
    ):  # fmt: skip
        river = courses[name]
        at = river.line.interpolate(river.tidal_m + above_tide_m)
        commune = commune_at(territory, at.x, at.y)
        owner = nearest_commune(territory, at.x, at.y) if commune is None else commune
        distance = f"{above_tide_m / 1000:.1f} km".replace(".", ",")
        yield _Draft(Kind.LEVEL, f"Limnimètre {name} {distance}", Spot(at.x, at.y, name, owner), "river")
    for slug in ("port-trevalan", "penhervan"):
        index = territory.commune_index(slug)
        mole = next(road for road in territory.roads if road.kind is RoadClass.PIER and road.commune == index)
        x, y = mole.line.coords[-1]
        commune_name = territory.communes[index].name
        yield _Draft(Kind.LEVEL, f"Marégraphe de {commune_name}", Spot(x, y, "Môle du port", index), "tide")
