import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from jinja2 import Environment, meta, nodes

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.web.assets import COMPONENTS, HERE
from parvis.web.console.entity_values import instant_of
from tests.fakes.town import DEVICE, FULL_BIN, HALF_BIN, LEAKING_METER, SILENT_BIN, device, town
from tests.web.conftest import client_of, form_token, plain, settings


async def text_of(client: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def test_the_overview_says_what_needs_attention(operator: httpx.AsyncClient) -> None:
    page = plain(await text_of(operator, "/console"))
    assert "5 objects followed. 2 need attention." in page
    assert "1 to act on" in page
    assert "Market" in page


async def test_an_empty_territory_says_what_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = settings(tmp_path_factory.mktemp("empty"), auth=False)
    async with open_platform(given, listen=False) as platform, client_of(platform) as client:
        assert "The territory is still empty." in await text_of(client, "/console")
        assert "No device is registered." in await text_of(client, "/console/devices")
        assert "No frame was refused." in await text_of(client, "/console/refusals")
        assert "Nothing is published here yet." in await text_of(client, "/")


async def test_an_empty_territory_leads_to_the_first_data_those_who_may(tmp_path: Path) -> None:
    ways = ('href="/console/devices/new"', 'class="button plain small" href="/console/imports"')
    async with open_platform(settings(tmp_path, auth=True), listen=False) as empty:
        keys = {
            role: empty.access.keys.create(COMMAND_LINE, role, role, DEFAULT_TENANT, None)[1]
            for role in ("operator", "reader")
        }
        for path in ("/console", "/console/map"):
            async with client_of(empty, authorization=f"Bearer {keys['operator']}") as operator:
                page = (await operator.get(path)).text
                assert all(way in page for way in ways), path
            async with client_of(empty, authorization=f"Bearer {keys['reader']}") as reader:
                page = (await reader.get(path)).text
                assert "Nothing has been connected or imported yet." in plain(page)
                assert not any(way in page for way in ways), path


async def test_without_authentication_every_page_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = settings(tmp_path_factory.mktemp("open"), auth=False)
    async with open_platform(given, listen=False) as platform, client_of(platform) as client:
        for path in ("/", "/console", "/console/map", "/console/devices", "/console/refusals", "/nowhere"):
            assert "Authentication is off" in (await client.get(path)).text


@pytest.mark.parametrize(
    ("entity_id", "sentence"),
    [
        (FULL_BIN, "Fill level: 97%, measured 1 min ago. Action threshold (95%) reached."),
        (HALF_BIN, "Fill level: 50%, measured 1 min ago. In order."),
        (SILENT_BIN, "Fill level: 85%, measured 5 h ago. Silent: a value was expected every hour."),
        (LEAKING_METER, "Flow: 120 L/h, measured 1 min ago. The meter reports a leak."),
    ],
)
async def test_an_entitys_state_is_a_sentence(operator: httpx.AsyncClient, entity_id: str, sentence: str) -> None:
    page = plain(await text_of(operator, f"/console/entities/{entity_id}"))
    assert sentence in page


async def test_an_entity_and_its_device_lead_to_each_other(platform: Platform, operator: httpx.AsyncClient) -> None:
    await platform.broker.take_in_words()
    assert f'href="/console/entities/{DEVICE}"' in await text_of(operator, f"/console/entities/{FULL_BIN}")
    assert f'href="/console/entities/{FULL_BIN}"' in await text_of(operator, f"/console/entities/{DEVICE}")


async def test_a_devices_page_leads_back_to_the_devices(operator: httpx.AsyncClient) -> None:
    page = await text_of(operator, f"/console/entities/{DEVICE}")
    assert '<a href="/console/devices">Devices</a>' in page
    assert "/console/map?type=Device" not in page


def test_typed_times_are_read() -> None:
    assert instant_of({"@type": "DateTime", "@value": "1970-01-01T00:00:01Z"}) == 1_000_000
    assert instant_of({"@type": "DateTime", "@value": "soon"}) is None
    assert instant_of({"streetAddress": "1 Rue du Port"}) is None


async def test_the_chart_gets_columns_lines_and_words(operator: httpx.AsyncClient) -> None:
    series = (await operator.get(f"/console/entities/{FULL_BIN}/series.json?attr=fillingLevel&range=24h")).json()
    assert series["v"] == [97.0]
    assert (series["unit"], series["warn"], series["bad"]) == ("%", 80.0, 95.0)
    assert series["note"] == "Values as measured."
    assert series["decimals"] == 0, "told as in the table of values"


async def test_the_history_is_downloaded_as_csv(operator: httpx.AsyncClient) -> None:
    answer = await operator.get(f"/console/entities/{FULL_BIN}/history.csv?attr=fillingLevel&range=7d")
    assert answer.headers["content-disposition"] == 'attachment; filename="market-fillingLevel.csv"'
    rows = answer.text.splitlines()
    assert len(rows) == 2
    assert rows[1].startswith(f"{FULL_BIN},fillingLevel,,")
    assert rows[1].endswith(",0.97,C62")


async def test_a_wrong_time_is_explained(operator: httpx.AsyncClient) -> None:
    page = await text_of(operator, f"/console/entities/{FULL_BIN}/history.csv?attr=fillingLevel&from=yesterday", 400)
    assert "from and to must be date-times" in page


async def test_devices_are_listed_with_battery_and_age(operator: httpx.AsyncClient) -> None:
    page = plain(await text_of(operator, "/console/devices"))
    assert "1 device · 1 to watch" in page
    assert "Market sensor" in page
    assert "15 %" in page
    assert "No device matches this search." in await text_of(operator, "/console/devices?search=nothing")


async def test_devices_are_downloaded_as_csv(operator: httpx.AsyncClient) -> None:
    rows = (await operator.get("/console/devices.csv")).text.splitlines()
    assert rows[1].startswith(f"{DEVICE},Market sensor,generic-climate,Market,{FULL_BIN},0.15,")
    french = await operator.get("/console/devices.csv?lang=fr")
    assert french.content.startswith(b"\xef\xbb\xbfIdentifiant;Capteur;")
    assert f";{FULL_BIN};0,15;" in french.text
    assert french.text.rstrip().endswith(";À surveiller")


async def test_the_first_account_is_refused_in_the_pages_language(platform: Platform) -> None:
    async with client_of(platform, **{"accept-language": "fr"}) as client:
        token = platform.access.accounts.offer_first_link()
        form = {"token": token, "form_token": form_token((await client.get(f"/welcome?token={token}")).text)}
        short = await client.post("/welcome", data={**form, "name": "marie", "password": "court"})
        assert (short.status_code, "de 12 à 1024 caractères" in short.text) == (400, True)
        spaced = await client.post("/welcome", data={**form, "name": "Marie Legal", "password": "une longue phrase"})
        assert (spaced.status_code, "ne peut contenir que des lettres" in spaced.text) == (400, True)


async def test_what_is_not_there_has_its_page(operator: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/console/entities/urn:ngsi-ld:Nothing:1", "/console/nothing"):
        assert "Nothing at this address" in await text_of(operator, path, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/static/digest/a%00b",
        "/console/refusals?stored=%C2%B2&tried=1",
        f"/console/refusals?stored={'9' * 5000}&tried=1",
    ],
)
async def test_nonsense_in_an_address_is_no_fault_of_the_platform(operator: httpx.AsyncClient, path: str) -> None:
    assert (await operator.get(path)).status_code < 500


async def test_who_lacks_a_right_reads_why_and_whom_to_ask(platform: Platform, operator: httpx.AsyncClient) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "a reader", "reader", DEFAULT_TENANT)
    async with client_of(platform, authorization=f"Bearer {key}") as reader:
        page = plain(await text_of(reader, "/console/imports?lang=fr", 403)).replace("\u00a0", " ")
        assert "Accès réservé" in page
        assert "Importer des données demande le droit de tout lire et de tout écrire." in page
        assert "Qui peut vous donner ce droit : ada." in page
        assert "Who can give you this right: ada." in plain(await text_of(reader, "/console/audit?lang=en", 403))
    async with client_of(platform) as stranger:
        refused = await stranger.post("/console/imports", data={})
        assert "ada" not in plain(refused.text), "names are for colleagues"


async def test_a_stranger_is_asked_to_sign_in_where_it_takes_rights(visitor: httpx.AsyncClient) -> None:
    for name in ("refusals", "devices"):
        answer = await visitor.get(f"/console/{name}")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/console/sign-in?next=%2Fconsole%2F{name}"


async def test_a_used_link_says_what_to_do(operator: httpx.AsyncClient) -> None:
    page = await text_of(operator, "/welcome?token=used", 403)
    assert "This link has been used, or is too old." in page
    assert "start Parvis again" in page


async def refuse_a_frame(fleet: Fleet, caller: Caller, now: int) -> None:
    uplink = Uplink(hardware_id="00000000000000aa", payload=bytes.fromhex("0102ff"), f_port=7, f_cnt=1, received_at=now)
    await fleet.take(caller, [uplink])


async def test_refused_frames_say_why_and_can_be_tried_again(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: int
) -> None:
    await refuse_a_frame(platform.fleet, caller, now)
    page = await text_of(operator, "/console/refusals?reason=UNKNOWN_DEVICE")
    assert "Unknown device" in page
    assert "01 02 ff" in page
    assert "Have the device registered with this DevEUI" in page
    answer = await operator.post(
        "/console/refusals/retry", data={"form_token": form_token(page), "reason": "UNKNOWN_DEVICE"}
    )
    assert answer.headers["location"] == "/console/refusals?stored=0&tried=1"
    assert "0 of 1 frames tried are stored now." in await text_of(operator, answer.headers["location"])


async def test_a_forged_form_changes_nothing(operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/console/refusals/retry", data={"form_token": "forged"})
    assert answer.status_code == 403


async def test_signing_in_and_out(operator: httpx.AsyncClient, platform: Platform) -> None:
    page = await text_of(operator, "/console")
    assert 'action="/console/sign-out"' in page
    await operator.post("/console/sign-out", data={"form_token": form_token(page)})
    assert "Sign in" in await text_of(operator, "/console")
    page = await text_of(operator, "/console/sign-in?next=/console/devices")
    form = {"form_token": form_token(page), "name": "ada", "next": "/console/devices"}
    wrong = await operator.post("/console/sign-in", data={**form, "password": "guess"})
    assert wrong.status_code == 401
    assert "The user name or the password is wrong." in wrong.text
    right = await operator.post("/console/sign-in", data={**form, "password": "correct horse battery"})
    assert (right.status_code, right.headers["location"]) == (303, "/console/devices")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_signing_in_leads_nowhere_else(operator: httpx.AsyncClient, wanted: str) -> None:
    page = await operator.get("/console/sign-in", params={"next": wanted})
    assert 'name="next" value="/console"' in page.text


@pytest.mark.parametrize("path", ["/", "/console", "/console/map", "/console/devices", "/console/refusals", "/nowhere"])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_speaks_both_languages(operator: httpx.AsyncClient, path: str, language: str) -> None:
    page = (await operator.get(path, params={"lang": language})).text
    assert f'<html lang="{language}"' in page
    assert ("Trevalan" in page) is True


async def test_a_chosen_language_and_theme_stay_and_leave_the_address(visitor: httpx.AsyncClient) -> None:
    here = {"referer": "http://localhost/"}
    chosen = await visitor.get("/?commune=Port&lang=fr&theme=dark", headers=here)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/?commune=Port")
    page = await text_of(visitor, "/")
    assert '<html lang="fr" data-theme="dark">' in page


@pytest.mark.parametrize("headers", [{}, {"referer": "https://mail.example/"}])
async def test_a_link_that_somebody_sent_chooses_nothing_for_its_receiver(
    visitor: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    shown = await visitor.get("/?lang=fr&theme=dark", headers=headers)
    assert (shown.status_code, '<html lang="fr" data-theme="dark">' in shown.text) == (200, True)
    assert "set-cookie" not in shown.headers
    assert '<html lang="en">' in await text_of(visitor, "/")


async def test_a_link_on_a_page_keeps_all_that_stands_in_its_address(operator: httpx.AsyncClient) -> None:
    page = await text_of(operator, "/console/map?layer=waste&layer=water&type=waste&lang=en")
    links = [urlsplit(unescape(one)) for one in re.findall(r'href="([^"]*[?&;]lang=fr[^"]*)"', page)]
    assert [parse_qs(one.query) for one in links] == [{"layer": ["waste", "water"], "type": ["waste"], "lang": ["fr"]}]


async def test_what_users_wrote_is_escaped(platform: Platform, operator: httpx.AsyncClient) -> None:
    page = await text_of(operator, '/console/map?search="><script>alert(1)</script>')
    assert "<script>alert" not in page
    page = await text_of(operator, "/console/devices?search=<b>")
    assert 'value="&lt;b&gt;"' in page


async def test_the_small_town_is_whole(platform: Platform, caller: Caller, now: int) -> None:
    """The fixture's own guard: every change was stored."""
    broker = platform.broker
    for change in [*town(broker.contexts.parvis, now), device(broker.contexts.parvis, now)]:
        assert await broker.find(caller, change.entity_id) is not None


def test_no_page_names_something_of_its_own_as_the_frame_names_what_it_reads() -> None:
    """`current` is meant for it. Else the frame shows what is the page's: once a macro stood in the search field."""
    environment = Environment(autoescape=True)
    read = set[str]()
    for part in ("frame/frame", "frame/console", "topbar/topbar", "rail/rail", "search/search"):
        read |= meta.find_undeclared_variables(environment.parse((COMPONENTS / f"{part}.html").read_text("utf-8")))
    pages = [*HERE.glob("console/pages/*.html"), *HERE.glob("portal/pages/*.html")]
    clashes = {page.name: _names_of(environment.parse(page.read_text("utf-8"))) & read - {"current"} for page in pages}

    assert "text" in read
    assert {page: names for page, names in clashes.items() if names} == {}


def _names_of(page: nodes.Template) -> set[str]:
    """What it defines for itself and all that it extends."""
    macros = {one.name for one in page.body if isinstance(one, nodes.Macro)}
    set_here = [name for one in page.body if isinstance(one, nodes.Assign) for name in one.find_all(nodes.Name)]
    return macros | {name.name for name in set_here if name.ctx == "store"}
