"""What the scripts that take pictures share: a Parvis that runs for the purpose, and a browser of a size."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ADDRESS = re.compile(r"https?://[\w.:\[\]-]+")
LINK = re.compile(r"/welcome\?token=\S+")
START_TIMEOUT_S = 90
LIMIT_BYTES = 250 * 1024


@dataclass(frozen=True, slots=True)
class Screen:
    name: str
    width: int
    height: int
    is_phone: bool


DESKTOP = Screen("desktop", 1280, 800, False)
PHONE = Screen("phone", 390, 844, True)


@dataclass
class Running:
    """`link` makes who opens it first the administrator; empty where nobody signs in. `told` is what it said so far."""

    address: str
    link: str = ""
    told: list[str] = field(default_factory=list)

    def wait_for(self, words: str, within_s: float) -> None:
        """Until it has said so."""
        deadline = time.monotonic() + within_s
        while not any(words in line for line in self.told):
            if time.monotonic() > deadline:
                raise SystemExit(f"Parvis did not say {words!r} within {within_s:.0f} s")
            time.sleep(0.2)


@contextlib.contextmanager
def running(*words: str, settings: str = "") -> Iterator[Running]:
    """A `parvis WORDS` on a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="parvis-pictures-") as data:
        (Path(data) / "territory.toml").write_text(settings, encoding="utf-8") if settings else None
        parvis = Path(sys.executable).with_name("parvis")
        command = [str(parvis), *words, "--data", data, "--port", "0", "--mqtt-port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as platform:
            try:
                found = _begun(platform, "auth = false" not in settings)
                with _heard(platform, found.told):
                    _wait_until_ready(found.address)
                    yield found
            finally:
                platform.terminate()


def _begun(platform: subprocess.Popen[str], has_link: bool) -> Running:
    assert platform.stdout is not None
    found = Running(_first_told(platform.stdout, ADDRESS))
    if has_link:
        found.link = _first_told(platform.stdout, LINK)
    return found


@contextlib.contextmanager
def _heard(platform: subprocess.Popen[str], told: list[str]) -> Iterator[None]:
    """What it says meanwhile; its output is closed once it has been read to the end."""
    assert platform.stdout is not None
    listening = Thread(target=told.extend, args=(platform.stdout,), daemon=True)
    listening.start()
    try:
        yield
    finally:
        platform.terminate()
        listening.join(START_TIMEOUT_S)


def _first_told(lines: Iterable[str], what: re.Pattern[str]) -> str:
    for line in lines:
        if found := what.search(line):
            return found.group()
    raise SystemExit("Parvis ended before it told its address")


def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz").is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"{address} was not ready after {START_TIMEOUT_S} s")


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


def open_context(
    browser: Browser, screen: Screen, language: str, scheme: str = "light", *, scripts: bool = True
) -> BrowserContext:
    return browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=2 if screen.is_phone else 1,
        is_mobile=screen.is_phone,
        locale=language,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )


def settle(page: Page) -> None:
    """Live pages never fall silent, so wait for the first drawing instead of an idle network."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(4000)


def keep(page: Page, name: str) -> None:
    """In `docs/images`; as JPEG where the name says so."""
    target = IMAGES / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".jpg":
        page.screenshot(path=target, type="jpeg", quality=82)
    else:
        page.screenshot(path=target)
    if target.stat().st_size > LIMIT_BYTES:
        raise SystemExit(f"{target.name} is larger than {LIMIT_BYTES} bytes")
    sys.stdout.write(f"docs/images/{name}\n")
