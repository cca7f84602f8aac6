"""Search everywhere: what a mayor, a technician and a stranger find."""

import re
from html import unescape

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Caller, Right, system_caller
from parvis.web.console.dashboards.layout import Layout
from parvis.web.console.dashboards.records import Dashboards, Sharing
from parvis.web.console.search_objects import find_kinds
from parvis.web.places import PLACES, Group, Here, open_to, ways_of
from parvis.web.wording import wording
from tests.fakes.town import DEVICE, FULL_BIN, LEAKING_METER
from tests.web.conftest import plain


@pytest.fixture
async def searched(platform: Platform, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    await platform.broker.take_in_words()
    return operator


async def page(client: httpx.AsyncClient, text: str, **headers: str) -> str:
    answer = await client.get("/console/search", params={"q": text}, headers=headers)
    assert answer.status_code == 200
    return answer.text


async def test_an_object_is_found_by_its_name_and_leads_to_its_page(searched: httpx.AsyncClient) -> None:
    found = await page(searched, "market")
    assert f'href="/console/entities/{FULL_BIN}"' in found
    assert LEAKING_METER in await page(searched, "mill")


async def test_a_device_is_found_and_leads_to_its_own_page(searched: httpx.AsyncClient) -> None:
    found = await page(searched, DEVICE.rpartition(":")[2])
    assert "/console/devices/" in found


async def test_an_id_is_found_as_it_is_written(searched: httpx.AsyncClient) -> None:
    assert f'href="/console/entities/{FULL_BIN}"' in await page(searched, FULL_BIN)


async def test_kinds_are_found_in_the_language_of_the_page(searched: httpx.AsyncClient) -> None:
    assert "/console/map?type=WasteContainer" in await page(searched, "waste cont")
    assert "/console/map?type=WasteContainer" in await page(searched, "conteneur", **{"accept-language": "fr"})


async def test_a_kind_of_which_there_is_nothing_is_not_offered(searched: httpx.AsyncClient) -> None:
    assert "/console/map?type=Museum" not in await page(searched, "museum")


def test_a_kind_narrows_the_words_beside_it() -> None:
    kinds = {kind.type: kind.rest for kind in find_kinds(("waste", "gambetta"), "en")}
    assert kinds["WasteContainer"] == ("gambetta",)
    assert find_kinds(("wa",), "en") == []
    assert find_kinds((), "en") == []


@pytest.mark.parametrize(("asked", "href"), [("import fi", "/console/imports"), ("sensors", "/console/devices")])
async def test_pages_and_actions_are_found_by_what_people_call_them(
    searched: httpx.AsyncClient, asked: str, href: str
) -> None:
    assert f'href="{href}"' in await page(searched, asked)


async def test_nothing_found_says_what_to_try(searched: httpx.AsyncClient) -> None:
    found = plain(await page(searched, "zzyzx"))
    assert "Nothing is called “zzyzx”." in found
    assert "Try fewer words" in found


async def test_what_is_typed_is_never_markup(searched: httpx.AsyncClient) -> None:
    assert "<b>x" not in await page(searched, '"><b>x')


async def test_as_one_types_the_same_comes_as_a_list_of_options(searched: httpx.AsyncClient) -> None:
    answer = await searched.get("/console/search/typed-ahead", params={"q": "mark"})
    assert 'role="listbox"' in answer.text
    assert f'href="/console/entities/{FULL_BIN}"' in answer.text
    assert "<html" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_before_anything_is_typed_there_is_where_one_may_go(searched: httpx.AsyncClient) -> None:
    found = await page(searched, "")
    assert "/console/devices/new" in found
    assert "Add a device" in found


async def test_a_stranger_finds_what_is_public_and_no_page_that_is_not(
    platform: Platform, visitor: httpx.AsyncClient
) -> None:
    await platform.broker.take_in_words()
    assert FULL_BIN in await page(visitor, "market")
    assert "/console/devices" not in (await page(visitor, "devices")).split("<main")[1]
    assert LEAKING_METER not in await page(visitor, "mill")


async def test_every_page_of_the_rail_is_found_by_its_name(searched: httpx.AsyncClient) -> None:
    rail = rail_of((await searched.get("/console")).text)
    shown = {href for href in re.findall(r'href="([^"]+)"', rail) if "?type=" not in href}
    assert "/console/dashboards" in shown
    assert shown <= {place.href for place in PLACES}
    assert 'href="/console/dashboards"' in await page(searched, "dashb")


def test_the_story_is_a_place_of_demonstrations_only() -> None:
    caller = system_caller("test")
    assert "story" in {one.key for one in open_to(caller, Here(has_story=True))}
    assert "story" not in {one.key for one in open_to(caller, Here())}


def test_members_are_a_place_of_pools_and_membership_one_of_members() -> None:
    caller = system_caller("test")
    pool, member = (
        {one.key for one in open_to(caller, here)} for here in (Here(has_members=True), Here(is_member=True))
    )
    assert "members" in pool - member
    assert "membership" in member - pool


def test_a_stranger_has_in_the_rail_what_he_may_open() -> None:
    stranger = Caller(DEFAULT_TENANT, ANONYMOUS, Right.READ_PUBLIC)
    assert {group: [one.key for one in there] for group, there in ways_of(stranger, Here()).items()} == {
        Group.GLANCE: ["overview", "map"],
        Group.TERRITORY: [],
    }


async def test_a_stranger_sees_no_group_without_ways(visitor: httpx.AsyncClient) -> None:
    rail = rail_of((await visitor.get("/console")).text)
    assert "/console/devices" not in rail
    assert "Devices and data" not in rail


def rail_of(page: str) -> str:
    return page.split('class="rail"')[1].split("</nav>")[0]


@pytest.mark.parametrize(
    ("path", "heading"), [("/console/refusals", "Devices and data"), ("/console/map", "Territory")]
)
async def test_the_group_of_the_page_is_open_and_no_other(operator: httpx.AsyncClient, path: str, heading: str) -> None:
    rail = rail_of((await operator.get(path)).text)
    assert re.findall(r'<details name="rail" open><summary>([^<]+)', rail) == [heading]
    assert len(re.findall(r'<details name="rail">', rail)) == 3


IN_THE_RAIL = [place for place in PLACES if place.group and not place.only and place.key != "map"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("key", [place.key for place in IN_THE_RAIL])
async def test_a_way_is_called_as_the_page_it_leads_to(operator: httpx.AsyncClient, key: str, language: str) -> None:
    place = next(one for one in PLACES if one.key == key)
    page = (await operator.get(place.href, headers={"accept-language": language})).text
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert heading is not None
    assert unescape(heading[1]).strip() == place.title(wording(language, "UTC"))
    assert f'<a href="{place.href}" aria-current="page">' in rail_of(page)


async def test_a_dashboard_is_called_so_in_french(
    searched: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    boards = Dashboards(platform.broker, platform.broker.contexts.parvis, platform.shelf)
    await boards.add(caller, "Quai", Layout())
    await platform.broker.take_in_words()
    found = await page(searched, "quai", **{"accept-language": "fr"})
    assert '<span class="hit-detail">Tableau de bord</span>' in found


async def test_a_dashboard_and_a_zone_lead_to_their_own_pages_and_no_link_is_told(
    platform: Platform, searched: httpx.AsyncClient, caller: Caller
) -> None:
    boards = Dashboards(platform.broker, platform.broker.contexts.parvis, platform.shelf)
    short = await boards.add(caller, "Council of spring", Layout())
    await boards.share(caller, short, Sharing.LINK)
    link = (await boards.get(caller, short)).link
    expand = platform.broker.contexts.parvis.expand
    name = Instance(expand("name"), Kind.PROPERTY, "Quay of spring")
    await platform.broker.write(caller, [Change("urn:ngsi-ld:Zone:quay", Mode.CREATE, (name,), (expand("Zone"),))])
    await platform.broker.take_in_words()
    found = await page(searched, "spring")
    assert f'href="/console/dashboards/{short}"' in found
    assert 'href="/console/map?zone=urn%3Angsi-ld%3AZone%3Aquay"' in found
    shown = await searched.get(f"/console/entities/urn:ngsi-ld:Dashboard:{short}")
    assert shown.headers["location"] == f"/console/dashboards/{short}"
    assert link not in found + shown.text


@pytest.mark.parametrize("typed", ["Makret", "Markt", "Marcket", "Marret", "Mrake"])
async def test_one_slip_is_forgiven_and_told(searched: httpx.AsyncClient, typed: str) -> None:
    for path in ("/console/search", "/console/search/typed-ahead"):
        answer = await searched.get(path, params={"q": typed})
        shown = plain(f"<body>{answer.text.split('<main')[-1]}")
        assert f"Nothing is called “{typed}”. Did you mean “Market”?" in shown
        assert "Market" in shown


async def test_what_is_found_is_not_guessed_at(searched: httpx.AsyncClient) -> None:
    for typed in ("Market", "Marke", "zxqwzxqw", "zz", "0012x"):
        assert "Did you mean" not in (await searched.get("/console/search", params={"q": typed})).text, typed


async def test_who_finds_nothing_and_who_begins_are_told_what_can_be_found(searched: httpx.AsyncClient) -> None:
    nothing = plain(f"<body>{(await searched.get('/console/search/typed-ahead', params={'q': 'zxqwzxqw'})).text}")
    assert "Nothing is called “zxqwzxqw”." in nothing
    assert "Try fewer words" in nothing
    begun = plain(f"<body>{(await searched.get('/console/search/typed-ahead')).text}")
    assert "Objects by name, address" in begun
    assert "Enter opens" in begun


async def test_a_page_is_found_with_a_slip_too(searched: httpx.AsyncClient) -> None:
    assert "/console/dashboards" in (await searched.get("/console/search", params={"q": "dashbaords"})).text
