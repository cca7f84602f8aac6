"""Subscriptions (NGSI-LD 1.9.1, 5.8.1 to 5.8.5, 6.10 and 6.11)."""

from typing import Any
from urllib.parse import quote

from parvis.broker.api.offsets import offset_headers
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, document_response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.subscriptions.model import Subscribed
from parvis.broker.subscriptions.render import render_subscription
from parvis.broker.subscriptions.subscriptions import may_see_secrets
from parvis.kernel.time import system_clock

OPTIONS = frozenset({"sysAttrs"})


async def create_subscription(request: Request) -> Response:
    """Create subscription (5.8.1)."""
    document, context = await request.document()
    await _check_context(request, document)
    named = await request.addressable(context)
    if named is not context:
        document.setdefault("jsonldContext", named.source)
    subscription = await request.broker.subscriptions.create(request.caller, document, named)
    return created(f"{request.base}/subscriptions/{quote(subscription.id, safe=':')}")


async def update_subscription(request: Request) -> Response:
    """Update subscription (5.8.2)."""
    subscription_id = _subscription_id(request)
    document, context = await request.document()
    await _check_context(request, document)
    context = await request.addressable(context)
    await request.broker.subscriptions.update(request.caller, subscription_id, document, context)
    return NO_CONTENT


async def retrieve_subscription(request: Request) -> Response:
    """Retrieve subscription (5.8.3)."""
    media, context = request.accepted(), await request.link_context()
    found = await request.broker.subscriptions.get(request.caller, _subscription_id(request))
    return document_response(_shown(request, found, context), media, context)


async def query_subscriptions(request: Request) -> Response:
    """Query subscriptions (5.8.4)."""
    media, context = request.accepted(), await request.link_context()
    counting = request.parameters.flag("count")
    limit, offset = request.parameters.limit(counting), request.parameters.integer("offset", 0, 0)
    page = await request.broker.subscriptions.list_page(request.caller, limit, offset)
    headers = offset_headers(request, page.total, limit, offset, counting=counting)
    shown = [_shown(request, one, context) for one in page.subscribed]
    return document_response(shown, media, context).with_headers(*headers)


async def delete_subscription(request: Request) -> Response:
    """Delete subscription (5.8.5)."""
    await request.broker.subscriptions.delete(request.caller, _subscription_id(request))
    return NO_CONTENT


def _subscription_id(request: Request) -> str:
    return check_uri(request.args[0], "The id of a subscription")


async def _check_context(request: Request, document: dict[str, Any]) -> None:
    """The @context of the notifications is to be had: 504 now is better than no notification later."""
    url = document.get("jsonldContext")
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        await request.broker.contexts.resolve(url, request.caller.tenant)


def _shown(request: Request, subscribed: Subscribed, context: Context) -> dict[str, Any]:
    return render_subscription(
        subscribed,
        context,
        system_clock(),
        sys_attrs="sysAttrs" in request.parameters.options(OPTIONS),
        secrets=may_see_secrets(request.caller),
    )
