"""Frames a second while the map of 20 000 objects is dragged, in Chromium that draws on the processor.

The browser shares the processors with the platform. Beside it: the same map with eight objects, which says what the
ground and the browser alone take.
"""

from itertools import pairwise
from typing import Any

from playwright.sync_api import Page

from benchmarks.harness import territory
from benchmarks.harness.browser import browsing, open_map
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell

OBJECTS = 20_000
FEW = 8
DRAG_S = 4
STEP_PX = 8
_WATCH = """() => {
    const map = document.querySelector("[data-map]").map;
    window.drawn = [];
    window.note = () => window.drawn.push(performance.now());
    map.on("render", window.note);
}"""
_FRAMES = "() => { document.querySelector('[data-map]').map.off('render', window.note); return window.drawn; }"
ZOOMS = (11.5, 15.5)


def main() -> list[Figure]:
    with serving() as served:
        alone = measure_with(served, FEW)
        full = measure_with(served, OBJECTS)
    return [figure for zoom in ZOOMS for figure in figures(zoom, full[zoom], alone[zoom])]


def measure_with(served: Served, objects: int) -> dict[float, list[float]]:
    territory.load(served.port, objects)
    with browsing() as page:
        return {zoom: measure(page, served.address, zoom) for zoom in ZOOMS}


def figures(zoom: float, gaps_ms: list[float], alone_ms: list[float]) -> list[Figure]:
    what = "clustered" if zoom < 14 else "each by itself"
    worst = sorted(gaps_ms)[int(0.95 * len(gaps_ms))]
    return [
        Figure(f"map of 20 000 objects, {what}, dragged", rate(gaps_ms), "frames/s", 50, rate(alone_ms), "8 objects"),
        Figure("the same, 95th percentile of a frame", worst, "ms", None),
    ]


def rate(gaps_ms: list[float]) -> float:
    return 1000 * len(gaps_ms) / sum(gaps_ms)


def measure(page: Page, address: str, zoom: float) -> list[float]:
    """Milliseconds between the frames of a drag."""
    open_map(page, address)
    shown: int = page.evaluate("async () => (await document.querySelector('[data-map]').objects()).length")
    print(f"{shown} objects on the map, zoom {zoom}")
    page.evaluate("zoom => document.querySelector('[data-map]').map.jumpTo({zoom, center: [-3.25, 47.7]})", zoom)
    page.wait_for_timeout(3_000)
    page.evaluate(_WATCH)
    drag(page)
    drawn: list[float] = page.evaluate(_FRAMES)
    return [after - before for before, after in pairwise(drawn)]


def drag(page: Page) -> None:
    """To and fro with the pointer, a move every 16 ms."""
    box: Any = page.locator("[data-map]").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    for step in range(int(DRAG_S * 60)):
        way = (step % 60) * STEP_PX if step // 60 % 2 == 0 else (60 - step % 60) * STEP_PX
        page.mouse.move(middle[0] + way / 2 - 100, middle[1] + way / 4 - 60)
        page.wait_for_timeout(16)
    page.mouse.up()


if __name__ == "__main__":
    tell(*main())
