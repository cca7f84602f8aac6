"""What stands where: every device on what it measures."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest
import shapely

from parvis.broker.jsonld.geojson import check_geometry
from parvis.demo.devices.device import Device, Target, Thing
from parvis.demo.devices.install import place_devices
from parvis.demo.devices.kinds import Kind, Way, traits_of
from parvis.demo.devices.things import list_things
from parvis.demo.land.geometry import to_lon_lat
from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks
from parvis.fleet.model.uplink import HARDWARE_ID, plain_hardware_id


@pytest.fixture(scope="session")
def placed(any_territory: Territory, any_networks: Networks) -> list[Device]:
    return place_devices(any_territory, any_networks)


@pytest.fixture(scope="session")
def things(any_territory: Territory, any_networks: Networks, placed: list[Device]) -> list[Thing]:
    return list_things(any_territory, any_networks, placed)


def of_kind(devices: list[Device], kind: Kind) -> list[Device]:
    return [device for device in devices if device.kind is kind]


def spots(devices: list[Device]) -> list[shapely.Point]:
    return [shapely.Point(device.x, device.y) for device in devices]


def test_there_are_1500_devices_of_every_kind_by_every_way(placed: list[Device]) -> None:
    assert len(placed) >= 1500
    assert {device.kind for device in placed} == set(Kind)
    assert {device.way for device in placed} == set(Way)


def test_the_same_seed_places_the_same_devices(
    any_territory: Territory, any_networks: Networks, placed: list[Device]
) -> None:
    assert place_devices(any_territory, any_networks) == placed


def test_ids_are_given_once_and_can_be_registered(placed: list[Device]) -> None:
    assert len({device.hardware_id for device in placed}) == len(placed)
    assert len({device.entity_id for device in placed}) == len(placed)
    for device in placed:
        assert device.hardware_id == plain_hardware_id(device.hardware_id)
        assert HARDWARE_ID.fullmatch(device.hardware_id)
        assert re.fullmatch(rf"urn:ngsi-ld:{device.entity_type}:[a-z0-9-]+", device.entity_id)


def test_lorawan_devices_have_an_eui(placed: list[Device]) -> None:
    for device in placed:
        if device.way is Way.LORAWAN:
            assert re.fullmatch("025452[0-9a-f]{10}", device.hardware_id)


def test_meters_and_rooms_are_in_the_building_they_name(any_territory: Territory, placed: list[Device]) -> None:
    for device in placed:
        if device.link.target in (Target.BUILDING, Target.ROOM):
            building = any_territory.buildings[int(device.link.id.split("/")[0])]
            assert building.footprint.buffer(0.5).contains(shapely.Point(device.x, device.y))
            assert device.address.startswith(f"{building.number} {building.street}, ")


def test_what_stands_on_a_street_stands_beside_it(any_territory: Territory, placed: list[Device]) -> None:
    for device in placed:
        if device.link.target in (Target.STREET, Target.ROAD) and device.kind is not Kind.BIKES:
            road = any_territory.roads[int(device.link.id)]
            assert road.line.distance(shapely.Point(device.x, device.y)) < 12, device.name


def test_links_lead_to_what_there_is(any_territory: Territory, any_networks: Networks, placed: list[Device]) -> None:
    known = {
        Target.DISTRICT: {each.id for each in any_networks.water.districts},
        Target.JUNCTION: {each.id for each in any_networks.water.junctions},
        Target.TOWER: {each.id for each in any_networks.water.towers},
        Target.CABINET: {each.id for each in any_networks.lighting.cabinets},
        Target.CHARGING_STATION: {each.id for each in any_networks.power.charging},
        Target.ROOF: {each.id for each in any_networks.power.roofs},
        Target.VEHICLE: {each.id for each in any_networks.buses.vehicles},
        Target.VENUE: {each.id for each in any_territory.venues},
        Target.RIVER: {each.name for each in any_territory.terrain.rivers},
    }
    for device in placed:
        assert device.link.id in known.get(device.link.target, {device.link.id}), device


def test_pressure_is_logged_where_a_model_without_service_pipes_can_tell_it(
    any_networks: Networks, placed: list[Device]
) -> None:
    modelled = {end for pipe in any_networks.water.pipes if not pipe.is_service for end in (pipe.start, pipe.end)}
    modelled |= {reducer.end for reducer in any_networks.water.reducers}
    loggers = of_kind(placed, Kind.PRESSURE)
    assert sum(logger.link.id in modelled for logger in loggers) > 0.6 * len(loggers)


def test_everything_is_on_land_but_boats_gauges_and_the_stations_on_moles(
    any_territory: Territory, placed: list[Device]
) -> None:
    land = any_territory.terrain.land.buffer(15)
    shapely.prepare(land)
    dry = [each for each in placed if each.kind not in (Kind.BERTH, Kind.LEVEL, Kind.WEATHER)]
    assert all(land.contains(spot) for spot in spots(dry))


def test_gauges_and_pedestals_are_at_the_water(any_territory: Territory, placed: list[Device]) -> None:
    water = shapely.union_all([river.line for river in any_territory.terrain.rivers] + [any_territory.terrain.sea])
    assert all(spot.distance(water) < 100 for spot in spots(of_kind(placed, Kind.LEVEL)))
    assert all(spot.distance(water) < 60 for spot in spots(of_kind(placed, Kind.BERTH)))


def test_each_commune_shows_its_character(placed: list[Device]) -> None:
    kinds: dict[str, Counter[Kind]] = defaultdict(Counter)
    for device in placed:
        kinds[device.commune][device.kind] += 1
    usual = {Kind.FILL, Kind.METER, Kind.DISTRICT_METER, Kind.ROOM, Kind.LIGHTING, Kind.AIR, Kind.PEOPLE}
    assert all(usual <= set(kinds[commune]) for commune in kinds)
    assert len(kinds) == 12
    assert {commune for commune in kinds if kinds[commune][Kind.BERTH]} == {"Port-Trevalan", "Penhervan", "Trézavel"}
    assert kinds["Trevalan"][Kind.PARKING] > kinds["Port-Trevalan"][Kind.PARKING] > 0
    places = {(device.commune, device.place) for device in placed if device.kind is Kind.PEOPLE}
    assert ("Trevalan", "old town") in places
    assert ("Kervoalan", "festival") in places
    assert {("Penhervan", "beach"), ("Trézavel", "beach"), ("Port-Trevalan", "quay")} <= places


def test_names_are_french_and_count_as_the_french_do(placed: list[Device]) -> None:
    names = [device.name for device in placed]
    assert "Limnimètre Le Stervenn 1,5 km" in names
    assert not [name for name in names if re.search(r"\d\.\d", name)]
    assert max(len(name) for name in names) <= 90


def test_things_are_named_once_and_none_is_a_devices_own(things: list[Thing], placed: list[Device]) -> None:
    ids = [thing.entity_id for thing in things]
    assert len(ids) == len(set(ids))
    assert not set(ids) & {device.entity_id for device in placed}
    kinds = {thing.entity_type for thing in things}
    assert {"Building", "DistrictMeteredArea", "StreetlightGroup", "GtfsRoute", "GtfsStop", "Road", "Beach"} <= kinds


def test_relations_lead_to_entities_that_there_are(things: list[Thing], placed: list[Device]) -> None:
    known = {thing.entity_id for thing in things} | {device.entity_id for device in placed}
    known |= {f"urn:ngsi-ld:Device:{device.hardware_id}" for device in placed}
    assert {each for device in placed for each in device.relations.values()} <= known
    for thing in things:
        for ids in thing.relations.values():
            assert {ids} <= known if isinstance(ids, str) else set(ids) <= known


def test_geometries_of_things_are_valid_geojson(things: list[Thing]) -> None:
    for thing in things:
        check_geometry(thing.geometry, thing.name)
        assert shapely.geometry.shape(thing.geometry).is_valid, thing.name


def test_kinds_have_a_period_that_somebody_can_bear() -> None:
    assert all(5 <= traits_of(kind).period_s <= 7200 for kind in Kind)


def test_a_district_is_drawn_around_its_customers(
    any_territory: Territory, any_networks: Networks, things: list[Thing]
) -> None:
    areas = {each.entity_id: shapely.geometry.shape(each.geometry) for each in things}
    for number, district in enumerate(any_networks.water.districts):
        area = areas[f"urn:ngsi-ld:DistrictMeteredArea:{district.id.lower()}"]
        shapely.prepare(area)
        own = [each for each in any_networks.water.junctions if each.district == number and each.customers]
        degrees = to_lon_lat(np.array([(each.x, each.y) for each in own]))
        assert shapely.contains_xy(area, degrees[:, 0], degrees[:, 1]).mean() > 0.97
