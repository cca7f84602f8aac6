"""Seconds from sending a change until an open map page shows it: 5 000 objects on the map, 500 changes a second beside.

The browser draws on the processor and shares it with the platform and with whoever sends the changes. Both clocks are
the machine's. What is waited for is the row of the list; the map's own picture follows within a frame or two and is
told apart.
"""

import random
import threading
import time
import urllib.request
from typing import Any

import msgspec
from playwright.sync_api import Page

from benchmarks.harness import territory
from benchmarks.harness.browser import browsing, open_map
from benchmarks.harness.http_load import TERMS
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell
from parvis.kernel.time import format_instant, system_clock

OBJECTS = 5_000
CHANGES_PER_S = 500
BATCH = 50
PROBES = 20
PROBE = "urn:ngsi-ld:WasteContainer:probe"
_WATCH = """id => {
    const map = document.querySelector("[data-map]").map;
    window.shown = new Map();
    window.drawn = new Map();
    const row = document.querySelector(`li[data-id="${id}"] [data-slot=value]`);
    new MutationObserver(() => {
        const text = row.textContent;
        window.shown.set(text, Date.now());
        map.once("sourcedata", () => map.once("render", () => window.drawn.set(text, Date.now())));
    }).observe(row, { childList: true, characterData: true, subtree: true });
}"""
_FOUND = "text => [window.shown.get(text) ?? null, window.drawn.get(text) ?? null]"


def main() -> list[Figure]:
    with serving() as served:
        territory.load(served.port, OBJECTS)
        send(served, [probe(0.96)])
        stop = threading.Event()
        sender = threading.Thread(target=keep_changing, args=(served, stop))
        with browsing() as page:
            open_map(page, served.address)
            page.evaluate(_WATCH, PROBE)
            sender.start()
            try:
                page.wait_for_timeout(3_000)
                found = [look(served, page, number) for number in range(PROBES)]
            finally:
                stop.set()
                sender.join()
    return figures([one[0] for one in found], [one[1] for one in found])


def figures(listed_s: list[float], drawn_s: list[float]) -> list[Figure]:
    what = f"a change on an open page, {OBJECTS} objects, {CHANGES_PER_S} changes/s: in the list"
    return [
        Figure(f"{what}, median", sorted(listed_s)[len(listed_s) // 2], "s", None),
        Figure(f"{what}, slowest of {PROBES}", max(listed_s), "s", 1, smaller_is_better=True),
        Figure(f"the same on the map, slowest of {PROBES}", max(drawn_s), "s", 1, smaller_is_better=True),
    ]


def look(served: Served, page: Page, number: int) -> tuple[float, float]:
    """Seconds until it stands in the list, and until the map has drawn it. Levels differ, so that each is a text of its
    own; all of them are above the line for action, so that the row stays where it is."""
    level = 0.97 + (number % 3) / 100
    text = f"{level * 100:.0f}%"
    page.evaluate("text => { window.shown.delete(text); window.drawn.delete(text); }", text)
    began = time.time()
    send(served, [probe(level)])
    deadline = time.time() + 20
    while time.time() < deadline:
        listed, drawn = page.evaluate(_FOUND, text)
        if listed is not None and drawn is not None:
            page.wait_for_timeout(150 + 37 * number % 400)
            return listed / 1000 - began, drawn / 1000 - began
        page.wait_for_timeout(20)
    raise RuntimeError(f"the change to {text} was not shown within 20 s")


def keep_changing(served: Served, stop: threading.Event) -> None:
    source, tick = random.Random(2), 0
    due = time.perf_counter()
    while not stop.is_set():
        tick += 1
        send(served, [fresh(source.randrange(OBJECTS), source) for _ in range(BATCH)])
        due += BATCH / CHANGES_PER_S
        stop.wait(max(0.0, due - time.perf_counter()))


def fresh(number: int, source: random.Random) -> dict[str, Any]:
    at = format_instant(system_clock())
    value = {"type": "Property", "value": round(source.random() * 30, 1), "unitCode": "CEL", "observedAt": at}
    return {"id": territory.entity_id(number), "type": "AirQualityObserved", "temperature": value}


def probe(level: float) -> dict[str, Any]:
    at = format_instant(system_clock())
    return {
        "id": PROBE,
        "type": "WasteContainer",
        "name": {"type": "Property", "value": "Probe"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3.25, 47.7]}},
        "fillingLevel": {"type": "Property", "value": level, "unitCode": "C62", "observedAt": at},
    }


def send(served: Served, entities: list[dict[str, Any]]) -> None:
    url = f"{served.address}/ngsi-ld/v1/entityOperations/upsert?options=update"
    headers = {"Content-Type": "application/json", "Link": TERMS}
    ask = urllib.request.Request(url, msgspec.json.encode(entities), headers, method="POST")
    with urllib.request.urlopen(ask) as answer:
        answer.read()


if __name__ == "__main__":
    tell(*main())
