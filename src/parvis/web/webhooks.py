"""Ways in for whoever pushes over HTTP: `/api/connectors/<name>` and what is below."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from parvis.fleet.ways.connector import Post
from parvis.kernel.errors import Forbidden, NonexistentTenant, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import system_clock
from parvis.web.pages import caller_of
from parvis.web.site import site_of

KEY_PARAMETER = "key"
KEY_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})
"""Proofs of who calls are no business of connectors."""
CallerOf = Annotated[Caller, Depends(caller_of)]


async def receive(request: Request, connector: str, caller: CallerOf) -> Response:
    """Needs the right to deliver frames. 2xx: what was posted is durable; 202: some of it was refused, and kept."""
    return await receive_below(request, connector, "", caller)


async def receive_below(request: Request, connector: str, path: str, caller: CallerOf) -> Response:
    """The same for what a connector tells apart by path."""
    if not caller.may_deliver:
        raise Forbidden("Delivering frames needs the role device or operator.")
    platform = site_of(request).platform
    found = platform.connectors.get(connector)
    webhook = None if found is None else found.webhooks.get(path)
    if webhook is None:
        raise ResourceNotFound(f"No connector takes anything at {request.url.path}.")
    if caller.tenant != DEFAULT_TENANT and not await platform.broker.is_tenant(caller.tenant):
        raise NonexistentTenant(f"There is no tenant {caller.tenant}.")
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in KEY_HEADERS}
    query = {name: value for name, value in request.query_params.items() if name != KEY_PARAMETER}
    post = Post(caller, request.url.path, query, headers, await request.body(), system_clock())
    answer = await webhook(post)
    return Response(answer.body, answer.status, media_type=answer.media_type if answer.body else None)
