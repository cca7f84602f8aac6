"""One person's data: looked for everywhere, given to them, erased. Whoever looks is in the trail."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from parvis.access.privacy.person.cases import KEPT_DAYS, MOST_SHOWN, Case, Stage
from parvis.access.privacy.person.found import Count, Fate, Found, Place, still_there
from parvis.access.privacy.person.identifiers import LONGEST, By
from parvis.access.privacy.person.persons import CONFIRMED, GROUNDS, check_steward, identifiers_of
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.kernel.jobs import JobState
from parvis.kernel.reach import local_name
from parvis.web.auth import check_form
from parvis.web.console.forms import text_of
from parvis.web.console.jobs import JobView, view_of
from parvis.web.faults import explain_fault
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

PAGE: Final = "/console/privacy/people"
SEE_OTHER = 303
REFRESH_S = 2
REST_S = 24 * 3600
"""Each look at what was found is in the trail, so that a page left open does not look by itself."""
LONGEST_SHOWN = 160
_MOST_FIELDS = 12
_VALUES = ("value", "object", "languageMap", "vocab", "json")
_UNTOLD = frozenset({"tenant", "type", "id", "createdAt", "modifiedAt"})
_BUSY = frozenset({Stage.SEARCHING, Stage.ERASING})
_OBJECTS = frozenset({Place.OBJECT, Place.VALUE, Place.PAST})


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found in one place, the first of it."""

    place: Place
    count: int
    found: Sequence[Found]


async def persons_page(request: Request) -> Response:
    return await _list(request)


async def search(request: Request) -> Response:
    site, caller = site_of(request), _steward(request)
    form = await _form(request)
    try:
        given = {by: _several(form, by.value) for by in By}
        case = await site.platform.persons.search(caller, identifiers_of(given))
    except BadRequestData as refused:
        return await _list(request, refused, form)
    return RedirectResponse(f"{PAGE}/{case.id}", SEE_OTHER)


async def person_page(request: Request) -> Response:
    return await _show(request)


async def copy(request: Request) -> Response:
    """It is in the trail, so that no link may begin one."""
    site, caller = site_of(request), _steward(request)
    await _form(request)
    try:
        path = await site.platform.persons.make_copy(caller, _case_id(request))
    except BadRequestData as refused:
        return await _show(request, refused)
    headers = {"cache-control": "no-store"}
    return FileResponse(path, media_type="application/zip", filename=f"person-{_case_id(request)}.zip", headers=headers)


async def erase(request: Request) -> Response:
    site, caller = site_of(request), _steward(request)
    form = await _form(request)
    try:
        await site.platform.persons.erase(
            caller, _case_id(request), text_of(form, "ground"), text_of(form, "confirmed")
        )
    except BadRequestData as refused:
        return await _show(request, refused, form)
    return RedirectResponse(f"{PAGE}/{_case_id(request)}", SEE_OTHER)


async def forget(request: Request) -> Response:
    site, caller = site_of(request), _steward(request)
    await _form(request)
    try:
        site.platform.persons.forget(caller, _case_id(request))
    except BadRequestData as refused:
        return await _show(request, refused)
    return RedirectResponse(PAGE, SEE_OTHER)


async def _list(request: Request, refused: BadRequestData | None = None, form: FormData | None = None) -> Response:
    site, caller = site_of(request), _steward(request)
    t = site.pages.words(request)
    return site.pages.render(
        request,
        "console/pages/persons_data.html",
        status=refused.status if refused else 200,
        cases=site.platform.persons.list_all(caller),
        erased=site.platform.persons.list_erased(caller)[:MOST_SHOWN],
        kinds=list(By),
        filled={by.value: text_of(form, by.value) for by in By} if form is not None else {},
        refusal=explain_fault(refused.detail, t).sentence if refused else "",
        longest=LONGEST,
        kept_days=KEPT_DAYS,
    )


async def _show(request: Request, refused: BadRequestData | None = None, form: FormData | None = None) -> Response:
    site, caller = site_of(request), _steward(request)
    t = site.pages.words(request)
    case = site.platform.persons.read(caller, _case_id(request))
    is_busy = case.stage in _BUSY
    job = await _job(site, request, caller, case)
    return site.pages.render(
        request,
        "console/pages/person_data.html",
        status=refused.status if refused else 200,
        case=case,
        is_busy=is_busy and (job is None or not job.job.state.has_ended),
        job=job if is_busy else None,
        has_failed=is_busy and job is not None and job.job.state in (JobState.FAILED, JobState.CANCELLED),
        rows=rows_of(case.counts),
        fates=[fate for fate in Fate if any(one.fate is fate for one in case.counts)],
        left=still_there(case.left),
        going=still_there(case.counts),
        shown=[] if case.stage is not Stage.FOUND else _shown(site, case),
        objects=_OBJECTS,
        summary=partial(summary_of, t=t),
        local=local_name,
        grounds=GROUNDS,
        word=CONFIRMED[t.language],
        filled={} if form is None else {name: text_of(form, name) for name in ("ground", "confirmed")},
        refusal=explain_fault(refused.detail, t).sentence if refused else "",
        most=MOST_SHOWN,
        perhaps=Fate.PERHAPS,
        refresh_s=REFRESH_S if is_busy else REST_S,
    )


async def _job(site: Site, request: Request, caller: Caller, case: Case) -> JobView | None:
    job_id = site.platform.persons.cases.find_job(case)
    job = None if job_id is None else await site.platform.jobs.queue.find(caller.tenant, job_id)
    return None if job is None else view_of(site, request, job, site.pages.words(request))


def rows_of(counts: Iterable[Count]) -> Mapping[Place, Sequence[Count]]:
    rows: dict[Place, list[Count]] = {}
    for one in counts:
        rows.setdefault(one.place, []).append(one)
    return rows


def _shown(site: Site, case: Case) -> list[Shown]:
    first = site.platform.persons.cases.list_first(case)
    return [
        Shown(place, sum(one.count for one in counts), [one for one in first if one.place is place])
        for place, counts in rows_of(case.counts).items()
    ]


def summary_of(found: Found, t: Wording) -> str:
    """Of what it says, as much as a line holds."""
    told = ", ".join(_parts_of(found.content, t)) if isinstance(found.content, dict) else _told(found.content)
    return told if len(told) <= LONGEST_SHOWN else f"{told[: LONGEST_SHOWN - 1]}…"


def _parts_of(content: Mapping[str, Any], t: Wording) -> Iterator[str]:
    """What is empty is left out, and of an attribute of an object all but its value."""
    for name, value in content.items():
        value = next((value[one] for one in _VALUES if one in value), value) if isinstance(value, dict) else value
        if value not in (None, "", False, [], {}) and name not in _UNTOLD:
            label = t.find(f"person_member.{name}") or t.attribute_name(local_name(name))
            yield f"{label}{t('privacy.colon')}{_told(value)}"


def _told(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _several(form: FormData, name: str) -> list[str]:
    """Lines; and parts of a line, where what is asked for has no comma in it."""
    return [part for line in text_of(form, name).splitlines() for part in line.replace(";", ",").split(",")]


async def _form(request: Request) -> FormData:
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    check_form(request, form)
    return form


def _steward(request: Request) -> Caller:
    caller = caller_of(request)
    check_steward(caller)
    return caller


def _case_id(request: Request) -> str:
    return str(request.path_params["case_id"])


ROUTES = (
    Route(PAGE, persons_page, methods=["GET"]),
    Route(PAGE, search, methods=["POST"]),
    Route(PAGE + "/{case_id}", person_page, methods=["GET"]),
    Route(PAGE + "/{case_id}/copy", copy, methods=["POST"]),
    Route(PAGE + "/{case_id}/erase", erase, methods=["POST"]),
    Route(PAGE + "/{case_id}/forget", forget, methods=["POST"]),
)
