import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks
from parvis.demo.networks.supply import patches

point = st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000))


@settings(max_examples=60)
@given(st.lists(point, min_size=1, max_size=60), st.integers(1, 20))
def test_patches_hold_every_point_once_and_few_enough_each(points: list[tuple[float, float]], most: int) -> None:
    found = patches(np.array(points), most, 50.0)
    assert sorted(int(each) for patch in found for each in patch) == list(range(len(points)))
    for patch in found:
        spread = np.ptp(np.array(points)[patch], axis=0).max()
        assert len(patch) <= most or spread <= 100.0


def test_every_building_has_power_from_a_feeder(any_territory: Territory, any_networks: Networks) -> None:
    power = any_networks.power
    assert len(power.substation_of_building) == len(any_territory.buildings)
    assert sorted(each for feeder in power.feeders for each in feeder.substations) == list(
        range(len(power.substations))
    )
    for number, feeder in enumerate(power.feeders):
        assert all(power.substations[each].feeder == number for each in feeder.substations)
        assert all(
            feeder.line.distance(shapely.Point(power.substations[each].x, power.substations[each].y)) < 1.0
            for each in feeder.substations
        )


def test_panels_lie_on_their_roof_and_fit_on_it(any_territory: Territory, any_networks: Networks) -> None:
    assert len(any_networks.power.roofs) > 35
    for roof in any_networks.power.roofs:
        footprint = any_territory.buildings[roof.building].footprint
        assert footprint.contains(shapely.Point(roof.x, roof.y))
        assert 5 < roof.peak_kw < 0.2 * footprint.area
        assert 90 <= roof.azimuth_deg <= 270


def test_charging_stations_stand_beside_a_street(any_territory: Territory, any_networks: Networks) -> None:
    roads = shapely.union_all([road.line for road in any_territory.roads])
    shapely.prepare(roads)
    assert len(any_networks.power.charging) >= 40
    for station in any_networks.power.charging:
        assert roads.distance(shapely.Point(station.x, station.y)) < 8
        assert station.points[0].number == 1
