"""From an empty folder to a map with data, by hand: what is chosen holds, what is refused changes nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from parvis.access.model import AuditRecord
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import ADMINISTRATOR, Caller, system_caller
from parvis.kernel.settings import MqttSettings, Settings
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import Instant
from parvis.web.console.first_run_files import place_of, place_of_communes
from parvis.web.console.first_run_progress import Progress, Step, find_progress
from parvis.web.console.first_run_ways import WAYS, Reach, blocks_of
from parvis.web.official import is_there
from tests.fakes.town import town
from tests.web.conftest import client_of, form_token, plain

RUN = "/console/first-run"
needs_tables = pytest.mark.skipif(not is_there(), reason="the build has not taken the tables of communes")
ME = Caller("default", "user:ada", ADMINISTRATOR)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """An empty folder."""
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(enabled=False)), listen=False) as platform:
        yield platform


async def open_welcome(platform: Platform, client: httpx.AsyncClient) -> httpx.Response:
    token = platform.access.accounts.offer_first_link()
    page = await client.get("/welcome", params={"token": token})
    form = {"token": token, "name": "ada", "password": "correct horse battery", "form_token": form_token(page.text)}
    return await client.post("/welcome", data=form)


@pytest.fixture
async def ada(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(platform) as client:
        assert (await open_welcome(platform, client)).headers["location"] == RUN
        yield client


async def send(client: httpx.AsyncClient, step: str, files: Any = None, **form: str) -> httpx.Response:
    token = form_token((await client.get(f"{RUN}/{step}")).text)
    return await client.post(f"{RUN}/{step}", data={"form_token": token, **form}, files=files)


def outlines(name: str = "Port") -> bytes:
    ring = [[-3.4, 47.7], [-3.3, 47.7], [-3.3, 47.8], [-3.4, 47.7]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"nom": name, "code": "56999"}, "geometry": shape}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def settings_in(platform: Platform) -> Settings:
    return load_settings(platform.settings.data_dir)


def audited(platform: Platform) -> list[AuditRecord]:
    return [one.record for one in platform.access.store.read_audit()]


async def test_a_territory_without_a_name_yet_is_mine_in_the_language_of_the_page(ada: httpx.AsyncClient) -> None:
    for language, name in (("en", "My territory"), ("fr", "Mon territoire")):
        page = (await ada.get("/console", params={"lang": language})).text
        assert f"· {name}</title>" in page


BY_HAND = {"name": "Trevalan", "time_zone": "Europe/Paris", "languages": "en,fr"}


async def test_a_territory_by_hand_has_its_name_on_the_next_page(platform: Platform, ada: httpx.AsyncClient) -> None:
    answer = await send(ada, "territory", **BY_HAND)
    assert answer.headers["location"] == f"{RUN}/ground"
    assert "<title>What lies under the map? · Trevalan</title>" in (await ada.get(f"{RUN}/ground")).text
    assert settings_in(platform).territory.languages == ("en", "fr")
    (change,) = [one for one in audited(platform) if one.action == "settings-changed"]
    assert (change.subject, change.facts["territory.name"]) == ("user:ada", "Trevalan")


@needs_tables
async def test_a_group_is_found_by_name_and_kept_with_its_communes(platform: Platform, ada: httpx.AsyncClient) -> None:
    assert "25 communes" in plain((await ada.get(f"{RUN}/territory?q=lorient")).text)
    page = plain((await ada.get(f"{RUN}/territory?code=200042174")).text)
    assert "56121" in page
    await send(ada, "territory?code=200042174", **BY_HAND, code="200042174")
    territory = settings_in(platform).territory
    assert (territory.code, len(territory.communes)) == ("200042174", 25)
    assert "56121 Lorient" in territory.communes


@needs_tables
async def test_a_slip_in_the_name_is_forgiven(ada: httpx.AsyncClient) -> None:
    page = plain((await ada.get(f"{RUN}/territory?q=Lorietn")).text)
    assert "Nothing is called “Lorietn”. Did you mean: Lorient 56121" in page
    assert "No municipality" not in page


async def test_without_a_ground_the_step_and_the_map_say_what_is_missing(
    platform: Platform, ada: httpx.AsyncClient
) -> None:
    missing = "The map has no ground yet: neither streets nor outlines."
    step = (await ada.get(f"{RUN}/ground")).text
    assert "data-first-map" not in step, "an empty sheet shows nothing"
    assert 'name="latitude" inputmode="decimal" required autocomplete="off" value=""' in step, "France is no answer"
    assert "geo.api.gouv.fr" not in step
    assert f"{missing} Choose one" in plain((await ada.get("/console/map")).text)

    await send(ada, "territory?by=hand", {"outlines": ("a.geojson", outlines())}, **BY_HAND)

    assert "data-first-map" in (await ada.get(f"{RUN}/ground")).text
    assert missing not in plain((await ada.get("/console/map")).text)


@needs_tables
@pytest.mark.parametrize(
    ("code", "address"),
    [("56121", "geo.api.gouv.fr/communes/56121?"), ("200042174", "geo.api.gouv.fr/epcis/200042174/communes?")],
)
async def test_the_outlines_of_a_known_territory_are_a_link_away(
    ada: httpx.AsyncClient, code: str, address: str
) -> None:
    await send(ada, f"territory?code={code}", **BY_HAND, code=code)
    assert address in (await ada.get(f"{RUN}/ground")).text


async def test_outlines_are_ground_place_and_communes_at_once(platform: Platform, ada: httpx.AsyncClient) -> None:
    await send(ada, "territory?by=hand", {"outlines": ("a.geojson", outlines())}, **BY_HAND)
    territory = settings_in(platform).territory
    assert (territory.communes, territory.centre) == (("56999 Port",), (-3.35, 47.75))
    style = (await ada.get("/basemap/style/light.json")).json()
    assert "outlines" in json.dumps(style)


def department() -> bytes:
    """Two communes, far from each other."""

    def commune(code: str, name: str, west: float) -> dict[str, Any]:
        ring = [[west, 47.7], [west + 0.1, 47.7], [west + 0.1, 47.8], [west, 47.7]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"nom": name, "code": code}, "geometry": shape}

    both = [commune("56121", "Lorient", -3.4), commune("56007", "Auray", -2.5)]
    return json.dumps({"type": "FeatureCollection", "features": both}).encode()


@needs_tables
async def test_the_map_opens_on_the_commune_that_was_chosen(platform: Platform, ada: httpx.AsyncClient) -> None:
    """Whether the outlines come with the territory or with the ground; those of a department may."""
    given = {**BY_HAND, "code": "56121"}
    await send(ada, "territory?code=56121", {"outlines": ("a.geojson", department())}, **given)
    territory = settings_in(platform).territory
    assert (territory.centre, territory.communes) == ((-3.35, 47.75), ("56121 Lorient",))
    await send(ada, "territory?code=56007", **{**BY_HAND, "code": "56007"})
    answer = await send(ada, "ground", {"ground": ("c.geojson", department())}, do="file")
    page = (await ada.get(answer.headers["location"])).text
    assert 'data-centre="[-2.45, 47.75]"' in page
    assert 'name="longitude" inputmode="decimal" required autocomplete="off" value="-2.45"' in page


@pytest.mark.parametrize(
    ("communes", "centre"),
    [(("56007 Auray",), (-2.45, 47.75)), (("99 Lorient",), (-3.35, 47.75)), (("99 Nowhere",), None), ((), None)],
)
def test_outlines_are_found_by_code_or_else_by_name(
    tmp_path: Path, communes: tuple[str, ...], centre: tuple[float, float] | None
) -> None:
    (tmp_path / "a.geojson").write_bytes(department())
    found = place_of_communes(tmp_path / "a.geojson", communes)
    assert (found and found[0]) == centre


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": " "}, "1 to 100 characters"),
        ({"time_zone": "Mars/Olympus"}, "no such time zone"),
        ({"languages": "de"}, "from the list"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    platform: Platform, ada: httpx.AsyncClient, changed: dict[str, str], told: str
) -> None:
    answer = await send(ada, "territory", {"outlines": ("a.geojson", outlines())}, **BY_HAND | changed)
    assert (answer.status_code, told in plain(answer.text)) == (400, True)
    assert list(platform.settings.data_dir.glob("*.geojson")) == []
    assert not (platform.settings.data_dir / "territory.toml").exists()


async def test_a_ground_is_seen_without_a_restart_and_a_bad_one_changes_nothing(
    platform: Platform, ada: httpx.AsyncClient
) -> None:
    answer = await send(ada, "ground", {"ground": ("c.geojson", outlines())}, do="file")
    assert answer.headers["location"] == f"{RUN}/ground?fit=1"
    before = (await ada.get("/basemap/style/light.json")).json()
    page = (await ada.get(f"{RUN}/ground?fit=1")).text
    assert 'data-centre="[-3.35, 47.75]"' in page
    for name, content in (("c.geojson", b'{"type": "Feature"}'), ("m.pmtiles", b"x"), ("m.zip", b"x")):
        answer = await send(ada, "ground", {"ground": (name, content)}, do="file")
        assert (answer.status_code, name in answer.text) == (400, True)
        assert str(platform.settings.data_dir) not in answer.text
    assert (await ada.get("/basemap/style/light.json")).json() == before
    kept = sorted(one.name for one in platform.settings.data_dir.iterdir() if "map" in one.name or "line" in one.name)
    assert kept == ["outlines.geojson"]


async def test_a_style_address_is_all_that_pages_may_then_fetch(platform: Platform, ada: httpx.AsyncClient) -> None:
    await send(ada, "ground", do="style", style_url="https://tiles.town.example/style.json", allow="")
    answer = await ada.get("/basemap/style/light.json")
    assert answer.headers["location"] == "https://tiles.town.example/style.json"
    assert "connect-src 'self' https://tiles.town.example;" in answer.headers["content-security-policy"]
    refused = await send(ada, "ground", do="style", style_url="https://a b/", allow="")
    assert refused.status_code == 400
    await send(ada, "ground", do="none")
    policy = (await ada.get("/basemap/style/light.json")).headers["content-security-policy"]
    assert "connect-src 'self';" in policy


@pytest.mark.parametrize("path", ["nowhere.pmtiles", "/etc/passwd", "parvis.db"])
async def test_a_path_that_is_no_map_is_refused(ada: httpx.AsyncClient, path: str) -> None:
    assert (await send(ada, "ground", do="path", path=path)).status_code == 400


async def test_where_the_map_was_moved_to_is_where_it_opens(platform: Platform, ada: httpx.AsyncClient) -> None:
    answer = await send(ada, "ground", do="open", longitude="-3,28", latitude="47.728", zoom="12.3")
    assert answer.headers["location"] == f"{RUN}/territory", "the first that is open comes next"
    assert 'data-centre="[-3.28, 47.728]"' in (await ada.get("/console/map")).text
    for place in ({"longitude": "181", "latitude": "0", "zoom": "1"}, {"longitude": "x", "latitude": "0", "zoom": "1"}):
        assert (await send(ada, "ground", do="open", **place)).status_code == 400


async def test_the_first_frame_turns_it_green_and_stays_so(platform: Platform, ada: httpx.AsyncClient) -> None:
    page = await send(ada, "way-in?way=httppush", do="key")
    key = page.text.split('first-key"><code>')[1].split("<")[0]
    assert (page.headers["cache-control"], page.text.count(key)) == ("no-store", 6)
    again = (await ada.get(f"{RUN}/way-in?way=httppush")).text
    assert key not in again
    assert "Nothing has come yet" in again
    url = "/api/connectors/httppush?device=my-sensor"
    async with client_of(platform) as sensor:
        answer = await sensor.post(url, headers={"x-api-key": key}, json={"temperature_c": 21.5})
    assert answer.status_code == 202
    heard = (await ada.get(f"{RUN}/way-in?way=httppush")).text
    assert "The first frame is here" in heard
    assert "/console/quarantine/adopt?device=my-sensor" in heard
    assert Step.WAY_IN in ((await find_progress(platform.shelf)) or Progress()).done


async def test_a_lost_key_is_replaced_and_ends(platform: Platform, ada: httpx.AsyncClient) -> None:
    for _ in range(2):
        await send(ada, "way-in?way=chirpstack", do="key")
    keys = platform.access.keys.list_keys(ME)
    assert [(one.role, one.revoked_at is None) for one in keys] == [("device", False), ("device", True)]


async def test_the_address_that_others_use_is_in_what_they_type(platform: Platform, ada: httpx.AsyncClient) -> None:
    await send(ada, "way-in?way=thingsstack", do="address", address="https://data.town.example/x")
    page = plain((await ada.get(f"{RUN}/way-in?way=thingsstack")).text)
    assert "https://data.town.example/api/connectors/thingsstack" in page
    assert "once Parvis has been started again" in page
    assert settings_in(platform).server.public_url == "https://data.town.example"
    assert (await send(ada, "way-in?way=thingsstack", do="address", address="town")).status_code == 400


async def test_somebody_is_invited_by_a_link_that_opens(platform: Platform, ada: httpx.AsyncClient) -> None:
    page = await send(ada, "people", do="invite", name="jean", role="operator")
    link = page.text.split('first-key"><code>')[1].split("<")[0]
    async with client_of(platform) as jean:
        assert "jean" in (await jean.get(link)).text
    assert (await send(ada, "people", do="invite", name="jean", role="operator")).status_code == 400
    assert (await send(ada, "people", do="link", name="jean")).status_code == 200


async def test_each_step_is_left_and_come_back_to(platform: Platform, ada: httpx.AsyncClient) -> None:
    token = form_token((await ada.get(f"{RUN}/territory")).text)
    where = []
    for step in Step:
        answer = await ada.post(f"{RUN}/skip", data={"form_token": token, "step": step.value})
        where.append(answer.headers["location"].removeprefix(f"{RUN}/"))
    assert where == ["ground", "way-in", "people", "/console/map?first=1"]
    assert "My territory is set up" in plain((await ada.get(where[-1])).text)
    assert "4 steps are left" in plain((await ada.get("/console")).text)
    await send(ada, "territory", **BY_HAND)
    assert "3 steps are left" in plain((await ada.get("/console")).text)


async def test_looking_writes_nothing(platform: Platform, ada: httpx.AsyncClient) -> None:
    """What browsers and robots fetch ahead begins nothing and ends nothing."""
    for page in ("", *(f"/{step.value}" for step in Step)):
        await ada.get(f"{RUN}{page}")
    assert await find_progress(platform.shelf) is None
    assert (await ada.get(f"{RUN}/end")).status_code in (404, 405)


@pytest.mark.parametrize("path", ["", "/territory", "/ground", "/way-in", "/people"])
async def test_only_administrators_are_led(platform: Platform, ada: httpx.AsyncClient, path: str) -> None:
    async with client_of(platform) as visitor:
        assert (await visitor.get(RUN + path)).headers["location"].startswith("/console/sign-in")
    _, key = platform.access.keys.create(ME, "an operator", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as operator:
        assert (await operator.get(RUN + path)).status_code == 403
        assert (await operator.post(RUN + path, data={"do": "key"})).status_code in (403, 404, 405)
    forged = await ada.post(f"{RUN}/people", data={"do": "invite", "name": "eve", "role": "administrator"})
    assert forged.status_code == 403


async def test_an_administrator_of_another_tenant_sets_nothing_for_all(
    platform: Platform, ada: httpx.AsyncClient
) -> None:
    token = form_token((await ada.get(f"{RUN}/ground")).text)
    theirs = Caller("marina", "user:eve", ADMINISTRATOR)
    _, key = platform.access.keys.create(theirs, "eve", "administrator", "marina")
    async with client_of(platform, authorization=f"Bearer {key}", **{"ngsild-tenant": "marina"}) as eve:
        eve.cookies = ada.cookies
        assert (await eve.get(f"{RUN}/ground")).status_code == 403
        style = {"form_token": token, "do": "style", "style_url": "https://eve.example/style.json", "allow": ""}
        assert (await eve.post(f"{RUN}/ground", data=style)).status_code == 403
        assert RUN not in (await eve.get("/console")).text
    assert not (platform.settings.data_dir / "territory.toml").exists()


async def test_a_territory_with_data_needs_no_first_steps(platform: Platform, now: Instant) -> None:
    await platform.broker.write(system_caller("test"), town(platform.broker.contexts.parvis, now))
    async with client_of(platform) as client:
        assert (await open_welcome(platform, client)).headers["location"] == "/console"


@pytest.mark.parametrize("way", WAYS)
def test_what_to_type_holds_the_key_and_no_place_of_ours(way: str) -> None:
    reach = Reach("https://data.town.example", 1883, 8883, is_mqtt_local=False)
    told = repr(blocks_of(way, reach, "parvis_secret"))
    assert "parvis_secret" in told
    assert "data.town.example" in told
    assert "tcp://" not in told, "where there is TLS, it is what is typed"
    without = Reach("http://10.0.0.1:8080", None, None, is_mqtt_local=True)
    assert [one for one in blocks_of(way, without, "k") if one.over_mqtt] == []


class Drawn:
    file = None

    def __init__(self, bounds: Any) -> None:
        self.bounds = bounds

    def tile(self, z: int, x: int, y: int) -> bytes:
        return b""

    def style(self, tiles_url: str, theme: str) -> dict[str, Any]:
        return {}

    def overview(self) -> dict[str, Any]:
        return {"bounds": self.bounds}


@pytest.mark.parametrize(
    ("bounds", "place"),
    [
        ([-3.4, 47.6, -3.2, 47.8], ((-3.3, 47.7), 10.5)),
        ([-180, -85, 180, 85], None),
        ([5.0, 45.0, 5.0, 45.0], ((5.0, 45.0), 14.0)),
        ([float("nan"), 0, 1, 1], None),
        (None, None),
    ],
)
def test_a_ground_says_where_the_map_opens(bounds: Any, place: Any) -> None:
    assert place_of(Drawn(bounds)) == place
