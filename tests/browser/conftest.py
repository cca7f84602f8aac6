import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.fakes.terms import PARVIS_TERMS

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "tests/browser/vendor"
LIBRARIES = ROOT / "src/parvis/web/static/vendor/.stamp"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ADDRESS = re.compile(r"http://[\w.:]+")
START_LINES = 40
COMMUNES = ("Trevalan", "Port")
TERRITORY = """
[territory]
name = "Trevalan"
centre = [-3.28, 47.70]
zoom = 11.0
"""
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Town:
    """A running platform of its own, and what happens in it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = httpx.Client(base_url=address, timeout=20, headers=PARVIS_TERMS)

    def write(self, *entities: dict[str, Any]) -> None:
        self.write_in("", *entities)

    def write_in(self, tenant: str, *entities: dict[str, Any]) -> None:
        headers = {"NGSILD-Tenant": tenant} if tenant else None
        answer = self._client.post(
            "/ngsi-ld/v1/entityOperations/upsert?options=update", json=list(entities), headers=headers
        )
        assert answer.status_code in (201, 204), answer.text

    def fill(self, number: int, level: float) -> None:
        self.write({"id": container_id(number), "type": "WasteContainer", "fillingLevel": measured(level)})

    def remove(self, entity_id: str) -> None:
        assert self._client.delete(f"/ngsi-ld/v1/entities/{entity_id}").status_code == 204

    def close(self) -> None:
        self._client.close()


def container_id(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:{number:02d}"


def measured(value: float, minutes_ago: float = 0) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {"type": "Property", "value": value, "unitCode": "C62", "observedAt": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def container(number: int, level: float, minutes_ago: float = 1) -> dict[str, Any]:
    address = {"addressLocality": COMMUNES[number % 2], "streetAddress": f"{number} Rue du Port"}
    return {
        "id": container_id(number),
        "type": "WasteContainer",
        "name": {"type": "Property", "value": f"Point {number:02d}"},
        "address": {
            "type": "Property",
            "value": address,
        },
        "storedWasteKind": {"type": "Property", "value": "glass"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [-3.30 + 0.013 * number, 47.68 + 0.009 * (number % 4)]},
        },
        "fillingLevel": measured(level, minutes_ago),
    }


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Eight containers, two of them to act on, one with an hour of history; authentication off.

    What one module registers, no other meets.
    """
    data = tmp_path_factory.mktemp("town")
    (data / "territory.toml").write_text(TERRITORY)
    command = [sys.executable, "-c", "from parvis.cli import main; main()", "up"]
    options = ["--data", str(data), "--port", "0", "--mqtt-port", "0", "--auth", "off"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        found = Town(address_of(process))
        levels = (0.97, 0.96, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
        found.write(*(container(number, level) for number, level in enumerate(levels)))
        for minutes_ago in range(60, 1, -5):
            entity = {"id": container_id(2), "type": "WasteContainer", "fillingLevel": measured(0.5, minutes_ago)}
            found.write(entity)
        found.fill(2, 0.5)
        yield found
        found.close()
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def address_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said: list[str] = []
    while len(said) < START_LINES and (line := process.stdout.readline()):
        if found := ADDRESS.search(line):
            return found[0].replace("127.0.0.1", "localhost")
        said.append(line)
    raise AssertionError(f"the platform did not say where it is (status {process.poll()}), but: {''.join(said)}")


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """Of one module only: while it is open, its event loop counts as running and no other test can have one."""
    assert LIBRARIES.exists(), "front-end libraries are missing: make setup"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A browser's window that notes every complaint and every request that leaves the house."""

    def __init__(self, context: BrowserContext, town: Town) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self._town = town
        own = urlsplit(town.address).netloc
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("request", lambda request: self._check(request.url, own))

    def open(self, path: str) -> Page:
        self.page.goto(self._town.address + path)
        return self.page

    def open_map(self, query: str = "") -> Page:
        self.open(f"/console/map{query}")
        self.page.wait_for_selector("[data-map][data-ready]")
        return self.page

    def list_axe_violations(self) -> list[str]:
        self.page.evaluate((VENDOR / "axe-core/axe.min.js").read_text(encoding="utf-8"))
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", AXE_RULES)
        return [
            f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def _note(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _check(self, url: str, own: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != own:
            self.strangers.append(url)


@pytest.fixture
def visit(browser: Browser, town: Town) -> Iterator[Callable[..., Visit]]:
    """Opens windows; afterwards nothing may have been complained of, and no request may have left."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def make(width: int = 1280, **options: Any) -> Visit:
        settings = {"viewport": {"width": width, "height": 800}, "locale": "en-GB", "reduced_motion": "reduce"}
        contexts.append(browser.new_context(**{**settings, **options}))
        visits.append(Visit(contexts[-1], town))
        return visits[-1]

    yield make
    for context in contexts:
        context.close()
    assert [complaint for one in visits for complaint in one.complaints] == []
    assert [url for one in visits for url in one.strangers] == []
