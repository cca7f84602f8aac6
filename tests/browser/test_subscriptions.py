"""Subscriptions in a browser: what a receiver refused is seen and sent again, with the keyboard alone."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Town, Visit
from tests.fakes.terms import PARVIS_TERMS

NAME = "urn:ngsi-ld:Subscription:depot"
PAGE = f"/console/subscriptions/{NAME}"


@pytest.fixture(scope="module")
def subscribed(town: Town) -> Town:
    """To a receiver that is not there (RFC 6761)."""
    document = {
        "id": NAME,
        "type": "Subscription",
        "subscriptionName": "Bins for the depot",
        "entities": [{"type": "WasteContainer"}],
        "watchedAttributes": ["fillingLevel"],
        "notification": {"endpoint": {"uri": "http://nowhere.invalid/bins"}},
    }
    answer = httpx.post(f"{town.address}/ngsi-ld/v1/subscriptions", json=document, headers=PARVIS_TERMS, timeout=20)
    assert answer.status_code == 201, answer.text
    town.fill(7, 0.1)
    return town


@pytest.mark.parametrize(("width", "scheme", "locale"), [(1280, "light", "en-GB"), (390, "dark", "fr-FR")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    visit: Callable[..., Visit], subscribed: Town, width: int, scheme: str, locale: str
) -> None:
    window = visit(width, color_scheme=scheme, locale=locale)
    for path in ("/console/subscriptions", "/console/subscriptions?search=nothing-like-it", PAGE):
        page = window.open(path)
        assert window.list_axe_violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_found_paused_and_goes_on_with_the_keyboard(visit: Callable[..., Visit], subscribed: Town) -> None:
    window = visit()
    page = window.open("/console/subscriptions")
    page.get_by_label("Search a name or an address").fill("depot")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Bins for the depot").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main .state").first).to_have_text("Paused")
    page.get_by_role("button", name="Go on").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_deleting_asks_once_more_and_needs_no_scripts(visit: Callable[..., Visit], subscribed: Town) -> None:
    page = visit(java_script_enabled=False).open(PAGE)
    expect(page.get_by_role("button", name="Delete it now")).to_be_hidden()
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete it now").click()
    expect(page.locator("main").get_by_role("status")).to_have_text("The subscription is deleted.")
