from itertools import groupby, pairwise

import pytest
import shapely

from parvis.demo.land.territory import Territory
from parvis.demo.networks.buses import BusNetwork, DayType
from parvis.demo.networks.networks import Networks


@pytest.fixture
def buses(any_networks: Networks) -> BusNetwork:
    return any_networks.buses


def test_buses_keep_to_the_roads(any_territory: Territory, buses: BusNetwork) -> None:
    roads = shapely.union_all([road.line for road in any_territory.roads])
    shapely.prepare(roads)
    for line in buses.lines:
        for direction in line.directions:
            points = shapely.line_interpolate_point(direction.shape, range(0, int(direction.shape.length), 50))
            assert shapely.distance(roads, points).max() < 1.5


def test_stops_come_in_order_along_the_line_and_lie_on_it(buses: BusNetwork) -> None:
    for line in buses.lines:
        assert line.directions[0].stops == line.directions[1].stops[::-1]
        for direction in line.directions:
            assert all(one < other for one, other in pairwise(direction.at_m))
            assert all(one < other for one, other in pairwise(direction.offsets_s))
            for stop in direction.stops:
                spot = shapely.Point(buses.stops[stop].x, buses.stops[stop].y)
                assert direction.shape.distance(spot) < 95


def test_a_bus_is_never_in_two_places(buses: BusNetwork) -> None:
    for _, trips in groupby(buses.trips, key=lambda trip: (trip.day_type, trip.vehicle)):
        for one, other in pairwise(trips):
            length_s = buses.lines[one.line].directions[one.direction].offsets_s[-1]
            assert one.departure_s + length_s <= other.departure_s
            assert one.direction != other.direction


def test_the_hospital_the_schools_the_market_and_every_bourg_are_served(
    any_territory: Territory, buses: BusNetwork
) -> None:
    stops = shapely.union_all([shapely.Point(stop.x, stop.y) for stop in buses.stops])
    for facility in any_territory.facilities:
        if facility.kind.value in ("hospital", "market", "college"):
            assert facility.footprint.distance(stops) < 600, facility.name
    for commune in any_territory.communes:
        assert shapely.Point(commune.x, commune.y).distance(stops) < 600, commune.name


def test_fewer_buses_run_on_sundays_and_in_the_holidays(buses: BusNetwork) -> None:
    trips = {day: sum(trip.day_type is day for trip in buses.trips) for day in DayType}
    assert trips[DayType.SCHOOL_DAY] > trips[DayType.HOLIDAY_WEEKDAY] > trips[DayType.SUNDAY] > 0


def test_stops_of_a_commune_have_names_of_their_own(buses: BusNetwork) -> None:
    names = [(stop.commune, stop.name) for stop in buses.stops]
    assert len(names) == len(set(names))
    assert 16 <= len(buses.vehicles) <= 36
