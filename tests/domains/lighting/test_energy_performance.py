"""By hand: a street of 30 m between columns, a carriageway of 7 m and two footways of 2 m."""

import pytest

from parvis.domains.lighting.rules.energy_performance import (
    Area,
    Period,
    Undefined,
    annual_consumption_wh_per_m2,
    power_density_w_per_lx_m2,
)

STREET = (Area(210, 15), Area(60, 7.5), Area(60, 7.5))
ALL_NIGHT = (Period(4000, 1),)


def test_power_is_told_by_the_light_on_every_area() -> None:
    """60 W / (15 lx x 210 m2 + 2 x 7.5 lx x 60 m2) = 60 / 4050."""
    assert power_density_w_per_lx_m2(60, STREET) == pytest.approx(0.0148148, abs=1e-7)


def test_energy_is_told_by_the_area() -> None:
    """60 W x 4000 h / 330 m2."""
    assert annual_consumption_wh_per_m2(60, ALL_NIGHT, STREET) == pytest.approx(727.2727, abs=1e-4)


def test_dimmed_hours_count_by_what_is_drawn_in_them() -> None:
    """60 W x (2200 h + 0.5 x 1800 h) / 330 m2."""
    periods = (Period(2200, 1), Period(1800, 0.5))
    assert annual_consumption_wh_per_m2(60, periods, STREET) == pytest.approx(563.6364, abs=1e-4)


def test_where_somebody_passes_more_is_drawn_for_that_share_of_the_time() -> None:
    """60 W x (2200 h + 1800 h x (0.8 x 0.2 + 0.2 x 1)) / 330 m2."""
    periods = (Period(2200, 1), Period(1800, 0.2, detection_share=0.2))
    assert annual_consumption_wh_per_m2(60, periods, STREET) == pytest.approx(517.8182, abs=1e-4)


def test_what_stands_by_is_drawn_by_day_as_well() -> None:
    """(60 W x 4000 h + 0.5 W x 8760 h) / 330 m2."""
    assert annual_consumption_wh_per_m2(60, ALL_NIGHT, STREET, 0.5) == pytest.approx(740.5455, abs=1e-4)


def test_of_what_is_not_lit_nothing_is_said() -> None:
    with pytest.raises(Undefined):
        power_density_w_per_lx_m2(60, (Area(210, 0),))
    with pytest.raises(Undefined):
        annual_consumption_wh_per_m2(60, ALL_NIGHT, ())
