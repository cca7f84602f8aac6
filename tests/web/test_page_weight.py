"""What a browser takes to show a map or a dashboard, before the ground's tiles and the objects themselves."""

import re
from urllib.parse import urljoin

import httpx
import pytest

from tests.browser.conftest import LIBRARIES

MOST_BYTES = 650 << 10
ASSETS = re.compile(r'<(?:link|script|img)\b[^>]*?(?:href|src)="(/static/[^"#]+)"')
IMPORTS = re.compile(r'^(?:import|export)\b[^"();=]*"(\.{1,2}/[^"]+)";', re.MULTILINE)
ON_DEMAND = ("maplibre-gl.mjs", "maplibre-gl-worker.mjs")


@pytest.mark.skipif(not LIBRARIES.exists(), reason="front-end libraries are missing: make setup")
@pytest.mark.parametrize(
    ("address", "own"),
    [("/console/map", {"page.js", "replay.js"}), ("/console/dashboards/ready-waste", {"view.js", "uPlot.iife.min.js"})],
)
async def test_a_page_with_a_map_is_light(operator: httpx.AsyncClient, address: str, own: set[str]) -> None:
    sizes: dict[str, int] = {}

    async def take(path: str) -> str:
        answer = await operator.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200, path
        sizes[path] = answer.num_bytes_downloaded
        return answer.text

    waiting = [address]
    while waiting:
        path = waiting.pop()
        if path in sizes:
            continue
        text = await take(path)
        pattern = ASSETS if path == address else IMPORTS
        waiting += [urljoin(path, one) for one in pattern.findall(text)]
        if path.endswith("maplibre-gl.css"):
            waiting += [urljoin(path, name) for name in ON_DEMAND]

    assert {path.rsplit("/", 1)[-1] for path in sizes} > {*ON_DEMAND, *own, "app.css"}
    assert sum(sizes.values()) <= MOST_BYTES, sizes
