"""The first run: from an empty folder to a map with live data, a step a page. Each can be skipped, left and come back
to; how far it is is kept."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.web.console import first_run_ground, first_run_people, first_run_territory, first_run_way_in
from parvis.web.console.first_run_frame import (
    FIRST_RUN,
    SEE_OTHER,
    address_of,
    administrator,
    form_of,
    keep_and_lead,
    may_set_up,
    progress_of,
)
from parvis.web.console.first_run_progress import Step, find_progress
from parvis.web.console.forms import text_of
from parvis.web.site import Site

LARGER_BODIES = {
    first_run_territory.PAGE: first_run_territory.LARGEST_BODY_BYTES,
    first_run_ground.PAGE: first_run_ground.LARGEST_BODY_BYTES,
}
"""By path; what is larger than a form goes to disk as it comes."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is there and what comes next, for who has just begun; `open` is None where every step is done."""

    waiting: int
    done: int
    steps: int
    open: Step | None
    is_finished: bool


async def begin(request: Request) -> Response:
    """To the step that comes next."""
    administrator(request)
    return RedirectResponse(address_of((await progress_of(request)).find_next()), SEE_OTHER)


async def skip(request: Request) -> Response:
    async with form_of(request) as form:
        wanted = text_of(form, "step")
    step = next((one for one in Step if one.value == wanted), None)
    if step is None:
        raise BadRequestData("The form does not say what is to be done.")
    progress = (await progress_of(request)).with_skipped(step)
    following = next((one for one in list(Step)[list(Step).index(step) + 1 :]), None)
    return await keep_and_lead(request, progress, following)


async def find_beginning(site: Site, caller: Caller) -> Beginning | None:
    """For administrators, where somebody has begun."""
    progress = await find_progress(site.platform.shelf) if may_set_up(caller) else None
    if progress is None:
        return None
    waiting = len(await site.platform.fleet.list_waiting(caller))
    return Beginning(waiting, len(progress.done), len(Step), progress.find_open(), progress.is_finished)


ROUTES = [
    Route(FIRST_RUN, begin, methods=["GET"]),
    Route(f"{FIRST_RUN}/skip", skip, methods=["POST"]),
    *first_run_territory.ROUTES,
    *first_run_ground.ROUTES,
    *first_run_way_in.ROUTES,
    *first_run_people.ROUTES,
]
