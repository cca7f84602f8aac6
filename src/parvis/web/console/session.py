"""Signing in and out, and the page behind the one-time link of the first start."""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.identities.halfway import SecondFactorNeeded
from parvis.access.identities.home import home_of
from parvis.access.model import Session, TooManyAttempts
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, Unauthenticated
from parvis.kernel.hosts import name_of
from parvis.kernel.identity import ANONYMOUS, Caller, Right, system_caller
from parvis.web.auth import check_form, drop_session, keep_halfway, keep_session, seen_from, session_token
from parvis.web.console.first_run_frame import FIRST_RUN
from parvis.web.console.first_run_progress import find_progress
from parvis.web.objects import count_types
from parvis.web.site import Site, site_of
from parvis.web.tenants import IN, drop_choice

HOME = "/console"
SIGN_IN = "/console/sign-in"
CODE = f"{SIGN_IN}/code"
SEE_OTHER = 303
PROBLEMS = {
    "account-name": "bad_name",
    "password-length": "bad_password",
    "password-common": "bad_common",
    "password-context": "bad_context",
    "password-breached": "bad_breached",
}
PASSWORD_PROBLEMS = frozenset(problem for rule, problem in PROBLEMS.items() if rule.startswith("password"))


async def sign_in_page(request: Request) -> Response:
    return _page(request, wanted=wanted_of(request.query_params.get("next", "")))


async def sign_in(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    name, password, wanted = (str(form.get(field, "")) for field in ("name", "password", "next"))
    accounts = site_of(request).platform.access.accounts
    try:
        signed_in = await accounts.sign_in(name, password, seen_from(request), session_token(request))
    except SecondFactorNeeded as needed:
        return go_on_halfway(request, needed, wanted_of(wanted))
    except TooManyAttempts as refusal:
        return _page(request, wanted=wanted_of(wanted), name=name, problem="too_many", status=refusal.status)
    except (Unauthenticated, BadRequestData) as refusal:
        return _page(request, wanted=wanted_of(wanted), name=name, problem="wrong", status=refusal.status)
    response = RedirectResponse(wanted_of(wanted), SEE_OTHER)
    keep_session(request, response, signed_in)
    drop_choice(request, response)
    return response


def go_on_halfway(request: Request, needed: SecondFactorNeeded, wanted: str) -> Response:
    response = RedirectResponse(f"{CODE}?{urlencode({'next': wanted})}", SEE_OTHER)
    keep_halfway(request, response, needed.token)
    return response


async def sign_out(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    session = site_of(request).platform.access.sessions.sign_out(session_token(request))
    way_out = await _find_way_out(request, session) if session is not None else None
    response = RedirectResponse("/", SEE_OTHER) if way_out is None else _way_out_page(request, way_out)
    drop_session(request, response)
    drop_choice(request, response)
    return response


async def _find_way_out(request: Request, session: Session) -> str | None:
    for provider in request.app.state.providers.values():
        if (address := await provider.find_way_out(session, origin_of(request) + "/")) is not None:
            return str(address)
    return None


def _way_out_page(request: Request, address: str) -> Response:
    """A form's redirect must not lead to another site (form-action), so that a page leads there."""
    response = site_of(request).pages.render(request, "console/pages/way_out.html", address=address)
    response.headers["refresh"] = f"0; url={address}"
    response.headers["cache-control"] = "no-store"
    return response


def origin_of(request: Request) -> str:
    """The address that the platform is known by; without one, the one that was asked for."""
    parts = urlsplit(site_of(request).pages.settings.server.public_url or str(request.base_url))
    return f"{parts.scheme}://{parts.netloc}"


class Elsewhere(NamedTuple):
    """Where passkeys and identity providers let in. `then` is the page to lead to there."""

    host: str
    origin: str
    then: str

    @property
    def sign_in(self) -> str:
        return f"{self.origin}{SIGN_IN}?{urlencode({'next': self.then})}"


def find_elsewhere(request: Request, wanted: str) -> Elsewhere | None:
    """At a member's own host browsers take neither the passkeys nor the cookies of the address that the platform is
    known by, and providers lead back to that. None: they let in here."""
    site, here = site_of(request), name_of(request.headers.get("host", ""))
    tenant, origin = site.platform.access.gate.pool.tenant_of(here), origin_of(request)
    known = urlsplit(origin).hostname or ""
    if tenant is None or known == here:
        return None
    parts = urlsplit(wanted)
    asked = "&".join(part for part in (parts.query, urlencode({IN: tenant})) if part)
    return Elsewhere(known, origin, parts._replace(query=asked).geturl())


def is_at_a_name(request: Request) -> bool:
    """Browsers use passkeys at names alone, not at IP addresses (WebAuthn, 5.1.3: the RP ID is a valid domain)."""
    try:
        ip_address(urlsplit(origin_of(request)).hostname or "")
    except ValueError:
        return True
    return False


async def welcome(request: Request) -> Response:
    """Where a one-time link leads: choose a password, and a name where the link is not for an account."""
    token = request.query_params.get("token", "")
    accounts = site_of(request).platform.access.accounts
    if not accounts.is_link_open(token):
        return _page(request, wanted=HOME, problem="link_closed", status=Forbidden.status)
    linked = accounts.find_linked_account(token) or ""
    return _welcome_page(request, token, name=linked, linked=linked)


async def make_first_account(request: Request) -> Response:
    form = await request.form()
    check_form(request, form)
    token, name, password = (str(form.get(field, "")) for field in ("token", "name", "password"))
    accounts = site_of(request).platform.access.accounts
    linked = accounts.find_linked_account(token) or ""
    try:
        signed_in = await accounts.redeem_link(token, name, password, seen_from(request))
    except SecondFactorNeeded as needed:
        return go_on_halfway(request, needed, HOME if linked else await _first_home(site_of(request)))
    except (BadRequestData, AlreadyExists) as refusal:
        return _welcome_page(request, token, name=linked or name, linked=linked, refusal=refusal)
    response = RedirectResponse(HOME if linked else await _first_home(site_of(request)), SEE_OTHER)
    keep_session(request, response, signed_in)
    return response


async def _first_home(site: Site) -> str:
    """Who comes to a folder with nothing in it is shown the first steps; a demonstration fills itself."""
    if site.platform.happenings is not None:
        return HOME
    progress = await find_progress(site.platform.shelf)
    if progress is not None:
        return HOME if progress.is_finished else FIRST_RUN
    return HOME if await count_types(site, system_caller("first-run")) else FIRST_RUN


def problem_of(refusal: BadRequestData | AlreadyExists) -> str:
    """The sentence for what was refused."""
    if isinstance(refusal, AlreadyExists):
        return "taken"
    return PROBLEMS.get(refusal.extras.get("rule", ""), "refused")


def _welcome_page(
    request: Request, token: str, *, name: str, linked: str, refusal: BadRequestData | AlreadyExists | None = None
) -> Response:
    problem = "" if refusal is None else problem_of(refusal)
    status = 200 if refusal is None else refusal.status
    site = site_of(request)
    return site.pages.render(
        request,
        "console/pages/welcome.html",
        status=status,
        token=token,
        name=name,
        linked=linked,
        problem=problem,
        password_problems=PASSWORD_PROBLEMS,
        shortest=site.platform.access.accounts.shortest_password,
        whose=site.pages.acting(Caller(home_of(site.platform.access.store, linked), ANONYMOUS, Right(0))).title,
    )


def _page(request: Request, *, wanted: str, name: str = "", problem: str = "", status: int = 200) -> Response:
    ways = [(key, provider.terms.title) for key, provider in request.app.state.providers.items()]
    data = {"wanted": wanted, "name": name, "problem": problem, "ways": ways, "at_a_name": is_at_a_name(request)}
    data["elsewhere"] = find_elsewhere(request, wanted)
    return site_of(request).pages.render(request, "console/pages/sign_in.html", status=status, **data)


def sign_in_again(request: Request, wanted: str, problem: str, status: int) -> Response:
    return _page(request, wanted=wanted_of(wanted), problem=problem, status=status)


def wanted_of(address: str) -> str:
    """A path of this site; anything else is the console."""
    parts = urlsplit(address)
    is_ours = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    )
    return address if is_ours else HOME


ROUTES = [
    Route("/console/sign-in", sign_in_page, methods=["GET"]),
    Route("/console/sign-in", sign_in, methods=["POST"]),
    Route("/console/sign-out", sign_out, methods=["POST"]),
    Route("/welcome", welcome, methods=["GET"]),
    Route("/welcome", make_first_account, methods=["POST"]),
]
