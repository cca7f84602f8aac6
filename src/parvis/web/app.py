"""The pages and the typed API as one ASGI application. The NGSI-LD API stands beside it, in front of it the door."""

from contextlib import suppress
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from parvis.bootstrap import Platform
from parvis.bootstrap.backups import ShelfReader
from parvis.bootstrap.identities import build_providers
from parvis.kernel.errors import Forbidden, Overloaded, ParvisError, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Right
from parvis.kernel.logs import request_id
from parvis.kernel.time import Clock, system_clock
from parvis.web import basemap
from parvis.web.acting import acting_in
from parvis.web.api import create_api
from parvis.web.assets import Assets
from parvis.web.auth import renew_session
from parvis.web.console import (
    audit,
    backups,
    codecs,
    connectors,
    coverage,
    device,
    device_changes,
    device_import,
    device_new,
    device_restore,
    devices,
    entity,
    entity_history,
    exports,
    first_run,
    imports,
    incidents,
    jobs,
    overview,
    persons,
    quarantine,
    refusals,
    roles,
    search,
    session,
    subscriptions,
    system,
    zones,
)
from parvis.web.console import map as map_pages
from parvis.web.console.dashboards import editor as dashboard_editor
from parvis.web.console.dashboards import pages as dashboard_pages
from parvis.web.console.dashboards import public as dashboard_public
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.identities import account, invite, keys, passkeys, people, providers, second
from parvis.web.console.members import member, switch, usage
from parvis.web.console.members import pages as member_pages
from parvis.web.console.privacy import page as privacy
from parvis.web.console.privacy import register as privacy_register
from parvis.web.console.story import story_routes
from parvis.web.console.system import judge_system
from parvis.web.faults import explain_fault
from parvis.web.front import AWAY, ELSEWHERE, STORE_STATE, TOO_MANY
from parvis.web.limits import TooManyRequests
from parvis.web.live import Live
from parvis.web.pages import Pages, caller_of
from parvis.web.portal import home
from parvis.web.portal import privacy as resident_privacy
from parvis.web.readings import Readings
from parvis.web.siblings import Exposition
from parvis.web.site import Site, site_of
from parvis.web.tenants import drop_choice
from parvis.web.views import EntityReader

SEE_OTHER = 303
_AWAY_S = 2
COMPRESS_FROM_BYTES = 700
COMPRESSION_LEVEL = 6
PROBLEM_PAGES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    409: "outrun",
    429: "too_many",
    503: "away",
}
_EXPLAINED = ("bad_request", "forbidden", "outrun")
_MOST_TO_ASK = 5


def create_app(platform: Platform, clock: Clock = system_clock, readings: Readings | None = None) -> ASGIApp:
    readings = readings or Readings(Exposition(()).families)
    site = _site(platform, clock, readings)
    app = Starlette(
        routes=[
            *ROUTES,
            *(story_routes(platform.happenings) if platform.happenings else ()),
            Route("/static/{digest}/{path:path}", site.assets.serve),
            Mount("/api", create_api(site)),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=COMPRESS_FROM_BYTES, compresslevel=COMPRESSION_LEVEL)],
        exception_handlers={ParvisError: _refused, HTTPException: _http_refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    app.state.site = site
    app.state.providers = build_providers(platform.settings, platform.access, platform.outbound, clock)
    app.state.readings = readings
    app.state.snapshot = home.Snapshot()
    app.state.backups = ShelfReader(platform.settings)
    app.state.privacy = Cached(resident_privacy.HELD_S)
    return app


def _site(platform: Platform, clock: Clock, readings: Readings) -> Site:
    assets = Assets()

    def is_down() -> bool:
        return bool(platform.fault())

    return Site(
        platform=platform,
        assets=assets,
        pages=Pages(
            platform.settings,
            platform.at_hand,
            assets,
            clock,
            is_down,
            lambda: bool(platform.degraded()),
            platform.happenings is not None,
            lambda: platform.happenings.laying if platform.happenings else None,
            lambda request, response: renew_session(platform.access.sessions, request, response),
            acting_in(platform.access.gate.pool, lambda: platform.at_hand.territory.name),
            lambda: judge_system(platform, readings.newest, clock()).worst,
        ),
        reader=EntityReader(platform.broker.contexts.parvis),
        live=Live(platform.broker, platform.stopping, is_down, lambda: platform.access.gate.version),
        clock=clock,
    )


async def _refused(request: Request, error: Exception) -> Response:
    """Who is not known yet and asks for a page is asked to sign in; data requests get their status alone."""
    assert isinstance(error, ParvisError)
    unknown = caller_of(request).subject == ANONYMOUS
    if unknown and isinstance(error, Unauthenticated | Forbidden) and request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/console/sign-in?" + urlencode({"next": here}), SEE_OTHER)
    response = problem_page(request, error.status, error.detail)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


async def _away(request: Request) -> Response:
    """In place of a page whose visitor cannot be made out, for the accounts are out of reach."""
    response = problem_page(request, Overloaded.status, "")
    response.headers["retry-after"] = str(_AWAY_S)
    return response


async def _too_many(request: Request) -> Response:
    """In place of a page for whom there have been too many."""
    response = problem_page(request, TooManyRequests.status, "")
    response.headers["retry-after"] = str(getattr(request.state, "retry_after_s", _AWAY_S))
    return response


async def _elsewhere(request: Request) -> Response:
    """In place of a page of a tenant in which its visitor may not act, or may no longer."""
    refused = request.scope["state"].get("refused")
    if not refused:
        return problem_page(request, 404, "")
    response = problem_page(request, Forbidden.status, refused, whom=[])
    drop_choice(request, response)
    return response


async def _store_state(request: Request) -> Response:
    """For pages that stay open; anyone may know, for every page says so."""
    saves = not site_of(request).platform.fault()
    return JSONResponse({"saves": saves}, headers={"cache-control": "no-store"})


async def _http_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_page(request, error.status_code, "")


async def _failed(request: Request, error: Exception) -> Response:
    """The page says that it failed; the door in front has the request's id and writes the log."""
    return problem_page(request, 500, "")


def problem_page(request: Request, status: int, detail: str, whom: list[str] | None = None) -> Response:
    site = site_of(request)
    kind = PROBLEM_PAGES.get(status, "failed")
    why = explain_fault(detail if kind in _EXPLAINED else "", site.pages.words(request))
    if whom is None:
        whom = _list_whom_to_ask(request) if kind == "forbidden" else []
    data = {"kind": kind, "why": why, "whom": whom, "request_id": request_id.get()}
    return site.pages.render(request, "console/pages/problem.html", status=status, **data)


def _list_whom_to_ask(request: Request) -> list[str]:
    """Names are for colleagues only. What is refused to one who administers the tenant the pool alone can give."""
    caller = caller_of(request)
    if caller.subject == ANONYMOUS:
        return []
    with suppress(ParvisError):
        tenant = DEFAULT_TENANT if caller.may(Right.ADMINISTER) else caller.tenant
        names = site_of(request).platform.access.accounts.list_administrators(tenant)
        return [name for name in names if caller.subject != f"user:{name}"][:_MOST_TO_ASK]
    return []


ROUTES = (
    *home.ROUTES,
    *resident_privacy.ROUTES,
    *overview.ROUTES,
    *map_pages.ROUTES,
    *zones.ROUTES,
    *entity_history.ROUTES,
    *entity.ROUTES,
    *devices.ROUTES,
    *device_changes.ROUTES,
    *device_restore.ROUTES,
    *device_new.ROUTES,
    *device_import.ROUTES,
    *device.ROUTES,
    *quarantine.ROUTES,
    *codecs.ROUTES,
    *coverage.ROUTES,
    *connectors.ROUTES,
    *dashboard_editor.ROUTES,
    *dashboard_pages.ROUTES,
    *dashboard_public.ROUTES,
    *audit.ROUTES,
    *exports.ROUTES,
    *privacy.ROUTES,
    *privacy_register.ROUTES,
    *persons.ROUTES,
    *refusals.ROUTES,
    *search.ROUTES,
    *subscriptions.ROUTES,
    *system.ROUTES,
    *jobs.ROUTES,
    *imports.ROUTES,
    *incidents.ROUTES,
    *backups.ROUTES,
    *session.ROUTES,
    *account.ROUTES,
    *people.ROUTES,
    *invite.ROUTES,
    *roles.ROUTES,
    *switch.ROUTES,
    *member_pages.ROUTES,
    *usage.ROUTES,
    *member.ROUTES,
    *second.ROUTES,
    *passkeys.ROUTES,
    *keys.ROUTES,
    *providers.ROUTES,
    *first_run.ROUTES,
    *basemap.ROUTES,
    Route(AWAY, _away, methods=["GET"]),
    Route(TOO_MANY, _too_many, methods=["GET"]),
    Route(ELSEWHERE, _elsewhere, methods=["GET"]),
    Route(STORE_STATE, _store_state, methods=["GET"]),
)
"""Of every territory; a demonstration has its story besides, and `/static` and `/api` stand below."""
