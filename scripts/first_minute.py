"""Record the first minute of a newcomer: `parvis demo`, the portal, the map, an object, the past, what happens next."""

import sys
import time

from playwright.sync_api import Browser, Page

from scripts.pictures import DESKTOP, PHONE, browsing, keep, open_context, running, settle

READY_S = 180


def wait_until_alive(page: Page, address: str) -> None:
    """Until the first object is told of on the overview."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        page.goto(f"{address}/console")
        if page.locator("main a[href*='/console/map']").count() and "0 obj" not in page.locator("main").inner_text():
            return
        time.sleep(1)
    raise SystemExit("the demonstration did not come alive")


def walk(browser: Browser, address: str, began_s: float) -> None:
    context = open_context(browser, DESKTOP, "en")
    page = context.new_page()
    step = Steps(began_s)
    wait_until_alive(page, address)
    step.keep(page, "overview")
    page.goto(f"{address}/console/map")
    settle(page)
    step.keep(page, "map")
    page.locator("[data-list] a, .object-list a, main li a").first.click()
    settle(page)
    step.keep(page, "selected")
    page.goto(f"{address}/console/search?q=mairie")
    settle(page)
    step.keep(page, "search")
    context.close()
    phone = open_context(browser, PHONE, "fr")
    page = phone.new_page()
    page.goto(address)
    settle(page)
    step.keep(page, "portal-phone")
    phone.close()


class Steps:
    """Numbers the pictures and tells when they were taken."""

    def __init__(self, began_s: float) -> None:
        self._began_s, self._number = began_s, 0

    def keep(self, page: Page, name: str) -> None:
        self._number += 1
        sys.stdout.write(f"{time.monotonic() - self._began_s:5.1f} s ")
        keep(page, f"first-minute/{self._number}-{name}.jpg")


def main() -> None:
    began_s = time.monotonic()
    with running("demo") as address, browsing() as browser:
        walk(browser, address, began_s)


if __name__ == "__main__":
    main()
