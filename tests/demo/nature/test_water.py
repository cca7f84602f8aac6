"""Pressure and flow follow from demand and leaks: what a burst takes, its surroundings lack."""

from pathlib import Path

import numpy as np
import pytest

from parvis.demo.nature.nature import Nature
from parvis.demo.networks.hydraulics import service_heads
from parvis.demo.networks.networks import Networks
from parvis.demo.networks.water import Junction
from parvis.demo.story.events import Course, Event, EventKind
from parvis.demo.story.story import Story

NOW = 1_795_348_800.0
DAY = 86_400.0
HOURS = np.arange(NOW - 3 * DAY, NOW, 3600.0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def drawn(networks: Networks) -> Junction:
    """The junction of the first district from which most is drawn."""
    of_district = [one for one in networks.water.junctions if one.district == 0]
    return max(of_district, key=lambda one: one.demand_m3_per_day)


def nature(networks: Networks, kept: Path, *events: Event) -> Nature:
    return Nature(7, Story(NOW, events), networks.water, kept)


def burst(at: Junction, networks: Networks) -> Event:
    district = networks.water.districts[0]
    reaches = frozenset({f"junction:{at.id}", f"district:{district.id}"})
    return Event("burst", EventKind.BURST, NOW - DAY, NOW - DAY / 2, 15.0, Course.STEP, {}, {}, reaches)


def test_pressure_is_what_people_get_at_their_taps_and_falls_when_they_draw(networks: Networks, kept: Path) -> None:
    water = nature(networks, kept).water
    demand = water.demand(HOURS)
    for junction in networks.water.junctions[::400]:
        if junction.district is not None:
            pressure = water.pressure_m(HOURS, junction.id)
            assert 15 < pressure.min() <= pressure.max() < 90
            assert pressure[demand > 1.5].mean() < pressure[demand < 0.3].mean() + 0.3


def test_a_burst_takes_flow_and_pressure_while_it_runs(networks: Networks, kept: Path, drawn: Junction) -> None:
    calm, broken = nature(networks, kept), nature(networks, kept, burst(drawn, networks))
    runs = (HOURS >= NOW - DAY) & (HOURS < NOW - DAY / 2)
    district = networks.water.districts[0]

    lost = calm.water.pressure_m(HOURS, drawn.id) - broken.water.pressure_m(HOURS, drawn.id)
    more = broken.water.district_l_per_s(HOURS, district) - calm.water.district_l_per_s(HOURS, district)

    assert lost[runs].min() > 5
    assert not lost[~runs].any()
    assert more[runs] == pytest.approx(15)
    assert not more[~runs].any()


def test_a_leak_on_a_service_pipe_is_felt_where_it_branches_off(networks: Networks, kept: Path) -> None:
    """The model leaves service pipes out."""
    aside = min(service_heads(networks.water))
    at = next(one for one in networks.water.junctions if one.id == aside)
    calm, broken = nature(networks, kept), nature(networks, kept, burst(at, networks))
    runs = (HOURS >= NOW - DAY) & (HOURS < NOW - DAY / 2)

    lost = calm.water.pressure_m(HOURS, aside) - broken.water.pressure_m(HOURS, aside)

    assert lost[runs].min() > 0.5


def test_a_state_is_solved_once_and_kept(networks: Networks, kept: Path, drawn: Junction) -> None:
    whole = nature(networks, kept, burst(drawn, networks)).water.pressure_m(HOURS, drawn.id)
    files = sorted(kept.glob("*.npz"))

    again = nature(networks, kept, burst(drawn, networks)).water.pressure_m(HOURS, drawn.id)

    assert (whole == again).all()
    assert sorted(kept.glob("*.npz")) == files
    files[0].write_bytes(b"torn")
    files[-1].write_bytes(b"torn")
    assert (nature(networks, kept, burst(drawn, networks)).water.pressure_m(HOURS, drawn.id) == whole).all()


def test_a_tower_sinks_while_its_pump_stands_still(networks: Networks, kept: Path) -> None:
    tower = networks.water.towers[0]
    stop = Event(
        "stop", EventKind.BREAKDOWN, NOW - DAY, NOW - DAY / 3, 1, Course.STEP, {}, {}, frozenset({f"tower:{tower.id}"})
    )
    calm, stopped = (nature(networks, kept, *events).water.tower_m(HOURS, tower) for events in ((), (stop,)))

    assert (calm - stopped).max() > 0.2 * tower.full_m
    assert (stopped[HOURS < NOW - DAY] == calm[HOURS < NOW - DAY]).all()
    assert 0 < stopped.min() <= calm.max() < tower.full_m
