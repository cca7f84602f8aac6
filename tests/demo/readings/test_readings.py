"""What devices tell follows from the territory's life."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quickjs
from numpy.typing import NDArray

import parvis.demo
from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind, Way
from parvis.demo.play.voices import _plain
from parvis.demo.readings.layouts import LAYOUTS
from parvis.demo.readings.scene import Columns
from parvis.demo.readings.table import sensor_of
from parvis.demo.story.events import Course, Event, EventKind
from tests.demo.conftest import BEGUN_S, SetScene

HOUR, DAY = 3600.0, 86_400.0
MIDNIGHT = BEGUN_S - 9 * HOUR
WEEK = np.arange(MIDNIGHT, MIDNIGHT + 7 * DAY, HOUR)
CODECS = Path(parvis.demo.__file__).parent / "codecs"


def of_kind(devices: Iterable[Device], kind: Kind, place: str = "") -> list[Device]:
    return [one for one in devices if one.kind is kind and one.place.startswith(place)]


def event(kind: EventKind, *names: str, strength: float = 1.0, from_h: float = 0.0, lasts_h: float = 6.0) -> Event:
    begins = BEGUN_S + from_h * HOUR
    return Event(
        "e",
        kind,
        begins,
        begins + lasts_h * HOUR,
        strength,
        Course.STEP,
        {"en": "It"},
        {"en": "happens."},
        frozenset(names),
    )


def at_hours(columns: Columns, name: str, hours: Sequence[int]) -> float:
    return float(np.mean(columns[name].reshape(7, 24)[:5, hours]))


def test_every_kind_says_the_same_again_and_within_any_others_times(
    devices: tuple[Device, ...], set_scene: SetScene
) -> None:
    scene, of_other_times = set_scene(), set_scene()
    for kind in Kind:
        device = of_kind(devices, kind)[0]
        whole = sensor_of(device, scene).tell(WEEK)
        part = sensor_of(device, of_other_times).tell(WEEK[50:60])
        for name, column in whole.columns.items():
            assert column[50:60].tolist() == pytest.approx(part.columns[name].tolist(), nan_ok=True) or (
                column.dtype.kind == "O" and column[50:60].tolist() == part.columns[name].tolist()
            )


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_a_codec_reads_what_the_device_meant(kind: Kind, devices: tuple[Device, ...], set_scene: SetScene) -> None:
    context = quickjs.Context()
    context.eval((CODECS / kind.value / "codec.js").read_text())
    scene = set_scene()
    for device in of_kind(devices, kind)[:5]:
        told = sensor_of(device, scene).tell(WEEK[::11])
        for number in range(len(WEEK[::11])):
            row = {name: _plain(column[number]) for name, column in told.columns.items()}
            frame = LAYOUTS[kind].frame({name: float("nan") if one is None else one for name, one in row.items()})
            given = json.dumps({"bytes": list(frame.payload), "fPort": frame.f_port})
            read = json.loads(context.eval(f"JSON.stringify(decodeUplink({given}))"))
            assert read["errors"] == []
            assert {name: one for name, one in row.items() if one is not None}.items() <= {
                **row, **read["data"]
            }.items()  # fmt: skip


def test_a_container_fills_and_is_emptied(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    (bin_, *_) = of_kind(devices, Kind.FILL, "plastic")
    level = sensor_of(bin_, set_scene()).tell(np.arange(MIDNIGHT, MIDNIGHT + 20 * DAY, HOUR)).columns["fill_percent"]
    steps = np.diff(level)
    assert level.max() > 40
    assert (steps < -25).sum() in range(3, 6)
    assert ((steps > -3) | (steps < -25)).all()


@pytest.mark.parametrize(
    ("kind", "total"),
    [
        (Kind.METER, "volume_l"), (Kind.DISTRICT_METER, "volume_m3"), (Kind.ELECTRICITY, "import_kwh"),
        (Kind.GAS, "volume_m3"), (Kind.HEAT, "energy_kwh"), (Kind.PV, "energy_kwh"), (Kind.LIGHTING, "energy_kwh"),
    ],
)  # fmt: skip
def test_meters_never_run_backwards(kind: Kind, total: str, devices: tuple[Device, ...], set_scene: SetScene) -> None:
    scene = set_scene()
    for device in of_kind(devices, kind)[:4]:
        steps = np.diff(sensor_of(device, scene).tell(WEEK).columns[total])
        assert (steps >= 0).all()
        assert steps.sum() > 0


def test_a_leak_shows_at_night_in_its_district_alone(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    meters = of_kind(devices, Kind.DISTRICT_METER)
    leak = event(EventKind.LEAK, f"district:{meters[0].link.id}", strength=9.0, from_h=-48, lasts_h=96)
    now = np.array([BEGUN_S])
    told = [sensor_of(one, set_scene(leak)).tell(now).columns for one in meters]
    assert told[0]["leak"][0] == 1
    assert sum(int(one["leak"][0]) for one in told) == 1
    quiet = sensor_of(meters[0], set_scene()).tell(now).columns
    assert told[0]["flow_m3_per_h"][0] - quiet["flow_m3_per_h"][0] == pytest.approx(9 * 3.6, abs=0.1)


def test_classrooms_are_stuffy_in_lessons_and_fresh_at_night(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    room = of_kind(devices, Kind.ROOM, "school:")[0]
    columns = sensor_of(room, set_scene()).tell(WEEK).columns
    assert columns["co2_ppm"].max() > 900
    assert at_hours(columns, "co2_ppm", [2, 3]) < 520


def test_lamps_burn_at_night_and_not_where_the_cable_is_gone(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    cabinet = of_kind(devices, Kind.LIGHTING)[0]
    night = np.array([MIDNIGHT + 20 * HOUR])
    columns = sensor_of(cabinet, set_scene()).tell(np.append(night, MIDNIGHT + 12 * HOUR)).columns
    assert columns["power_state"].tolist() == ["on", "off"]
    scene = set_scene()
    circuit = scene.networks.lighting.circuits[scene.cabinets[cabinet.link.id].circuits[0]]
    stolen = set_scene(event(EventKind.CABLE_THEFT, f"circuit:{circuit.id}", lasts_h=48))
    robbed = sensor_of(cabinet, stolen).tell(night).columns
    assert robbed["circuits_lit"][0] == columns["circuits_lit"][0] - 1
    assert robbed["state"][0] == "circuitFault"


def test_a_blackout_silences_who_has_no_battery(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    meter, station = of_kind(devices, Kind.ELECTRICITY)[0], of_kind(devices, Kind.CHARGING)[0]
    scene = set_scene(event(EventKind.BLACKOUT, meter.entity_id, station.entity_id, lasts_h=1))
    times = np.array([BEGUN_S + 0.5 * HOUR, BEGUN_S + 2 * HOUR])
    assert (
        sensor_of(meter, scene).tell(times).heard.tolist()[0] is np.False_
        or not sensor_of(meter, scene).tell(times).heard[0]
    )
    assert sensor_of(station, scene).tell(times).heard.tolist() == [False, True]


def test_panels_give_most_at_noon_and_nothing_at_night(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    roof = of_kind(devices, Kind.PV)[0]
    columns = sensor_of(roof, set_scene()).tell(WEEK).columns
    assert at_hours(columns, "power_kw", [0, 1, 2]) == 0
    assert 0.1 * roof.weight < at_hours(columns, "power_kw", [12, 13]) < roof.weight


def test_buses_run_along_their_line_by_day_and_sleep_at_night(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    scene = set_scene()
    times = np.arange(MIDNIGHT + 6 * HOUR, MIDNIGHT + 6 * HOUR + DAY, 30.0)
    for bus in of_kind(devices, Kind.BUS)[:4]:
        told = sensor_of(bus, scene).tell(times)
        heard, columns = told.heard, told.columns
        assert heard[: 2 * 60 * 12].mean() > 0.3
        assert not heard[2 * 60 * 18 : 2 * 60 * 21].any()
        metres = np.hypot(np.diff(columns["lat"]) * 111_000, np.diff(columns["lon"]) * 75_000)
        moved = metres[
            (heard[1:] & heard[:-1]) & (columns["state"][1:] == "onRoute") & (columns["state"][:-1] == "onRoute")
        ]
        assert np.median(moved) > 20
        assert np.quantile(moved, 0.99) < 30 * 90 / 3.6


def test_frames_are_lost_now_and_then(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    scene = set_scene()
    heard = [sensor_of(one, scene).tell(WEEK).heard.mean() for one in of_kind(devices, Kind.ROOM)[:20]]
    assert 0.98 < np.mean(heard) < 1


def test_a_silent_gateway_is_a_hole_and_a_flat_battery_shows(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    device = of_kind(devices, Kind.FILL)[0]
    flat = event(EventKind.FLAT_BATTERY, device.entity_id, strength=0.9)
    gone = event(EventKind.RADIO_LOSS, device.entity_id)
    now = np.array([BEGUN_S + 60])
    before = sensor_of(device, set_scene()).tell(now).columns["battery_percent"][0]
    assert sensor_of(device, set_scene(flat)).tell(now).columns["battery_percent"][0] == pytest.approx(
        0.1 * before, abs=1
    )
    assert not sensor_of(device, set_scene(gone)).tell(now).heard[0]


def test_all_ways_in_are_spoken(devices: tuple[Device, ...]) -> None:
    assert {one.way for one in devices} == set(Way)


def test_bays_are_taken_by_hour_day_and_place(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    """Seldom nearly full: a resident who looks finds one, and finds other places fuller than others."""

    scene = set_scene()

    def taken(place: str) -> NDArray[Any]:
        bays = [sensor_of(one, scene).tell(WEEK).columns for one in of_kind(devices, Kind.PARKING, place)]
        found: NDArray[Any] = np.mean([one["state"] == "occupied" for one in bays], axis=0).reshape(7, 24)
        return found

    town = taken("")
    assert 0.35 < town.mean() < 0.6
    assert town.max() < 0.9
    assert town[:5, 10:17].mean() > 2 * town[:5, 0:5].mean()
    hospital, townhall = taken("hospital"), taken("townhall")
    assert hospital[:4, 10:16].mean() > townhall[:4, 10:16].mean() > townhall[4:6, 10:16].mean() + 0.15


def test_car_parks_follow_what_they_are_for(devices: tuple[Device, ...], set_scene: SetScene) -> None:
    scene = set_scene()

    def taken(place: str) -> NDArray[Any]:
        parks = [sensor_of(one, scene).tell(WEEK).columns for one in of_kind(devices, Kind.CAR_PARK, place)]
        found: NDArray[Any] = np.mean([one["occupancy"] for one in parks], axis=0).reshape(7, 24)
        return found

    station, beach, shopping = taken("station"), taken("beach"), taken("shopping")
    assert station[:4, 9:15].mean() > 0.7 > 0.5 > station[4:6, 9:15].mean()
    assert beach[5, 13:17].mean() > beach[:4, 13:17].mean()
    assert shopping[:, 0:4].max() < 0.1 < shopping[:4, 16].min()
    assert taken("festival").max() < 0.3
