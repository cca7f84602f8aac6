"""The bar at the top: on a phone it tells whole where one is, and keeps what is one's own a touch away."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

LONG = "Communauté de communes du Haut-Pays"
CUT = "one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_name_of_who_one_acts_for_is_not_cut(visit: Callable[..., Visit], width: int) -> None:
    page = visit(width).open("/console")
    name = page.locator(".brand > span")
    name.evaluate("(one, text) => { one.textContent = text; }", LONG)
    assert not name.evaluate(CUT)
    box, bar = name.bounding_box(), page.locator(".topbar").bounding_box()
    assert box is not None
    assert bar is not None
    assert bar["y"] <= box["y"]
    assert box["y"] + box["height"] <= bar["y"] + bar["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "fr-FR")])
def test_what_is_ones_own_opens_below_the_bar_of_a_phone(visit: Callable[..., Visit], scheme: str, locale: str) -> None:
    window = visit(390, color_scheme=scheme, locale=locale)
    page = window.open("/console")
    portal = page.locator("#own-tools a[href='/']")
    expect(portal).to_be_hidden()
    page.click("[popovertarget=own-tools]")
    expect(portal).to_be_visible()
    assert window.list_axe_violations() == []
    page.keyboard.press("Escape")
    expect(portal).to_be_hidden()
