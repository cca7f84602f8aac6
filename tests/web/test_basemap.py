import dataclasses
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.ground.choosing import Ground
from parvis.ground.pmtiles import InvalidBaseMap
from parvis.kernel.settings import InvalidSettings, MapSettings
from parvis.kernel.settings_at_hand import SettingsAtHand
from parvis.web.basemap import origins_of
from tests.web.conftest import client_of


class OneTile:
    """A ground of a single tile."""

    file: Path | None = None

    def tile(self, z: int, x: int, y: int) -> bytes:
        return b"tile" if (z, x, y) == (1, 0, 1) else b""

    def style(self, tiles_url: str, theme: Literal["light", "dark"]) -> dict[str, Any]:
        return {"tiles": tiles_url, "theme": theme}

    def overview(self) -> dict[str, Any]:
        return {}


def on_ground(platform: Platform, ground: OneTile) -> Platform:
    brought = Ground(platform.settings.data_dir, str, ground)
    return dataclasses.replace(platform, ground=brought)


@pytest.fixture
def mapped(platform: Platform) -> httpx.AsyncClient:
    return client_of(on_ground(platform, OneTile()))


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


async def test_the_whole_map_is_given_in_ranges(platform: Platform, tmp_path: Path) -> None:
    ground = OneTile()
    ground.file = tmp_path / "base-map.pmtiles"
    ground.file.write_bytes(bytes(range(200)))
    client = client_of(on_ground(platform, ground))
    answer = await client.get("/basemap/ground.pmtiles", headers={"Range": "bytes=127-130"})
    assert (answer.status_code, answer.content) == (206, bytes((127, 128, 129, 130)))
    assert answer.headers["content-range"] == "bytes 127-130/200"


async def test_a_tile_of_a_file_that_is_being_replaced_is_there_later(platform: Platform) -> None:
    class Shortened(OneTile):
        def tile(self, z: int, x: int, y: int) -> bytes:
            raise InvalidBaseMap("/srv/maps/town.pmtiles ends before what it says it holds: copy it again.")

    answer = await client_of(on_ground(platform, Shortened())).get("/basemap/1/0/1.mvt")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "/srv" not in answer.text


async def test_a_map_that_is_drawn_is_no_file(mapped: httpx.AsyncClient) -> None:
    assert (await mapped.get("/basemap/ground.pmtiles")).status_code == 404


@pytest.mark.parametrize("address", ["ftp://town.example/s.json", "https://a b/", "https://x;script-src *", "town"])
def test_what_is_no_address_of_a_style_is_refused(address: str) -> None:
    with pytest.raises(InvalidSettings):
        origins_of(MapSettings(style_url=address))


async def test_a_style_of_ones_own_is_all_that_pages_may_fetch_elsewhere(platform: Platform) -> None:
    chosen = MapSettings(
        style_url="https://tiles.town.example/style.json", style_origins=("https://fonts.town.example",)
    )
    at_hand = SettingsAtHand(dataclasses.replace(platform.settings, map=chosen))
    client = client_of(dataclasses.replace(platform, at_hand=at_hand))
    answer = await client.get("/basemap/style/light.json")
    assert answer.headers["location"] == chosen.style_url
    policy = answer.headers["content-security-policy"]
    assert "connect-src 'self' https://tiles.town.example https://fonts.town.example;" in policy
    assert "script-src 'self';" in policy


async def test_without_one_no_page_asks_anybody_else(visitor: httpx.AsyncClient) -> None:
    policy = (await visitor.get("/")).headers["content-security-policy"]
    assert "connect-src 'self';" in policy
