"""Feeds, from the answers of a web server to stations on the map."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from uvicorn import Config, Server

from parvis.broker.query.tree import TemporalQuery
from parvis.connectors.feeds.client import FeedClient, NoFeed
from parvis.connectors.feeds.config import FeedsConfig
from parvis.connectors.feeds.feed import Feed
from parvis.connectors.feeds.mapping import PACKAGED_FORMATS, load_format
from parvis.connectors.feeds.plugin import build, build_feeds
from parvis.fleet.ways.connector import InvalidConnector, Surroundings
from parvis.kernel.identity import Caller
from parvis.kernel.settings import OutboundSettings
from parvis.kernel.time import HOUR, Instant, parse_instant
from parvis.outbound.client import GuardedClient
from tests.connectors.feeds.samples import (
    BORDEAUX,
    DORDOGNE,
    GARONNE,
    NOW,
    TALENCE,
    air,
    air_file,
    river,
    rivers,
    weather,
)
from tests.connectors.town import Town, at_work, open_town

RIVER = f"urn:ngsi-ld:WaterObserved:hubeau-hydrometrie:{GARONNE}"
AIR = f"urn:ngsi-ld:AirQualityObserved:lcsqa-e2:{TALENCE}"
WEATHER = "urn:ngsi-ld:WeatherObserved:meteofrance-6m:"
NOON = "2026-09-21T12:00:00Z"
HUBEAU = {"feed": "hubeau-hydrometrie", "stations": [GARONNE]}


@dataclass
class Service:
    """Somebody's web server; `says` is what it answers, by path: a document, a status, a file, or one who answers."""

    url: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        said = self.says.get(request.url.path, 404)
        if isinstance(said, Response):
            return said
        if isinstance(said, Path):
            return await StaticFiles(directory=said.parent).get_response(said.name, request.scope)
        if callable(said):
            said = await said(request)
        return Response(status_code=said) if isinstance(said, int) else JSONResponse(said)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = Starlette(routes=[Route("/{path:path}", service.answer)])
    server = Server(Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        service.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = asyncio.create_task(server.serve([listening]))
        yield service
        server.should_exit = True
        await serving


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


def surroundings(town: Town, *feeds: dict[str, Any], timeout_s: float = 5.0) -> Surroundings:
    outbound = GuardedClient(OutboundSettings(allow=("127.0.0.0/8",), timeout_s=timeout_s))
    return Surroundings(town.fleet, town.broker, outbound, town.data_dir, {"feed": list(feeds)})


@dataclass
class At:
    now: Instant = NOW

    def __call__(self) -> Instant:
        return self.now


def feed_of(town: Town, settings: dict[str, Any], clock: At | None = None) -> Feed:
    (feed,) = build_feeds(surroundings(town, settings))
    feed.clock = clock or At()
    return feed


@asynccontextmanager
async def polling(town: Town, *feeds: dict[str, Any]) -> AsyncIterator[None]:
    async with at_work(build(surroundings(town, *feeds)), "poll"):
        yield


async def test_river_levels_of_hubeau_with_their_place(town: Town, service: Service) -> None:
    service.says["/obs"] = rivers(
        river(GARONNE, "H", NOON, 4120.0), river(GARONNE, "Q", NOON, 348000.0), river(DORDOGNE, "H", NOON, 900.0)
    )
    await feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"}).ask()
    height, flow = await town.find(RIVER, "height"), await town.find(RIVER, "flow")
    assert height is not None
    assert flow is not None
    assert (height.value, height.unit_code, height.observed_at) == (4.12, "MTR", parse_instant(NOON))
    assert (flow.value, flow.unit_code) == (348.0, "MQS")
    assert await town.value(RIVER, "location") == {"type": "Point", "coordinates": [-0.5523, 44.8301]}
    assert await town.value(RIVER, "isStale") is False
    assert await town.value(RIVER.replace(GARONNE, DORDOGNE), "height") is None
    (asked,) = service.asked
    assert dict(asked.query_params) == {
        "code_entite": GARONNE,
        "date_debut_obs": "2026-09-21T09:04:00Z",
        "size": "10000",
    }


async def test_further_pages_are_fetched(town: Town, service: Service) -> None:
    first = rivers(river(GARONNE, "H", "2026-09-21T11:55:00Z", 4100.0), following=f"{service.url}/page2")
    service.says = {
        "/obs": JSONResponse(first, status_code=206),
        "/page2": rivers(river(GARONNE, "H", NOON, 4120.0)),
    }
    await feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"}).ask()
    assert await town.history(RIVER, "height") == [4.1, 4.12]


async def test_a_page_elsewhere_is_not_asked_with_our_key(town: Town, service: Service) -> None:
    service.says["/obs"] = rivers(river(GARONNE, "H", NOON, 1.0), following="https://elsewhere.example/obs")
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"})
    await feed.ask()
    assert feed.failures == 1


async def test_what_a_feed_repeats_is_stored_once_even_after_a_restart(town: Town, service: Service) -> None:
    at, early = "2026-09-21T11:55:00Z", "2026-09-21T11:50:00Z"
    settings = {**HUBEAU, "url": f"{service.url}/obs"}
    service.says["/obs"] = rivers(river(GARONNE, "H", at, 4100.0))
    for _ in range(2):
        feed = feed_of(town, settings)
        await feed.ask()
        await feed.ask()
    assert await town.history(RIVER, "height") == [4.1]
    late_and_new = [river(GARONNE, "H", early, 4000.0), river(GARONNE, "H", at, 4100.0)]
    service.says["/obs"] = rivers(*late_and_new, river(GARONNE, "H", NOON, 4200.0))
    await feed_of(town, settings).ask()
    assert await town.history(RIVER, "height") == [4.0, 4.1, 4.2]
    assert await town.value(RIVER, "height") == 4.2


async def test_history_is_asked_only_about_what_the_answer_before_did_not_tell(
    town: Town, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int | None, int | None]] = []
    history = town.broker.history

    async def note(caller: Caller, entity_id: str, query: TemporalQuery) -> Any:
        asked.append((query.at, query.end))
        return await history(caller, entity_id, query)

    monkeypatch.setattr(town.broker, "history", note)
    early, noon = parse_instant("2026-09-21T11:50:00Z"), parse_instant(NOON)
    old, new = river(GARONNE, "H", "2026-09-21T11:50:00Z", 4000.0), river(GARONNE, "H", NOON, 4200.0)
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"})
    for records in ([old], [old], [old, new], [old, new]):
        service.says["/obs"] = rivers(*records)
        await feed.ask()

    assert asked == [(early, early + 1), (noon, noon + 1)]
    assert await town.history(RIVER, "height") == [4.0, 4.2]


async def test_a_corrected_value_replaces_the_one_it_corrects(town: Town, service: Service) -> None:
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"})
    for value in (4100.0, 4150.0, 4150.0, 4100.0):
        service.says["/obs"] = rivers(river(GARONNE, "H", NOON, value))
        await feed.ask()
    assert await town.value(RIVER, "height") == 4.1
    assert await town.history(RIVER, "height") == [4.1, 4.15, 4.1]


async def test_air_quality_of_the_national_file(town: Town, service: Service, tmp_path: Path) -> None:
    yesterday = tmp_path / "yesterday.csv"
    end = parse_instant("2026-09-20T23:00:00Z")
    yesterday.write_bytes(
        air_file(
            air("NO2", end - HOUR, "11.5"),
            air("NO2", end, "12.5"),
            air("PM2.5", end, "7.1", validity=4),
            air("CO", end, "0.2"),
            air("O3", end, "", validity=-1),
            air("SO2", end, "3.3", validity=0),
            air("NO2", end, "99", site="FR01011"),
        )
    )
    service.says["/2026/FR_E2_2026-09-20.csv"] = yesterday
    settings = {
        "feed": "lcsqa-e2",
        "stations": [TALENCE],
        "places": {TALENCE: [-0.5881, 44.8003]},
        "url": service.url + "/{year}/FR_E2_{date}.csv",
    }
    feed = feed_of(town, settings)
    await feed.ask()
    assert feed.failures == 0  # today's file is not there yet
    assert await town.history(AIR, "no2") == [11.5, 12.5]
    no2 = await town.find(AIR, "no2")
    assert no2 is not None
    assert (no2.observed_at, no2.unit_code) == (end, "GQ")
    assert (await town.value(AIR, "pm25"), await town.value(AIR, "co")) == (7.1, 0.2)
    assert (await town.value(AIR, "o3"), await town.value(AIR, "so2")) == (None, None)
    assert (await town.value(AIR, "name"), await town.value(AIR, "stationID")) == ("Talence", TALENCE)
    assert await town.value(AIR, "location") == {"type": "Point", "coordinates": [-0.5881, 44.8003]}
    await feed.ask()
    conditional = [one for one in service.asked if "if-none-match" in one.headers]
    assert [one.url.path for one in conditional] == ["/2026/FR_E2_2026-09-20.csv"]


@pytest.mark.parametrize("shape", ["records", "features"])
async def test_weather_of_meteofrance_with_ones_own_key(town: Town, service: Service, shape: str) -> None:
    record = weather(parse_instant(NOON), 293.15)
    point = {"type": "Point", "coordinates": [record["lon"], record["lat"]]}
    bare = {name: value for name, value in record.items() if name not in ("lon", "lat")}
    feature = {"type": "Feature", "geometry": point, "properties": bare}
    service.says["/6m"] = [record] if shape == "records" else {"type": "FeatureCollection", "features": [feature]}
    settings = {"feed": "meteofrance-6m", "stations": [BORDEAUX], "headers": {"apikey": "secret"}}
    await feed_of(town, {**settings, "url": f"{service.url}/6m"}).ask()
    told = {
        term: await town.value(WEATHER + BORDEAUX, term)
        for term in ("temperature", "dewPoint", "relativeHumidity", "windSpeed", "atmosphericPressure", "precipitation")
    }
    assert told == {
        "temperature": 20.0,
        "dewPoint": 12.0,
        "relativeHumidity": 0.63,
        "windSpeed": 3.4,
        "atmosphericPressure": 1013.2,
        "precipitation": 0.2,
    }
    assert await town.value(WEATHER + BORDEAUX, "location") == point
    assert service.asked[0].headers["apikey"] == "secret"
    assert service.asked[0].query_params["id_station"] == BORDEAUX


async def test_a_station_that_cannot_be_asked_does_not_hold_up_the_next(town: Town, service: Service) -> None:
    async def answer(request: Request) -> Any:
        station = request.query_params["id_station"]
        return [weather(parse_instant(NOON), 290.0, station)] if station == BORDEAUX else 404

    service.says["/6m"] = answer
    settings = {"feed": "meteofrance-6m", "stations": ["33000999", BORDEAUX], "headers": {"apikey": "secret"}}
    feed = feed_of(town, {**settings, "url": f"{service.url}/6m"})
    await feed.ask()
    assert await town.value(WEATHER + BORDEAUX, "temperature") == pytest.approx(16.85)
    assert feed.failures == 0


async def test_a_station_that_falls_silent_is_told_stale_and_no_longer_once_it_is_heard(
    town: Town, service: Service
) -> None:
    clock = At()
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs", "stale_after_s": 3600}, clock)
    service.says["/obs"] = rivers(river(GARONNE, "H", NOON, 4100.0))
    await feed.ask()
    assert await town.value(RIVER, "isStale") is False
    clock.now += HOUR
    service.says["/obs"] = 503
    await feed.ask()
    stale = await town.find(RIVER, "isStale")
    assert stale is not None
    assert (stale.value, stale.observed_at) == (True, clock.now)
    await feed.ask()
    assert await town.history(RIVER, "isStale") == [False, True]
    service.says["/obs"] = rivers(river(GARONNE, "H", "2026-09-21T13:00:00Z", 4000.0))
    await feed.ask()
    assert await town.value(RIVER, "isStale") is False
    assert await town.value(RIVER, "height") == 4.0


async def test_a_feed_that_is_down_is_asked_ever_less_often_and_when_it_says_so(town: Town, service: Service) -> None:
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs", "every_s": 60})
    service.says["/obs"] = 503
    pauses_s = []
    for _ in range(3):
        await feed.ask()
        pauses_s.append(feed.pause_s())
    assert pauses_s == [pytest.approx(120, rel=0.06), pytest.approx(240, rel=0.06), pytest.approx(480, rel=0.06)]
    service.says["/obs"] = Response(status_code=429, headers={"Retry-After": "1800"})
    await feed.ask()
    assert feed.pause_s() == 1800
    service.says["/obs"] = rivers()
    await feed.ask()
    assert feed.pause_s() == pytest.approx(60, rel=0.06)


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b'{"data": "soon"}', b"[" * 100_000, b""])
async def test_an_answer_that_is_no_feed_changes_nothing(town: Town, service: Service, body: bytes) -> None:
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"})
    service.says["/obs"] = rivers(river(GARONNE, "H", NOON, 4100.0))
    await feed.ask()
    service.says["/obs"] = Response(body)
    await feed.ask()
    assert feed.failures == 1
    assert await town.history(RIVER, "height") == [4.1]


async def test_records_that_say_nothing_usable_are_left_out(town: Town, service: Service) -> None:
    service.says["/obs"] = rivers(
        river(GARONNE, "H", "2026-09-21T13:00:00Z", 1.0),
        river(GARONNE, "H", "tomorrow", 2.0),
        river(GARONNE, "H", "2026-09-21T11:00:00Z", None),
        river(GARONNE, "V", "2026-09-21T11:00:00Z", 3.0),
        {"code_station": GARONNE},
        "nothing",  # type: ignore[arg-type]
        river(GARONNE, "H", NOON, 4.0),
    )
    feed = feed_of(town, {**HUBEAU, "url": f"{service.url}/obs"})
    await feed.ask()
    assert await town.history(RIVER, "height") == [0.004]
    assert feed.failures == 0


async def test_one_that_hangs_delays_no_other(town: Town, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(request: Request) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr("parvis.connectors.feeds.feed.FIRST_WITHIN_S", 0.0)
    service.says = {"/hangs": hang, "/obs": rivers(river(GARONNE, "H", "2026-01-01T00:00:00Z", 4100.0))}
    hangs = {**HUBEAU, "name": "hangs", "url": f"{service.url}/hangs"}
    async with polling(town, hangs, {**HUBEAU, "url": f"{service.url}/obs"}):
        assert (await town.eventually(RIVER, "height")).value == 4.1


async def test_what_was_not_stored_is_fetched_again(service: Service, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    service.says["/a"] = tmp_path / "a"
    client = FeedClient(GuardedClient(OutboundSettings(allow=("127.0.0.0/8",))), {}, 2000)
    assert await client.fetch(f"{service.url}/a") is not None
    page = await client.fetch(f"{service.url}/a")
    assert page is not None
    client.remember(page)
    assert await client.fetch(f"{service.url}/a") is None
    (tmp_path / "a").write_bytes(b"1" * 3000)
    with pytest.raises(NoFeed, match="2000"):
        await client.fetch(f"{service.url}/a")


async def test_a_key_in_an_address_is_not_told(service: Service) -> None:
    client = FeedClient(GuardedClient(OutboundSettings(allow=("127.0.0.0/8",))), {}, 2000)
    service.says["/a"] = 500
    with pytest.raises(NoFeed, match=r"/a answered with status 500\.$") as told:
        await client.fetch(f"{service.url}/a?key=secret")
    assert "secret" not in told.value.detail


async def test_which_stations_are_stale_is_told_by_the_process_that_asks_them(
    town: Town, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(state: str) -> float | None:
        labels = {"feed": "hubeau-hydrometrie", "state": state}
        return REGISTRY.get_sample_value("parvis_feed_stations", labels)

    monkeypatch.setattr("parvis.connectors.feeds.feed.FIRST_WITHIN_S", 0.0)
    service.says["/obs"] = rivers(river(GARONNE, "H", "2026-01-01T00:00:00Z", 4100.0))
    async with polling(town, {**HUBEAU, "stations": [GARONNE, DORDOGNE], "url": f"{service.url}/obs"}):
        await town.eventually(RIVER, "isStale")
        async with asyncio.timeout(10):
            while count("stale") != 1:  # noqa: ASYNC110 (others count)
                await asyncio.sleep(0.02)
        assert (count("fresh"), count("missing")) == (0, 1)
    assert count("stale") is None


async def test_a_feed_of_ones_own_in_xml(town: Town, service: Service) -> None:
    folder = town.data_dir / "feeds/wells"
    folder.mkdir(parents=True)
    (folder / "feed.toml").write_text(
        """
[feed]
id = "wells"
name = "Wells"
url = "https://wells.example/"
source = "https://wells.example/"
provider = "The town"
licence = "Licence Ouverte 2.0"
entity_type = "PhreaticObserved"
encoding = "xml"
records = "wells.well"
[station]
id = '"@id"'
at = "at[0]"
[[attribute]]
name = "height"
value = "level[0]"
unit_code = "MTR"
"""
    )
    body = f'<w:wells xmlns:w="urn:w"><w:well id="7"><at>{NOON}</at><level>12.5</level></w:well></w:wells>'
    service.says["/x"] = Response(body, media_type="text/xml")
    await feed_of(town, {"feed": "wells", "url": f"{service.url}/x"}).ask()
    assert await town.value("urn:ngsi-ld:PhreaticObserved:wells:7", "height") == 12.5


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ([{"feed": "tides"}], "there is no feed 'tides': there are hubeau-hydrometrie"),
        ([{"feed": "meteofrance-6m", "stations": [BORDEAUX]}], "needs the header 'apikey'"),
        ([{"feed": "meteofrance-6m", "headers": {"apikey": "x"}}], "give stations"),
        ([HUBEAU, HUBEAU], "two feeds are named hubeau-hydrometrie"),
        ([{**HUBEAU, "every_s": 1}], ">= 10"),
        ([{**HUBEAU, "places": {GARONNE: [44.8, 181.0]}}], "<= 90"),
        ([{**HUBEAU, "stations": ["a b"]}], "stations"),
    ],
)
async def test_settings_that_cannot_be_used_say_why(town: Town, feeds: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(InvalidConnector, match=told):
        build(surroundings(town, *feeds))


def test_a_bad_format_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "tides").mkdir()
    (tmp_path / "tides/feed.toml").write_text("[feed]\nid = 'tides'\n")
    with pytest.raises(InvalidConnector, match=r"tides/feed.toml: .*missing required field"):
        load_format("tides", [tmp_path])


@pytest.mark.parametrize("name", sorted(path.name for path in PACKAGED_FORMATS.iterdir()))
def test_every_packaged_format_can_be_used(name: str) -> None:
    assert load_format(name, [PACKAGED_FORMATS]).header.id == name


def test_nothing_is_asked_without_settings() -> None:
    assert FeedsConfig().feed == ()


async def test_a_name_of_the_settings_is_for_a_feed_that_tells_none(town: Town, service: Service) -> None:
    service.says |= {
        "/obs": rivers(river(GARONNE, "H", NOON, 4120.0)),
        "/air": Response(air_file(air("NO2", NOW - HOUR, "31"))),
    }
    named = {GARONNE: "La Garonne à Bordeaux"}
    await feed_of(town, {**HUBEAU, "url": f"{service.url}/obs", "names": named}).ask()
    own = {"feed": "lcsqa-e2", "url": f"{service.url}/air", "names": {TALENCE: "Ailleurs"}}
    await feed_of(town, own).ask()

    assert await town.value(RIVER, "name") == "La Garonne à Bordeaux"
    assert await town.value(AIR, "name") == "Talence"


@pytest.mark.parametrize(("limit_s", "taken"), [(600, None), (7200, 4.12), (0, 4.12)])
async def test_how_far_ahead_of_the_clock_is_too_far_is_set(
    town: Town, service: Service, limit_s: float, taken: float | None
) -> None:
    service.says["/obs"] = rivers(river(GARONNE, "H", "2026-09-21T13:30:00Z", 4120.0))
    told = surroundings(town, {**HUBEAU, "url": f"{service.url}/obs"})
    (feed,) = build_feeds(replace(told, table={**told.table, "future_limit_s": limit_s}))
    feed.clock = At()

    await feed.ask()

    assert await town.value(RIVER, "height") == taken
