"""The ground under the map: its style and its vector tiles; a plain ground where there is none."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from parvis.bootstrap import Platform
from parvis.ground.choosing import Ground
from parvis.ground.pmtiles import InvalidBaseMap
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.settings import InvalidSettings, MapSettings
from parvis.web.site import site_of

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
DEEPEST_ZOOM = 22
_log = logging.getLogger(__name__)
_HOST = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
A_DAY = {"cache-control": "public, max-age=86400"}
PLAIN = {"light": "#f4f1ea", "dark": "#1a2024"}
"""The token --map-land."""


def origins_of(chosen: MapSettings) -> tuple[str, ...]:
    """Where browsers may fetch the map's style and what belongs to it. Raises InvalidSettings."""
    addresses = (chosen.style_url, *chosen.style_origins) if chosen.style_url else ()
    return tuple(dict.fromkeys(_origin(address) for address in addresses))


class MapOrigins:
    """The same of what is chosen now. What is wrong there changes nothing."""

    def __init__(self, chosen: Callable[[], MapSettings]) -> None:
        """Raises InvalidSettings."""
        self._chosen = chosen
        self._of = chosen()
        self._origins = origins_of(self._of)

    def __call__(self) -> tuple[str, ...]:
        if (chosen := self._chosen()) is not self._of:
            self._of = chosen
            with suppress(InvalidSettings):
                self._origins = origins_of(chosen)
        return self._origins


def _origin(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        raise InvalidSettings(f"map: {address!r} is no address such as https://tiles.town.example/style.json.")
    return f"{parts.scheme}://{parts.netloc}"


async def style(request: Request) -> Response:
    platform = site_of(request).platform
    if address := platform.at_hand.map.style_url:
        return RedirectResponse(address, headers={"cache-control": "no-cache"})
    theme: Literal["light", "dark"] = "dark" if request.path_params["theme"] == "dark" else "light"
    await asyncio.to_thread(platform.ground.follow)
    ground, version = platform.ground.now, platform.ground.version
    address = f"{request.url.scheme}://{request.url.netloc}/basemap/{{z}}/{{x}}/{{y}}.mvt"
    tiles_url = f"{address}?v={version}" if version else address
    drawn = plain_style(theme) if ground is None else ground.style(tiles_url, theme)
    return JSONResponse(drawn, headers={"cache-control": "no-cache"})


def has_ground(platform: Platform) -> bool:
    return bool(platform.at_hand.map.style_url) or platform.ground.now is not None


def plain_style(theme: str) -> dict[str, Any]:
    paper = {"id": "land", "type": "background", "paint": {"background-color": PLAIN[theme]}}
    return {"version": 8, "sources": {}, "layers": [paper]}


async def tile(request: Request) -> Response:
    z, x, y = (int(request.path_params[name]) for name in ("z", "x", "y"))
    is_on_earth = z <= DEEPEST_ZOOM and x < 1 << z and y < 1 << z
    ground = site_of(request).platform.ground
    content = await asyncio.to_thread(_tile, ground, z, x, y) if is_on_earth else b""
    is_of_now = request.query_params.get("v", "") == ground.version
    kept = A_DAY if is_of_now else {"cache-control": "no-store"}
    return (
        Response(content, media_type=MEDIA_TYPE, headers=kept) if content else Response(status_code=204, headers=kept)
    )


def _tile(ground: Ground, z: int, x: int, y: int) -> bytes:
    """Raises Overloaded while the file is being replaced."""
    ground.follow()
    try:
        return b"" if ground.now is None else ground.now.tile(z, x, y)
    except InvalidBaseMap as fault:
        _log.warning("a tile of the ground cannot be read", extra={"reason": fault.detail})
        raise Overloaded("The ground under the map cannot be read just now; it may be on its way.") from None


async def whole(request: Request) -> Response:
    """The map as one PMTiles file, in the ranges that are asked for: for other programs and for taking it along."""
    ground = site_of(request).platform.ground.now
    if ground is None or ground.file is None:
        raise ResourceNotFound("There is no base map in one file here.")
    return FileResponse(ground.file, media_type="application/vnd.pmtiles", headers=A_DAY)


ROUTES = [
    Route("/basemap/style/{theme}.json", style),
    Route("/basemap/{z:int}/{x:int}/{y:int}.mvt", tile),
    Route("/basemap/ground.pmtiles", whole),
]
