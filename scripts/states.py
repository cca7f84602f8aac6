"""Take a picture of every state that pages are designed for: empty, loading, stale, wrong, forbidden, offline, printed.

They stand in `docs/reference/states.md`.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from playwright.sync_api import Browser, Page

from parvis.bootstrap import Additions
from parvis.kernel.happenings import Happening, Offer
from parvis.kernel.settings import AccessSettings, MqttSettings, ServerSettings, Settings, TerritorySettings
from parvis.kernel.time import Instant, system_clock
from parvis.web.server import serving
from scripts.pictures import DESKTOP, PHONE, Screen, browsing, keep, open_context, running, settle

OPEN = '[territory]\nname = "Kerlann"\ncentre = [-3.28, 47.70]\nzoom = 11.5\n[access]\nauth = false\n'
CLOSED = OPEN.replace("auth = false", "auth = true")
TERMS = {"link": '<https://parvis.eu/ngsi-ld/context/v1.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'}
Arrange = Callable[[Page], None]


def container(number: int, level: float, hours_ago: float) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat().replace("+00:00", "Z")
    place = {"type": "Point", "coordinates": [-3.30 + 0.012 * number, 47.69 + 0.006 * (number % 3)]}
    return {
        "id": f"urn:ngsi-ld:WasteContainer:kerlann-{number}",
        "type": "WasteContainer",
        "name": {"type": "Property", "value": f"Rue du Port {number}"},
        "address": {"type": "Property", "value": {"addressLocality": "Kerlann"}},
        "location": {"type": "GeoProperty", "value": place},
        "fillingLevel": {"type": "Property", "value": level, "unitCode": "C62", "observedAt": at},
    }


def fill(address: str) -> None:
    """Fresh ones, and some that have been silent for days."""
    some = [container(one, 0.2 + 0.09 * one, 0.1 if one < 4 else 60.0) for one in range(1, 8)] + [BOARD]
    answer = httpx.post(f"{address}/ngsi-ld/v1/entityOperations/upsert", json=some, headers=TERMS)
    answer.raise_for_status()


BOARD = {
    "id": "urn:ngsi-ld:Dashboard:quay",
    "type": "Dashboard",
    "name": {"type": "Property", "value": "Rue du Port"},
    "dashboardLayout": {"type": "JsonProperty", "json": {"widgets": [
        {"kind": "states", "about": "WasteContainer", "width": 2},
        {"kind": "table", "about": "WasteContainer", "attribute": "][", "title": "Conteneurs", "width": 2},
    ]}},
}  # fmt: skip
"""Its table asks for an attribute of a name that none can have."""


class Untold:
    """A story that cannot be told: the page of it fails."""

    now: Instant = system_clock()
    past_share = 1.0
    laying = None

    def list_happenings(self, language: str) -> list[Happening]:
        raise RuntimeError("the story is lost")

    def list_offers(self, language: str) -> list[Offer]:
        return []

    async def set_off(self, offer: str) -> str:
        raise RuntimeError("the story is lost")


@contextmanager
def failing() -> Iterator[str]:
    """The address of a Parvis in this process, one page of which fails."""
    told: asyncio.Queue[str] = asyncio.Queue()
    loop, end = asyncio.new_event_loop(), asyncio.Event()

    async def serve(data: Path) -> None:
        settings = Settings(
            data,
            server=ServerSettings(port=0),
            territory=TerritorySettings(name="Kerlann"),
            access=AccessSettings(auth=False),
            mqtt=MqttSettings(enabled=False),
        )
        async with serving(settings, Additions(happenings=Untold())) as running:
            told.put_nowait(running.address)
            await end.wait()

    with tempfile.TemporaryDirectory(prefix="parvis-pictures-") as data:
        thread = Thread(target=loop.run_until_complete, args=(serve(Path(data)),))
        thread.start()
        try:
            yield asyncio.run_coroutine_threadsafe(told.get(), loop).result(60)
        finally:
            loop.call_soon_threadsafe(end.set)
            thread.join()


def stay(_page: Page) -> None:
    """As it is when it has come."""


def never_come(page: Page) -> None:
    page.route("**/map.geojson*", lambda route: None)


def cut(page: Page) -> None:
    settle(page)
    page.context.set_offline(True)
    page.wait_for_timeout(8000)


def on_paper(page: Page) -> None:
    settle(page)
    page.emulate_media(media="print")


def unsaved(page: Page) -> None:
    """Nothing can be saved just now, as a page that stays open hears it."""
    page.route("**/live/store", lambda route: route.fulfill(json={"saves": False}))
    settle(page)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("[data-store=down]")


def unanswered(page: Page) -> None:
    """The figures are not kept true any more."""
    settle(page)
    for part in ("**/console/system", "**/live/store"):
        page.route(part, lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector(".outdated:not(:empty)")


def unsearched(page: Page) -> None:
    settle(page)
    page.route("**/typed-ahead*", lambda route: route.abort())
    page.keyboard.press("/")
    page.wait_for_selector(".palette-empty")


def chartless(page: Page) -> None:
    page.route("**/series.json*", lambda route: route.fulfill(status=503))


def sign_in(page: Page, address: str, link: str, role: str) -> None:
    """As somebody whom the first administrator has invited."""
    page.goto(f"{address}{link}")
    page.fill("[name=name]", "maelle")
    page.fill("[name=password]", "the tide comes in twice")
    page.click("main button")
    page.goto(f"{address}/console/first-run/people")
    page.fill("#main [name=name]", "jean")
    page.check(f"[value={role}]")
    page.click("#main form:has([name=role]) button")
    invited = page.locator(".first-key code").first.inner_text()
    page.context.clear_cookies()
    page.goto(address + invited[invited.index("/welcome") :])
    page.fill("[name=password]", "the tide goes out again")
    page.click("main button")


def picture(
    browser: Browser, address: str, name: str, path: str, *,
    screen: Screen = DESKTOP, language: str = "fr", before: Arrange = stay, after: Arrange = settle,
    scripts: bool = True,
) -> None:  # fmt: skip
    context = open_context(browser, screen, language, scripts=scripts)
    page = context.new_page()
    before(page)
    page.goto(f"{address}{path}", wait_until="commit" if before is never_come else "load")
    after(page)
    keep(page, f"states/{name}.jpg")
    context.close()


def forbidden(browser: Browser, address: str, link: str) -> None:
    """Signed in, and without the right: why, and whom to ask."""
    context = open_context(browser, DESKTOP, "fr")
    page = context.new_page()
    sign_in(page, address, link, "reader")
    page.goto(f"{address}/console/audit")
    settle(page)
    keep(page, "states/forbidden.jpg")
    context.close()


def main() -> None:
    with browsing() as browser:
        with running("up", settings=OPEN) as parvis:
            address = parvis.address
            picture(browser, address, "empty-map", "/console/map")
            picture(browser, address, "empty-devices-phone", "/console/devices", screen=PHONE)
            picture(browser, address, "empty-dashboards", "/console/dashboards", language="en")
            picture(browser, address, "empty-portal-phone", "/", screen=PHONE)
            fill(address)
            stale = "/console/entities/urn:ngsi-ld:WasteContainer:kerlann-6"
            picture(browser, address, "stale-object", stale)
            picture(browser, address, "stale-map", "/console/map?state=stale", language="en")
            picture(browser, address, "loading-map", "/console/map", before=never_come)
            picture(browser, address, "nothing-found", "/console/search?q=zzz", language="en")
            picture(browser, address, "not-there", "/console/entities/urn:ngsi-ld:WasteContainer:none")
            picture(browser, address, "offline-phone", "/console/map", screen=PHONE, after=cut)
            picture(browser, address, "not-saved", "/console/devices", after=unsaved)
            picture(browser, address, "no-answer", "/console/system", language="en", after=unanswered)
            picture(browser, address, "search-failed", "/console", after=unsearched)
            picture(browser, address, "chart-failed", stale, before=chartless)
            picture(browser, address, "widget-failed", "/console/dashboards/quay")
            picture(browser, address, "printed-object", stale, after=on_paper)
            picture(browser, address, "no-javascript-phone", "/", screen=PHONE, scripts=False)
        with failing() as address:
            picture(browser, address, "page-failed", "/console/story")
        with running("up", settings=CLOSED) as parvis:
            picture(browser, parvis.address, "sign-in-phone", "/console/system", screen=PHONE)
            forbidden(browser, parvis.address, parvis.link)


if __name__ == "__main__":
    main()
