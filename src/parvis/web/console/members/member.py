"""One member: for the pool's people, and for its own, who alone grant mandates and say what is public."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.members.founding import invite_first, may_invite_first
from parvis.access.members.mandates import Terms
from parvis.access.members.members import require_pool
from parvis.access.members.model import Mandate, Member
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import done
from parvis.web.console.members.frame import MEMBERS, MEMBERSHIP, MOST_FIELDS, ROLES, day_of, fault_of, pool_reader
from parvis.web.console.members.pages import invited
from parvis.web.objects import count_types
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.tenants import MEMBER_PATH


async def pools_page(request: Request) -> Response:
    caller = pool_reader(request)
    member = site_of(request).platform.access.members.get(request.path_params["tenant"])
    return await _page(request, member, is_own=False, may_change=caller.may(Right.ADMINISTER))


async def own_page(request: Request) -> Response:
    return await _own_page(request)


async def _own_page(request: Request, *, problem: str = "", fault: str = "") -> Response:
    caller = caller_of(request)
    member = _own(request)
    if not caller.may(Right.READ):
        raise Forbidden("The membership is seen by the member's people who are signed in.")
    may_change = caller.may(Right.ADMINISTER) and not caller.mandate
    return await _page(request, member, is_own=True, may_change=may_change, problem=problem, fault=fault)


def _own(request: Request) -> Member:
    """Raises ResourceNotFound."""
    caller = caller_of(request)
    member = site_of(request).platform.access.members.find(caller.tenant)
    if member is None:
        raise ResourceNotFound(f"There is no member {caller.tenant}.")
    return member


async def _page(
    request: Request, member: Member, *, is_own: bool, may_change: bool, problem: str = "", fault: str = ""
) -> Response:
    site, access = site_of(request), site_of(request).platform.access
    mandates = access.mandates.list_of(member.tenant)
    return site.pages.render(
        request,
        "console/pages/member.html",
        status=400 if problem else 200,
        member=member,
        is_own=is_own,
        may_change=may_change,
        is_in_pool=member.is_in_pool(site.now),
        mandates=[(one, state_of(one, site.now)) for one in mandates],
        may_enter=not is_own and any(one.is_in_force(site.now) for one in mandates),
        may_invite=not is_own and may_change and may_invite_first(access.store, member.tenant),
        types=await _types(site, caller_of(request), member) if is_own and may_change else [],
        roles=ROLES,
        public_path=f"{MEMBER_PATH}{member.tenant}/",
        problem=problem,
        fault=fault,
        done=request.query_params.get("done", ""),
    )


def state_of(mandate: Mandate, now: Instant) -> str:
    if mandate.is_in_force(now):
        return "in_force"
    if mandate.ended_at is not None and mandate.ended_at <= now:
        return "ended"
    return "over" if now >= mandate.until else "to_come"


async def _types(site: Site, caller: Caller, member: Member) -> list[tuple[str, int, bool]]:
    """What there is, and what was chosen: each with how many there are and whether it is public."""
    counts = await count_types(site, caller)
    names = sorted({*counts, *member.public_types})
    return [(name, counts.get(name, 0), name in member.public_types) for name in names]


async def pools_act(request: Request) -> Response:
    caller, tenant = caller_of(request), request.path_params["tenant"]
    require_pool(caller)
    async with form_of(request, MOST_FIELDS) as form:
        deed, name, mandate = (text_of(form, field) for field in ("do", "name", "mandate"))
        hosts = text_of(form, "hosts").replace(",", " ").split()
        title = text_of(form, "title")
    access = site_of(request).platform.access
    match deed:
        case "invite":
            token = invite_first(access.store, access.members, access.accounts, caller, tenant, name)
            return invited(request, access.members.get(tenant), name, token)
        case "change":
            access.members.change(caller, tenant, title=title, hosts=hosts)
        case "end":
            access.members.end(caller, tenant)
        case "end_mandate":
            access.mandates.end(caller, tenant, mandate)
        case _:
            raise BadRequestData("The form does not say what is to be done.")
    return done(f"{MEMBERS}/{tenant}", deed)


async def own_act(request: Request) -> Response:
    caller, member, site = caller_of(request), _own(request), site_of(request)
    access = site.platform.access
    async with form_of(request, MOST_FIELDS) as form:
        deed, mandate = text_of(form, "do"), text_of(form, "mandate")
        match deed:
            case "grant":
                try:
                    access.mandates.grant(caller, member.tenant, _terms(site, form))
                except BadRequestData as refused:
                    return await _own_page(request, problem=refused.detail, fault=fault_of(refused))
            case "end_mandate":
                access.mandates.end(caller, member.tenant, mandate)
            case "public":
                types = [one for one in form.getlist("type") if isinstance(one, str)]
                access.members.choose_public(caller, member.tenant, types)
            case "end":
                access.members.end(caller, member.tenant)
            case _:
                raise BadRequestData("The form does not say what is to be done.")
    return done(MEMBERSHIP, deed)


def _terms(site: Site, form: FormData) -> Terms:
    """Raises BadRequestData."""
    return Terms(
        role=text_of(form, "role"),
        until=day_of(site, form, "until", is_last=True) or site.now,
        reference=text_of(form, "reference"),
        since=day_of(site, form, "since"),
        scopes=tuple(text_of(form, "scopes").replace(",", " ").split()),
    )


ROUTES = [
    Route(MEMBERSHIP, own_page, methods=["GET"]),
    Route(MEMBERSHIP, own_act, methods=["POST"]),
    Route(f"{MEMBERS}/{{tenant}}", pools_page, methods=["GET"]),
    Route(f"{MEMBERS}/{{tenant}}", pools_act, methods=["POST"]),
]
