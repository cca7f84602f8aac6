"""@contexts that the broker keeps and serves (NGSI-LD 1.9.1, 5.13, 6.29 and 6.30)."""

from typing import Any

from parvis.broker.api.media import Media
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, json_response
from parvis.broker.jsonld.contexts import CORE_URL, is_core
from parvis.broker.jsonld.kept import KeptContext, KeptContexts, Kind
from parvis.broker.jsonld.parse import decode
from parvis.broker.rights import check_everywhere
from parvis.kernel.errors import BadRequestData, InvalidRequest, OperationNotSupported, ResourceNotFound
from parvis.kernel.identity import Right
from parvis.kernel.time import format_instant, system_clock

_KINDS = {kind.value: kind for kind in Kind}
_OF_THE_CORE = {
    "URL": CORE_URL,
    "localId": "core",
    "kind": Kind.CACHED.value,
    "createdAt": format_instant(system_clock()),
}
"""It is there since the process began."""


async def add_context(request: Request) -> Response:
    """Add @context (5.13.2)."""
    check_everywhere(request.caller, Right.WRITE)
    document = decode(await request.body())
    if not isinstance(document, dict) or "@context" not in document:
        raise InvalidRequest("The body is to be one JSON object with an @context.")
    value = document["@context"]
    request.broker.contexts.check(value)
    kept = _kept(request)
    await request.begin()
    one = await kept.host(request.caller.tenant, value)
    return created(f"{request.base}/jsonldContexts/{one.local_id}")


async def list_contexts(request: Request) -> Response:
    """List @contexts (5.13.3)."""
    kind = request.parameters.text("kind")
    if kind is not None and kind not in _KINDS:
        raise BadRequestData(f"The parameter kind is one of {', '.join(_KINDS)}, not {kind!r:.40}.")
    kept = await _kept(request).list(request.caller.tenant)
    shown = [_OF_THE_CORE, *(_details(request, one) for one in kept)]
    chosen = [one for one in shown if kind in (None, one["kind"])]
    return json_response(chosen if request.parameters.flag("details") else [one["URL"] for one in chosen])


async def serve_context(request: Request) -> Response:
    """Serve @context (5.13.4)."""
    with_details = request.parameters.flag("details")
    if is_core(request.args[0]):
        if with_details:
            return json_response(_OF_THE_CORE)
        raise _not_served(CORE_URL)
    one = await _kept(request).find(request.caller.tenant, request.args[0])
    if one is None:
        raise _unknown(request)
    if with_details:
        return json_response(_details(request, one))
    if one.kind is Kind.CACHED:
        raise _not_served(one.url)
    value = await _kept(request).find_value(request.caller.tenant, one.local_id)
    return json_response({"@context": value}, request.accepted((Media.JSON, Media.JSON_LD)))


async def delete_context(request: Request) -> Response:
    """Delete and reload @context (5.13.5)."""
    check_everywhere(request.caller, Right.WRITE)
    reload, contexts, tenant = request.parameters.flag("reload"), request.broker.contexts, request.caller.tenant
    if is_core(request.args[0]):
        if not reload:
            raise BadRequestData("The core @context is part of the broker: it cannot be deleted.")
        return NO_CONTENT
    one = await _kept(request).find(tenant, request.args[0])
    if reload and (one is None or one.kind is not Kind.CACHED):
        raise BadRequestData(f"Only a Cached @context can be reloaded, and {request.args[0][:200]!r} is none.")
    if one is None:
        raise _unknown(request)
    if reload:
        await contexts.reload(one.url, tenant)
    else:
        await _kept(request).drop(tenant, one.local_id)
        contexts.forget(one.url)
    return NO_CONTENT


def _kept(request: Request) -> KeptContexts:
    kept = request.broker.contexts.kept
    if kept is None:
        raise OperationNotSupported("This broker keeps no @contexts.")
    return kept


def _unknown(request: Request) -> ResourceNotFound:
    return ResourceNotFound(f"No @context {request.args[0][:200]!r} is kept here.")


def _not_served(url: str) -> OperationNotSupported:
    return OperationNotSupported(f"A Cached @context is had where it came from: {url}")


def _details(request: Request, one: KeptContext) -> dict[str, Any]:
    details = {
        "URL": one.url or f"{request.address}/jsonldContexts/{one.local_id}",
        "localId": one.local_id,
        "kind": one.kind.value,
        "createdAt": format_instant(one.created_at),
        "numberOfHits": one.hits,
    }
    return details if one.used_at is None else {**details, "lastUsage": format_instant(one.used_at)}
