import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from parvis.connectors.files.client import find_files
from parvis.connectors.files.config import load_mapping
from parvis.connectors.files.mapping import Observation
from parvis.connectors.files.replay import LARGEST_BATCH, Replay, ReplayFailed, read_in_order
from parvis.connectors.files.report import Report
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import SECOND, Instant, format_instant, parse_instant
from parvis.web.server import Running, serving
from tests.connectors.files.conftest import HERE, Place, hourly
from tests.connectors.files.test_import import WIDE

HOURS = 48
ROWS = [f"{day:02d}T{hour:02d}:00" for day in (1, 2) for hour in range(24)]


def read(mapping: Path, *paths: Path) -> list[Observation]:
    mapped = load_mapping(mapping)
    return read_in_order(find_files(paths, mapped), mapped, Report(), lambda rows: None)


@pytest.fixture
def observations(tmp_path: Path) -> list[Observation]:
    """Two zones, each hour of two days; the file has the newest first."""
    mapping, table = tmp_path / "mapping.toml", tmp_path / "table.csv"
    mapping.write_text(WIDE)
    rows = [f"2026-01-{moment},{number},{number + 0.5}" for number, moment in enumerate(ROWS)]
    table.write_text("\n".join(["time,zone north,zone south", *reversed(rows)]))
    return read(mapping, table)


class FakeTime:
    def __init__(self) -> None:
        self.now: Instant = parse_instant("2030-01-01T00:00:00Z")
        self.slept_s: list[float] = []

    def __call__(self) -> Instant:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now += round(seconds * SECOND)


class Platform:
    """Answers as told, 204 when told nothing; keeps what it was sent."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._answers = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(msgspec.json.decode(request.content))
        return next(self._answers, httpx.Response(204))

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://parvis.test")


async def test_everything_is_sent_in_the_order_of_time(observations: list[Observation]) -> None:
    platform = Platform()
    async with platform.client() as http:
        assert await Replay(http).play(observations) == 2 * HOURS

    (call,) = platform.calls
    times = [entity["inflow"]["observedAt"] for entity in call]
    assert times == sorted(times)
    assert call[0] == {
        "id": "urn:ngsi-ld:DistrictMeteredArea:north",
        "type": "DistrictMeteredArea",
        "inflow": {"type": "Property", "value": 0, "observedAt": "2026-01-01T00:00:00Z", "unitCode": "G51"},
    }


async def test_calls_stay_within_the_largest_batch(observations: list[Observation]) -> None:
    platform = Platform()
    many = observations * (LARGEST_BATCH // len(observations) + 1)
    async with platform.client() as http:
        await Replay(http).play(many)
    assert [len(call) for call in platform.calls] == [LARGEST_BATCH, len(many) - LARGEST_BATCH]


async def test_at_a_speed_the_hours_come_apart_as_they_were_recorded(observations: list[Observation]) -> None:
    platform, time = Platform(), FakeTime()
    async with platform.client() as http:
        await Replay(http, speed=3600, clock=time, sleep=time.sleep).play(observations)
    assert [len(call) for call in platform.calls] == [2] * HOURS
    assert time.slept_s == [1.0] * (HOURS - 1)


async def test_a_busy_platform_is_waited_for_and_nothing_is_lost(observations: list[Observation]) -> None:
    platform, time = Platform(httpx.Response(503, headers={"retry-after": "2"}), httpx.Response(429)), FakeTime()
    async with platform.client() as http:
        acknowledged = await Replay(http, clock=time, sleep=time.sleep).play(observations)
    assert acknowledged == 2 * HOURS
    assert time.slept_s == [2.0, 1.0]
    assert platform.calls[0] == platform.calls[2]


async def test_what_the_platform_refuses_is_counted_and_told(observations: list[Observation]) -> None:
    partial = httpx.Response(207, json={"success": [], "errors": [{"entityId": "urn:x", "error": {"title": "no"}}]})
    async with Platform(partial).client() as http:
        replay = Replay(http)
        assert await replay.play(observations) == 2 * HOURS - 1
    assert "urn:x" in replay.refused[0]


async def test_a_platform_that_takes_nothing_ends_the_replay(observations: list[Observation]) -> None:
    async with Platform(httpx.Response(401, text="who are you")).client() as http:
        with pytest.raises(ReplayFailed, match="401: who are you"):
            await Replay(http).play(observations)
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False) as http:
        with pytest.raises(ReplayFailed, match="Is the platform running"):
            await Replay(http).play(observations)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    given = {"server.port": 0, "mqtt.port": 0, "access.auth": False}
    async with serving(load_settings(tmp_path / "platform", {}, given)) as running:
        yield running


async def play(running: Running, observations: list[Observation]) -> None:
    async with httpx.AsyncClient(base_url=running.address, timeout=60, trust_env=False) as http:
        assert await Replay(http).play(observations) == len(observations)


@pytest.mark.slow
async def test_a_recorded_month_of_inflows_is_in_history_value_for_value(
    running: Running, inflow_file: Path, tmp_path: Path
) -> None:
    first, last = parse_instant("2021-10-15T00:00:00+02:00"), parse_instant("2021-11-15T00:00:00+01:00")
    everything = read(HERE / "water_inflows.toml", inflow_file)
    month = [one for one in everything if first <= one.at < last]

    await play(running, month)

    place = Place(running.platform.broker, tmp_path)
    for area in range(1, 11):
        entity_id = f"urn:ngsi-ld:DistrictMeteredArea:bwdf-{area}"
        expected = {format_instant(one.at): one.value for one in month if one.entity_id == entity_id}
        assert await place.history(entity_id, "inflow") == expected
    assert len(month) > 6_000


@pytest.mark.slow
async def test_a_recorded_year_of_a_building_is_in_history_value_for_value(
    running: Running, building_files: Path, tmp_path: Path
) -> None:
    path = building_files / "UCam_Building_b24/electricity/2018.csv"
    await play(running, read(HERE / "building_electricity.toml", path))

    with path.open(newline="") as lines:
        values: list[float | str] = [float(row["equipment load [kWh]"]) for row in csv.DictReader(lines)]
    place = Place(running.platform.broker, tmp_path)
    assert len(values) == 365 * 24
    history = await place.history("urn:ngsi-ld:Building:ucam-b24", "electricityUse")
    assert history == hourly(parse_instant("2018-01-01T00:00:00Z"), values)
