"""The past is what would have been heard."""

import json

import numpy as np

from parvis.broker.model.entity import Kind as EntityKind
from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind
from parvis.demo.readings.past import Memory
from parvis.demo.readings.table import sensor_of
from tests.demo.conftest import BEGUN_S, SetScene

HOURS = np.arange(BEGUN_S - 3 * 86_400, BEGUN_S, 3600.0)


def few(devices: tuple[Device, ...]) -> list[Device]:
    return [next(one for one in devices if one.kind is kind) for kind in Kind]


def test_the_past_is_told_in_the_terms_and_units_of_the_profile(
    devices: tuple[Device, ...], set_scene: SetScene
) -> None:
    bin_ = few(devices)[0]
    told = {one.term: one for one in Memory([bin_], set_scene()).series(HOURS)}
    assert set(told) == {"fillingLevel", "temperature", "status", "batteryLevel"}
    assert told["batteryLevel"].entity_id == f"urn:ngsi-ld:Device:{bin_.hardware_id}"
    assert told["fillingLevel"].unit == "C62"
    assert np.nanmax(told["fillingLevel"].values) <= 1
    assert {*told["status"].values.tolist()} <= {"ok", "lidOpen", None}


def test_long_ago_only_the_first_attribute_and_the_battery_at_noon_are_told(
    devices: tuple[Device, ...], set_scene: SetScene
) -> None:
    memory = Memory(few(devices), set_scene())
    whole, main = list(memory.series(HOURS)), list(memory.series(HOURS, in_full=False))
    assert len(main) < len(whole) / 2
    batteries = [one for one in main if one.term == "batteryLevel"]
    assert batteries
    assert all((~np.isnan(one.values)).sum() <= 3 for one in batteries)
    levels = {(one.entity_id, one.term): one.values for one in whole}
    for one in main:
        if one.term != "batteryLevel":
            np.testing.assert_array_equal(one.values, levels[one.entity_id, one.term])


def test_where_a_bus_was_is_told_while_it_runs(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    """As it tells of itself when it runs live."""
    bus = next(one for one in devices if one.kind is Kind.BUS)
    scene, minutes = set_scene(), np.arange(BEGUN_S - 86_400, BEGUN_S, 60.0)
    [told] = Memory(few(devices), scene).places(minutes)
    live = sensor_of(bus, scene).tell(minutes)

    assert (told.entity_id, told.term, told.kind) == (bus.entity_id, "location", EntityKind.GEO_PROPERTY)
    heard = [one is not None for one in told.values]
    assert heard == live.heard.tolist()
    assert 200 < sum(heard) < 1440
    first = heard.index(True)
    assert json.loads(told.values[first]) == {
        "type": "Point",
        "coordinates": [live.columns["lon"][first], live.columns["lat"][first]],
    }
