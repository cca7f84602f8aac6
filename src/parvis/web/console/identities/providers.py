"""Signing in through an identity provider, and out there too. Links and redirects: it needs no JavaScript."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.identities.oidc.faults import ProviderFailed
from parvis.access.model import TooManyAttempts
from parvis.kernel.errors import ResourceNotFound, Unauthenticated
from parvis.web.auth import (
    drop_provider_state,
    keep_provider_state,
    keep_session,
    provider_state,
    seen_from,
    session_token,
)
from parvis.web.console.identities.frame import SEE_OTHER
from parvis.web.console.session import SIGN_IN, find_elsewhere, origin_of, sign_in_again, wanted_of

if TYPE_CHECKING:
    from parvis.access.identities.oidc.sign_in import ForeignSignIn

BAD_GATEWAY = 502


def providers_of(request: Request) -> "Mapping[str, ForeignSignIn]":
    found: Mapping[str, ForeignSignIn] = request.app.state.providers
    return found


async def leave(request: Request) -> Response:
    """To the provider. By GET, for a form's redirect must not lead to another site (form-action)."""
    provider = _provider(request)
    wanted = wanted_of(request.query_params.get("next", ""))
    elsewhere = find_elsewhere(request, wanted)
    if elsewhere is not None:
        asked = urlencode({"next": elsewhere.then})
        return RedirectResponse(f"{elsewhere.origin}{request.url.path}?{asked}", SEE_OTHER)
    try:
        leaving = await provider.begin(_back(request), wanted, seen_from(request))
    except TooManyAttempts as refusal:
        return sign_in_again(request, wanted, "too_many", refusal.status)
    except ProviderFailed:
        return sign_in_again(request, wanted, "provider_away", BAD_GATEWAY)
    response = RedirectResponse(leaving.address, SEE_OTHER, {"cache-control": "no-store"})
    keep_provider_state(request, response, leaving.state)
    return response


async def come_back(request: Request) -> Response:
    provider, query = _provider(request), request.query_params
    state, code, issuer = (query.get(name, "") for name in ("state", "code", "iss"))
    seen, replaces = seen_from(request), session_token(request)
    try:
        returned = await provider.finish(state, provider_state(request), code, issuer, seen, replaces)
    except Unauthenticated as refusal:
        return sign_in_again(request, "", "provider", refusal.status)
    except ProviderFailed:
        return sign_in_again(request, "", "provider_away", BAD_GATEWAY)
    response = RedirectResponse(wanted_of(returned.wanted), SEE_OTHER)
    keep_session(request, response, returned.signed_in)
    drop_provider_state(request, response)
    return response


def _provider(request: Request) -> "ForeignSignIn":
    found = providers_of(request).get(request.path_params["key"])
    if found is None:
        raise ResourceNotFound("There is no such way to sign in.")
    return found


def _back(request: Request) -> str:
    return f"{origin_of(request)}{SIGN_IN}/with/{request.path_params['key']}/return"


ROUTES = [
    Route(f"{SIGN_IN}/with/{{key}}", leave, methods=["GET"]),
    Route(f"{SIGN_IN}/with/{{key}}/return", come_back, methods=["GET"]),
]
