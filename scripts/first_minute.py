"""Record the first minute of a newcomer: `parvis demo`, an account, the map, an object, the past, a burst main, the
residents' page. Tells what each step takes; the pictures stand in `docs/tutorial/first-minute.md`.
"""

import sys
import time
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, expect

from scripts.pictures import DESKTOP, PHONE, Running, browsing, keep, open_context, running

ALIVE_WITHIN_S = 180
DRAWN_WITHIN_MS = 30_000
LAST_TILES_MS = 1_500
NAME, PASSWORD = "ada", "a sentence that nobody guesses"


@dataclass(slots=True)
class Walk:
    """Numbers the pictures, and tells when each step was done and how long it took."""

    address: str
    page: Page
    began_s: float
    step_began_s: float
    number: int = 0

    def go(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def done(self, name: str) -> None:
        """The clock stands while the picture is taken."""
        now = time.monotonic()
        self.number += 1
        sys.stdout.write(f"{now - self.began_s:6.1f} s, of which {now - self.step_began_s:4.1f} s: ")
        self.page.wait_for_timeout(LAST_TILES_MS)
        keep(self.page, f"first-minute/{self.number}-{name}.jpg")
        paused_s = time.monotonic() - now
        self.began_s += paused_s
        self.step_began_s = time.monotonic()

    def wait_for_map(self) -> None:
        self.page.wait_for_selector("[data-map][data-ready]", timeout=DRAWN_WITHIN_MS)


def walk(context: BrowserContext, parvis: Running, began_s: float) -> float:
    """As the operator; answers when the walk would have begun without the pictures."""
    steps = Walk(parvis.address, context.new_page(), began_s, began_s)
    become_administrator(steps, parvis.link)
    see_the_overview(steps)
    look_at_the_map(steps)
    open_the_most_urgent(steps)
    go_back_in_time(steps)
    burst_a_main(steps)
    return steps.began_s


def become_administrator(steps: Walk, link: str) -> None:
    steps.go(link)
    steps.page.locator("#name").fill(NAME)
    steps.page.locator("#password").fill(PASSWORD)
    steps.done("welcome")
    steps.page.locator("main form button").click()
    steps.page.wait_for_url("**/console")


def see_the_overview(steps: Walk) -> None:
    """Until it tells of objects that want somebody."""
    until = time.monotonic() + ALIVE_WITHIN_S
    while not steps.page.locator("main .objects a").count():
        if time.monotonic() > until:
            raise SystemExit("the demonstration did not come alive")
        time.sleep(0.5)
        steps.go("/console")
    steps.done("overview")


def look_at_the_map(steps: Walk) -> None:
    steps.page.get_by_role("link", name="See the map").click()
    steps.wait_for_map()
    steps.done("map")


def open_the_most_urgent(steps: Walk) -> None:
    steps.page.locator("[data-list] a").first.click()
    expect(steps.page.locator("#drawer h2")).to_be_visible()
    steps.done("selected")
    steps.page.locator("#drawer a.button").first.click()
    steps.page.wait_for_selector("figure[data-drawn]", timeout=DRAWN_WITHIN_MS)
    steps.done("object")


def go_back_in_time(steps: Walk) -> None:
    steps.go("/console/map?type=waste")
    steps.wait_for_map()
    steps.page.get_by_role("button", name="Past").click()
    slider = steps.page.get_by_label("Moment")
    for _ in range(8):
        slider.press("PageDown")
    steps.page.wait_for_timeout(LAST_TILES_MS)
    steps.done("past")


def burst_a_main(steps: Walk) -> None:
    steps.go("/console/story")
    steps.done("scenario")
    steps.page.get_by_role("button", name="Set it off").first.click()
    steps.page.wait_for_url("**/console/story?follow=*")
    steps.done("burst")


def see_as_a_resident(browser: Browser, address: str, began_s: float) -> None:
    context = open_context(browser, PHONE, "fr")
    steps = Walk(address, context.new_page(), began_s, time.monotonic(), number=8)
    steps.go("/")
    steps.page.wait_for_load_state("load")
    steps.done("residents")
    context.close()


def main() -> None:
    began_s = time.monotonic()
    with browsing() as browser, running("demo") as parvis:
        context = open_context(browser, DESKTOP, "en")
        began_s = walk(context, parvis, began_s)
        context.close()
        see_as_a_resident(browser, parvis.address, began_s)


if __name__ == "__main__":
    main()
