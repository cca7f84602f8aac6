"""Subscriptions to registrations of context sources (NGSI-LD 1.9.1, 5.11, 6.12 and 6.13)."""

from functools import partial
from typing import Any
from urllib.parse import quote

from parvis.broker.api.offsets import read_window
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, document_response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.sources.subscription import SourceSubscribed, render_source_subscription
from parvis.broker.subscriptions.subscriptions import may_see_secrets
from parvis.kernel.time import system_clock

OPTIONS = frozenset({"sysAttrs"})


async def create_subscription(request: Request) -> Response:
    """Create registration subscription (5.11.2)."""
    document, context = await request.document()
    context = await request.addressable(context)
    sources = request.broker.sources
    subscription = await request.creating(partial(sources.subscribe, request.caller, document, context))
    return created(f"{request.base}/csourceSubscriptions/{quote(subscription.id, safe=':')}")


async def update_subscription(request: Request) -> Response:
    """Update registration subscription (5.11.3)."""
    subscription_id = _subscription_id(request)
    document, context = await request.document()
    context = await request.addressable(context)
    await request.broker.sources.update_subscription(request.caller, subscription_id, document, context)
    return NO_CONTENT


async def retrieve_subscription(request: Request) -> Response:
    """Retrieve registration subscription (5.11.4)."""
    media, context = request.accepted(), await request.link_context()
    found = await request.broker.sources.get_subscription(request.caller, _subscription_id(request))
    return document_response(_shown(request, found, context), media, context)


async def query_subscriptions(request: Request) -> Response:
    """Query registration subscriptions (5.11.5)."""
    media, context = request.accepted(), await request.link_context()
    window = read_window(request.parameters)
    page = await request.broker.sources.list_subscriptions(request.caller, window.limit, window.offset)
    headers = window.headers(request, page.total)
    shown = [_shown(request, one, context) for one in page.subscribed]
    return document_response(shown, media, context).with_headers(*headers)


async def delete_subscription(request: Request) -> Response:
    """Delete registration subscription (5.11.6)."""
    await request.broker.sources.unsubscribe(request.caller, _subscription_id(request))
    return NO_CONTENT


def _subscription_id(request: Request) -> str:
    return check_uri(request.args[0], "The id of a subscription")


def _shown(request: Request, subscribed: SourceSubscribed, context: Context) -> dict[str, Any]:
    return render_source_subscription(
        subscribed,
        context,
        system_clock(),
        sys_attrs="sysAttrs" in request.parameters.options(OPTIONS),
        secrets=may_see_secrets(request.caller),
    )
