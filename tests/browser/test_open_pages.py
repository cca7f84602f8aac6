"""What stays open stays true, or says that it is not: after the session, without room, and when objects fall silent."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Town, Visit

BARE = "urn:ngsi-ld:WasteContainer:bare"
ENDED = "The session in which this page was opened has ended"


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
    expect(page.get_by_role("alert")).to_contain_text("La session dans laquelle")
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
