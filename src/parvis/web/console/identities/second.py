"""The second factor: asked for while signing in, set up then or in one's account, and codes to print."""

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.identities.halfway import SignInTooOld
from parvis.access.identities.second_factor import Need, SettingUp
from parvis.access.identities.sessions import SignedIn
from parvis.access.identities.totp import key_uri, readable
from parvis.access.model import TooManyAttempts
from parvis.kernel.errors import BadRequestData, Unauthenticated
from parvis.web.auth import drop_halfway, halfway_token, keep_session, seen_from, session_token
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import ACCOUNT, SEE_OTHER, done, own_name
from parvis.web.console.session import CODE, SIGN_IN, find_elsewhere, wanted_of
from parvis.web.site import site_of

SET_UP = "/console/sign-in/set-up"
OWN = f"{ACCOUNT}/authenticator"
CODES = f"{ACCOUNT}/recovery-codes"
_BAD_REQUEST = 400


async def code_page(request: Request) -> Response:
    """Which of the two follows the password depends on whether there is a second factor yet."""
    access = site_of(request).platform.access
    wanted = wanted_of(request.query_params.get("next", ""))
    account = access.accounts.find_halfway(halfway_token(request))
    if account is None:
        return RedirectResponse(SIGN_IN, SEE_OTHER)
    if access.second_factors.needed_of(account) is Need.SET_UP:
        setting_up = access.second_factors.begin(account.name)
        return _set_up_page(request, account.name, setting_up, SET_UP, wanted=wanted)
    return _code_page(request, wanted)


async def send_code(request: Request) -> Response:
    async with form_of(request) as form:
        code, wanted = text_of(form, "code"), wanted_of(text_of(form, "next"))
    accounts = site_of(request).platform.access.accounts
    try:
        signed_in = await accounts.finish_sign_in(
            halfway_token(request), code, seen_from(request), session_token(request)
        )
    except SignInTooOld:
        return RedirectResponse(SIGN_IN, SEE_OTHER)
    except TooManyAttempts as refusal:
        return _code_page(request, wanted, problem="too_many", status=refusal.status)
    except Unauthenticated as refusal:
        return _code_page(request, wanted, problem="code", status=refusal.status)
    response = RedirectResponse(wanted, SEE_OTHER)
    return _signed_in(request, response, signed_in)


async def set_up_signing_in(request: Request) -> Response:
    async with form_of(request) as form:
        token, code, wanted = (text_of(form, name) for name in ("setting_up", "code", "next"))
    access, halfway, wanted = site_of(request).platform.access, halfway_token(request), wanted_of(wanted)
    account = access.accounts.find_halfway(halfway)
    if account is None:
        return RedirectResponse(SIGN_IN, SEE_OTHER)
    try:
        signed_in, codes = await access.accounts.set_up_and_sign_in(
            halfway, token, code, seen_from(request), session_token(request)
        )
    except SignInTooOld:
        return RedirectResponse(SIGN_IN, SEE_OTHER)
    except (BadRequestData, TooManyAttempts) as refusal:
        return _set_up_again(request, account.name, token, SET_UP, refusal, wanted)
    return _signed_in(request, _codes_page(request, account.name, codes, wanted), signed_in)


async def own_page(request: Request) -> Response:
    name = own_name(request)
    return _set_up_page(request, name, site_of(request).platform.access.second_factors.begin(name), OWN)


async def set_up_own(request: Request) -> Response:
    name = own_name(request)
    async with form_of(request) as form:
        token, code = text_of(form, "setting_up"), text_of(form, "code")
    try:
        codes = await site_of(request).platform.access.second_factors.finish(name, token, code)
    except (BadRequestData, TooManyAttempts) as refusal:
        return _set_up_again(request, name, token, OWN, refusal)
    return _codes_page(request, name, codes, ACCOUNT)


async def change_own(request: Request) -> Response:
    """Takes the second factor away, or prints new codes: either needs a code, for the browser may be left open."""
    name = own_name(request)
    async with form_of(request) as form:
        deed, code = text_of(form, "do"), text_of(form, "code")
    factors = site_of(request).platform.access.second_factors
    try:
        if deed == "remove":
            await factors.remove(name, code)
            return done(ACCOUNT, "factor_removed")
        return _codes_page(request, name, await factors.renew_codes(name, code), ACCOUNT)
    except TooManyAttempts:
        return done(ACCOUNT, "too_many")
    except BadRequestData as refusal:
        return done(ACCOUNT, "factor_required" if refusal.extras.get("rule") == "required" else "code")


def _signed_in(request: Request, response: Response, signed_in: SignedIn) -> Response:
    keep_session(request, response, signed_in)
    drop_halfway(request, response)
    return response


def _code_page(request: Request, wanted: str, *, problem: str = "", status: int = 200) -> Response:
    """Of an account that has passkeys and no application, the passkey alone is asked for."""
    site = site_of(request)
    access = site.platform.access
    account = access.accounts.find_halfway(halfway_token(request))
    name = "" if account is None else account.name
    return site.pages.render(
        request,
        "console/pages/sign_in_code.html",
        status=status,
        wanted=wanted,
        problem=problem,
        action=CODE,
        has_code=access.second_factors.has(name),
        has_passkeys=bool(access.passkeys.list_of(name)),
        elsewhere=find_elsewhere(request, wanted),
    )


def _set_up_again(
    request: Request, name: str, token: str, action: str, refusal: BadRequestData | TooManyAttempts, wanted: str = ""
) -> Response:
    """With the same secret: the application has it already."""
    factors = site_of(request).platform.access.second_factors
    problem = "too_many" if isinstance(refusal, TooManyAttempts) else str(refusal.extras.get("rule", "code"))
    setting_up = factors.find_begun(name, token) or factors.begin(name)
    return _set_up_page(request, name, setting_up, action, wanted=wanted, problem=problem, status=refusal.status)


def _set_up_page(
    request: Request,
    name: str,
    setting_up: SettingUp,
    action: str,
    *,
    wanted: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    site = site_of(request)
    uri = key_uri(setting_up.secret, site.pages.at_hand.territory.name or "Parvis", name)
    secret = readable(setting_up.secret)
    response = site.pages.render(
        request,
        "console/pages/set_up_factor.html",
        status=status,
        name=name,
        token=setting_up.token,
        uri=uri,
        picture=_picture(uri),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        action=action,
        wanted=wanted,
        problem=problem,
    )
    response.headers["cache-control"] = "no-store"
    return response


def _picture(uri: str) -> Markup:
    """As SVG in the page: no address holds the secret."""
    drawn = segno.make(uri, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(drawn)  # noqa: S704


def _codes_page(request: Request, name: str, codes: list[str], wanted: str) -> Response:
    page = "console/pages/recovery_codes.html"
    response = site_of(request).pages.render(request, page, name=name, codes=codes, wanted=wanted)
    response.headers["cache-control"] = "no-store"
    return response


ROUTES = [
    Route(CODE, code_page, methods=["GET"]),
    Route(CODE, send_code, methods=["POST"]),
    Route(SET_UP, set_up_signing_in, methods=["POST"]),
    Route(OWN, own_page, methods=["GET"]),
    Route(OWN, set_up_own, methods=["POST"]),
    Route(CODES, change_own, methods=["POST"]),
]
