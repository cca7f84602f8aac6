from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import pytest
import shapely
import wntr  # type: ignore[import-untyped]

from parvis.demo.land.territory import Territory
from parvis.demo.networks.hydraulics import hydraulic_model, model_demands_m3_per_day
from parvis.demo.networks.networks import Networks
from parvis.demo.networks.water import WaterNetwork

DAY = (
    0.22, 0.14, 0.1, 0.09, 0.14, 0.5, 1.5, 2.3, 1.7, 1.1, 0.95, 1.05, 1.35, 1.15, 0.8, 0.75, 0.9, 1.25, 1.75, 2.0, 1.6,
    1.15, 0.8, 0.45,
)  # fmt: skip
"""How households draw through a working day, the morning's hour 2.3 times the mean."""


class Named(Protocol):
    @property
    def id(self) -> str: ...


def ids(things: Iterable[Named]) -> list[str]:
    return [thing.id for thing in things]


@pytest.fixture(scope="session")
def water(any_networks: Networks) -> WaterNetwork:
    return any_networks.water


@pytest.fixture(scope="session")
def solved(water: WaterNetwork, tmp_path_factory: pytest.TempPathFactory) -> Any:
    prefix = tmp_path_factory.mktemp("hydraulics") / "day"
    return wntr.sim.EpanetSimulator(hydraulic_model(water, DAY, hours=48)).run_sim(file_prefix=str(prefix))


def test_every_pipe_lies_under_its_road(any_territory: Territory, water: WaterNetwork) -> None:
    roads = np.array([any_territory.roads[pipe.road].line for pipe in water.pipes])
    pipes = np.array([pipe.line for pipe in water.pipes])
    for share in (0.1, 0.5, 0.9):
        assert shapely.distance(roads, shapely.line_interpolate_point(pipes, share, normalized=True)).max() < 1.5


def test_every_building_draws_water_and_nothing_is_drawn_twice(any_territory: Territory, water: WaterNetwork) -> None:
    junctions = {junction.id: junction for junction in water.junctions}
    assert len(water.junction_of_building) == len(any_territory.buildings)
    assert sum(junction.customers for junction in water.junctions) == len(any_territory.buildings)
    assert all(junctions[each].customers > 0 for each in water.junction_of_building)


def test_a_district_gets_all_its_water_through_its_meter(water: WaterNetwork) -> None:
    junctions = {junction.id: junction for junction in water.junctions}
    for number, district in enumerate(water.districts):
        own = [junction for junction in water.junctions if junction.district == number]
        assert district.demand_m3_per_day == pytest.approx(sum(each.demand_m3_per_day for each in own), rel=0.01)
        assert junctions[district.critical].district == number
    linked = [(junctions[pipe.start].district, junctions[pipe.end].district) for pipe in water.pipes]
    assert all(one == other for one, other in linked)


def test_hydrants_stand_on_pipes_wide_enough_for_them(water: WaterNetwork) -> None:
    pipes = {pipe.id: pipe for pipe in water.pipes}
    assert len(water.hydrants) > 300
    for hydrant in water.hydrants:
        assert pipes[hydrant.pipe].diameter_mm >= 100
        assert pipes[hydrant.pipe].line.distance(shapely.Point(hydrant.x, hydrant.y)) < 1.0


def test_names_are_given_once(water: WaterNetwork) -> None:
    nodes = [*ids(water.junctions), *ids(water.works), *ids(water.towers)]
    links = [*ids(water.pipes), *ids(water.reducers), *ids(water.pumps)]
    for names in (nodes, links, ids(water.districts), ids(water.hydrants)):
        assert len(names) == len(set(names))


def test_a_model_without_service_pipes_draws_as_much(water: WaterNetwork) -> None:
    whole = sum(model_demands_m3_per_day(water, whole=True).values())
    assert sum(model_demands_m3_per_day(water).values()) == pytest.approx(whole)
    model = hydraulic_model(water)
    drawn = sum(junction.base_demand for _, junction in model.junctions()) * 86_400
    assert drawn == pytest.approx(whole, rel=1e-6)


def test_customers_have_two_to_seven_bar_at_every_hour(water: WaterNetwork, solved: Any) -> None:
    pressures = solved.node["pressure"]
    served = [each.id for each in water.junctions if each.customers and each.id in pressures.columns]
    heads_m = pressures[served].to_numpy()
    assert heads_m.min() > 20
    assert heads_m.max() < 71.5


def test_water_moves_but_not_too_fast(water: WaterNetwork, solved: Any) -> None:
    speeds = solved.link["velocity"]
    mains = [pipe.id for pipe in water.pipes if pipe.id in speeds.columns]
    assert speeds[mains].to_numpy().max() < 1.6
    assert (speeds[mains].max() > 0.02).mean() > 0.7


def test_towers_rise_in_the_night_and_never_run_dry(water: WaterNetwork, solved: Any) -> None:
    levels = solved.node["pressure"][[tower.id for tower in water.towers]].iloc[1:]
    assert levels.to_numpy().min() > 0.5
    assert (levels.max() - levels.min()).min() > 0.2


def test_the_meters_of_the_districts_sum_to_what_is_drawn(water: WaterNetwork, solved: Any) -> None:
    metered = solved.link["flowrate"][[district.meter_pipe for district in water.districts]].to_numpy().sum(axis=1)
    drawn = sum(district.demand_m3_per_day for district in water.districts) / 86_400
    assert metered[:24].mean() == pytest.approx(drawn * float(np.mean(DAY)), rel=0.02)
