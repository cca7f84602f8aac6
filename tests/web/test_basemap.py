import dataclasses
from typing import Any, Literal

import httpx
import pytest

from parvis.bootstrap import Platform
from tests.web.conftest import client_of


class OneTile:
    """A ground of a single tile."""

    def tile(self, z: int, x: int, y: int) -> bytes:
        return b"tile" if (z, x, y) == (1, 0, 1) else b""

    def style(self, tiles_url: str, theme: Literal["light", "dark"]) -> dict[str, Any]:
        return {"tiles": tiles_url, "theme": theme}

    def overview(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def mapped(platform: Platform) -> httpx.AsyncClient:
    return client_of(dataclasses.replace(platform, base_map=OneTile()))


async def test_tiles_come_from_the_ground(mapped: httpx.AsyncClient) -> None:
    answer = await mapped.get("/basemap/1/0/1.mvt")
    assert (answer.status_code, answer.content) == (200, b"tile")
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"


@pytest.mark.parametrize("path", ["/basemap/1/0/0.mvt", "/basemap/1/2/0.mvt", "/basemap/99/0/0.mvt"])
async def test_beyond_the_map_there_is_nothing(mapped: httpx.AsyncClient, path: str) -> None:
    assert (await mapped.get(path)).status_code == 204


async def test_the_style_names_this_server(mapped: httpx.AsyncClient) -> None:
    style = (await mapped.get("/basemap/style/dark.json")).json()
    assert style == {"tiles": "http://localhost/basemap/{z}/{x}/{y}.mvt", "theme": "dark"}


async def test_without_a_ground_the_map_is_plain(visitor: httpx.AsyncClient) -> None:
    style = (await visitor.get("/basemap/style/light.json")).json()
    assert [layer["type"] for layer in style["layers"]] == ["background"]
    assert (await visitor.get("/basemap/1/0/1.mvt")).status_code == 204
