"""What stays open stays true, or says that it is not: after the session, without room, and when objects fall silent."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Town, Visit, container_id, measured

BARE = "urn:ngsi-ld:WasteContainer:bare"
ENDED = "Your session has ended: this page is no longer kept up to date"


def hello_to(who: str) -> Callable[[Route], None]:
    told = json.dumps({"saves": True, "who": who})
    body = f"event: hello\nid: 1\ndata: {told}\n\n"
    return lambda route: route.fulfill(content_type="text/event-stream", body=body)


def sign_in(route: Route) -> None:
    route.fulfill(status=303, headers={"location": "/console/sign-in?next=x"})


def bare_page(window: Visit, town: Town) -> Page:
    town.write({"id": BARE, "type": "WasteContainer", "fillingLevel": {"type": "Property", "value": 0.2}})
    window.page.clock.install()
    return window.open(f"/console/entities/{BARE}")


def test_a_map_whose_line_comes_back_to_nobody_known_says_so(visit: Callable[..., Visit]) -> None:
    window = visit()
    window.page.route("**/live/events*", hello_to("anonymous"))
    page = window.open_map("?type=waste")
    expect(page.get_by_role("alert")).to_contain_text(ENDED)
    expect(page.locator("[data-live]")).to_have_text("session ended")
    expect(page.get_by_role("link", name="Sign in again")).to_have_attribute(
        "href", re.compile(r"^/console/sign-in\?next=%2Fconsole%2Fmap%3Ftype%3Dwaste")
    )
    assert window.list_axe_violations() == []


def test_a_map_that_is_sent_to_sign_in_says_so(visit: Callable[..., Visit]) -> None:
    window = visit(390, locale="fr-FR")
    page = window.open_map("?type=waste")
    page.route("**/console/map.geojson*", sign_in)
    page.select_option("#filter-state", "attention")
    expect(page.get_by_role("alert")).to_contain_text("Votre session est terminée : cette page n’est plus tenue à jour")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_that_asks_for_itself_again_says_so(visit: Callable[..., Visit]) -> None:
    window = visit()
    window.page.clock.install()
    page = window.open("/console")
    page.route("**/console", sign_in)
    page.clock.run_for(16_000)
    expect(page.get_by_role("alert")).to_contain_text(ENDED)


def test_nobody_is_told_that_a_session_ended_that_goes_on(visit: Callable[..., Visit]) -> None:
    window = visit()
    window.page.clock.install()
    page = window.open("/console")
    page.clock.run_for(16_000)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_without_room_for_another_line_the_page_stays_and_tries_the_line_alone(
    visit: Callable[..., Visit], town: Town
) -> None:
    window = visit()
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503)

    window.page.route("**/live/events*", refuse)
    page = bare_page(window, town)
    page.evaluate("window.isTheSame = true")
    page.wait_for_timeout(300)
    page.clock.run_for(20_000)
    page.wait_for_timeout(200)
    assert len(asked) in (2, 3), "the browser's own line, and then more and more rarely"
    page.unroute("**/live/events*")
    with page.expect_request("**/live/events*"):
        page.clock.run_for(60_000)
    assert page.evaluate("window.isTheSame"), "the page was never loaded anew"
    assert all("503" in complaint for complaint in window.complaints)
    window.complaints.clear()


def test_on_an_open_map_what_falls_silent_is_shown_silent(visit: Callable[..., Visit], town: Town) -> None:
    """Without a change, and without all objects being loaded again."""
    town.write({"id": container_id(3), "type": "WasteContainer", "fillingLevel": measured(0.4, 3 * 60 - 0.1)})
    window = visit()
    page = window.open_map("?type=waste")
    loads = note_loads(page)
    row = page.locator(f'li[data-id="{container_id(3)}"]')
    expect(row).to_have_class("good")
    expect(row).to_have_class("stale", timeout=14_000)
    assert page.evaluate(STATE_ON_MAP, container_id(3)) == "stale"
    assert loads == []
    town.fill(3, 0.4)
    expect(row).to_have_class("good fresh")


def test_on_an_open_entitys_page_too(visit: Callable[..., Visit], town: Town) -> None:
    town.write({"id": BARE, "type": "WasteContainer", "fillingLevel": measured(0.4, 3 * 60 - 0.05)})
    page = visit().open(f"/console/entities/{BARE}")
    expect(page.locator("[data-live-state]")).to_have_text("In order")
    expect(page.locator("[data-live-state]")).to_have_text("Silent", timeout=14_000)


def test_under_a_filter_only_what_may_belong_is_asked_for(visit: Callable[..., Visit], town: Town) -> None:
    page = visit().open_map("?type=waste&state=attention")
    expect(page.locator("[data-list] > li")).to_have_count(2)
    loads = note_loads(page)
    town.fill(7, 0.2)
    page.wait_for_timeout(4_500)
    assert loads == [], "what stays in order is no matter"
    town.fill(7, 0.99)
    expect(page.locator("[data-list] > li")).to_have_count(3, timeout=8_000)
    expect(page.locator("[data-status]")).to_have_text("3 objects, 3 need attention")
    town.fill(7, 0.0)
    expect(page.locator("[data-list] > li")).to_have_count(2, timeout=8_000)
    assert [parse_qs(urlsplit(url).query)["id"] for url in loads] == [[container_id(7)]] * 2


STATE_ON_MAP = """async id => (await document.querySelector('[data-map]').map.getSource('objects').getData())
  .features.find(one => one.id === id).properties.state"""


def note_loads(page: Page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "map.geojson" in request.url else None)
    return asked
