"""Chromium without a screen or a graphics card: what WebGL draws is drawn by the processor (SwiftShader)."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Page, ViewportSize, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
)
SIZE: ViewportSize = {"width": 1280, "height": 800}


@contextlib.contextmanager
def browsing() -> Iterator[Page]:
    program = os.environ.get("PARVIS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser.new_context(viewport=SIZE, locale="en-GB").new_page()
        finally:
            browser.close()


def open_map(page: Page, address: str) -> None:
    page.goto(f"{address}/console/map")
    page.wait_for_selector("[data-map][data-ready]", timeout=60_000)
    page.evaluate("() => document.querySelector('[data-map]').map.once('idle', () => {})")
    page.wait_for_timeout(2_000)
