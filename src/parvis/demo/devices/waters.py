"""Devices of the water service: district and customers' meters, pressure loggers, towers; gauges in rivers and sea."""

from collections.abc import Iterator

from shapely.geometry import Point

from parvis.demo.devices.device import Link, Target
from parvis.demo.devices.draft import Draft, Site
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.names import building_id
from parvis.demo.devices.sites import commune_at, nearest_commune
from parvis.demo.land.roads import RoadClass
from parvis.demo.networks.customers import M3_PER_PERSON_DAY, building_demands_m3_per_day

HOUSING, LOGGERS_A_DISTRICT = 230, 2
FLATS_NEED_M2, HEADS_A_FLAT = 95.0, 2.1
GAUGES = (
    ("Le Stervenn", 1500.0), ("Le Stervenn", 4600.0), ("Le Stervenn", 8200.0), ("Le Dourgoad", 1200.0),
    ("Le Dourgoad", 2600.0), ("L’Hanternoz", 2500.0), ("Le Roudour", 1800.0), ("Le Gwazh Du", 900.0),
)  # fmt: skip
RIVER_MARKS_M: dict[str, object] = {"alertLevel": 0.95, "dangerLevel": 1.25}
TIDE_MARKS_M: dict[str, object] = {"alertLevel": 5.5, "dangerLevel": 5.9}
TIDE_GAUGES = ("port-trevalan", "penhervan", "trezavel")


def water_devices(site: Site) -> Iterator[Draft]:
    yield from _districts(site)
    yield from _loggers(site)
    yield from _towers(site)
    yield from _public_meters(site)
    yield from _housing_meters(site)
    yield from _gauges(site)


def _districts(site: Site) -> Iterator[Draft]:
    for district in site.networks.water.districts:
        yield Draft(
            Kind.DISTRICT_METER, f"Compteur de secteur {district.name}", district.x, district.y, district.address,
            district.commune, Link(Target.DISTRICT, district.id), "district", district.demand_m3_per_day,
            {"waterType": "drinking", "alternateName": district.id},
            f"secteur-{district.id.lower()}",
        )  # fmt: skip


def _loggers(site: Site) -> Iterator[Draft]:
    """At each district's critical point, and at hydrants spread over it."""
    water = site.networks.water
    junctions = {junction.id: junction for junction in water.junctions}
    hydrants: dict[int, list[int]] = {}
    for number, hydrant in enumerate(water.hydrants):
        district = junctions[hydrant.junction].district
        if district is not None:
            hydrants.setdefault(district, []).append(number)
    for number, area in enumerate(water.districts):
        at = junctions[area.critical]
        yield _logger(site, at.x, at.y, at.commune, at.id, f"point critique {area.name}")
        own = hydrants.get(number, [])
        for each in own[len(own) // 4 :: max(1, len(own) // LOGGERS_A_DISTRICT)][:LOGGERS_A_DISTRICT]:
            hydrant = water.hydrants[each]
            yield _logger(site, hydrant.x, hydrant.y, hydrant.commune, hydrant.junction, f"poteau {hydrant.id}")


def _logger(site: Site, x: float, y: float, commune: int, junction: str, where: str) -> Draft:
    return Draft(
        Kind.PRESSURE, f"Pression, {where}", x, y, site.gazetteer.near(x, y), commune,
        Link(Target.JUNCTION, junction), "distribution",
        identity=f"pression-{site.territory.communes[commune].slug}-{junction.lower()}-{int(x) % 1000:03d}",
    )  # fmt: skip


def _towers(site: Site) -> Iterator[Draft]:
    for tower in site.networks.water.towers:
        yield Draft(
            Kind.TOWER, tower.name, tower.x, tower.y, site.gazetteer.near(tower.x, tower.y), tower.commune,
            Link(Target.TOWER, tower.id), "tower", tower.full_m,
            {"tankName": tower.name, "tankCapacity": round(tower.capacity_m3), "tankDepth": tower.full_m},
            f"chateau-d-eau-{tower.id.lower()}",
        )  # fmt: skip


def _public_meters(site: Site) -> Iterator[Draft]:
    demand = building_demands_m3_per_day(site.territory)
    for building in site.public_buildings:
        known = site.territory.buildings[building]
        if known.kind == "church":
            continue
        x, y = site.inside(building)
        yield Draft(
            Kind.METER, f"Eau, {known.name}", x, y, site.address_of(building), known.commune,
            Link(Target.BUILDING, str(building)), known.kind, round(float(demand[building]) / M3_PER_PERSON_DAY, 2),
            {"waterType": "drinking"}, relations={"refBuilding": building_id(building)},
        )  # fmt: skip


def _housing_meters(site: Site) -> Iterator[Draft]:
    """Main meters of the communes' own housing, several flats each: what one home draws is nobody's to see."""
    houses: dict[int, list[int]] = {}
    for index, known in enumerate(site.territory.buildings):
        if known.kind == "house" and known.footprint.area > FLATS_NEED_M2:
            houses.setdefault(known.commune, []).append(index)
    for commune in site.by_population(HOUSING, each=6):
        building = houses[commune].pop(site.rng.randrange(len(houses[commune])))
        x, y = site.inside(building)
        address = site.address_of(building)
        flats = site.rng.randint(3, 9)
        yield Draft(
            Kind.METER, f"Eau, immeuble {address}", x, y, address, commune, Link(Target.BUILDING, str(building)),
            "house", round(flats * HEADS_A_FLAT * site.rng.uniform(0.8, 1.2), 1),
            {"waterType": "drinking", "description": f"Compteur général, {flats} logements"},
        )  # fmt: skip


def _gauges(site: Site) -> Iterator[Draft]:
    territory = site.territory
    courses = {river.name: river for river in territory.terrain.rivers}
    for name, above_tide_m in GAUGES:
        river = courses[name]
        at = river.line.interpolate(min(river.tidal_m + above_tide_m, river.line.length - 200))
        inside = commune_at(territory, at.x, at.y)
        owner = nearest_commune(territory, at.x, at.y) if inside is None else inside
        distance = f"{above_tide_m / 1000:.1f} km".replace(".", ",")
        yield Draft(
            Kind.LEVEL, f"Limnimètre {name} {distance}", at.x, at.y, name, owner, Link(Target.RIVER, name), "river",
            round(above_tide_m / 1000, 2), RIVER_MARKS_M,
        )  # fmt: skip
    for slug in TIDE_GAUGES:
        index = territory.commune_index(slug)
        piers = [road.line for road in territory.roads if road.kind is RoadClass.PIER and road.commune == index]
        heads = [Point(mole.coords[-1]) for mole in piers[:2]]
        head = min(heads, key=lambda each: float(each.distance(territory.terrain.sea)))
        x, y = head.x, head.y
        name = f"Marégraphe de {territory.communes[index].name}"
        yield Draft(
            Kind.LEVEL, name, x, y, "Môle du port", index, Link(Target.TIDE, slug), "tide", attributes=TIDE_MARKS_M
        )
