"""The national services of the territory: read by the way in as the real ones are, of one nature with the devices."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from msgspec.json import decode

from parvis.cli.demo import _with_open_data
from parvis.connectors.feeds.feed import Feed
from parvis.connectors.feeds.plugin import build_feeds
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.things import list_things
from parvis.demo.land.geometry import lon_lat
from parvis.demo.nature.chance import Times
from parvis.demo.play.player import Pace, Player, Theatre, tell_open_data
from parvis.demo.readings.scene import Scene
from parvis.demo.readings.table import sensor_of
from parvis.demo.scenery import Scenery
from parvis.demo.services.answers import Answer, Asked, Moment, answer
from parvis.demo.services.past import past_of_stations
from parvis.demo.services.server import open_door, serve
from parvis.demo.services.stations import STATIONS, Service, place_of, stations_of, story_names
from parvis.demo.story.events import Course, Event, EventKind
from parvis.fleet.ways.connector import Surroundings
from parvis.kernel.outbound import AddressRefused
from parvis.kernel.settings import Settings
from parvis.kernel.time import SECOND
from parvis.outbound.client import GuardedClient
from tests.connectors.town import Town, open_town
from tests.demo.conftest import BEGUN_S, SetScene

NOW_S = BEGUN_S + 2 * 3600 + 7 * 60
TWO_HOURS_S = 7200.0
CUT = Event(
    "cut", EventKind.FEED_DOWN, NOW_S - 60, NOW_S + 60, 1, Course.STEP, {}, {}, story_names(Service.RIVERS)
)  # fmt: skip


def moment(scenery: Scenery, scene: Scene, now_s: float = NOW_S) -> Moment:
    return Moment(scene, {one.code: lon_lat(*place_of(one, scenery.territory)) for one in STATIONS}, now_s)


@asynccontextmanager
async def asked_over_http(town: Town, tell: Callable[[Asked], Answer]) -> AsyncIterator[dict[Service, Feed]]:
    """With the demonstration's own settings: its feeds by service."""
    door = open_door()
    settings = _with_open_data(Settings(town.data_dir), door)
    outbound = GuardedClient(settings.outbound)

    async def told(asked: Asked) -> Answer:
        return tell(asked)

    serving = asyncio.create_task(serve(door, told))
    feeds = build_feeds(Surroundings(town.fleet, town.broker, outbound, town.data_dir, settings.connectors["feeds"]))
    for feed in feeds:
        feed.clock = lambda: round(NOW_S * SECOND)
    try:
        yield {Service(feed.name): feed for feed in feeds}
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_the_way_in_reads_every_station_with_place_name_and_values(
    scenery: Scenery, set_scene: SetScene, tmp_path: Path
) -> None:
    at = moment(scenery, set_scene())
    async with open_town(tmp_path) as town, asked_over_http(town, lambda asked: answer(asked, at)) as feeds:
        for feed in feeds.values():
            await feed.ask()
            assert feed.failures == 0
        for station in STATIONS:
            lon, lat = at.places[station.code]
            assert await town.value(station.entity_id, "name") == station.name
            place = await town.value(station.entity_id, "location")
            assert place["coordinates"] == pytest.approx([lon, lat], abs=1e-5), station
            assert await town.value(station.entity_id, "isStale") is False
        river, air, weather = (stations_of(service)[0].entity_id for service in Service)
        assert len(await town.history(river, "height")) == 144, "each ten minutes of a day"
        assert len(await town.history(air, "no2")) == 24 + 10, "the hours of yesterday and today that are out"
        temperature = await town.find(weather, "temperature")
        assert temperature is not None
        assert temperature.observed_at == round((NOW_S - 120) // 360 * 360 * SECOND)


async def test_only_the_services_port_is_open(tmp_path: Path) -> None:
    door = open_door()
    with contextlib.closing(door), contextlib.closing(open_door()) as other:
        settings = _with_open_data(Settings(tmp_path), door)
        assert settings.connectors["feeds"]["feed"][0]["url"].startswith(f"http://127.0.0.1:{door.getsockname()[1]}/")
        async with GuardedClient(settings.outbound) as client:
            await client.check(f"http://127.0.0.1:{door.getsockname()[1]}/")
            with pytest.raises(AddressRefused):
                await client.check(f"http://127.0.0.1:{other.getsockname()[1]}/")


def test_a_time_that_names_no_zone_is_utc_wherever_the_demonstration_runs(
    scenery: Scenery, set_scene: SetScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Noumea")
    time.tzset()
    try:
        station, since = (
            stations_of(Service.RIVERS)[0].code,
            f"{datetime.fromtimestamp(NOW_S - 3600, UTC):%Y-%m-%dT%H:%M}",
        )
        path = f"/api/v2/hydrometrie/observations_tr?code_entite={station}&date_debut_obs={since}"
        at = moment(scenery, set_scene())
        unzoned, zoned = (decode(answer(Asked(asked, {}), at).body)["count"] for asked in (path, f"{path}Z"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert unzoned == zoned == 2 * 6, "each ten minutes of the hour, of height and flow"


def test_feeds_and_devices_are_of_one_nature(scenery: Scenery, set_scene: SetScene) -> None:
    """A storm lifts the service's river as it does the gauge's, and blows at its weather station."""
    storm = Event("storm", EventKind.STORM, BEGUN_S, BEGUN_S + 30 * 3600, 1, Course.SWELL, {}, {})
    times: Times = BEGUN_S + np.arange(0.0, 48.0) * 3600

    def told(scene: Scene, service: Service, term: str) -> np.ndarray:
        entity = stations_of(service)[0].entity_id
        past = past_of_stations(scene, times, in_full=True)
        return next(one.values for one in past if (one.entity_id, one.term) == (entity, term))

    calm, stormy = set_scene(), set_scene(storm)
    gauge = next(one for one in scenery.devices if one.kind is Kind.LEVEL and one.place == "river")
    own, own_calm = (sensor_of(gauge, scene).tell(times).columns["level_m"] for scene in (stormy, calm))
    rise = told(stormy, Service.RIVERS, "height") - told(calm, Service.RIVERS, "height")
    assert rise.max() > 0.5
    assert rise == pytest.approx(own - own_calm, abs=0.03)
    assert (told(stormy, Service.WEATHER, "windSpeed") - told(calm, Service.WEATHER, "windSpeed")).max() > 15
    assert told(calm, Service.RIVERS, "height").tolist() == told(set_scene(), Service.RIVERS, "height").tolist()


async def test_what_is_told_of_the_past_is_what_the_way_in_would_have_kept(
    scenery: Scenery, set_scene: SetScene, tmp_path: Path
) -> None:
    """So that the two meet without a seam: terms, units and values."""
    at = moment(scenery, set_scene())
    hour = NOW_S // 3600 * 3600 - 3600
    at = at._replace(now_s=hour + 3600 + 1800)
    past = {(one.entity_id, one.term): one for one in past_of_stations(at.scene, np.array([hour]), in_full=True)}
    async with open_town(tmp_path) as town, asked_over_http(town, lambda asked: answer(asked, at)) as feeds:
        for feed in feeds.values():
            feed.clock = lambda: round(at.now_s * SECOND)
            await feed.ask()
        for (entity_id, term), one in past.items():
            kept = await town.find(entity_id, term)
            assert kept is not None, term
            assert kept.unit_code == one.unit, term
            if "Weather" not in entity_id:
                assert float(one.values[0]) in await town.history(entity_id, term), term


async def test_a_feed_that_the_story_takes_down_fails_and_catches_up(
    scenery: Scenery, set_scene: SetScene, tmp_path: Path
) -> None:
    scene, now_s = set_scene(CUT), [NOW_S - 1200]
    async with (
        open_town(tmp_path) as town,
        asked_over_http(town, lambda asked: answer(asked, moment(scenery, scene, now_s[0]))) as feeds,
    ):
        rivers = feeds[Service.RIVERS]
        river = stations_of(Service.RIVERS)[0].entity_id
        results = []
        for now_s[0] in (NOW_S - 1200, NOW_S, NOW_S + 1200):
            rivers.clock = lambda: round(now_s[0] * SECOND)
            await rivers.ask()
            results.append((rivers.failures, len(await town.history(river, "height"))))
        assert results[0][0] == results[2][0] == 0
        assert results[1] == (1, results[0][1])
        assert results[2][1] == results[0][1] + 4, "every ten minutes, those of the outage too"
        await feeds[Service.AIR].ask()
        assert feeds[Service.AIR].failures == 0


def test_what_has_not_changed_is_not_told_again(scenery: Scenery, set_scene: SetScene) -> None:
    at = moment(scenery, set_scene())
    target = "/public/DPObs/v2/station/infrahoraire-6m?id_station=T0007001"
    key = {"apikey": "x"}

    first = answer(Asked(target, key), at)
    again = {**key, "if-none-match": first.headers["etag"]}

    assert answer(Asked(target, again), at._replace(now_s=at.now_s + 30)).status == 304
    assert answer(Asked(target, again), at._replace(now_s=at.now_s + 400)).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 404),
        ("/lcsqa/temps-reel/2026/FR_E2_2026-03-11.csv", 404),
        ("/lcsqa/temps-reel/2026/FR_E2_2026-99-99.csv", 404),
        ("/public/DPObs/v2/station/infrahoraire-6m?id_station=T0007001", 401),
        ("/api/v2/hydrometrie/observations_tr?code_entite=X&date_debut_obs=never", 200),
    ],
)
def test_what_nobody_can_tell_has_its_status(scenery: Scenery, set_scene: SetScene, target: str, status: int) -> None:
    assert answer(Asked(target, {}), moment(scenery, set_scene())).status == status


async def test_who_asks_before_anybody_serves_waits(tmp_path: Path) -> None:
    door = open_door()
    async with GuardedClient(_with_open_data(Settings(tmp_path), door).outbound) as client:
        asking = asyncio.create_task(client.get(f"http://127.0.0.1:{door.getsockname()[1]}/x"))
        await asyncio.sleep(0.05)
        assert not asking.done()

        async def echo(asked: Asked) -> Answer:
            return Answer(200, asked.target.encode())

        serving = asyncio.create_task(serve(door, echo))
        assert (await asking).body == b"/x"
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def test_what_has_a_past_is_known_before_its_service_is_asked(scenery: Scenery, set_scene: SetScene) -> None:
    """The past of what nobody knows is not taken in."""
    things = {one.entity_id: one for one in list_things(scenery.territory, scenery.networks, scenery.devices)}
    at = moment(scenery, set_scene())

    for one in past_of_stations(at.scene, np.array([BEGUN_S]), in_full=False):
        thing = things[one.entity_id]
        station = next(each for each in STATIONS if each.entity_id == one.entity_id)
        assert (thing.name, thing.geometry["coordinates"]) == (station.name, pytest.approx(at.places[station.code]))


async def test_before_the_territory_is_there_a_service_has_nothing_new(
    scenery: Scenery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed that is asked too early is no feed that fails."""
    monkeypatch.setattr("parvis.demo.play.player.NOTHING_NEW_AFTER_S", 0.05)
    opened: asyncio.Future[Player] = asyncio.get_running_loop().create_future()
    asked = Asked("/public/DPObs/v2/station/infrahoraire-6m?id_station=T0007001", {"apikey": "x"})

    early = await tell_open_data(opened, asked)
    opened.set_result(Player(Theatre(scenery, tmp_path, BEGUN_S), Pace(BEGUN_S)))
    later = await tell_open_data(opened, asked)

    assert (early.status, later.status) == (204, 200)
