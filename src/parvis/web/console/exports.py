"""Leaving with everything: bundles of all that a tenant has, made as a job, fetched, deleted."""

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from parvis.access.model import AuditRecord
from parvis.bootstrap.exports import EXPORT, KEPT_DAYS, find_export, list_exports
from parvis.broker.rights import refusal
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.jobs import JobFilter, JobState
from parvis.web.auth import check_form
from parvis.web.console.jobs import view_of
from parvis.web.pages import caller_of
from parvis.web.site import site_of

PATH = "/console/exports"
SEE_OTHER = 303
REFRESH_BUSY_S = 2
REFRESH_IDLE_S = 30
_OPEN = frozenset({JobState.WAITING, JobState.RUNNING})


async def exports_page(request: Request) -> Response:
    site, caller = site_of(request), _steward(request)
    t = site.pages.words(request)
    jobs = await site.platform.jobs.list_jobs(caller, JobFilter(kind=EXPORT, limit=1))
    newest = view_of(site, request, jobs[0], t) if jobs else None
    is_busy = newest is not None and newest.job.state in _OPEN
    return site.pages.render(
        request,
        "console/pages/exports.html",
        exports=list_exports(site.platform.settings.data_dir, caller.tenant),
        newest=newest if is_busy or (newest is not None and newest.error) else None,
        is_busy=is_busy,
        kept_days=KEPT_DAYS,
        tenant=caller.tenant,
        sees_backups=caller.may(Right.ADMINISTER) and caller.tenant == DEFAULT_TENANT,
        refresh_s=REFRESH_BUSY_S if is_busy else REFRESH_IDLE_S,
    )


async def start(request: Request) -> Response:
    """One at a time: a second wish is the first."""
    caller = await _checked(request)
    jobs = site_of(request).platform.jobs
    if not await jobs.list_jobs(caller, JobFilter(states=_OPEN, kind=EXPORT, limit=1)):
        await jobs.submit(caller, EXPORT)
    return RedirectResponse(PATH, SEE_OTHER)


async def download(request: Request) -> Response:
    """It is in the trail, so that no link may begin one."""
    caller, name = await _checked(request), request.path_params["name"]
    path = find_export(site_of(request).platform.settings.data_dir, caller.tenant, name)
    _note(request, caller, "export-downloaded", name)
    return FileResponse(path, media_type="application/zip", filename=name, headers={"cache-control": "no-store"})


async def delete(request: Request) -> Response:
    caller, name = await _checked(request), request.path_params["name"]
    find_export(site_of(request).platform.settings.data_dir, caller.tenant, name).unlink(missing_ok=True)
    _note(request, caller, "export-deleted", name)
    return RedirectResponse(PATH, SEE_OTHER)


async def _checked(request: Request) -> Caller:
    caller = _steward(request)
    check_form(request, await request.form())
    return caller


def _steward(request: Request) -> Caller:
    """A bundle holds every attribute. Raises Forbidden."""
    caller = caller_of(request)
    if not caller.may(Right.STEWARD) or caller.hides:
        raise refusal(caller, "take everything along")
    return caller


def _note(request: Request, caller: Caller, action: str, name: str) -> None:
    site = site_of(request)
    site.platform.access.store.append_audit(AuditRecord(site.now, caller.tenant, caller.subject, action, name))


ROUTES = (
    Route(PATH, exports_page, methods=["GET"]),
    Route(PATH, start, methods=["POST"]),
    Route(PATH + "/{name}", download, methods=["POST"]),
    Route(PATH + "/{name}/delete", delete, methods=["POST"]),
)
