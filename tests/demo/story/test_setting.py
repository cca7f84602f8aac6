"""The own story on the own territory: every event has its place, and somebody who shows it."""

import numpy as np
import pytest

from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind
from parvis.demo.happenings import list_touched
from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks
from parvis.demo.story.events import EventKind
from parvis.demo.story.line import own_line, set_event, tell
from parvis.demo.story.setting import set_stage
from parvis.demo.story.stage import Stage, place_of
from parvis.demo.story.story import Story

BEGUN = 1_795_348_800.0


@pytest.fixture(scope="module")
def stage(territory: Territory, networks: Networks, devices: tuple[Device, ...]) -> Stage:
    return set_stage(territory, networks, devices)


def test_every_event_of_the_own_line_finds_its_place(stage: Stage) -> None:
    story = tell(own_line(), stage, BEGUN)

    assert {one.kind for one in story.events} >= {EventKind.LEAK, EventKind.STORM, EventKind.CABLE_THEFT}
    assert all(one.look for one in story.events)
    assert story.events == tell(own_line(), stage, BEGUN).events


def test_a_black_out_reaches_cabinets_charging_points_and_roofs_of_one_feeder(
    stage: Stage, devices: tuple[Device, ...], territory: Territory
) -> None:
    [trigger] = [one for one in own_line().trigger if one.kind is EventKind.BLACKOUT]
    event = set_event(trigger, stage, BEGUN, is_triggered=True)
    slugs = {one.name: one.slug for one in territory.communes}
    story, now = Story(BEGUN, [event]), np.array([BEGUN + 60])

    dark = [one for one in devices if not story.effects_at(now, place_of(one, slugs[one.commune])).powered.all()]

    assert {"trevalan-light-cabinet", "ocpp-charging-station"} <= {one.kind.value for one in dark}
    assert len(dark) < len(devices) / 4
    touched = list_touched(event, stage)
    stations = [one for one in dark if one.kind is Kind.CHARGING]
    assert {one.entity_id for one in stations} <= set(touched)
    assert {f"urn:ngsi-ld:ChargingConnector:{one.hardware_id}:1" for one in stations} <= set(touched)
    on_batteries = {one.entity_id for one in dark if one.kind is Kind.ROOM}
    assert on_batteries.isdisjoint(touched)


def test_what_concerns_everybody_touches_nobody_more_than_others(stage: Stage) -> None:
    touched = {one.kind: list_touched(one, stage) for one in tell(own_line(), stage, BEGUN).events}
    assert touched[EventKind.STORM] == ()
    assert 0 < len(touched[EventKind.LEAK]) < 20


def test_a_gateway_that_falls_silent_takes_the_radio_devices_of_its_commune(
    stage: Stage, devices: tuple[Device, ...], territory: Territory
) -> None:
    [lost] = [one for one in tell(own_line(), stage, BEGUN).events if one.id == "radio-locvelan"]
    slugs = {one.name: one.slug for one in territory.communes}

    reached = [one for one in devices if not lost.reaches.isdisjoint(place_of(one, slugs[one.commune]).names)]

    assert len(reached) > 20
    assert {(slugs[one.commune], one.way.value) for one in reached} == {("locvelan", "chirpstack")}
