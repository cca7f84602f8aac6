"""Chromium without a screen or a graphics card: what WebGL draws is drawn by the processor (SwiftShader)."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

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


def cpu_s() -> float:
    """Processor time that the browser's processes have taken (Linux)."""
    return sum(_cpu_of(pid) for pid in _descendants(os.getpid()) if "chrom" in _name_of(pid))


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def _name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def _cpu_of(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
