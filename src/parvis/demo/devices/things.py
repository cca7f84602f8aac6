"""Entities that no device is: what devices measure is part of them. Terms are those of the Smart Data Models."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import shapely
from shapely.geometry import MultiPoint, Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.devices.device import Device, Target, Thing
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.names import building_id, road_id, route_id, stop_id
from parvis.demo.land.geometry import geojson_geometry
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import Territory
from parvis.demo.land.venues import VenueKind
from parvis.demo.networks.buses import BusNetwork
from parvis.demo.networks.lighting import Lighting
from parvis.demo.networks.networks import Networks
from parvis.demo.services.stations import STATIONS, place_of

AGENCY = "urn:ngsi-ld:GtfsAgency:trevalan"
BUS = 3
"""`routeType` of buses (GTFS, routes.txt)."""
AROUND_PIPES_M, OUTLINE_M = 75.0, 18.0
BUILDING_CATEGORY = {
    "hospital": "hospital", "school": "school", "college": "school", "church": "church", "library": "public",
    "townhall": "civic", "offices": "office", "sports_hall": "sports_hall", "swimming_pool": "sports_hall",
    "market": "retail", "care_home": "residential", "fish_auction": "retail",
}  # fmt: skip
"""`category` of the Smart Data Models' Building follows OpenStreetMap's `building`."""
Relations = Mapping[str, str | list[str]]


def list_things(territory: Territory, networks: Networks, devices: Sequence[Device]) -> list[Thing]:
    """In an order in which what is spoken of mostly comes first."""
    return [
        *_buildings(territory, devices),
        *_districts(territory, networks, devices),
        *_light_circuits(territory, networks.lighting, devices),
        *_bus_lines(territory, networks.buses),
        *_isles(devices),
        *_street_parking(devices),
        *_roads(territory),
        *_venues(territory),
        *_open_data_stations(territory),
    ]


def _thing(
    entity_id: str, name: str, geometry: BaseGeometry, attributes: dict[str, object], relations: Relations | None = None
) -> Thing:
    told = {term: ids for term, ids in (relations or {}).items() if ids}
    plain = msgspec.json.decode(msgspec.json.encode(geojson_geometry(geometry)))
    return Thing(entity_id, entity_id.split(":")[2], name, plain, attributes, told)


def _placed(territory: Territory, commune: int, street: str = "") -> dict[str, object]:
    place = territory.communes[commune].name
    address = {"addressLocality": place, "addressCountry": "FR"}
    return {"address": {"streetAddress": street, **address} if street else address, "areaServed": place}


def _by_link(devices: Iterable[Device], *kinds: Kind) -> dict[str, list[Device]]:
    found: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if device.kind in kinds:
            found[device.link.id].append(device)
    return found


def _buildings(territory: Territory, devices: Sequence[Device]) -> Iterator[Thing]:
    """Those with a name, and those whose meters or roofs are followed."""
    followed = {device.relations["refBuilding"] for device in devices if "refBuilding" in device.relations}
    for index, building in enumerate(territory.buildings):
        if not building.name and building_id(index) not in followed:
            continue
        address = f"{building.number} {building.street}"
        category = BUILDING_CATEGORY.get(building.kind, "industrial" if building.kind == "industrial" else "public")
        yield _thing(
            building_id(index), building.name or f"Atelier {address}", building.footprint,
            {**_placed(territory, building.commune, address), "category": [category]},
        )  # fmt: skip


def _districts(territory: Territory, networks: Networks, devices: Sequence[Device]) -> Iterator[Thing]:
    """Around their pipes; what measures them by `refDevice`."""
    water = networks.water
    district_of = {junction.id: junction.district for junction in water.junctions}
    loggers: dict[int | None, list[str]] = defaultdict(list)
    for device in devices:
        if device.link.target is Target.JUNCTION:
            loggers[district_of[device.link.id]].append(_device_id(device))
    meters = _by_link(devices, Kind.DISTRICT_METER)
    for number, district in enumerate(water.districts):
        lines = [pipe.line for pipe in water.pipes if pipe.district == number]
        around = shapely.buffer(shapely.simplify(lines, OUTLINE_M), AROUND_PIPES_M, quad_segs=2)
        area = shapely.union_all(around).simplify(OUTLINE_M)
        yield _thing(
            f"urn:ngsi-ld:DistrictMeteredArea:{district.id.lower()}", f"Secteur {district.name}", area,
            {**_placed(territory, district.commune), "alternateName": district.id,
             "description": f"{district.customers} branchements, {_km(lines)} km"},
            {"refDevice": [*map(_device_id, meters[district.id]), *loggers[number]]},
        )  # fmt: skip


def _km(lines: Iterable[BaseGeometry]) -> int:
    return round(float(shapely.length(list(lines)).sum()) / 1000)


def _device_id(device: Device) -> str:
    return f"urn:ngsi-ld:Device:{device.hardware_id}"


def _light_circuits(territory: Territory, lighting: Lighting, devices: Sequence[Device]) -> Iterator[Thing]:
    """The circuits of cabinets that report, as groups of lamps."""
    cabinets = _by_link(devices, Kind.LIGHTING)
    for circuit in lighting.circuits:
        followed = cabinets.get(lighting.cabinets[circuit.cabinet].id)
        if followed is None:
            continue
        lamps = [lighting.lamps[each] for each in circuit.lamps]
        switching = "night-OFF" if circuit.off_at_night else "night-LowPower" if circuit.dims_at_night else "night-ON"
        yield _thing(
            f"urn:ngsi-ld:StreetlightGroup:{circuit.id.lower()}", circuit.name,
            MultiPoint([(lamp.x, lamp.y) for lamp in lamps]),
            {**_placed(territory, circuit.commune, lamps[0].street), "circuit": circuit.id,
             "powerRating": circuit.power_w, "lampTechnology": lamps[0].lantern.value, "switchingMode": [switching]},
            {"refStreetlightControlCabinet": followed[0].entity_id},
        )  # fmt: skip


def _bus_lines(territory: Territory, buses: BusNetwork) -> Iterator[Thing]:
    depot = Point(buses.depot)
    yield _thing(AGENCY, "Bus de Trevalan Agglomération", depot, {"agencyName": "Bus de Trevalan Agglomération"})
    for stop in buses.stops:
        yield _thing(
            stop_id(stop), stop.name, Point(stop.x, stop.y),
            {**_placed(territory, stop.commune), "code": stop.id, "wheelChairAccessible": "1"},
            {"operatedBy": AGENCY},
        )  # fmt: skip
    for line in buses.lines:
        out = line.directions[0]
        yield _thing(
            route_id(line), f"Ligne {line.short_name} {line.name}", out.shape.simplify(3.0),
            {"shortName": line.short_name, "routeType": BUS, "routeColor": line.colour,
             "routeTextColor": line.text_colour},
            {"operatedBy": AGENCY, "hasStop": [stop_id(buses.stops[each]) for each in out.stops]},
        )  # fmt: skip


def _isles(devices: Sequence[Device]) -> Iterator[Thing]:
    isles: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if "refWasteContainerIsle" in device.relations:
            isles[device.relations["refWasteContainerIsle"]].append(device)
    for identity, containers in isles.items():
        first = containers[0]
        yield Thing(
            identity, "WasteContainerIsle", first.name.rsplit(",", 1)[0],
            {"type": "Point", "coordinates": [first.lon, first.lat]},
            {"address": first.attributes["address"], "areaServed": first.commune},
            {"refWasteContainer": [each.entity_id for each in containers]},
        )  # fmt: skip


def _street_parking(devices: Sequence[Device]) -> Iterator[Thing]:
    rows: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if device.kind is Kind.PARKING:
            rows[device.relations["refParkingSite"]].append(device)
    for identity, bays in rows.items():
        outline = MultiPoint([(bay.x, bay.y) for bay in bays]).convex_hull.buffer(4, quad_segs=2)
        yield _thing(
            identity, f"Stationnement {bays[0].name.rsplit(',', 1)[0]}", outline,
            {"address": bays[0].attributes["address"], "areaServed": bays[0].commune, "totalSpotNumber": len(bays),
             "category": ["public", "free", "shortTerm"]},
            {"refParkingSpot": [bay.entity_id for bay in bays]},
        )  # fmt: skip


def _roads(territory: Territory) -> Iterator[Thing]:
    """The departmental roads, each one entity whatever its sections."""
    area = shapely.union_all([commune.area for commune in territory.communes])
    sections: dict[str, list[BaseGeometry]] = defaultdict(list)
    names: dict[str, tuple[str, str]] = {}
    for road in territory.roads:
        if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY):
            sections[road_id(road)].append(road.line)
            names.setdefault(road_id(road), (road.ref, road.kind.value))
    for identity, lines in sections.items():
        ref, kind = names[identity]
        line = shapely.line_merge(shapely.union_all(lines).intersection(area)).simplify(5.0)
        yield _thing(identity, ref, line, {"roadClass": kind, "alternateName": ref})


def _venues(territory: Territory) -> Iterator[Thing]:
    for venue in territory.venues:
        kind = "Beach" if venue.kind is VenueKind.BEACH else "PointOfInterest"
        yield _thing(
            f"urn:ngsi-ld:{kind}:{venue.id.lower()}", venue.name, Point(venue.x, venue.y),
            {**_placed(territory, venue.commune, venue.address), "category": [venue.kind.value]},
        )  # fmt: skip


def _open_data_stations(territory: Territory) -> Iterator[Thing]:
    """Known before their service is asked, for their past may be told before."""
    for station in STATIONS:
        yield _thing(
            station.entity_id, station.name, Point(place_of(station, territory)), {"stationID": station.code}
        )  # fmt: skip
