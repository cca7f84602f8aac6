"""Devices along streets: containers, parking, light cabinets, charging stations, traffic and bike counters."""

from collections.abc import Iterator

from shapely.geometry import Point

from parvis.demo.devices.device import Link, Target
from parvis.demo.devices.draft import Draft, Site
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.names import isle_id, parking_id, road_id
from parvis.demo.devices.sites import kerbside, parking_bays, roadside
from parvis.demo.land.facilities import Facility, FacilityKind
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.venues import VenueKind

SORTING_POINTS, HOUSEHOLD_POINTS, LITTER_BINS = 58, 46, 60
FRENCH = {"glass": "verre", "paper": "papier", "plastic": "emballages"}
LAMPS_MONITORED = 24
COUNTERS, BIKE_COUNTERS = 42, 16
BAYS = (
    ("trevalan", FacilityKind.MARKET, 34), ("trevalan", FacilityKind.TOWN_HALL, 30),
    ("trevalan", FacilityKind.HOSPITAL, 34), ("port-trevalan", FacilityKind.MARKET, 26),
    ("port-trevalan", FacilityKind.HARBOUR_OFFICE, 26), ("kervoalan", FacilityKind.POOL, 22),
    ("kervoalan", FacilityKind.MARKET, 18), ("penhervan", FacilityKind.TOURIST_OFFICE, 24),
    ("trezavel", FacilityKind.TOURIST_OFFICE, 18),
)  # fmt: skip
SPOTS_BY_VENUE = {
    VenueKind.STATION: 180, VenueKind.FESTIVAL: 900, VenueKind.BEACH: 160, VenueKind.SHOPPING: 320,
    VenueKind.QUAY: 120, VenueKind.SPORTS: 110, VenueKind.CAMPSITE: 90, VenueKind.VIEWPOINT: 45,
}  # fmt: skip
SEASIDE_BINS = (VenueKind.BEACH, VenueKind.QUAY, VenueKind.MARKET, VenueKind.FESTIVAL, VenueKind.MARINA)


def street_devices(site: Site) -> Iterator[Draft]:
    yield from _sorting_points(site)
    yield from _household_points(site)
    yield from _litter_bins(site)
    yield from _bays(site)
    yield from _car_parks(site)
    yield from _cabinets(site)
    yield from _charging(site)
    yield from _counters(site)
    yield from _bike_counters(site)


def _sorting_points(site: Site) -> Iterator[Draft]:
    for number, commune in enumerate(site.by_population(SORTING_POINTS, each=2)):
        road, street = site.rng.choice(site.streets(commune))
        first = kerbside(site.rng, street)
        address = site.gazetteer.near(first.x, first.y)
        for position, (waste, word) in enumerate(FRENCH.items()):
            yield Draft(
                Kind.FILL, f"Point tri {street.name}, {word}", first.x + 2.4 * position, first.y, address, commune,
                Link(Target.STREET, str(road)), waste, round(site.rng.uniform(0.6, 1.5), 3),
                {"storedWasteKind": waste, "binCapacity": 4000, "isleId": f"point-tri-{number + 1:02d}",
                 "category": ["underground" if number % 3 == 0 else "fixed"]},
                relations={"refWasteContainerIsle": isle_id(number + 1)},
            )  # fmt: skip


def _household_points(site: Site) -> Iterator[Draft]:
    """Shared containers where the lorry does not stop at every door: old town, port and resorts first."""
    dense = [site.territory.commune_index(slug) for slug in ("trevalan", "port-trevalan", "penhervan", "trezavel")]
    for number in range(HOUSEHOLD_POINTS):
        commune = dense[number % len(dense)] if number % 3 else site.by_population(1, each=0)[0]
        road, street = site.rng.choice(site.streets(commune))
        spot = kerbside(site.rng, street)
        yield Draft(
            Kind.FILL, f"Conteneur ordures ménagères {street.name}", spot.x, spot.y,
            site.gazetteer.near(spot.x, spot.y), commune, Link(Target.STREET, str(road)), "municipal",
            round(site.rng.uniform(0.7, 1.4), 3),
            {"storedWasteKind": "municipal", "binCapacity": 5000, "category": ["underground"]},
        )  # fmt: skip


def _litter_bins(site: Site) -> Iterator[Draft]:
    """Where people are out: squares, quays and beaches, then any street."""
    attributes: dict[str, object] = {"storedWasteKind": "other", "binCapacity": 120, "category": ["fixed"]}
    lively = [venue for venue in site.venues if venue.kind in SEASIDE_BINS]
    for venue in lively:
        yield Draft(
            Kind.FILL, f"Corbeille {venue.name}", venue.x + 3.0, venue.y - 2.0, venue.address, venue.commune,
            Link(Target.VENUE, venue.id), "other", round(site.rng.uniform(0.9, 1.7), 3), attributes,
        )  # fmt: skip
    for commune in site.by_population(LITTER_BINS - len(lively)):
        road, street = site.rng.choice(site.streets(commune))
        spot = kerbside(site.rng, street)
        yield Draft(
            Kind.FILL, f"Corbeille {street.name}", spot.x, spot.y, site.gazetteer.near(spot.x, spot.y), commune,
            Link(Target.STREET, str(road)), "other", round(site.rng.uniform(0.6, 1.4), 3), attributes,
        )  # fmt: skip


def _facility(site: Site, slug: str, kind: FacilityKind) -> Facility | None:
    commune = site.territory.commune_index(slug)
    return next((each for each in site.territory.facilities if (each.commune, each.kind) == (commune, kind)), None)


def _bays(site: Site) -> Iterator[Draft]:
    for slug, kind, count in BAYS:
        facility = _facility(site, slug, kind)
        if facility is None:
            continue
        for number, spot in enumerate(parking_bays(site.territory, facility, count)):
            yield Draft(
                Kind.PARKING, f"{facility.name}, place {number + 1}", spot.x, spot.y, spot.address, facility.commune,
                Link(Target.CAR_PARK, f"{slug}-{kind.value}/{number + 1}"), kind.value,
                attributes={"category": ["onStreet"]}, relations={"refParkingSite": parking_id(slug, kind.value)},
            )  # fmt: skip


def _car_parks(site: Site) -> Iterator[Draft]:
    for venue in site.venues:
        spots = SPOTS_BY_VENUE.get(venue.kind)
        if spots is None:
            continue
        yield Draft(
            Kind.CAR_PARK, f"Parking {venue.name}", venue.x - 6.0, venue.y + 8.0, venue.address, venue.commune,
            Link(Target.VENUE, venue.id), venue.kind.value, float(spots),
            {"totalSpotNumber": spots, "category": ["public", "free"]},
        )  # fmt: skip


def _cabinets(site: Site) -> Iterator[Draft]:
    lighting = site.networks.lighting
    for cabinet in lighting.cabinets:
        lamps = sum(len(lighting.circuits[each].lamps) for each in cabinet.circuits)
        if lamps < LAMPS_MONITORED:
            continue
        yield Draft(
            Kind.LIGHTING, cabinet.name, cabinet.x, cabinet.y, cabinet.address, cabinet.commune,
            Link(Target.CABINET, cabinet.id), site.territory.communes[cabinet.commune].character.value,
            cabinet.power_w / 1000,
            {"maximumPowerAvailable": round(1.6 * cabinet.power_w / 1000, 1), "controllingMethod": "individual",
             "description": f"{lamps} points lumineux, {len(cabinet.circuits)} départs"},
            cabinet.id.lower(),
        )  # fmt: skip


def _charging(site: Site) -> Iterator[Draft]:
    for station in site.networks.power.charging:
        fastest = max(point.power_kw for point in station.points)
        yield Draft(
            Kind.CHARGING, station.name, station.x, station.y, station.address, station.commune,
            Link(Target.CHARGING_STATION, station.id), station.place, fastest,
            {"socketNumber": len(station.points), "capacity": len(station.points),
             "socketType": sorted({point.socket.value for point in station.points})},
            station.id.lower(),
        )  # fmt: skip


def _counters(site: Site) -> Iterator[Draft]:
    found = {id(road): index for index, road in enumerate(site.territory.roads)}
    for number, (road, spot) in enumerate(roadside(site.territory)):
        if number == COUNTERS:
            return
        busy = 620.0 if road.kind is RoadClass.PRIMARY else 260.0
        yield Draft(
            Kind.TRAFFIC, f"Comptage {road.ref} n° {number + 1}", spot.x, spot.y, spot.address, spot.commune,
            Link(Target.ROAD, str(found[id(road)])), road.kind.value, busy,
            relations={"refRoad": road_id(road)},
        )  # fmt: skip


def _bike_counters(site: Site) -> Iterator[Draft]:
    """On the quays, at the station, the schools and the coastal ways."""
    kinds = (VenueKind.STATION, VenueKind.QUAY, VenueKind.BEACH, VenueKind.OLD_TOWN, VenueKind.SHOPPING)
    spots = [venue for venue in site.venues if venue.kind in kinds]
    for number, venue in enumerate(spots[:BIKE_COUNTERS]):
        road = site.nearest_road(venue.x, venue.y)
        line = site.territory.roads[road].line
        foot = line.interpolate(line.project(Point(venue.x, venue.y)))
        at = foot if site.territory.terrain.land.contains(foot) else Point(venue.x, venue.y)
        yield Draft(
            Kind.BIKES, f"Compteur vélo {venue.name}", at.x + 1.5, at.y + 1.5, venue.address, venue.commune,
            Link(Target.ROAD, str(road)), venue.kind.value, 9.0 + 6.0 * (number % 4),
            {"vehicleType": "bicycle"}, f"velo-{venue.id.lower()}",
        )  # fmt: skip
