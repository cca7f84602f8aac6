"""Ways in for network servers that push their events over HTTP."""

from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from parvis.fleet.delivery import Ack, Message
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.time import system_clock
from parvis.web.pages import caller_of
from parvis.web.site import Site

_ACCEPTED, _NO_CONTENT = 202, 204


async def receive_chirpstack(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    event: Annotated[str, Query(description="ChirpStack's name of the event; others than `up` are passed over")],
) -> Response:
    """Needs the right to deliver frames. 204: stored, or passed over; 202: refused, and kept."""
    if not caller.may_deliver:
        raise Forbidden("Delivering frames needs the role device or operator.")
    if event != "up":
        return Response(status_code=_NO_CONTENT)
    site: Site = request.app.state.site
    message = Message(caller, request.url.path, await request.body(), system_clock())
    (ack,) = await site.platform.chirpstack.handle([message])
    if ack is Ack.OVERLOADED:
        raise Overloaded("Too many frames wait for their commit. Send this one again.")
    return Response(status_code=_NO_CONTENT if ack is Ack.STORED else _ACCEPTED)
