import numpy as np
import pytest
import shapely

from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways


def test_one_comes_from_everywhere_to_everywhere(any_ways: Ways) -> None:
    reached = any_ways.reach([0])
    assert np.isfinite(reached.cost).all()
    assert len(reached.order) == len(any_ways.xy)


def test_every_stretch_lies_on_its_road(any_territory: Territory, any_ways: Ways) -> None:
    roads = np.array([any_territory.roads[index].line for index in any_ways.road])
    middle = shapely.line_interpolate_point(any_ways.lines, 0.5, normalized=True)
    assert shapely.distance(roads, middle).max() < 1.0


def test_every_commune_has_junctions_above_the_sea(any_territory: Territory, any_ways: Ways) -> None:
    assert set(any_ways.node_commune.tolist()) == set(range(len(any_territory.communes)))
    assert any_ways.elevation_m.min() > 0
    assert 40 < any_ways.elevation_m.max() < 120


def test_a_path_leads_from_its_source_to_its_node(any_ways: Ways) -> None:
    source, goal = 0, len(any_ways.xy) // 2
    reached = any_ways.reach([source])
    line = any_ways.line_of(reached.path(goal), source)
    assert line.coords[0] == tuple(any_ways.xy[source])
    assert line.coords[-1] == tuple(any_ways.xy[goal])
    assert line.length == pytest.approx(reached.cost[goal], rel=1e-6)
