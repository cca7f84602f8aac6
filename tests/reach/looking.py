"""Axe on one page, as somebody has it before them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page

AXE = Path(__file__).resolve().parent.parent / "browser/vendor/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HEIGHTS = {390: 844, 1280: 800}
_UNDRAWN = "[data-map]:not([data-ready]):visible, figure[data-chart]:not([data-drawn]):visible"
_PATIENCE = 20
_STEP_MS = 150


@dataclass(frozen=True, slots=True)
class Way:
    """How a page is looked at, by day and by night."""

    language: str
    width: int

    def __str__(self) -> str:
        return f"{self.language} {self.width}"


WAYS = tuple(Way(*one) for one in itertools.product(("en", "fr"), (390, 1280)))
SIGN_IN = "/console/sign-in"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def open_context(browser: Browser, way: Way) -> BrowserContext:
    return browser.new_context(
        viewport={"width": way.width, "height": HEIGHTS[way.width]},
        is_mobile=way.width < 720,
        locale={"en": "en-GB", "fr": "fr-FR"}[way.language],
        reduced_motion="reduce",
    )


def look(page: Page, address: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the page at this address, and by which light."""
    answer = page.goto(address)
    if answer is None or answer.status >= 500:
        yield "at all", "is not answered"
    if SIGN_IN in page.url and SIGN_IN not in address:
        yield "at all", "asks to sign in: the session has ended"
    wait_until_drawn(page)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for fault in find_faults(page):
            yield scheme, fault


def find_faults(page: Page) -> list[str]:
    """Of the page as it stands: what axe finds, and whether it scrolls sideways."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    faults = [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:240]})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append("scrolls sideways")
    return faults


def wait_until_drawn(page: Page) -> None:
    """Maps and charts; what is not drawn in three seconds (a machine without WebGL has no maps) is looked at so."""
    for _ in range(_PATIENCE):
        if not page.locator(_UNDRAWN).count():
            return
        page.wait_for_timeout(_STEP_MS)
