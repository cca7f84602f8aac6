"""A dashboard behind its link: for everybody who has it, with what everybody may see."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.web.console.dashboards.answers import Answers
from parvis.web.console.dashboards.pages import as_public, cached_of, dashboards_of, live_query
from parvis.web.console.dashboards.records import Dashboard
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

LONGEST_LINK = 64


async def board(request: Request) -> Response:
    """Raises ResourceNotFound, also where the link was taken back."""
    site, link = site_of(request), request.path_params["link"]
    caller = as_public(site, caller_of(request))
    shown = await dashboards_of(site).find_shared(caller.tenant, link) if len(link) <= LONGEST_LINK else None
    if shown is None or not caller.rights:
        raise ResourceNotFound("There is no such dashboard.")
    seq = await site.platform.broker.outbox.newest()
    answers = await Answers(site, cached_of(request), caller, site.pages.words(request)).list_answers(shown.layout)
    response = site.pages.render(
        request,
        "portal/pages/board.html",
        title=shown.name,
        answers=answers,
        seq=seq,
        live_query=live_query(shown.layout),
        is_public=True,
    )
    response.headers["x-robots-tag"] = "noindex"
    return response


async def list_boards(site: Site, caller: Caller) -> list[Dashboard]:
    """Those that the residents' page names, for who may see anything of them."""
    if not as_public(site, caller).rights:
        return []
    return await dashboards_of(site).list_on_portal(caller.tenant)


ROUTES = [Route("/boards/{link}", board, methods=["GET"])]
