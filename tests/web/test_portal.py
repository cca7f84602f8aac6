import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, NOBODY, Caller, Right
from parvis.kernel.time import DAY
from parvis.web.app import create_app
from parvis.web.portal.today import CarPark, Gatherer, Seen, air_word
from parvis.web.views import EntityReader
from tests.fakes.town import FULL_BIN, HALF_BIN, measured
from tests.web.conftest import plain


async def test_the_first_page_needs_no_script(visitor: httpx.AsyncClient) -> None:
    page = plain((await visitor.get("/?commune=Trevalan")).text)
    assert "Today in Trevalan" in page
    assert "18.4 °C" in page
    assert "Good air quality" in page
    assert "Glass full" in page
    assert "Glass room left" in page


async def test_the_map_shows_the_points_of_the_list(visitor: httpx.AsyncClient) -> None:
    points = (await visitor.get("/portal/recycling.geojson?commune=Trevalan")).json()
    assert {feature["id"] for feature in points["features"]} == {FULL_BIN, HALF_BIN}
    assert (await visitor.get("/portal/recycling.geojson")).json()["features"] == []


async def test_my_place_is_remembered(visitor: httpx.AsyncClient) -> None:
    await visitor.get("/?commune=Port")
    assert "Today in Port" in (await visitor.get("/")).text
    assert "Today in the territory" in (await visitor.get("/?commune=")).text


async def test_a_made_up_place_is_the_whole_territory(visitor: httpx.AsyncClient) -> None:
    page = plain((await visitor.get("/?commune=Atlantis")).text)
    assert "Today in the territory" in page
    assert "Atlantis" not in page


async def test_residents_see_no_more_than_what_is_public(visitor: httpx.AsyncClient) -> None:
    assert "Mill" not in (await visitor.get("/?commune=Port")).text


async def test_the_nearest_station_speaks_for_a_place_without_one(visitor: httpx.AsyncClient) -> None:
    assert "18.4 °C" in plain((await visitor.get("/?commune=Port")).text)


async def test_a_silent_station_does_not_speak_for_its_commune_while_another_is_heard(
    platform: Platform, caller: Caller, visitor: httpx.AsyncClient, now: int
) -> None:
    expand = platform.broker.contexts.parvis.expand
    told = [
        Instance(expand("name"), Kind.PROPERTY, "Jetty"),
        Instance(expand("address"), Kind.PROPERTY, {"addressLocality": "Port"}),
        measured(expand("temperature"), 31.0, now - DAY, "CEL"),
        measured(expand("pm25"), 40.0, now - DAY, "GQ"),
    ]
    jetty = "urn:ngsi-ld:AirQualityObserved:jetty"
    await platform.broker.write(caller, [Change(jetty, Mode.CREATE, tuple(told), (expand("AirQualityObserved"),))])
    page = plain((await visitor.get("/?commune=Port")).text)
    assert "18.4 °C" in page
    assert "31 °C" not in page


async def test_a_river_that_says_nothing_just_now_comes_last(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: int
) -> None:
    expand = platform.broker.contexts.parvis.expand
    for name, at in (("Aven", now - DAY), ("Belon", now), ("Scorff", now)):
        told = (Instance(expand("name"), Kind.PROPERTY, name), measured(expand("height"), 0.6, at, "MTR"))
        entity_id = f"urn:ngsi-ld:WaterObserved:{name}"
        await platform.broker.write(caller, [Change(entity_id, Mode.CREATE, told, (expand("WaterObserved"),))])
    page = plain((await operator.get("/")).text)
    assert page.index("Belon") < page.index("Scorff") < page.index("Aven")


async def test_free_spots_are_counted_by_car_park(platform: Platform, caller: Caller, now: int) -> None:
    expand = platform.broker.contexts.parvis.expand
    reader = EntityReader(platform.broker.contexts.parvis)
    spots = {
        "Halles, place 1": "free",
        "Halles, place 2": "occupied",
        "Halles, place 3": "unknown",
        "Gare, place 1": "free",
    }
    changes = [
        Change(
            f"urn:ngsi-ld:ParkingSpot:{number}",
            Mode.CREATE,
            (Instance(expand("name"), Kind.PROPERTY, name), measured(expand("status"), status, now)),
            (expand("ParkingSpot"),),
        )
        for number, (name, status) in enumerate(spots.items())
    ]
    await platform.broker.write(caller, changes)
    entities = [await platform.broker.get(caller, change.entity_id) for change in changes]
    today = Gatherer(reader).gather([Seen(entity, reader.view(entity, now)) for entity in entities], "")
    assert today.car_parks == (CarPark("Gare", 1, 1), CarPark("Halles", 1, 2))


async def test_each_reads_names_in_their_own_language(
    platform: Platform, visitor: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    name = Instance(expand("name"), Kind.LANGUAGE_PROPERTY, {"en": "Old Market", "fr": "Vieux Marché"})
    await platform.broker.write(caller, [Change(FULL_BIN, Mode.APPEND, (name,))])
    for language, called in (("en", "Old Market"), ("fr", "Vieux Marché")):
        told = (
            await visitor.get("/portal/recycling.geojson?commune=Trevalan", headers={"accept-language": language})
        ).text
        assert called in told


def test_air_is_a_word() -> None:
    assert [air_word(value) for value in (0, 10, 10.1, 24, 30, 90)] == [
        "good", "good", "fair", "moderate", "poor", "very_poor",
    ]  # fmt: skip


async def test_tenants_made_up_by_visitors_are_not_remembered(platform: Platform) -> None:
    app = create_app(platform)
    assert isinstance(app, Starlette)
    for number in range(5):
        nobody = Caller(f"made-up-{number}", ANONYMOUS, NOBODY)
        assert await app.state.snapshot.read(app.state.site, nobody) == []
    assert len(app.state.snapshot._cached) == 0


async def test_however_many_residents_look_at_once_the_objects_are_read_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, asked = create_app(platform), []
    assert isinstance(app, Starlette)
    query = platform.broker.query

    async def counted(caller: Caller, wanted: EntityQuery) -> EntityPage:
        asked.append(wanted)
        return await query(caller, wanted)

    monkeypatch.setattr(platform.broker, "query", counted)
    resident = Caller(DEFAULT_TENANT, ANONYMOUS, Right.READ_PUBLIC)
    seen = await asyncio.gather(*(app.state.snapshot.read(app.state.site, resident) for _ in range(20)))
    assert {len(one) for one in seen} == {4}
    assert len(asked) == 1
