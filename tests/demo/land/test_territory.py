import hashlib
from itertools import combinations

import numpy as np
import shapely

from parvis.demo.land.roads import RoadClass
from parvis.demo.land.territory import DEFAULT_SEED, Territory, generate_territory


def fingerprint(territory: Territory) -> str:
    digest = hashlib.sha256()
    for building in territory.buildings:
        digest.update(building.footprint.wkb)
        digest.update(f"{building.number} {building.street}".encode())
    for road in territory.roads:
        digest.update(road.line.wkb)
    digest.update(territory.terrain.land.wkb)
    return digest.hexdigest()


def test_the_same_seed_grows_the_same_territory_to_the_byte(territory: Territory) -> None:
    assert fingerprint(generate_territory(DEFAULT_SEED)) == fingerprint(territory)


def test_another_seed_grows_another_place_with_the_same_communes(
    territory: Territory, other_territory: Territory
) -> None:
    assert fingerprint(other_territory) != fingerprint(territory)
    assert [commune.name for commune in other_territory.communes] == [commune.name for commune in territory.communes]


def test_twelve_communes_house_about_forty_thousand_people(territory: Territory) -> None:
    assert len(territory.communes) == 12
    assert 38_000 < sum(commune.population for commune in territory.communes) < 42_000


def test_communes_tile_the_land_without_overlap(territory: Territory) -> None:
    areas = [commune.area for commune in territory.communes]
    whole = shapely.union_all(areas)
    assert abs(whole.area - sum(area.area for area in areas)) < 1.0
    assert all(one.intersection(other).area < 1.0 for one, other in combinations(areas, 2))
    assert all(hole.length < 4000 for part in shapely.get_parts(whole) for hole in part.interiors)


def test_the_agglomeration_measures_about_25_by_20_kilometres(territory: Territory) -> None:
    west, south, east, north = shapely.union_all([commune.area for commune in territory.communes]).bounds
    assert 22_000 < east - west < 28_000
    assert 18_000 < north - south < 24_000


def test_every_town_hall_stands_in_its_commune(territory: Territory) -> None:
    halls = [facility for facility in territory.facilities if facility.kind.value == "townhall"]
    assert len(halls) == 12
    assert all(territory.communes[hall.commune].area.contains(hall.footprint) for hall in halls)


def test_every_street_leads_to_a_main_road(territory: Territory) -> None:
    mains = shapely.union_all(
        [road.line for road in territory.roads if road.kind in (RoadClass.PRIMARY, RoadClass.SECONDARY)]
    )
    for town in territory.towns:
        network = shapely.union_all([street.line for street in town.streets]).buffer(0.5)
        assert len(town.streets) > 10
        assert all(part.intersects(mains) for part in shapely.get_parts(network))


def test_no_building_stands_in_the_sea_or_on_another(territory: Territory) -> None:
    footprints = np.array([building.footprint for building in territory.buildings])
    tree = shapely.STRtree(shapely.buffer(footprints, -0.6, quad_segs=1))
    one, other = tree.query(shapely.buffer(footprints, -0.6, quad_segs=1), predicate="intersects")
    overlapping = int(np.sum(one < other))
    assert overlapping <= len(footprints) // 500
    shapely.prepare(territory.terrain.sea)
    assert not shapely.intersects(territory.terrain.sea, footprints).any()


def test_a_street_name_is_given_once_in_a_commune(territory: Territory) -> None:
    for town in territory.towns:
        names = [street.name for street in town.streets]
        assert len(names) == len(set(names))
