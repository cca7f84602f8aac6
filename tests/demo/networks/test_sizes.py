from random import Random

import pytest

from parvis.demo.networks.sizes import (
    diameter_mm,
    laid_year,
    loss_m,
    made_as,
    material_of,
    peak_flow_l_per_s,
    velocity_m_per_s,
)
from parvis.demo.networks.water import Material


def test_a_hamlet_peaks_higher_above_its_mean_than_a_town() -> None:
    assert peak_flow_l_per_s(8.64) == pytest.approx(0.1 * 3.5)
    assert peak_flow_l_per_s(8640) == pytest.approx(100 * 1.75)
    assert peak_flow_l_per_s(0) == 0


def test_the_narrowest_pipe_is_taken_in_which_water_is_not_too_fast() -> None:
    size = diameter_mm(10, 0.8, 63)
    assert size == 160
    assert velocity_m_per_s(10, size) < 0.8 < velocity_m_per_s(10, 125)
    assert diameter_mm(0.1, 0.8, 110) == 110


def test_head_is_lost_as_the_tables_of_hazen_and_williams_have_it() -> None:
    """A litre a second through 1 km of 100 mm at C = 100 (the formula worked out by hand)."""
    assert loss_m(1, 1000, 100, 100) == pytest.approx(0.4357, rel=0.001)


def test_old_pipes_are_of_iron_and_young_narrow_ones_of_polyethylene() -> None:
    rng = Random(1)
    assert material_of(rng, 1935, 110) is Material.CAST_IRON
    assert material_of(rng, 2015, 63) is Material.POLYETHYLENE
    assert material_of(rng, 1990, 300) is Material.DUCTILE_IRON
    assert made_as(110, Material.CAST_IRON) == 100
    assert made_as(110, Material.PVC) == 110


def test_the_old_core_has_older_pipes_than_the_suburbs() -> None:
    rng = Random(2)
    core, town = (sum(laid_year(rng, quarter) for _ in range(300)) / 300 for quarter in ("core", "town"))
    assert core + 15 < town
