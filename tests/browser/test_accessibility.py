"""Everybody reaches every page: one of the eight ways of looking at it a page; `python -m tests.reach` takes all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from scripts.pictures import running
from tests.browser.conftest import Town, Visit
from tests.reach.addresses import NO_PAGES, NOT_FOUND, STORY, crawl, list_page_paths, list_routes
from tests.reach.looking import HEIGHTS, find_faults, look, open_context, wait_until_drawn
from tests.reach.looking import WAYS as EVERY_WAY
from tests.reach.territory import MEMBER, begin, furnish, wait_for_jobs

WELCOME = "/welcome"
ELSEWHERE = {STORY, WELCOME}
"""Of a demonstration, and of a first start: tests of their own look at these."""
OF_SOMEBODY = {
    "/console/account": "/console/account",
    "/console/account/authenticator": "/console/account/authenticator",
    "/console/account/password": "/console/account/password",
    "/console/people/{name}": "/console/people/ada",
}
"""Of who is signed in."""
MEMBERSHIP = "/console/membership"
PAGES = sorted({*list_page_paths(), NOT_FOUND} - ELSEWHERE - {*OF_SOMEBODY, MEMBERSHIP})
WAYS = [
    (locale, width, scheme) for scheme in ("light", "dark") for width in (390, 1280) for locale in ("fr-FR", "en-GB")
]


@dataclass(frozen=True)
class Furnished:
    pages: Mapping[str, list[str]]


@pytest.fixture(scope="module")
def furnished(town: Town) -> Iterator[Furnished]:
    with httpx.Client(base_url=town.address, timeout=30) as client:
        seeds = furnish(client)
        wait_for_jobs(client)
        yield Furnished(crawl(client, seeds, most=1))


def test_links_lead_to_every_page(furnished: Furnished) -> None:
    """Whoever adds a page leads to it, or says in NO_PAGES why it is none."""
    assert sorted(set(PAGES) - set(furnished.pages)) == []


def test_what_is_no_page_still_has_an_address() -> None:
    assert sorted(NO_PAGES - {one.path for one in list_routes()}) == []


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_in_the_way(visit: Callable[..., Visit], furnished: Furnished, page: str) -> None:
    """In one of the eight ways: another for the next page."""
    locale, width, scheme = WAYS[PAGES.index(page) % len(WAYS)]
    window = visit(width, locale=locale, color_scheme=scheme, viewport={"width": width, "height": HEIGHTS[width]})
    window.open(furnished.pages[page][0])
    wait_until_drawn(window.page)
    assert find_faults(window.page) == [], (furnished.pages[page][0], locale, width, scheme)
    if page == NOT_FOUND:
        window.complaints.clear()


def test_nothing_is_in_a_members_way(visit: Callable[..., Visit], furnished: Furnished) -> None:
    window = visit(390, viewport={"width": 390, "height": HEIGHTS[390]})
    page = window.open(f"{MEMBERSHIP}?in={MEMBER}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert find_faults(page) == []


@pytest.fixture(scope="module")
def ada(browser: Browser) -> Iterator[tuple[str, list[BrowserContext]]]:
    """She has just made her account; the address, and her windows in each of the ways."""
    with running("up") as parvis, httpx.Client(base_url=parvis.address, timeout=30) as client:
        cookies = begin(client, parvis.link)
        windows = [open_context(browser, way) for way in EVERY_WAY]
        for one in windows:
            one.add_cookies([{"name": name, "value": value, "url": parvis.address} for name, value in cookies])
        yield parvis.address, windows
        for one in windows:
            one.close()


@pytest.mark.parametrize("page", sorted(OF_SOMEBODY))
def test_nothing_is_in_the_way_of_who_is_signed_in(ada: tuple[str, list[BrowserContext]], page: str) -> None:
    address, windows = ada
    window = windows[sorted(OF_SOMEBODY).index(page) % len(windows)].new_page()
    assert list(look(window, address + OF_SOMEBODY[page])) == []
    assert window.url == address + OF_SOMEBODY[page]


@pytest.mark.parametrize("path", ["/console", "/console/map"])
def test_on_a_phone_the_rest_of_the_rail_opens(visit: Callable[..., Visit], path: str) -> None:
    page = visit(390).open(path)
    page.get_by_text("More", exact=True).click()
    expect(page.locator(".rail .more").get_by_role("link", name="Jobs")).to_be_visible()
