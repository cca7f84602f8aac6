"""Backups: what there is, whether it was tried, what is missing; and how one is brought back, which no browser does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.bootstrap.backups import DRILL, TAKE, Kept, Shelf, ShelfReader, folder_of, is_late
from parvis.bootstrap.stores import is_on_postgres
from parvis.broker.rights import refusal
from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.jobs import JobFilter, JobState
from parvis.kernel.remembered import without_password
from parvis.kernel.settings import Settings
from parvis.kernel.time import Instant
from parvis.web.auth import check_form
from parvis.web.console.jobs import REFRESH_BUSY_S, JobView, view_of
from parvis.web.console.system import bytes_text
from parvis.web.faults import explain_fault
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.tenants import is_pool
from parvis.web.wording import Wording

PAGE = "/console/backups"
SEE_OTHER = 303
REFRESH_IDLE_S = 60
KEY_FILE = "backup.key"
SET_UP = ('[backup]\nfolder = "/mnt/disk/parvis-backups"', "PARVIS_BACKUP_KEY_FILE=/etc/parvis/backup.key")
"""In territory.toml, and in the environment."""
_KINDS = {"take": TAKE, "drill": DRILL}
_OPEN = frozenset({JobState.WAITING, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class Concern:
    """`backups.<key>` is its title, `backups.<key>_means` what to do."""

    key: str
    state: State


@dataclass(frozen=True, slots=True)
class Doing:
    """The newest job of a kind, where it is under way or has failed."""

    view: JobView
    is_busy: bool


async def backups_page(request: Request) -> Response:
    site, caller = site_of(request), _administrator(request)
    settings, t = site.platform.settings, site.pages.words(request)
    is_taken = bool(settings.backup.folder) and not is_on_postgres(settings)
    shelf = await _look(request) if is_taken else Shelf()
    due = {one.schedule.kind: one for one in site.platform.jobs.list_schedules()}
    doing = {name: await _find_doing(site, request, caller, kind, t) for name, kind in _KINDS.items()}
    concerns = list_concerns(settings, shelf, site.now) if is_taken else [Concern("none", State.BAD)]
    is_busy = any(one is not None and one.is_busy for one in doing.values())
    chosen = _chosen(shelf, request.query_params.get("of", ""))
    return site.pages.render(
        request,
        "console/pages/backups.html",
        is_on_postgres=is_on_postgres(settings),
        is_taken=is_taken,
        shelf=shelf,
        concerns=concerns,
        worst=max((one.state for one in concerns), default=State.GOOD),
        judged={"sound": State.GOOD, "unusable": State.BAD},
        fault=_explained(shelf.fault, t),
        tried=last_tried(shelf.kept),
        seen=_seen(last_tried(shelf.kept)),
        set_up=SET_UP,
        tried_fault=_explained_drill(last_tried(shelf.kept), t),
        doing=doing,
        is_busy=is_busy,
        next={name: due[kind].next_at if kind in due else None for name, kind in _KINDS.items()},
        folder=folder_of(settings) if is_taken else "",
        keep_days=settings.backup.keep_days,
        chosen=chosen,
        commands=list_commands(settings, shelf, chosen) if chosen else (),
        dump=_dump(settings) if is_on_postgres(settings) else "",
        bytes=bytes_text,
        refresh_s=REFRESH_BUSY_S if is_busy else REFRESH_IDLE_S,
    )


async def find_urgent(request: Request) -> Concern | None:
    """What an administrator is to know who does not come here."""
    site, caller = site_of(request), caller_of(request)
    settings = site.platform.settings
    is_theirs = settings.access.auth and caller.may(Right.ADMINISTER) and is_pool(caller)
    if not is_theirs or is_on_postgres(settings):
        return None
    if not settings.backup.folder:
        return Concern("none", State.BAD)
    concerns = list_concerns(settings, await _look(request), site.now)
    return next((one for one in concerns if one.state is State.BAD or one.key == "empty"), None)


async def _look(request: Request) -> Shelf:
    reader: ShelfReader = request.app.state.backups
    return await reader.look()


async def start(request: Request) -> Response:
    """One of a kind at a time: a second wish is the first."""
    caller, form = _administrator(request), await request.form(max_files=0, max_fields=4)
    check_form(request, form)
    jobs, kind = site_of(request).platform.jobs, _KINDS.get(str(form.get("do", "")))
    if kind is None:
        raise ResourceNotFound("A backup is taken, or tried.")
    if not await jobs.list_jobs(caller, JobFilter(states=_OPEN, kind=kind, limit=1)):
        await jobs.submit(caller, kind)
    return RedirectResponse(PAGE, SEE_OTHER)


def list_concerns(settings: Settings, shelf: Shelf, now: Instant) -> list[Concern]:
    """What keeps one from sleeping well, the worst first."""
    newest, tried = next(iter(shelf.kept), None), last_tried(shelf.kept)
    held = {
        Concern("unreadable", State.BAD): bool(shelf.fault),
        Concern("damaged", State.BAD): bool(shelf.damaged),
        Concern("tried_unusable", State.BAD): tried is not None and tried.drill is not None and bool(tried.drill.fault),
        Concern("late", State.BAD): is_late(settings, newest, now),
        Concern("empty", State.WARN): newest is None and not shelf.fault and not shelf.damaged,
        Concern("untried", State.WARN): newest is not None and tried is None,
        Concern("unsealed", State.WARN): not shelf.is_sealed and not shelf.fault,
        Concern("same_disk", State.WARN): shelf.is_on_disk_of_data,
    }
    return [one for one, holds in held.items() if holds]


def last_tried(kept: Sequence[Kept]) -> Kept | None:
    tried = [(one.drill.at, one) for one in kept if one.drill is not None]
    return max(tried, default=(0, None))[1]


def list_commands(settings: Settings, shelf: Shelf, chosen: Kept) -> tuple[tuple[str, str], ...]:
    """Beside the data, looked at, and put in their place: `backups.step_<key>` says what each is for."""
    data = settings.data_dir.absolute()
    beside, before = (str(data.with_name(f"{data.name}-{ending}")) for ending in ("restored", "before"))
    key = ("--key-file", KEY_FILE) if shelf.is_sealed else ()
    folder = str(Path(folder_of(settings)).absolute())
    return (
        ("restore", join(("parvis", "restore", folder, chosen.id, "--data", beside, *key))),
        ("check", join(("parvis", "check", "--data", beside))),
        ("swap", f"{join(('mv', str(data), before))} && {join(('mv', beside, str(data)))}"),
    )


def _dump(settings: Settings) -> str:
    return join(("pg_dump", "--format=custom", "--file=parvis.dump", without_password(settings.store.url)))


def _chosen(shelf: Shelf, backup_id: str) -> Kept | None:
    """The newest where another is not named."""
    return next((one for one in shelf.kept if one.id == backup_id), next(iter(shelf.kept), None))


async def _find_doing(site: Site, request: Request, caller: Caller, kind: str, t: Wording) -> Doing | None:
    jobs = await site.platform.jobs.list_jobs(caller, JobFilter(kind=kind, limit=1))
    if not jobs or jobs[0].state not in _OPEN | {JobState.FAILED}:
        return None
    return Doing(view_of(site, request, jobs[0], t), jobs[0].state in _OPEN)


def _explained(fault: str, t: Wording) -> str:
    why = explain_fault(fault, t)
    return why.sentence or why.detail


def _explained_drill(tried: Kept | None, t: Wording) -> str:
    return _explained(tried.drill.fault, t) if tried is not None and tried.drill is not None else ""


def _seen(tried: Kept | None) -> dict[str, int]:
    counts = tried.drill.counts if tried is not None and tried.drill is not None else {}
    instances = counts.get("instances", 0) + counts.get("archived instances", 0)
    return {"entities": counts.get("entities", 0), "instances": instances, "entries": counts.get("audit entries", 0)}


def _administrator(request: Request) -> Caller:
    caller = caller_of(request)
    if not caller.may(Right.ADMINISTER):
        raise refusal(caller, "see the backups")
    if not is_pool(caller):
        raise Forbidden("Backups hold all tenants: they are seen by the people of the pool.")
    return caller


ROUTES = (Route(PAGE, backups_page, methods=["GET"]), Route(PAGE, start, methods=["POST"]))
