"""The list of dashboards, and one of them as people look at it."""

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.time import Instant
from parvis.web.auth import check_form
from parvis.web.console.dashboards.answers import Answers
from parvis.web.console.dashboards.audience import find_audience
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.layout import Layout, Widget, WidgetKind, parse_layout
from parvis.web.console.dashboards.present import Present
from parvis.web.console.dashboards.ready import LEAD, list_ready, ready_layout
from parvis.web.console.dashboards.records import Dashboard, Dashboards, Sharing
from parvis.web.console.dashboards.subjects import Subjects
from parvis.web.features import feature
from parvis.web.headline import PROFILES, Domain
from parvis.web.objects import Crowd, count_types, load_objects
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.tenants import MEMBER_PATH
from parvis.web.wording import Wording

SEE_OTHER = 303
HOME = "/console/dashboards"
MOST_ON_MAP = 2_000


def dashboards_of(site: Site) -> Dashboards:
    return Dashboards(site.platform.broker, site.reader.terms, site.platform.shelf, site.reader.language)


def cached_of(request: Request) -> Cached:
    """One for all who look."""
    state = request.app.state
    if not hasattr(state, "dashboard_answers"):
        state.dashboard_answers = Cached()
    cached: Cached = state.dashboard_answers
    return cached


def check_reader(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    if not caller.may(Right.READ):
        raise Forbidden("Dashboards are seen by people who are signed in, unless one is shared with everybody.")
    return caller


async def list_page(request: Request) -> Response:
    site, caller = site_of(request), check_reader(request)
    return site.pages.render(
        request,
        "console/pages/dashboards.html",
        own=await dashboards_of(site).list_all(caller),
        ready=list_ready(await count_types(site, caller)),
        removed=request.query_params.get("removed") == "1",
    )


async def view_page(request: Request) -> Response:
    """The caller must hold READ. Raises ResourceNotFound."""
    site, caller, short = site_of(request), check_reader(request), request.path_params["short"]
    seq = await site.platform.broker.outbox.newest()
    t = site.pages.words(request)
    if short.startswith(LEAD):
        name = short.removeprefix(LEAD)
        layout = await ready_layout(site, caller, name, await count_types(site, caller))
        shown, title = None, t(f"board_ready.{name}")
    else:
        shown = await dashboards_of(site).get(caller, short)
        layout, title = shown.layout, shown.name
    answers = await Answers(site, cached_of(request), caller, t).list_answers(layout)
    return site.pages.render(
        request,
        "console/pages/dashboard.html",
        short=short,
        title=title,
        dashboard=shown,
        answers=answers,
        seq=seq,
        live_query=live_query(layout),
        is_public=False,
        audience=None if shown is None else await find_audience(site, caller, layout, t),
        sharings=list(Sharing),
        public_url=public_url(request, shown),
        told=request.query_params.get("told", ""),
        undo=await _undo(site, caller, short) if request.query_params.get("told") == "saved" else None,
    )


async def _undo(site: Site, caller: Caller, short: str) -> int | None:
    """The version before the present one."""
    versions = await dashboards_of(site).list_versions(caller, short)
    return versions[1].at if len(versions) > 1 else None


def public_url(request: Request, shown: Dashboard | None) -> str:
    if shown is None or not shown.link:
        return ""
    return str(request.base_url.replace(path=public_path(request, shown)))


def public_path(request: Request, shown: Dashboard) -> str:
    """Of a member's below its own path: whoever has the link need not be signed in."""
    tenant = caller_of(request).tenant
    return shown.public_href if tenant == DEFAULT_TENANT else f"{MEMBER_PATH}{tenant}{shown.public_href}"


def live_query(layout: Layout) -> str:
    """What of the changes a page listens to: one type or domain where it is about that alone."""
    abouts = {widget.about for widget in layout.widgets if not widget.entities and widget.kind.value != "text"}
    is_of_one = len(abouts) == 1 and not any(widget.entities for widget in layout.widgets)
    about = next(iter(abouts)) if is_of_one else ""
    return f"type={about}" if about in PROFILES or about in list(Domain) else ""


async def create(request: Request) -> Response:
    """A new one, once it is saved for the first time."""
    form = await checked_form(request)
    layout = parse_layout(str(form.get("layout", "")))
    short = await dashboards_of(site_of(request)).add(caller_of(request), str(form.get("name", "")), layout)
    return RedirectResponse(f"{HOME}/{short}?told=saved", SEE_OTHER)


async def save(request: Request) -> Response:
    form = await checked_form(request)
    short = request.path_params["short"]
    layout = parse_layout(str(form.get("layout", "")))
    dashboards = dashboards_of(site_of(request))
    seen = read_version(str(form.get("version", "")))
    await dashboards.save(caller_of(request), short, str(form.get("name", "")), layout, seen)
    return RedirectResponse(f"{HOME}/{short}?told=saved", SEE_OTHER)


def read_version(text: str) -> Instant:
    """Raises BadRequestData."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise BadRequestData("This version is not kept any more.")
    return int(text)


async def restore(request: Request) -> Response:
    form, short = await checked_form(request), request.path_params["short"]
    at = read_version(str(form.get("at", "")))
    await dashboards_of(site_of(request)).restore(caller_of(request), short, at)
    return RedirectResponse(f"{HOME}/{short}?told=restored", SEE_OTHER)


async def share(request: Request) -> Response:
    form, short, caller = await checked_form(request), request.path_params["short"], caller_of(request)
    wanted = str(form.get("sharing", ""))
    sharing = Sharing(wanted) if wanted in list(Sharing) else Sharing.NOBODY
    site = site_of(request)
    dashboards = dashboards_of(site)
    await dashboards.share(caller, short, sharing)
    shown = await dashboards.get(caller, short)
    site.platform.fleet.note(caller, "dashboard-shared", short, name=shown.name, sharing=sharing.value)
    return RedirectResponse(f"{HOME}/{short}?told={sharing.value}#sharing", SEE_OTHER)


async def delete(request: Request) -> Response:
    await checked_form(request)
    site, caller, short = site_of(request), caller_of(request), request.path_params["short"]
    dashboards = dashboards_of(site)
    shown = await dashboards.get(caller, short)
    await dashboards.delete(caller, short)
    site.platform.fleet.note(caller, "dashboard-removed", short, name=shown.name)
    return RedirectResponse(f"{HOME}?removed=1", SEE_OTHER)


async def checked_form(request: Request) -> FormData:
    form = await request.form(max_fields=20)
    check_form(request, form)
    return form


async def map_features(request: Request) -> Response:
    """Of a map in a dashboard: at most so many as a small map can show."""
    site, caller, t = site_of(request), caller_of(request), site_of(request).pages.words(request)
    if "public" in request.query_params:
        caller = as_public(site, caller)
    query = {name: request.query_params.get(name, "") for name in ("type", "commune")}
    question = ("map", t.language, query["type"], query["commune"])

    async def answer() -> bytes:
        widget = Widget(WidgetKind.MAP, about=query["type"], place=query["commune"])
        crowd = _crowd(Subjects(site.reader, site.now, site.platform.broker.sight(caller)), widget)
        found = await load_objects(site, caller, query, most=MOST_ON_MAP, crowd=crowd)
        views = found.views[:MOST_ON_MAP]
        whole = await Present(site, cached_of(request), caller, t).states(widget)
        note = _not_drawn(t, whole.entities - len(views), sum(view.position is None for view in views))
        features = [feature(view, t) for view in views]
        return msgspec.json.encode({"type": "FeatureCollection", "note": note, "features": features})

    body = await cached_of(request).ask(caller, question, answer)
    return Response(body, media_type="application/geo+json", headers={"cache-control": "no-store"})


def _crowd(subjects: Subjects, widget: Widget) -> Crowd:
    return Crowd(subjects.urgent(widget, MOST_ON_MAP), subjects.in_place(widget))


def _not_drawn(t: Wording, beyond: int, without_place: int) -> str:
    told = (("board.map_beyond", beyond), ("board.map_placeless", without_place))
    return " ".join(t(key, n=number) for key, number in told if number > 0)


def as_public(site: Site, caller: Caller) -> Caller:
    """Whoever looks at a shared dashboard sees what everybody does; that is everything where nobody signs in."""
    if not site.platform.settings.access.auth:
        return caller
    nobody = site.platform.access.gate.nobody(caller.tenant)
    rights = caller.rights & Right.READ_PUBLIC
    return msgspec.structs.replace(caller, rights=rights, reads=None, hides=nobody.hides)


ROUTES = [
    Route(HOME, list_page, methods=["GET"]),
    Route(HOME, create, methods=["POST"]),
    Route(f"{HOME}/map.geojson", map_features, methods=["GET"]),
    Route(f"{HOME}/{{short}}", view_page, methods=["GET"]),
    Route(f"{HOME}/{{short}}/save", save, methods=["POST"]),
    Route(f"{HOME}/{{short}}/restore", restore, methods=["POST"]),
    Route(f"{HOME}/{{short}}/share", share, methods=["POST"]),
    Route(f"{HOME}/{{short}}/delete", delete, methods=["POST"]),
]
