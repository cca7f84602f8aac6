"""Take the pictures of `docs/images` from a demonstration territory that runs for the purpose."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ADDRESS = re.compile(r"https?://[\w.:\[\]-]+")
START_TIMEOUT_S = 90
LIVELY_AFTER_S = 45
PICTURE_LIMIT_BYTES = 400 * 1024


@dataclass(frozen=True, slots=True)
class Screen:
    name: str
    width: int
    height: int
    is_phone: bool


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    path: str
    screen: Screen
    language: str
    scheme: str = "light"


DESKTOP = Screen("desktop", 1280, 800, False)
PHONE = Screen("phone", 390, 844, True)
PICTURES = (
    Picture("console", "/console/map", DESKTOP, "en"),
    Picture("console-phone", "/console/map", PHONE, "en"),
    Picture("console-dark-fr", "/console/map", DESKTOP, "fr", "dark"),
    Picture("overview", "/console", DESKTOP, "en"),
    Picture("entity", "/console/entities/urn:ngsi-ld:WaterConsumptionObserved:plouvarec-01", DESKTOP, "en"),
    Picture("portal-fr", "/", DESKTOP, "fr"),
    Picture("portal-phone-fr", "/", PHONE, "fr"),
)


@contextlib.contextmanager
def running_demonstration() -> Iterator[str]:
    """The address of a demonstration that has been alive for a moment."""
    with tempfile.TemporaryDirectory(prefix="parvis-pictures-") as data:
        parvis = Path(sys.executable).with_name("parvis")
        command = [str(parvis), "demo", "--data", data, "--port", "0", "--mqtt-port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demonstration:
            try:
                address = address_told(demonstration)
                wait_until_ready(address)
                time.sleep(LIVELY_AFTER_S)
                yield address
            finally:
                demonstration.terminate()


def address_told(demonstration: subprocess.Popen[str]) -> str:
    assert demonstration.stdout is not None
    for line in demonstration.stdout:
        if found := ADDRESS.search(line):
            return found.group()
    raise SystemExit("the demonstration ended before it told its address")


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz").is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"{address} was not ready after {START_TIMEOUT_S} s")


def take(browser: Browser, address: str, picture: Picture) -> None:
    context = browser.new_context(
        viewport={"width": picture.screen.width, "height": picture.screen.height},
        device_scale_factor=2 if picture.screen.is_phone else 1,
        is_mobile=picture.screen.is_phone,
        locale=picture.language,
        color_scheme="dark" if picture.scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{address}{picture.path}")
    settle(page)
    target = IMAGES / f"{picture.name}.png"
    page.screenshot(path=target)
    context.close()
    if target.stat().st_size > PICTURE_LIMIT_BYTES:
        raise SystemExit(f"{target.name} is larger than {PICTURE_LIMIT_BYTES} bytes")


def settle(page: Page) -> None:
    """Live pages never fall silent, so wait for the first drawing instead of an idle network."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(4000)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with running_demonstration() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        for picture in PICTURES:
            take(browser, address, picture)
            sys.stdout.write(f"docs/images/{picture.name}.png\n")
        browser.close()


if __name__ == "__main__":
    main()
