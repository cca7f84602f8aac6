"""Many devices from a CSV file: what it would do is shown first, then a job registers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.fleet.devices.columns import Column
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.devices.sheet import MOST_LINES, SheetReport
from parvis.fleet.joining.onboarding import REGISTER, arguments_of
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.jobs import JobState
from parvis.web.auth import check_form
from parvis.web.causes import Explained
from parvis.web.console.details import explain_detail
from parvis.web.console.jobs import view_of
from parvis.web.console.spreadsheet import localised_csv
from parvis.web.pages import caller_of
from parvis.web.site import site_of
from parvis.web.views import natural
from parvis.web.wording import Wording

PAGE = "/console/devices/import"
SEE_OTHER = 303
REFRESH_S = 1
REFRESH_NEVER_S = 86_400
FAULTS_SHOWN = 100
_LARGEST_ID = 2**62
_EXAMPLE = (
    "70b3d5499e000001", "generic-climate", "urn:ngsi-ld:IndoorEnvironmentObserved:school-1", "",
    "École Jules-Ferry, salle 3", 47.70012, -3.28012, "lorawan", "Écoles", "2026", "15 min", "", "", "",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaultView:
    line: int
    column: str
    what: str
    text: str
    why: Explained


async def import_page(request: Request) -> Response:
    check_writes(caller_of(request))
    return _render(request)


def _render(request: Request, status: int = 200, **data: Any) -> Response:
    told: dict[str, Any] = {
        "said": "",
        "refusal": None,
        "report": None,
        "faults": (),
        "list_key": "",
        "job": None,
        "refresh_s": REFRESH_NEVER_S,
        "most_lines": MOST_LINES,
        "profiles": _list_profiles(request),
    }
    return site_of(request).pages.render(request, "console/pages/device_import.html", status=status, **{**told, **data})


def _list_profiles(request: Request) -> list[tuple[str, str]]:
    """Identifier and name of what a line may have as its profile, by name."""
    caller, site = caller_of(request), site_of(request)
    t = site.pages.words(request)
    profiles = site.platform.fleet.registry.profiles_of(caller.tenant).values()
    named = ((one.id, one.header.name_in(t.language)) for one in profiles)
    return sorted(named, key=lambda one: natural(one[1]))


async def upload(request: Request) -> Response:
    """Keeps the file for a job, and leads to what it would do."""
    caller, onboarding = caller_of(request), site_of(request).platform.onboarding
    check_writes(caller)
    async with request.form(max_files=1, max_fields=5) as form:
        check_form(request, form)
        file = form.get("file")
        body = await file.read() if isinstance(file, UploadFile) else b""
        try:
            arguments = await onboarding.put(caller, body)
        except BadRequestData as refused:
            said = explain_detail(None, refused.detail, site_of(request).pages.words(request))
            return _render(request, refused.status, said=said.sentence, refusal=said.detail)
    return RedirectResponse(f"{PAGE}/{arguments['list']}", SEE_OTHER)


async def check_page(request: Request) -> Response:
    """What a kept file would do; after its job has taken it, there is none."""
    caller, key = caller_of(request), request.path_params["list_key"]
    check_writes(caller)
    report = await site_of(request).platform.onboarding.check_kept(caller, {"list": key})
    return _render(request, report=report, faults=_faults(request, report), list_key=key)


async def start(request: Request) -> Response:
    """Started twice, the file is registered once."""
    form = await request.form()
    check_form(request, form)
    caller, platform = caller_of(request), site_of(request).platform
    key = request.path_params["list_key"]
    await platform.onboarding.check_kept(caller, {"list": key})
    job = await platform.jobs.submit(caller, REGISTER, arguments_of(caller, key), key=key)
    return RedirectResponse(f"{PAGE}/job/{job.id}", SEE_OTHER)


async def job_page(request: Request) -> Response:
    """How far it is, then what it has done and left out."""
    site, caller = site_of(request), caller_of(request)
    check_writes(caller)
    number = request.path_params["job_id"]
    job = await site.platform.jobs.get(caller, number) if number < _LARGEST_ID else None
    if job is None or job.kind != REGISTER:
        raise ResourceNotFound("There is no such job.")
    view = view_of(site, request, job, site.pages.words(request))
    report = msgspec.convert(job.result, SheetReport) if job.state is JobState.DONE and job.result is not None else None
    return _render(
        request,
        job=view,
        report=report,
        faults=() if report is None else _faults(request, report),
        refresh_s=REFRESH_NEVER_S if job.state.has_ended else REFRESH_S,
    )


def _faults(request: Request, report: SheetReport) -> Sequence[FaultView]:
    t = site_of(request).pages.words(request)
    names = dict(zip((one.english for one in Column), _columns(t), strict=True))
    return [
        FaultView(
            one.line,
            names.get(one.column, one.column),
            t(f"line_fault.{one.fault.value}"),
            one.text,
            explain_detail(None, one.detail, t),
        )
        for one in report.faults[:FAULTS_SHOWN]
    ]


async def template(request: Request) -> Response:
    """The columns as this language names them, and one line as an example, of the profile that was chosen."""
    check_writes(caller_of(request))
    t = site_of(request).pages.words(request)
    text = localised_csv([_columns(t), _example(request)], t.language)
    headers = {"content-disposition": 'attachment; filename="devices-template.csv"', "cache-control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _example(request: Request) -> tuple[object, ...]:
    chosen = request.query_params.get("profile", "").strip()
    if chosen not in {identifier for identifier, _ in _list_profiles(request)}:
        return _EXAMPLE
    profile = site_of(request).platform.fleet.registry.profiles[chosen]
    object_id = f"urn:ngsi-ld:{site_of(request).reader.compact(profile.entity_type)}:1"
    return (_EXAMPLE[0], chosen, object_id, *_EXAMPLE[3:])


def _columns(t: Wording) -> list[str]:
    return [one.french if t.language == "fr" else one.english for one in Column]


ROUTES = [
    Route(PAGE, import_page, methods=["GET"]),
    Route(PAGE, upload, methods=["POST"]),
    Route(f"{PAGE}/template.csv", template, methods=["GET"]),
    Route(f"{PAGE}/job/{{job_id:int}}", job_page, methods=["GET"]),
    Route(f"{PAGE}/{{list_key}}", check_page, methods=["GET"]),
    Route(f"{PAGE}/{{list_key}}", start, methods=["POST"]),
]
