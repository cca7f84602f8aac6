"""For administrators: inviting somebody of their own tenant, by a link to hand over or to send."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.lasting import check_lasts
from parvis.access.model import ROLES
from parvis.kernel.errors import AlreadyExists, BadRequestData
from parvis.web.console.first_run_way_in import reach_of
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import administrator_of_tenant
from parvis.web.console.session import problem_of
from parvis.web.site import site_of

INVITE = "/console/invite"
_OF_PROGRAMS = "device"


@dataclass(frozen=True, slots=True)
class Choice:
    """A role as the form offers it."""

    name: str
    title: str
    description: str


async def invite_page(request: Request) -> Response:
    return _render(request)


async def invite(request: Request) -> Response:
    caller = administrator_of_tenant(request)
    async with form_of(request) as form:
        name, role = text_of(form, "name"), text_of(form, "role")
    accounts = site_of(request).platform.access.accounts
    if role not in [one.name for one in _choices(request)]:
        return _render(request, name=name, problem="no_role")
    try:
        token = accounts.invite(caller, name, role, caller.tenant)
    except (AlreadyExists, BadRequestData) as refused:
        return _render(request, name=name, role=role, problem=problem_of(refused))
    return _render(request, name=name, role=role, link=f"{reach_of(request).address}/welcome?token={token}")


def _render(request: Request, *, name: str = "", role: str = "reader", problem: str = "", link: str = "") -> Response:
    """Raises Forbidden, for who acts by a mandate too."""
    check_lasts(administrator_of_tenant(request))
    response = site_of(request).pages.render(
        request,
        "console/pages/invite.html",
        status=400 if problem else 200,
        choices=_choices(request),
        name=name,
        role=role,
        problem=problem,
        link=link,
        reach=reach_of(request),
    )
    if link:
        response.headers["cache-control"] = "no-store"
    return response


def _choices(request: Request) -> Sequence[Choice]:
    """The packaged roles of people: what is narrower is given on the page of roles, to an account that is there."""
    language = site_of(request).pages.language(request)
    roles = site_of(request).platform.access.gate.roles.all_of(administrator_of_tenant(request).tenant)
    return [
        Choice(name, role.title.get(language, name), role.description.get(language, ""))
        for name, role in roles.items()
        if name in ROLES and name != _OF_PROGRAMS
    ]


ROUTES = [
    Route(INVITE, invite_page, methods=["GET"]),
    Route(INVITE, invite, methods=["POST"]),
]
