import numpy as np
import shapely

from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks


def test_every_lamp_stands_on_the_street_it_names(any_territory: Territory, any_networks: Networks) -> None:
    lamps = any_networks.lighting.lamps
    roads = [any_territory.roads[lamp.road] for lamp in lamps]
    away = shapely.distance([road.line for road in roads], shapely.points([(lamp.x, lamp.y) for lamp in lamps]))
    assert away.max() < 6.0
    assert np.percentile(away, 5) > 2.0
    assert all(lamp.street == road.name for lamp, road in zip(lamps, roads, strict=True))


def test_lamps_of_a_street_follow_each_other_every_25_to_35_metres(any_networks: Networks) -> None:
    lighting = any_networks.lighting
    assert 6000 < len(lighting.lamps) < 14_000
    steps = []
    for one, other in zip(lighting.lamps, lighting.lamps[1:], strict=False):
        if one.road == other.road and one.circuit == other.circuit:
            steps.append(np.hypot(one.x - other.x, one.y - other.y))
    assert 25 < np.median(steps) < 35
    assert np.percentile(steps, 90) < 36


def test_every_lamp_hangs_on_one_circuit_of_one_cabinet(any_networks: Networks) -> None:
    lighting = any_networks.lighting
    assert sorted(lamp for circuit in lighting.circuits for lamp in circuit.lamps) == list(range(len(lighting.lamps)))
    for number, cabinet in enumerate(lighting.cabinets):
        assert all(lighting.circuits[each].cabinet == number for each in cabinet.circuits)
        assert cabinet.power_w == sum(lighting.circuits[each].power_w for each in cabinet.circuits)
    for number, circuit in enumerate(lighting.circuits):
        assert all(lighting.lamps[each].circuit == number for each in circuit.lamps)


def test_cabinets_are_fed_by_a_substation_nearby(any_networks: Networks) -> None:
    for cabinet in any_networks.lighting.cabinets:
        substation = any_networks.power.substations[cabinet.substation]
        assert np.hypot(cabinet.x - substation.x, cabinet.y - substation.y) < 2500
