import re

import shapely

from parvis.demo.devices.installation import Device, Kind, generate_devices
from parvis.demo.devices.registry import device_records
from parvis.demo.land.territory import DEFAULT_SEED, Territory


def points(devices: list[Device], kind: Kind) -> list[shapely.Point]:
    return [shapely.Point(device.x, device.y) for device in devices if device.kind is kind]


def test_there_are_at_least_three_hundred_devices_of_five_kinds(devices: list[Device]) -> None:
    assert len(devices) >= 300
    assert len({device.kind for device in devices}) >= 5


def test_identifiers_are_unique_and_well_formed(devices: list[Device]) -> None:
    assert len({device.dev_eui for device in devices}) == len(devices)
    assert len({device.entity_id for device in devices}) == len(devices)
    assert all(len(device.dev_eui) == 16 and int(device.dev_eui, 16) for device in devices)
    assert all(device.entity_id.startswith(f"urn:ngsi-ld:{device.entity_type}:") for device in devices)


def test_the_same_seed_installs_the_same_devices(territory: Territory, devices: list[Device]) -> None:
    assert generate_devices(territory, DEFAULT_SEED) == devices


def test_containers_and_bays_stand_beside_a_street(territory: Territory, devices: list[Device]) -> None:
    streets = shapely.union_all([street.line for town in territory.towns for street in town.streets])
    for kind in (Kind.FILL, Kind.PARKING):
        assert all(2 < spot.distance(streets) < 12 or spot.distance(streets) < 5 for spot in points(devices, kind))


def test_rooms_are_inside_buildings(territory: Territory, devices: list[Device]) -> None:
    buildings = shapely.union_all([building.footprint for building in territory.buildings])
    shapely.prepare(buildings)
    assert all(buildings.intersects(spot) for spot in points(devices, Kind.ROOM))


def test_counters_are_beside_a_road_and_on_land(territory: Territory, devices: list[Device]) -> None:
    roads = shapely.union_all([road.line for road in territory.roads])
    assert all(spot.distance(roads) < 8 for spot in points(devices, Kind.TRAFFIC))
    assert all(territory.terrain.land.contains(spot) for spot in points(devices, Kind.TRAFFIC))


def test_gauges_are_at_the_water(territory: Territory, devices: list[Device]) -> None:
    water = shapely.union_all([river.line for river in territory.terrain.rivers] + [territory.terrain.sea])
    assert all(spot.distance(water) < 60 for spot in points(devices, Kind.LEVEL))


def test_names_count_as_the_french_do(devices: list[Device]) -> None:
    assert "Limnimètre Le Stervenn 1,5 km" in [device.name for device in devices]
    assert not [device.name for device in devices if re.search(r"\d\.\d", device.name)]


def test_a_record_tells_the_platform_all_it_needs(devices: list[Device]) -> None:
    records = device_records(devices)
    assert len(records) == len(devices)
    for record in records:
        assert set(record) == {
            "hardware_id", "profile", "entity_id", "entity_type", "name", "location", "attributes",
        }  # fmt: skip
