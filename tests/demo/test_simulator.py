import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise

from parvis.demo.chirpstack import NetworkServer
from parvis.demo.clockwork import US_PER_S, local_offset_s
from parvis.demo.devices.installation import Device, Kind
from parvis.demo.metering import LEAK_CYCLE_DAYS
from parvis.demo.payloads import FillReading, LevelReading, MeterAlarm, MeterReading, ParkingReading, RoomReading
from parvis.demo.sensors import sensor_of
from parvis.demo.simulator import Simulation, Uplink

HOUR_S = 3600
TUESDAY_S = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())
START = TUESDAY_S * US_PER_S
HOUR = HOUR_S * US_PER_S


def readings(simulation: Simulation, device: Device, hours: range) -> list[object]:
    sensor = sensor_of(device, simulation.weather, 1)
    return [sensor(TUESDAY_S + hour * HOUR_S) for hour in hours]


def first(devices: list[Device], kind: Kind, place: str) -> Device:
    return next(device for device in devices if device.kind is kind and device.place.startswith(place))


def test_uplinks_come_in_order_of_time_and_within_the_window(simulation: Simulation) -> None:
    times = [uplink.time for uplink in simulation.uplinks(START, START + HOUR)]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] < START + HOUR


def test_a_window_cut_in_two_holds_the_same_uplinks(simulation: Simulation) -> None:
    middle = START + 17 * 60 * US_PER_S
    whole = list(simulation.uplinks(START, START + HOUR))
    assert [*simulation.uplinks(START, middle), *simulation.uplinks(middle, START + HOUR)] == whole


def test_the_territory_speaks_at_least_three_times_a_second(simulation: Simulation) -> None:
    count = sum(1 for _ in simulation.uplinks(START, START + HOUR))
    assert count / HOUR_S >= 3


def test_every_device_reports_every_two_to_fifteen_minutes(simulation: Simulation, devices: list[Device]) -> None:
    heard: dict[str, list[Uplink]] = defaultdict(list)
    for uplink in simulation.uplinks(START, START + 2 * HOUR):
        heard[uplink.dev_eui].append(uplink)
    assert set(heard) == {device.dev_eui for device in devices}
    for uplinks in heard.values():
        mean_s = (uplinks[-1].time - uplinks[0].time) / (len(uplinks) - 1) / US_PER_S
        assert 100 < mean_s < 900
        counters = [uplink.f_cnt for uplink in uplinks]
        assert counters == list(range(counters[0], counters[0] + len(counters)))


def test_a_container_fills_and_is_emptied(simulation: Simulation, devices: list[Device]) -> None:
    device = first(devices, Kind.FILL, "plastic")
    levels = [r.fill_percent for r in readings(simulation, device, range(0, 24 * 14, 2)) if isinstance(r, FillReading)]
    steps = [after - before for before, after in pairwise(levels)]
    assert max(levels) > 35
    assert sum(step < -20 for step in steps) >= 2
    assert sum(step >= -2 for step in steps) > 0.9 * len(steps)


def test_a_meter_never_runs_backwards_and_rests_at_night(simulation: Simulation, devices: list[Device]) -> None:
    device = first(devices, Kind.METER, "district")
    meter = [r for r in readings(simulation, device, range(48)) if isinstance(r, MeterReading)]
    assert all(after.pulses > before.pulses for before, after in pairwise(meter))
    flows = [reading.pulses_per_hour for reading in meter[:24]]
    assert min(flows) < 0.25 * max(flows)
    assert flows.index(min(flows)) in range(1, 5)


def test_one_district_leaks_for_a_while_and_says_so(simulation: Simulation, devices: list[Device]) -> None:
    districts = [device for device in devices if device.place == "district"]
    leaking = Counter(
        device.commune
        for device in districts
        for reading in readings(simulation, device, range(0, LEAK_CYCLE_DAYS * 24, 12))
        if isinstance(reading, MeterReading) and reading.alarms is MeterAlarm.LEAK
    )
    assert set(leaking) == {"Plouvarec"}
    assert 20 < leaking["Plouvarec"] < 2 * LEAK_CYCLE_DAYS


def test_a_classroom_is_stuffy_in_lessons_and_fresh_at_night(simulation: Simulation, devices: list[Device]) -> None:
    device = first(devices, Kind.ROOM, "school:Classe")
    room = [r for r in readings(simulation, device, range(24)) if isinstance(r, RoomReading)]
    assert room[10].co2_ppm > 700
    assert room[10].people > 10
    assert room[2].co2_ppm < 500
    assert room[2].people == 0
    assert room[10].temperature_c > room[5].temperature_c


def test_car_parks_are_fuller_by_day_than_by_night(simulation: Simulation, devices: list[Device]) -> None:
    def share(hour: int) -> float:
        bays = [device for device in devices if device.kind is Kind.PARKING]
        found = [reading for bay in bays for reading in readings(simulation, bay, range(hour, hour + 1))]
        return sum(isinstance(reading, ParkingReading) and reading.occupied for reading in found) / len(bays)

    assert share(17) > 0.5
    assert share(2) < 0.25


def test_the_port_sees_two_tides_a_day(simulation: Simulation, devices: list[Device]) -> None:
    gauge = first(devices, Kind.LEVEL, "tide")
    levels = [r.level_m for r in readings(simulation, gauge, range(25)) if isinstance(r, LevelReading)]
    highs = [
        hour for hour in range(1, 24) if levels[hour - 1] < levels[hour] >= levels[hour + 1] and levels[hour] > 3.3
    ]
    assert len(highs) == 2
    assert 11 <= highs[1] - highs[0] <= 14
    assert min(levels) > 0


def test_summer_time_begins_and_ends_on_the_last_sunday_at_one_utc() -> None:
    def offset(*moment: int) -> int:
        return local_offset_s(int(datetime(*moment, tzinfo=UTC).timestamp()) // HOUR_S)  # type: ignore[misc,arg-type]

    assert [offset(2026, 3, 29, 0), offset(2026, 3, 29, 1)] == [3600, 7200]
    assert [offset(2026, 10, 25, 0), offset(2026, 10, 25, 1)] == [7200, 3600]


def test_the_message_has_the_shape_of_a_chirpstack_uplink(simulation: Simulation, devices: list[Device]) -> None:
    server = NetworkServer(devices, simulation.gateways)
    uplink = next(simulation.uplinks(START))
    topic, payload = server.message(uplink)
    event = json.loads(payload)
    assert topic == f"application/{event['deviceInfo']['applicationId']}/device/{uplink.dev_eui}/event/up"
    assert set(event) == {
        "deduplicationId", "time", "deviceInfo", "devAddr", "adr", "dr", "fCnt", "fPort", "confirmed", "data",
        "rxInfo", "txInfo",
    }  # fmt: skip
    assert event["deviceInfo"]["devEui"] == uplink.dev_eui
    assert datetime.fromisoformat(event["time"]).timestamp() * US_PER_S == uplink.time
    assert event["rxInfo"][0]["gatewayId"] == uplink.gateway_id
    assert event["txInfo"]["modulation"]["lora"]["spreadingFactor"] == 12 - event["dr"]
    assert server.message(uplink) == (topic, payload)
