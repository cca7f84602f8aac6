"""Who this broker is, as a context source (NGSI-LD 1.9.1, 5.15 and 6.36)."""

from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response, document_response
from parvis.kernel.time import SECOND, Instant, format_instant, system_clock

_STARTED: Instant = system_clock()


async def retrieve_identity(request: Request) -> Response:
    """Who answers (5.15)."""
    now = system_clock()
    alias = await request.broker.sources.alias(request.caller.tenant)
    document = {
        "id": f"urn:ngsi-ld:ContextSourceIdentity:{alias}",
        "type": "ContextSourceIdentity",
        "contextSourceAlias": alias,
        "contextSourceUptime": f"PT{(now - _STARTED) // SECOND}S",
        "contextSourceTimeAt": format_instant(now),
    }
    return document_response(document, request.accepted(), await request.link_context())
