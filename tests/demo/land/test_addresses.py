from collections import Counter

from shapely.geometry import LineString, box

from parvis.demo.land.addresses import Gazetteer, number_buildings
from parvis.demo.land.buildings import Building
from parvis.demo.land.roads import Road, RoadClass
from parvis.demo.land.territory import Territory

STREET = Road(LineString([(0, 0), (100, 0)]), RoadClass.RESIDENTIAL, "Rue du Four", commune=0)


def house(x: float, y: float) -> Building:
    return Building(box(x - 4, y - 4, x + 4, y + 4), "house", "Rue du Four", 0, 0)


def test_odd_numbers_are_on_one_side_and_even_ones_on_the_other() -> None:
    houses = [house(80, 10), house(20, 10), house(50, -10), house(20, -10)]
    assert [each.number for each in number_buildings(houses, [STREET])] == [3, 1, 4, 2]


def test_a_spot_is_called_by_the_nearest_address_or_else_by_its_road() -> None:
    gazetteer = Gazetteer(number_buildings([house(20, 10)], [STREET]), [STREET])
    assert gazetteer.near(24, 3) == "1 Rue du Four"
    assert gazetteer.near(100, 0) == "Rue du Four"
    assert gazetteer.find_address(100, 0) is None


def test_no_two_buildings_of_a_commune_share_an_address(any_territory: Territory) -> None:
    count = Counter((each.commune, each.street, each.number) for each in any_territory.buildings)
    assert count.most_common(1)[0][1] == 1
    assert min(each.number for each in any_territory.buildings) == 1
