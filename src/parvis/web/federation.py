"""Where context sources notify of what subscribers here want to be told (NGSI-LD 1.9.1, 5.8.6)."""

from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from parvis.web.site import site_of


async def take_notification(request: Request, token: Annotated[str, Path(max_length=100)]) -> Response:
    """The address is the proof: whoever was given it may notify, of what was asked for and nothing else."""
    await site_of(request).platform.federation.relay.take(token, await request.body())
    return Response(status_code=204)
