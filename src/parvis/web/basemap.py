"""The ground under the map: its style and its vector tiles; a plain ground where there is none."""

import asyncio
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parvis.web.site import site_of

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
DEEPEST_ZOOM = 22
A_DAY = {"cache-control": "public, max-age=86400"}
PLAIN = {"light": "#f4f1ea", "dark": "#1a2024"}
"""The token --map-land."""


async def style(request: Request) -> Response:
    theme: Literal["light", "dark"] = "dark" if request.path_params["theme"] == "dark" else "light"
    ground = site_of(request).platform.base_map
    tiles_url = f"{request.url.scheme}://{request.url.netloc}/basemap/{{z}}/{{x}}/{{y}}.mvt"
    drawn = plain_style(theme) if ground is None else ground.style(tiles_url, theme)
    return JSONResponse(drawn, headers={"cache-control": "no-cache"})


def plain_style(theme: str) -> dict[str, Any]:
    paper = {"id": "land", "type": "background", "paint": {"background-color": PLAIN[theme]}}
    return {"version": 8, "sources": {}, "layers": [paper]}


async def tile(request: Request) -> Response:
    z, x, y = (int(request.path_params[name]) for name in ("z", "x", "y"))
    ground = site_of(request).platform.base_map
    is_on_earth = z <= DEEPEST_ZOOM and x < 1 << z and y < 1 << z
    content = await asyncio.to_thread(ground.tile, z, x, y) if ground is not None and is_on_earth else b""
    return (
        Response(content, media_type=MEDIA_TYPE, headers=A_DAY) if content else Response(status_code=204, headers=A_DAY)
    )


ROUTES = [Route("/basemap/style/{theme}.json", style), Route("/basemap/{z:int}/{x:int}/{y:int}.mvt", tile)]
