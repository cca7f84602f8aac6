"""Frames a second while the map of 20 000 objects slides under the eye, in Chromium that draws on the processor.

The browser shares the processors with the platform. Beside it: the same map with eight objects, which says what the
ground and the browser alone take. The processor time of a frame says the same where other work runs beside it.
"""

from dataclasses import dataclass
from itertools import pairwise

from playwright.sync_api import Page

from benchmarks.harness import territory
from benchmarks.harness.browser import browsing, cpu_s, open_map
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell

OBJECTS = 20_000
FEW = 8
ZOOMS = (11.5, 15.5)
_SLIDE = """async () => {
    const map = document.querySelector("[data-map]").map;
    const drawn = [];
    const note = () => drawn.push(performance.now());
    map.on("render", note);
    for (const way of [1, -1, 1, -1]) {
        map.panBy([way * 500, way * 250], { duration: 1000, easing: (share) => share });
        await new Promise((resolve) => map.once("moveend", resolve));
    }
    map.off("render", note);
    return drawn;
}"""


@dataclass(frozen=True, slots=True)
class Slide:
    """Milliseconds between frames, and the browser's processor time for each of them."""

    gaps_ms: list[float]
    cpu_ms: float

    @property
    def rate(self) -> float:
        return 1000 * len(self.gaps_ms) / sum(self.gaps_ms)

    @property
    def worst_ms(self) -> float:
        return sorted(self.gaps_ms)[int(0.95 * len(self.gaps_ms))]


def main() -> list[Figure]:
    with serving() as served:
        alone = measure_with(served, FEW)
        full = measure_with(served, OBJECTS)
    return [figure for zoom in ZOOMS for figure in figures(zoom, full[zoom], alone[zoom])]


def figures(zoom: float, full: Slide, alone: Slide) -> list[Figure]:
    what = "clustered" if zoom < 14 else "each by itself"
    return [
        Figure(f"map of 20 000 objects, {what}, sliding", full.rate, "frames/s", 50, alone.rate, "8 objects"),
        Figure("the same, 95th percentile between frames", full.worst_ms, "ms", None, alone.worst_ms, "8 objects"),
        Figure("the same, processor time of a frame", full.cpu_ms, "ms", None, alone.cpu_ms, "8 objects"),
    ]


def measure_with(served: Served, objects: int) -> dict[float, Slide]:
    territory.load(served.port, objects)
    with browsing() as page:
        return {zoom: measure(page, served.address, zoom) for zoom in ZOOMS}


def measure(page: Page, address: str, zoom: float) -> Slide:
    open_map(page, address)
    shown: int = page.evaluate("async () => (await document.querySelector('[data-map]').objects()).length")
    print(f"{shown} objects on the map, zoom {zoom}", flush=True)
    page.evaluate("zoom => document.querySelector('[data-map]').map.jumpTo({zoom, center: [-3.25, 47.7]})", zoom)
    page.evaluate(_SLIDE)
    before = cpu_s()
    drawn: list[float] = page.evaluate(_SLIDE)
    return Slide([later - one for one, later in pairwise(drawn)], 1000 * (cpu_s() - before) / len(drawn))


if __name__ == "__main__":
    tell(*main())
