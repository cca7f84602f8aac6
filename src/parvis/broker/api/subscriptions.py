"""Subscriptions (NGSI-LD 1.9.1, 5.8.1 to 5.8.5, 6.10 and 6.11)."""

from functools import partial
from typing import Any
from urllib.parse import quote

from parvis.broker.api.distribution import warning_headers
from parvis.broker.api.offsets import read_window
from parvis.broker.api.preference import preference_applied
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Headers, Response, created, document_response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.model.merge import NULL
from parvis.broker.sources.consume import Warned
from parvis.broker.sources.forward import LoopDetected, pseudonyms, read_via
from parvis.broker.subscriptions.model import Subscribed
from parvis.broker.subscriptions.notification import context_url
from parvis.broker.subscriptions.parse import unknown_members
from parvis.broker.subscriptions.render import render_subscription
from parvis.broker.subscriptions.subscriptions import may_see_secrets
from parvis.kernel.time import system_clock

OPTIONS = frozenset({"sysAttrs"})
_LONGEST_WARNING = 500


async def create_subscription(request: Request) -> Response:
    """Create subscription (5.8.1)."""
    document, context = await request.document()
    await _check_context(request, document)
    named = await _named(request, context)
    if named.source != context.source:
        document.setdefault("jsonldContext", named.source)
    if request.parameters.flag("local"):
        document["localOnly"] = True
    via = await _passed(request)
    subscriptions = request.broker.subscriptions
    subscription = await request.creating(partial(subscriptions.create, request.caller, document, named, via))
    place = f"{request.base}/subscriptions/{quote(subscription.id, safe=':')}"
    return created(place).with_headers(*await _unknown(request, document))


async def update_subscription(request: Request) -> Response:
    """Update subscription (5.8.2)."""
    subscription_id = _subscription_id(request)
    document, context = await request.document()
    await _check_context(request, document)
    context = await _named(request, context)
    await request.broker.subscriptions.update(request.caller, subscription_id, document, context)
    return NO_CONTENT.with_headers(*await _unknown(request, document))


async def retrieve_subscription(request: Request) -> Response:
    """Retrieve subscription (5.8.3)."""
    media, context = request.accepted(), await request.link_context()
    found = await request.broker.subscriptions.get(request.caller, _subscription_id(request))
    shown = document_response(_shown(request, found, context), media, context)
    return shown.with_headers(*preference_applied(request))


async def query_subscriptions(request: Request) -> Response:
    """Query subscriptions (5.8.4)."""
    media, context = request.accepted(), await request.link_context()
    window = read_window(request.parameters)
    page = await request.broker.subscriptions.list_page(request.caller, window.limit, window.offset)
    headers = window.headers(request, page.total)
    shown = [_shown(request, one, context) for one in page.subscribed]
    return document_response(shown, media, context).with_headers(*headers, *preference_applied(request))


async def delete_subscription(request: Request) -> Response:
    """Delete subscription (5.8.5)."""
    await request.broker.subscriptions.delete(request.caller, _subscription_id(request))
    return NO_CONTENT


async def _passed(request: Request) -> tuple[str, ...]:
    """The brokers that have handed the subscription on. Raises LoopDetected where this is one of them (6.3.18)."""
    via = read_via(request.headers.get(b"via", b"").decode("latin-1"))
    if via and await request.broker.sources.alias(request.caller.tenant) in pseudonyms(via):
        raise LoopDetected("The subscription has been made by this broker before.")
    return via


def _subscription_id(request: Request) -> str:
    return check_uri(request.args[0], "The id of a subscription")


async def _named(request: Request, context: Context) -> Context:
    """By an address: its own where there is one beside the core context's, which always holds; else one made here."""
    url = context_url(context.source)
    return await request.addressable(context) if url is None else context.sourced(url)


async def _unknown(request: Request, document: dict[str, Any]) -> Headers:
    """What was left alone is told, for it may be a slip of the pen (6.3.17)."""
    ignored = ", ".join(unknown_members(document))[:_LONGEST_WARNING]
    if not ignored:
        return ()
    alias = await request.broker.sources.alias(request.caller.tenant)
    warned = Warned(199, alias, f"No members of a subscription, and ignored: {ignored}")
    return warning_headers([warned])


async def _check_context(request: Request, document: dict[str, Any]) -> None:
    """The @context of the notifications is to be had: 504 now is better than no notification later."""
    url = document.get("jsonldContext")
    if isinstance(url, str) and url != NULL:
        await request.broker.contexts.resolve(check_uri(url, "jsonldContext"), request.caller.tenant)


def _shown(request: Request, subscribed: Subscribed, context: Context) -> dict[str, Any]:
    return render_subscription(
        subscribed,
        context,
        system_clock(),
        sys_attrs="sysAttrs" in request.parameters.options(OPTIONS),
        secrets=may_see_secrets(request.caller),
    )
