"""One's own account: how one signs in, and where one is signed in."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.identities.rotation import parts_of
from parvis.access.model import TooManyAttempts
from parvis.kernel.errors import BadRequestData, Unauthenticated
from parvis.web.auth import seen_from, session_token
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import ACCOUNT, done, own_name
from parvis.web.console.session import find_elsewhere, is_at_a_name, problem_of
from parvis.web.pages import caller_of
from parvis.web.site import site_of


async def account_page(request: Request) -> Response:
    name, site = own_name(request), site_of(request)
    access = site.platform.access
    account = access.store.find_account(name)
    return site.pages.render(
        request,
        "console/pages/account.html",
        name=name,
        sessions=access.sessions.list_of(caller_of(request), name),
        has_factor=access.second_factors.has(name),
        passkeys=access.passkeys.list_of(name),
        at_a_name=is_at_a_name(request),
        elsewhere=find_elsewhere(request, ACCOUNT),
        is_fresh=access.sessions.is_fresh(session_token(request)),
        has_password=account is not None and account.has_password,
        codes_left=access.second_factors.count_recovery_codes(name),
        here_digest=parts_of(session_token(request))[0],
        done=request.query_params.get("done", ""),
    )


async def password_page(request: Request) -> Response:
    return _password_page(request)


async def change_password(request: Request) -> Response:
    own_name(request)
    async with form_of(request) as form:
        current, password = (str(form.get(field, "")) for field in ("current", "password"))
    accounts = site_of(request).platform.access.accounts
    try:
        await accounts.change_password(session_token(request), current, password, seen_from(request))
    except TooManyAttempts as refusal:
        return _password_page(request, "too_many", refusal.status)
    except Unauthenticated as refusal:
        return _password_page(request, "wrong", refusal.status)
    except BadRequestData as refusal:
        return _password_page(request, problem_of(refusal), refusal.status)
    return done(ACCOUNT, "password_changed")


def _password_page(request: Request, problem: str = "", status: int = 200) -> Response:
    site, name = site_of(request), own_name(request)
    shortest = site.platform.access.accounts.shortest_password
    page = "console/pages/password.html"
    return site.pages.render(request, page, status=status, name=name, problem=problem, shortest=shortest)


async def end_session(request: Request) -> Response:
    name = own_name(request)
    async with form_of(request) as form:
        session = text_of(form, "session")
    sessions, caller = site_of(request).platform.access.sessions, caller_of(request)
    if session:
        sessions.end(caller, name, session)
        return done(ACCOUNT, "session_ended")
    sessions.end_others(caller, name, session_token(request))
    return done(ACCOUNT, "sessions_ended")


ROUTES = [
    Route(ACCOUNT, account_page, methods=["GET"]),
    Route(f"{ACCOUNT}/password", password_page, methods=["GET"]),
    Route(f"{ACCOUNT}/password", change_password, methods=["POST"]),
    Route(f"{ACCOUNT}/sessions/end", end_session, methods=["POST"]),
]
