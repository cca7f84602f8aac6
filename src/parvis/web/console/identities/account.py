"""One's own account: how one signs in, and where one is signed in."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.identities.rotation import parts_of
from parvis.web.auth import session_token
from parvis.web.console.identities.frame import ACCOUNT, done, form_of, own_name, text_of
from parvis.web.pages import caller_of
from parvis.web.site import site_of


async def account_page(request: Request) -> Response:
    name, site = own_name(request), site_of(request)
    access = site.platform.access
    return site.pages.render(
        request,
        "console/pages/account.html",
        name=name,
        sessions=access.sessions.list_of(caller_of(request), name),
        has_factor=access.second_factors.has(name),
        codes_left=access.second_factors.count_recovery_codes(name),
        here_digest=parts_of(session_token(request))[0],
        done=request.query_params.get("done", ""),
    )


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
    Route(f"{ACCOUNT}/sessions/end", end_session, methods=["POST"]),
]
