"""What every step of the first run shares: who may be here, how far one is, and what is written down."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from parvis.access.model import AuditRecord
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.web.console.first_run_progress import Progress, Step, find_progress, keep_progress
from parvis.web.console.forms import form_of as own_form
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

FIRST_RUN = "/console/first-run"
MAP = "/console/map?first=1"
SEE_OTHER = 303
_MOST_FIELDS = 40
_LONGEST_FACT = 200


def administrator(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    if not may_set_up(caller):
        raise Forbidden("The first steps are for administrators of the whole installation.")
    return caller


def may_set_up(caller: Caller) -> bool:
    """What is set here holds for all tenants: who administers another one alone may not."""
    return caller.tenant == DEFAULT_TENANT and caller.may(Right.ADMINISTER)


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """Of an administrator, by our own form. Raises Forbidden before anything of the body is read, or after."""
    administrator(request)
    async with own_form(request, _MOST_FIELDS, most_files=1) as form:
        yield form


async def progress_of(request: Request) -> Progress:
    return await find_progress(site_of(request).platform.shelf) or Progress()


async def keep(request: Request, progress: Progress) -> None:
    await keep_progress(site_of(request).platform.shelf, progress)


async def render_step(request: Request, step: Step, *, status: int = 200, **data: Any) -> Response:
    progress = await progress_of(request)
    steps = [(one, one in progress.done, one in progress.skipped) for one in Step]
    page = f"console/pages/first_run_{step.key}.html"
    return site_of(request).pages.render(request, page, status=status, step=step, steps=steps, **data)


async def go_on(request: Request, step: Step) -> Response:
    """The step is done: to the next one that is open."""
    return await keep_and_lead(request, (await progress_of(request)).with_done(step))


async def keep_and_lead(request: Request, progress: Progress, following: Step | None = None) -> Response:
    """To `following`, else to the first that is neither done nor skipped; where there is none the first run is over."""
    wanted = following or progress.find_next()
    await keep(request, progress if wanted else msgspec.structs.replace(progress, is_finished=True))
    return RedirectResponse(address_of(wanted), SEE_OTHER)


def address_of(step: Step | None) -> str:
    """After the last one: the live map, which says what is there and what comes next."""
    return MAP if step is None else f"{FIRST_RUN}/{step.value}"


def change_settings(site: Site, caller: Caller, changes: Mapping[str, Any]) -> list[str]:
    """Writes territory.toml, and into the audit trail what was changed; those that the environment overrules.

    Raises:
        Forbidden, InvalidSettings or OSError.
    """
    if not may_set_up(caller):
        raise Forbidden("Settings are changed by administrators of the whole installation.")
    platform = site.platform
    platform.at_hand.change(changes)
    facts = {key: str(value)[:_LONGEST_FACT] for key, value in changes.items()}
    record = AuditRecord(site.now, caller.tenant, caller.subject, "settings-changed", "territory.toml", facts)
    platform.access.store.append_audit(record)
    return platform.at_hand.find_overruled(changes)
