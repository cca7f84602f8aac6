"""Where one may act: the pool, and the members that have given it a mandate. Found by name among many."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.members.model import POOL
from parvis.kernel.errors import Forbidden
from parvis.web.acting import may_choose
from parvis.web.official import plain
from parvis.web.pages import caller_of
from parvis.web.site import site_of

PAGE = "/console/in"


@dataclass(frozen=True, slots=True)
class Choice:
    tenant: str
    title: str
    code: str = ""


async def choose_page(request: Request) -> Response:
    """Raises Forbidden."""
    site, caller = site_of(request), caller_of(request)
    if not may_choose(caller):
        raise Forbidden("Only people of the pool act in more than one tenant.")
    asked = request.query_params.get("q", "").strip()
    members = site.platform.access.gate.pool.list_with_mandate()
    if not site.platform.access.gate.auth:
        members = site.platform.access.gate.pool.list_in_pool()
    choices = [Choice(one.tenant, one.title, one.code) for one in members if _fits(asked, one.title, one.code)]
    return site.pages.render(
        request,
        "console/pages/choose_tenant.html",
        asked=asked,
        choices=sorted(choices, key=lambda one: plain(one.title)),
        home=Choice(POOL, site.platform.at_hand.territory.name),
        total=len(members),
    )


def _fits(asked: str, title: str, code: str) -> bool:
    words = plain(asked).split()
    return asked == code or all(f" {word}" in f" {plain(title)}" for word in words)


ROUTES = [Route(PAGE, choose_page, methods=["GET"])]
