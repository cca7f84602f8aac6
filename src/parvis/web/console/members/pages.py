"""A pool's members: how they are, and who becomes one."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.members.checks import MOST_OUTLINE_BYTES, read_outline
from parvis.access.members.founding import invite_first
from parvis.access.members.mandates import Terms
from parvis.access.members.members import require_pool
from parvis.access.members.model import Member
from parvis.kernel.errors import AlreadyExists, BadRequestData
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import DAY, to_datetime
from parvis.web import official
from parvis.web.console.first_run_way_in import reach_of
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.members.drawing import draw
from parvis.web.console.members.figures import Figures, list_views
from parvis.web.console.members.frame import MEMBERS, ROLES, day_of, fault_of, pool_reader
from parvis.web.official import OfficialTerritory, plain
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

SEE_OTHER = 303
SHOWN = 12
_LONGEST_ASKED = 100
_MANDATE_DAYS = 365


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form holds."""

    tenant: str = ""
    title: str = ""
    code: str = ""
    hosts: str = ""
    administrator: str = ""
    role: str = ""
    until: str = ""
    reference: str = ""


async def members_page(request: Request) -> Response:
    site, caller = site_of(request), pool_reader(request)
    views = await list_views(site, caller, _figures(request))
    there = {one.member.tenant for one in views if one.is_in_pool}
    stored = site.platform.access.store.members.list_outlines()
    outlines = {tenant: outline for tenant, outline in stored.items() if tenant in there}
    return site.pages.render(
        request,
        "console/pages/members.html",
        views=views,
        drawing=await asyncio.to_thread(draw, outlines),
        objects=sum(one.health.objects for one in views if one.health),
        attention=sum(one.health.attention for one in views if one.health),
        unseen=sum(one.health is None for one in views if one.is_in_pool),
        may_add=caller.may(Right.ADMINISTER),
        done=request.query_params.get("done", ""),
    )


def _figures(request: Request) -> Figures:
    state = request.app.state
    if not hasattr(state, "member_figures"):
        state.member_figures = Figures()
    figures: Figures = state.member_figures
    return figures


async def new_page(request: Request) -> Response:
    """`q` looks for a commune, `code` is the one that was found, `by=hand` needs no tables."""
    require_pool(caller_of(request))
    code = request.query_params.get("code", "")
    found = await _find(code)
    filled = _proposed(site_of(request), found) if found else Filled(until=_next_year(site_of(request)))
    return await _new_page(request, filled, found)


async def _new_page(
    request: Request, filled: Filled, found: OfficialTerritory | None, *, problem: str = "", fault: str = ""
) -> Response:
    site, asked = site_of(request), request.query_params.get("q", "").strip()[:_LONGEST_ASKED]
    results = await asyncio.to_thread(official.search_territories, asked, SHOWN)
    is_by_hand = request.query_params.get("by") == "hand"
    return site.pages.render(
        request,
        "console/pages/member_new.html",
        status=400 if problem else 200,
        filled=filled,
        found=found,
        by_hand=found is None and (is_by_hand or not official.is_there() or bool(problem)),
        has_tables=official.is_there(),
        asked=asked,
        results=results,
        roles=ROLES,
        problem=problem,
        fault=fault,
    )


async def _find(code: str) -> OfficialTerritory | None:
    if not code.isalnum() or not official.is_there():
        return None
    return await asyncio.to_thread(official.find_territory, code)


def _proposed(site: Site, found: OfficialTerritory) -> Filled:
    return Filled(short_name(found.name), found.name, found.code, role=ROLES[1], until=_next_year(site))


def short_name(title: str) -> str:
    """ "Saint-Jean-Brévelay" -> "saint-jean-brevelay"."""
    return plain(title).replace(" ", "-")[:64]


def _next_year(site: Site) -> str:
    return (to_datetime(site.now).date() + timedelta(days=_MANDATE_DAYS)).isoformat()


async def add(request: Request) -> Response:
    """Makes the member, its founding mandate, and the link for its first administrator."""
    caller = caller_of(request)
    require_pool(caller)
    async with form_of(request, most_files=1) as form:
        filled = Filled(**{name: text_of(form, name) for name in Filled.__slots__})
        try:
            member, founding = await _read(site_of(request), form, filled)
            token = await _make(site_of(request), caller, member, founding, filled.administrator)
        except (BadRequestData, AlreadyExists) as refused:
            found = await _find(filled.code)
            return await _new_page(request, filled, found, problem=refused.detail, fault=fault_of(refused))
    if not token:
        return RedirectResponse(f"{MEMBERS}/{member.tenant}?done=added", SEE_OTHER)
    return invited(request, member, filled.administrator, token)


async def _read(site: Site, form: FormData, filled: Filled) -> tuple[Member, Terms | None]:
    file = form.get("outline")
    outline = None
    if isinstance(file, UploadFile) and file.filename:
        outline = read_outline(await file.read(MOST_OUTLINE_BYTES + 1))
    hosts = tuple(filled.hosts.replace(",", " ").split())
    member = Member(
        tenant=filled.tenant, title=filled.title, code=filled.code, since=site.now, hosts=hosts, outline=outline
    )
    if not filled.role:
        return member, None
    until = day_of(site, form, "until", is_last=True) or site.now + _MANDATE_DAYS * DAY
    return member, Terms(role=filled.role, until=until, reference=filled.reference)


async def _make(site: Site, caller: Caller, member: Member, founding: Terms | None, administrator: str) -> str:
    """The token of the administrator's link; empty where none is named. All of it is made, or nothing."""
    access = site.platform.access
    token = ""
    with access.store.transaction():
        access.members.add(caller, member, founding)
        if administrator:
            token = invite_first(access.store, access.members, access.accounts, caller, member.tenant, administrator)
    await site.platform.broker.add_tenant(member.tenant)
    return token


def invited(request: Request, member: Member, name: str, token: str) -> Response:
    site = site_of(request)
    response = site.pages.render(
        request,
        "console/pages/member_invited.html",
        member=member,
        name=name,
        link=f"{reach_of(request).address}/welcome?token={token}",
        reach=reach_of(request),
    )
    response.headers["cache-control"] = "no-store"
    return response


ROUTES = [
    Route(MEMBERS, members_page, methods=["GET"]),
    Route(f"{MEMBERS}/new", new_page, methods=["GET"]),
    Route(f"{MEMBERS}/new", add, methods=["POST"]),
]
