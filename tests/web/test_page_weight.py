"""What a browser takes to show the console's map, before the ground's tiles and the objects themselves."""

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
async def test_the_map_s_page_is_light(operator: httpx.AsyncClient) -> None:
    sizes: dict[str, int] = {}

    async def take(path: str) -> str:
        answer = await operator.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200, path
        sizes[path] = answer.num_bytes_downloaded
        return answer.text

    waiting = ["/console/map"]
    while waiting:
        path = waiting.pop()
        if path in sizes:
            continue
        text = await take(path)
        pattern = ASSETS if path == "/console/map" else IMPORTS
        waiting += [urljoin(path, one) for one in pattern.findall(text)]
        if path.endswith("maplibre-gl.css"):
            waiting += [urljoin(path, name) for name in ON_DEMAND]

    assert {path.rsplit("/", 1)[-1] for path in sizes} > {*ON_DEMAND, "page.js", "replay.js", "app.css"}
    assert sum(sizes.values()) <= MOST_BYTES, sizes
