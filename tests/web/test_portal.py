import httpx
from starlette.applications import Starlette

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import ANONYMOUS, NOBODY, Caller
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
    assert app.state.snapshot._held == {}
