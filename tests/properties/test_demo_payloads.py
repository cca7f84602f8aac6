import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import quickjs
from hypothesis import given
from hypothesis import strategies as st

import parvis.demo
from parvis.demo import payloads as p

CODECS = Path(parvis.demo.__file__).parent / "codecs"


@cache
def codec(profile: str) -> Callable[[str], str]:
    context = quickjs.Context()
    context.eval((CODECS / profile / "codec.js").read_text())
    context.eval("function run(text) { return JSON.stringify(decodeUplink(JSON.parse(text))); }")
    run: Callable[[str], str] = context.get("run")
    return run


def decode(profile: str, f_port: int, payload: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        codec(profile)(json.dumps({"bytes": list(payload), "fPort": f_port, "recvTime": "2026-01-01T00:00:00Z"}))
    )
    return answer


def round_trip(profile: str, reading: p.Reading) -> dict[str, Any]:
    frame = p.encode(reading)
    answer = decode(profile, frame.f_port, frame.payload)
    assert answer["errors"] == []
    data: dict[str, Any] = answer["data"]
    return data


def steps(lowest: int, highest: int, per_unit: int) -> st.SearchStrategy[float]:
    return st.integers(lowest, highest).map(lambda n: n / per_unit)


percent = st.integers(0, 100)
uint16 = st.integers(0, 0xFFFF)
STATES = {
    p.ContainerState.OK: "ok",
    p.ContainerState.LID_OPEN: "lidOpen",
    p.ContainerState.DROPPED: "dropped",
    p.ContainerState.BURNING: "burning",
}


@given(st.builds(p.FillReading, percent, uint16, steps(-1000, 1000, 10), percent, st.sampled_from(p.ContainerState)))
def test_a_fill_frame_says_what_was_read(reading: p.FillReading) -> None:
    assert round_trip("trevalan-fill-level", reading) == {
        "fill_percent": reading.fill_percent,
        "distance_mm": reading.distance_mm,
        "temperature_c": reading.temperature_c,
        "battery_percent": reading.battery_percent,
        "state": STATES[reading.state],
    }


@given(
    st.builds(
        p.MeterReading,
        st.integers(0, 2**32 - 1),
        uint16,
        uint16,
        st.integers(0, 3),
        uint16,
        st.integers(0, 7).map(p.MeterAlarm),
    )
)
def test_a_meter_frame_says_what_was_counted(reading: p.MeterReading) -> None:
    data = round_trip("trevalan-water-pulse", reading)
    litres = 10**reading.weight_exponent
    assert data["volume_l"] == reading.pulses * litres
    assert data["flow_l_per_h"] == reading.pulses_per_hour * litres
    assert data["lowest_flow_l_per_h"] == reading.lowest_pulses_per_hour * litres
    assert data["battery_mv"] == reading.battery_mv
    assert 0 <= data["battery_percent"] <= 100
    alarms = data["leak"] * 1 + data["backflow"] * 2 + data["tamper"] * 4
    assert alarms == reading.alarms


@given(
    st.builds(
        p.RoomReading,
        steps(-10000, 10000, 100),
        steps(0, 200, 2),
        uint16,
        uint16,
        st.integers(0, 255),
        steps(200, 455, 100),
    )
)
def test_a_room_frame_says_what_was_felt(reading: p.RoomReading) -> None:
    data = round_trip("trevalan-room-climate", reading)
    del data["battery_percent"]
    assert data == {
        "temperature_c": reading.temperature_c,
        "humidity_percent": reading.humidity_percent,
        "co2_ppm": reading.co2_ppm,
        "illuminance_lx": reading.illuminance_lx,
        "people": reading.people,
        "battery_v": reading.battery_v,
    }


@given(st.builds(p.ParkingReading, st.booleans(), st.booleans(), uint16, st.integers(-128, 127), percent))
def test_a_parking_frame_says_whether_the_bay_is_free(reading: p.ParkingReading) -> None:
    state = "unknown" if reading.fault else "occupied" if reading.occupied else "free"
    assert round_trip("trevalan-parking-bay", reading) == {
        "state": state,
        "minutes_since_change": reading.minutes_since_change,
        "temperature_c": reading.temperature_c,
        "battery_percent": reading.battery_percent,
    }


concentration = st.none() | steps(0, 0xFFFF, 10)


@given(
    st.builds(
        p.AirReading,
        st.none() | steps(-1000, 1000, 10),
        st.none() | steps(0, 200, 2),
        st.none() | steps(8000, 11000, 10),
        concentration,
        concentration,
        concentration,
        concentration,
        st.none() | steps(0, 255, 10),
        st.none() | st.integers(0, 359),
        st.none() | steps(0, 255, 10),
    )
)
def test_a_station_frame_carries_the_quantities_it_has_and_no_other(reading: p.AirReading) -> None:
    data = round_trip("trevalan-air-station", reading)
    expected = {name: getattr(reading, name) for name in p.AirReading.__slots__}
    assert data == {name: value for name, value in expected.items() if value is not None}


@given(
    st.builds(
        p.TrafficReading,
        st.integers(1, 255),
        uint16,
        uint16,
        st.integers(0, 255),
        steps(0, 200, 2),
        percent,
    )
)
def test_a_traffic_frame_gives_counts_and_their_hourly_rate(reading: p.TrafficReading) -> None:
    data = round_trip("trevalan-traffic-count", reading)
    assert (data["vehicles"], data["heavy_vehicles"]) == (reading.vehicles, reading.heavy_vehicles)
    assert abs(data["vehicles_per_h"] - reading.vehicles * 3600 / reading.interval_s) <= 0.5
    assert ("speed_km_per_h" in data) == (reading.vehicles > 0)
    assert data["occupancy_percent"] == reading.occupancy_percent


@given(st.builds(p.LevelReading, steps(-32768, 32767, 1000), steps(-10000, 10000, 100), percent))
def test_a_level_frame_says_how_high_the_water_stands(reading: p.LevelReading) -> None:
    assert round_trip("trevalan-water-level", reading) == {
        "level_m": reading.level_m,
        "temperature_c": reading.temperature_c,
        "battery_percent": reading.battery_percent,
    }


@given(
    st.sampled_from(sorted(folder.name for folder in CODECS.iterdir())),
    st.integers(1, 223),
    st.binary(max_size=60),
)
def test_no_frame_however_broken_makes_a_codec_throw(profile: str, f_port: int, payload: bytes) -> None:
    answer = decode(profile, f_port, payload)
    assert set(answer) == {"data", "warnings", "errors"}
