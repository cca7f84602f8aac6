"""The ground under the map: vector tiles, and nothing where there are none."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.web.site import site_of

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
DEEPEST_ZOOM = 22
_A_DAY = {"cache-control": "public, max-age=86400"}


async def tile(request: Request) -> Response:
    z, x, y = (request.path_params[name] for name in ("z", "x", "y"))
    ground = site_of(request).platform.base_map
    if ground is None or z > DEEPEST_ZOOM or x >= 1 << z or y >= 1 << z:
        return Response(status_code=204, headers=_A_DAY)
    content = await asyncio.to_thread(ground.tile, z, x, y)
    if not content:
        return Response(status_code=204, headers=_A_DAY)
    headers = _A_DAY if content[:2] != b"\x1f\x8b" else {**_A_DAY, "content-encoding": "gzip"}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


ROUTES = [Route("/basemap/{z:int}/{x:int}/{y:int}.mvt", tile)]
