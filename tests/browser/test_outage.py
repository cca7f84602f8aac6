"""What a page that stays open says while nothing can be saved, and when that is over."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit

WORDS = {
    "en-GB": ("Nothing can be saved just now", "Everything can be saved again"),
    "fr-FR": ("Rien ne peut être enregistré", "Tout peut de nouveau être enregistré"),
}


class Store:
    """In place of the server, when a page asks whether anything can be saved."""

    def __init__(self, page: Page) -> None:
        self.saves = True
        page.clock.install()
        page.route("**/live/store", self._answer)

    def _answer(self, route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps({"saves": self.saves}))


@pytest.mark.parametrize(
    ("path", "width", "scheme", "locale"),
    [("/", 390, "dark", "fr-FR"), ("/console/devices", 1280, "light", "en-GB"), ("/console", 390, "light", "fr-FR")],
)
def test_a_page_that_stays_open_says_that_nothing_can_be_saved_and_when_it_can_again(
    visit: Callable[..., Visit], path: str, width: int, scheme: str, locale: str
) -> None:
    window = visit(width, color_scheme=scheme, locale=locale)
    store = Store(window.page)
    page = window.open(path)
    told = page.locator("[data-store]")
    down, back = WORDS[locale]
    expect(told).to_have_text("")
    store.saves = False
    page.clock.run_for(21_000)
    expect(told).to_contain_text(down)
    expect(page.locator(".banner:visible")).to_have_count(1)
    assert window.list_axe_violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    store.saves = True
    page.clock.run_for(6_000)
    expect(told).to_contain_text(back)
    assert window.list_axe_violations() == []
    page.clock.run_for(9_000)
    expect(told).to_have_text("")
    expect(page.locator("aside.banner")).to_be_visible()


def test_the_dot_of_the_top_bar_says_how_the_system_is(visit: Callable[..., Visit]) -> None:
    window = visit()
    store = Store(window.page)
    page = window.open("/console/devices")
    dot = page.locator("[data-health]")
    expect(dot).to_have_attribute("href", "/console/system")
    expect(page.get_by_role("link", name="System: all is in order")).to_be_visible()
    store.saves = False
    page.clock.run_for(21_000)
    expect(page.get_by_role("link", name="System: nothing can be saved")).to_be_visible()
    page.unroute("**/live/store")
    page.route("**/live/store", lambda route: route.abort())
    page.clock.run_for(6_000)
    expect(page.get_by_role("link", name="System: the server does not answer")).to_be_visible()
    expect(dot.locator(".health:visible")).to_have_count(1)
    assert window.list_axe_violations() == []
    window.complaints.clear()


def test_a_map_whose_objects_could_not_be_had_asks_again(visit: Callable[..., Visit]) -> None:
    window = visit()
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503)

    window.page.route("**/console/map.geojson*", refuse_once)
    page = window.open_map()
    expect(page.locator("[data-live].on")).to_be_visible()
    assert len(refused) == 1
    assert ["503" in complaint for complaint in window.complaints] == [True]
    window.complaints.clear()
