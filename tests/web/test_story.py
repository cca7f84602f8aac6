"""The page of a demonstration's story: there only where one is brought; it sets events off, by form."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from parvis.bootstrap import Additions, Platform, open_platform
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.happenings import Happening, Laying, Offer
from parvis.kernel.identity import system_caller
from parvis.kernel.time import HOUR, Instant, system_clock
from tests.fakes.town import FULL_BIN, STATION, town
from tests.web.conftest import client_of, form_token, plain, settings


class Tale:
    """A leak that was, a market that is, a storm to come; a burst may be set off."""

    past_share = 0.4
    laying: Laying | None = None

    def __init__(self) -> None:
        self.now: Instant = system_clock()
        self.happenings = [
            self._happening("leak", -5, -3, look="urn:ngsi-ld:WaterMeter:1"),
            self._happening("market", -1, 2),
            self._happening("storm", 20, 30),
        ]

    def _happening(self, kind: str, begin_h: int, end_h: int, look: str = "", *, set_off: bool = False) -> Happening:
        begin, end = self.now + begin_h * HOUR, self.now + end_h * HOUR
        return Happening(f"{kind}-1", kind, begin, end, f"The {kind}", f"What the {kind} does", look, "flow", set_off)

    def list_happenings(self, language: str) -> Sequence[Happening]:
        return self.happenings

    def list_offers(self, language: str) -> Sequence[Offer]:
        return [Offer("burst", "burst", "Casser" if language == "fr" else "Burst a main", "A main breaks.")]

    async def set_off(self, offer: str) -> str:
        if offer != "burst":
            raise ResourceNotFound(f"There is no event {offer}.")
        self.happenings.append(self._happening("burst", 0, 2, "urn:ngsi-ld:WaterMeter:2", set_off=True))
        return "burst-1"


@pytest.fixture
def tale() -> Tale:
    return Tale()


@pytest.fixture
async def staged(tmp_path: Path, tale: Tale) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=False), Additions(happenings=tale), listen=False) as platform:
        yield platform


@pytest.fixture
async def told(staged: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(staged) as client:
        yield client


async def test_the_page_parts_what_was_is_and_comes(told: httpx.AsyncClient) -> None:
    page = plain((await told.get("/console/story")).text)

    assert page.index("Going on") < page.index("The market") < page.index("Past") < page.index("The leak")
    assert page.index("The leak") < page.index("To come") < page.index("The storm")
    assert "still being filled in: 40 %" in page


async def test_an_event_is_set_off_by_a_form_of_ours_and_then_followed(told: httpx.AsyncClient, tale: Tale) -> None:
    page = await told.get("/console/story")
    refused = await told.post("/console/story/set-off", data={"offer": "burst", "form_token": "made up"})
    assert (refused.status_code, len(tale.happenings)) == (403, 3)

    answer = await told.post("/console/story/set-off", data={"offer": "burst", "form_token": form_token(page.text)})
    assert answer.status_code == 303
    followed = await told.get(answer.headers["location"])
    assert "/console/entities/urn%3Angsi-ld%3AWaterMeter%3A2?attr=flow" in followed.text
    assert "The burst set off here" in plain(followed.text)


async def test_the_map_shows_what_an_event_touches(told: httpx.AsyncClient, staged: Platform, tale: Tale) -> None:
    caller, now = system_caller("test"), tale.now
    await staged.broker.write(caller, town(staged.broker.contexts.parvis, now))
    tale.happenings.append(replace(tale.happenings[1], id="blackout-1", title="A cut", touched=(FULL_BIN, STATION)))

    page = (await told.get("/console/story?follow=blackout-1")).text
    assert page.count('href="/console/map?happening=blackout-1"') == 2, "in its notice, and in the list"
    shown = (await told.get("/console/map.geojson?happening=blackout-1")).json()["features"]
    assert {one["id"] for one in shown} == {FULL_BIN, STATION}
    seen = (await told.get("/console/map?happening=blackout-1")).text
    assert "touched by: A cut" in plain(seen)
    assert '<input type="hidden" name="happening" value="blackout-1">' in seen, "the filter keeps it"
    everybody = tale.happenings[1].id
    for other in (everybody, "gone"):
        assert len((await told.get(f"/console/map.geojson?happening={other}")).json()["features"]) == 5


async def test_what_is_not_offered_is_not_found(told: httpx.AsyncClient) -> None:
    token = form_token((await told.get("/console/story")).text)

    assert (await told.post("/console/story/set-off", data={"offer": "flood", "form_token": token})).status_code == 404


async def test_it_speaks_french(told: httpx.AsyncClient) -> None:
    page = plain((await told.get("/console/story?lang=fr")).text)

    assert "et ensuite ?" in page
    assert "Casser" in page


async def test_a_platform_without_a_story_has_no_such_page(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/console/story")).status_code == 404
    assert "/console/story" not in (await operator.get("/console")).text


async def test_who_is_not_signed_in_neither_sees_nor_sets_off(tmp_path: Path, tale: Tale) -> None:
    opened = open_platform(settings(tmp_path, auth=True), Additions(happenings=tale), listen=False)
    async with opened as platform, client_of(platform) as visitor:
        assert (await visitor.get("/console/story")).status_code == 303
        assert (await visitor.post("/console/story/set-off", data={"offer": "burst"})).status_code == 403
    assert len(tale.happenings) == 3


async def test_whoever_begins_with_a_demonstration_is_not_asked_for_a_territory(tmp_path: Path, tale: Tale) -> None:
    opened = open_platform(settings(tmp_path, auth=True), Additions(happenings=tale), listen=False)
    async with opened as platform, client_of(platform) as client:
        token = platform.access.accounts.offer_first_link()
        form = {"token": token, "name": "ada", "password": "correct horse battery"}
        page = await client.get("/welcome", params={"token": token})
        answer = await client.post("/welcome", data={**form, "form_token": form_token(page.text)})

    assert answer.headers["location"] == "/console"


async def test_pages_say_what_is_being_laid_out_until_it_is_there(told: httpx.AsyncClient, tale: Tale) -> None:
    """So that nobody takes a territory that comes in a moment for an empty one."""
    tale.laying = Laying("land")
    for address in ("/", "/console", "/console/map"):
        assert "its land, streets and networks are being drawn" in (await told.get(address)).text
    tale.laying = Laying("past", 0.37)
    assert "still being filled in: 37 %" in plain((await told.get("/")).text)
    tale.laying = Laying("fault")
    page = (await told.get("/console")).text
    assert "could not be prepared: the platform goes on without it" in plain(page)
    assert "laying.js" not in page, "nothing is waited for any more"
    tale.laying = None
    assert 'id="laying"' not in (await told.get("/")).text


async def test_a_real_territory_is_never_laid_out(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=False), listen=False) as platform, client_of(platform) as client:
        assert 'id="laying"' not in (await client.get("/")).text


async def test_who_set_off_what_is_in_the_audit_trail(staged: Platform, told: httpx.AsyncClient) -> None:
    token = form_token((await told.get("/console/story")).text)
    answer = await told.post("/console/story/set-off", data={"form_token": token, "offer": "burst"})
    assert answer.status_code == 303
    newest = list(staged.access.store.read_audit(0))[-1].record
    assert (newest.action, newest.object, newest.facts) == ("event-set-off", "burst-1", {"title": "The burst"})
    page = (await told.get("/console/audit", params={"lang": "fr"})).text
    assert '<a href="/console/story?follow=burst-1">The burst</a>' in page


async def test_a_members_tenant_neither_shows_nor_sets_off_what_is_told_of_the_pools(
    told: httpx.AsyncClient, tale: Tale
) -> None:
    token = form_token((await told.get("/console/story")).text)
    there = {"NGSILD-Tenant": "plouhinec"}
    seen = await told.get("/console/story", headers=there)
    set_off = await told.post("/console/story/set-off", data={"offer": "burst", "form_token": token}, headers=there)

    assert (seen.status_code, set_off.status_code in (403, 404), len(tale.happenings)) == (404, True, 3)
    assert "/console/story" not in (await told.get("/console", headers=there)).text
