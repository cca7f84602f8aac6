"""Passkeys: registered on one's own page, used on the page for signing in. They need JavaScript, by their nature."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from parvis.access.identities.passkeys import Asked, Relying
from parvis.access.model import TooManyAttempts
from parvis.kernel.errors import AlreadyExists, BadRequestData, Unauthenticated
from parvis.web.auth import drop_halfway, halfway_token, keep_session, seen_from, session_token
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import ACCOUNT, SEE_OTHER, done, own_name
from parvis.web.console.session import SIGN_IN, origin_of, sign_in_again, wanted_of
from parvis.web.site import site_of

OWN = f"{ACCOUNT}/passkeys"
IN = f"{SIGN_IN}/passkey"


async def begin_registering(request: Request) -> Response:
    """A browser left open lays no way in that outlasts its session: who signed in a while ago shows the password."""
    name, access = own_name(request), site_of(request).platform.access
    async with form_of(request) as form:
        password, token = str(form.get("password", "")), session_token(request)
    if not access.sessions.is_fresh(token):
        try:
            await access.accounts.prove(token, password, seen_from(request))
        except (Unauthenticated, TooManyAttempts) as refusal:
            return Response(status_code=refusal.status)
    return _asked(access.passkeys.begin_registering(name, relying_of(request)))


async def register(request: Request) -> Response:
    name = own_name(request)
    async with form_of(request) as form:
        token, answer, label = (text_of(form, field) for field in ("begun", "answer", "label"))
    passkeys = site_of(request).platform.access.passkeys
    try:
        passkeys.finish_registering(name, token, answer, label, relying_of(request))
    except (BadRequestData, AlreadyExists):
        return done(ACCOUNT, "passkey_refused")
    return done(ACCOUNT, "passkey_registered")


async def remove(request: Request) -> Response:
    name = own_name(request)
    async with form_of(request) as form:
        site_of(request).platform.access.passkeys.remove(name, text_of(form, "passkey"))
    return done(ACCOUNT, "passkey_removed")


async def begin_signing_in(request: Request) -> Response:
    async with form_of(request):
        passkeys = site_of(request).platform.access.passkeys
        return _asked(passkeys.begin_signing_in(relying_of(request), seen_from(request), halfway_token(request)))


async def sign_in(request: Request) -> Response:
    async with form_of(request) as form:
        token, answer, wanted = (text_of(form, field) for field in ("begun", "answer", "next"))
    passkeys, seen = site_of(request).platform.access.passkeys, seen_from(request)
    try:
        signed_in = passkeys.sign_in(token, answer, relying_of(request), seen, session_token(request))
    except TooManyAttempts as refusal:
        return sign_in_again(request, wanted, "too_many", refusal.status)
    except Unauthenticated as refusal:
        return sign_in_again(request, wanted, "passkey", refusal.status)
    response = RedirectResponse(wanted_of(wanted), SEE_OTHER)
    keep_session(request, response, signed_in)
    drop_halfway(request, response)
    return response


def relying_of(request: Request) -> Relying:
    origin = origin_of(request)
    return Relying(urlsplit(origin).hostname or "", origin, site_of(request).pages.at_hand.territory.name)


def _asked(asked: Asked) -> Response:
    content = {"token": asked.token, "options": asked.options}
    return JSONResponse(content, headers={"cache-control": "no-store"})


ROUTES = [
    Route(f"{OWN}/begin", begin_registering, methods=["POST"]),
    Route(OWN, register, methods=["POST"]),
    Route(f"{OWN}/remove", remove, methods=["POST"]),
    Route(f"{IN}/begin", begin_signing_in, methods=["POST"]),
    Route(IN, sign_in, methods=["POST"]),
]
