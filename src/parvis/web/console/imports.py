"""Imports: a file comes in, what its columns mean is settled, it is checked, imported, and perhaps taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from parvis.bootstrap import Platform
from parvis.connectors.files.config import ENDINGS, InvalidMapping, Mapping
from parvis.connectors.files.contents import LOOKED_AT_BYTES, check_contents
from parvis.connectors.files.folders import Import, Origin, Phase, Position, Reading
from parvis.connectors.files.imports import CHECK, IMPORT, UNDO, Imports, check_imports
from parvis.connectors.files.look import Kind
from parvis.connectors.files.plugin import FilesConnector
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.undoing import Undone
from parvis.kernel.identity import Caller
from parvis.web.auth import check_form, check_form_token
from parvis.web.console.import_form import (
    DELIMITERS,
    FORMATS,
    PROJECTIONS,
    Drawing,
    drawing_of,
    is_other_kind,
    mapping_from,
    wanted_from,
)
from parvis.web.console.import_told import list_left_out, tell_doubts
from parvis.web.console.jobs import JobView, view_of
from parvis.web.faults import explain_fault
from parvis.web.pages import caller_of
from parvis.web.site import site_of

UPLOAD = "/console/imports/upload"
SEE_OTHER = 303
REFRESH_BUSY_S = 1
REFRESH_IDLE_S = 30
REFRESH_NEVER_S = 86_400
"""What is filled in must not be put back."""
_FORM_HEADER = "x-form-token"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ImportView:
    one: Import
    job: JobView | None

    @property
    def is_busy(self) -> bool:
        return self.job is not None and not self.job.job.state.has_ended

    @property
    def state(self) -> str:
        if self.job is not None and self.job.job.state.word in ("failed", "cancelled"):
            return self.job.job.state.word
        return "busy" if self.is_busy else self.one.phase.value


def files_of(platform: Platform) -> FilesConnector:
    found = platform.connectors["files"]
    assert isinstance(found, FilesConnector)
    return found


def _imports(request: Request) -> Imports:
    return files_of(site_of(request).platform).imports


def _writer(request: Request) -> Caller:
    """Files may hold anything: who may write everything sees them. Raises Forbidden."""
    caller = caller_of(request)
    check_imports(caller)
    return caller


async def imports_page(request: Request) -> Response:
    caller, imports = _writer(request), _imports(request)
    found = await asyncio.to_thread(imports.folders.list_imports, caller.tenant, 50)
    views = [await _view(request, one) for one in found]
    return site_of(request).pages.render(
        request,
        "console/pages/imports.html",
        views=views,
        mappings=imports.folders.list_mappings(caller.tenant),
        most_mb=files_of(site_of(request).platform).config.largest_file_mb,
        refresh_s=REFRESH_BUSY_S if any(view.is_busy for view in views) else REFRESH_IDLE_S,
    )


async def upload(request: Request) -> Response:
    """The file as the body, for scripts: to disk as it comes. What is broken off is forgotten."""
    check_form_token(request, request.headers.get(_FORM_HEADER, ""))
    caller, imports = _writer(request), _imports(request)
    name = request.query_params.get("name", "")
    if not name.lower().endswith(ENDINGS):
        told = site_of(request).pages.words(request)("imports.unknown_kind", endings=", ".join(ENDINGS))
        return JSONResponse({"refused": told}, InvalidMapping.status)
    try:
        one = imports.receive(caller, name, Origin.UPLOAD)
    except InvalidMapping as refusal:
        why = explain_fault(refusal.detail, site_of(request).pages.words(request))
        return JSONResponse({"refused": f"{why.sentence} {why.detail}".strip()}, refusal.status)
    try:
        await _store(request.stream(), one, imports)
    except InvalidMapping as refusal:
        why = explain_fault(refusal.detail, site_of(request).pages.words(request))
        return JSONResponse({"refused": why.sentence}, refusal.status)
    imports.keep(one)
    return JSONResponse({"location": f"/console/imports/{one.id}"})


async def _store(stream: AsyncIterator[bytes], one: Import, imports: Imports) -> None:
    """To disk as it comes, once its beginning fits its name; else, or where it breaks off, it is forgotten."""
    waiting, is_known = bytearray(), False
    try:
        with imports.folders.source(one).open("wb") as file:
            async for part in stream:
                waiting += part
                if not is_known and len(waiting) >= LOOKED_AT_BYTES:
                    check_contents(one.name, bytes(waiting[:LOOKED_AT_BYTES]))
                    is_known = True
                if len(waiting) >= _CHUNK:
                    await asyncio.to_thread(file.write, bytes(waiting))
                    waiting.clear()
            if not is_known:
                check_contents(one.name, bytes(waiting))
            file.write(waiting)
    except BaseException:
        imports.folders.remove(one)
        raise


async def upload_form(request: Request) -> Response:
    """Without scripts: within what any request may have."""
    caller, imports = _writer(request), _imports(request)
    async with request.form(max_files=1, max_fields=5) as form:
        check_form(request, form)
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidMapping("Choose a file first.")
        one = imports.receive(caller, file.filename, Origin.UPLOAD)
        await _store(_parts(file), one, imports)
    return _to(imports.keep(one))


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(_CHUNK):
        yield part


async def import_page(request: Request) -> Response:
    return await _page(request, _one(request))


async def _page(request: Request, one: Import, refusal: str = "", status: int = 200) -> Response:
    caller, imports, site = _writer(request), _imports(request), site_of(request)
    view, t = await _view(request, one), site.pages.words(request)
    folder = imports.folders.folder(one)
    used = request.query_params.get("use", "")
    drawing: Drawing | None = None
    if not view.is_busy and one.phase in (Phase.RECEIVED, Phase.CHECKED) and not refusal:
        try:
            chosen = imports.folders.find_mapping(caller.tenant, used) if used else one.mapping
            guess = await imports.look(one, site.platform.at_hand.territory.time_zone, chosen)
            drawing = drawing_of(guess, one.name)
        except InvalidMapping as fault:
            refusal = fault.detail
    reading = folder.find("reading", Reading)
    position = folder.find("position", Position) or folder.find("check", Position)
    return site.pages.render(
        request,
        "console/pages/import.html",
        status=status,
        view=view,
        drawing=drawing,
        taken_back=_taken_back(view),
        refusal=explain_fault(refusal, t) if refusal else None,
        used=used,
        is_anew="anew" in request.query_params and not view.is_busy,
        mappings=[(name, name) for name in imports.folders.list_mappings(caller.tenant)],
        terms=sorted(list_terms()),
        delimiters=DELIMITERS,
        formats=FORMATS,
        projections=PROJECTIONS,
        kinds=[kind.value for kind in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.TIME, Kind.URI)],
        counts=None if reading is None else reading.counts,
        verdicts=[(name, number) for name, number in (position.verdicts if position else {}).items() if number],
        doubts=[] if reading is None else tell_doubts(reading.counts.doubts, t),
        lines=await asyncio.to_thread(list_left_out, folder, t) if not view.is_busy else [],
        refresh_s=REFRESH_BUSY_S if view.is_busy else REFRESH_NEVER_S,
    )


def _taken_back(view: ImportView) -> Undone | None:
    """What has gone, while the job that did it is remembered."""
    job = None if view.job is None else view.job.job
    if job is None or job.kind != UNDO or job.result is None:
        return None
    return msgspec.convert(job.result, Undone)


async def change(request: Request) -> Response:
    """What the columns mean, and what is to be done: `do` is preview, check, import, undo, cancel or delete."""
    form = await request.form(max_fields=4_000)
    check_form(request, form)
    caller, one = _writer(request), _one(request)
    try:
        return await _do(request, caller, one, form)
    except InvalidMapping as refusal:
        return await _page(request, one, refusal.detail, refusal.status)


async def _do(request: Request, caller: Caller, one: Import, form: FormData) -> Response:
    imports, site = _imports(request), site_of(request)
    wanted = str(form.get("do", ""))
    if wanted == "cancel":
        if one.job_id is not None:
            await site.platform.jobs.cancel(caller, one.job_id)
        return _to(one)
    if wanted == "delete":
        await imports.remove(caller, one)
        return RedirectResponse("/console/imports", SEE_OTHER)
    if wanted == "undo":
        return _to(await imports.start(caller, one, UNDO))
    if "columns" in form and (is_other_kind(form) or (wanted == "preview" and wanted_from(form) is not None)):
        return await _propose_anew(request, one, form)
    if "columns" in form:
        one = imports.choose(one, mapping_from(form), str(form.get("save", "")).strip())
        if one.mapping_name and one.mapping is not None:
            imports.folders.save_mapping(caller.tenant, one.mapping_name, one.mapping)
    elif (saved := imports.folders.find_mapping(caller.tenant, str(form.get("used", "")))) is not None:
        one = imports.choose(one, saved, str(form.get("used", "")))
    if wanted in ("check", "import"):
        one = await imports.start(caller, one, CHECK if wanted == "check" else IMPORT)
    return _to(one)


async def _propose_anew(request: Request, one: Import, form: FormData) -> Response:
    """To be looked at before anything is done by it."""
    imports, zone = _imports(request), site_of(request).platform.at_hand.territory.time_zone
    guess = await imports.look(one, zone, mapping_from(form, as_before=True), wanted_from(form))
    return _to(imports.choose(one, guess.mapping), "?anew=1#meaning")


async def report(request: Request) -> Response:
    _writer(request)
    imports, one = _imports(request), _one(request)
    headers = {"content-disposition": f'attachment; filename="{one.id}.csv"'}
    return StreamingResponse(imports.report_lines(one), media_type="text/csv; charset=utf-8", headers=headers)


async def mapping(request: Request) -> Response:
    """As JSON, to keep or to use elsewhere."""
    _writer(request)
    held: Mapping | None = _one(request).mapping
    body = msgspec.json.format(msgspec.json.encode(held), indent=2)
    return Response(body, media_type="application/json")


def _one(request: Request) -> Import:
    return _imports(request).folders.get(_writer(request).tenant, request.path_params["import_id"])


async def _view(request: Request, one: Import) -> ImportView:
    site = site_of(request)
    job = await _imports(request).find_job(one)
    words = site.pages.words(request)
    return ImportView(one, None if job is None else view_of(site, request, job, words))


def _to(one: Import, further: str = "") -> Response:
    return RedirectResponse(f"/console/imports/{one.id}{further}", SEE_OTHER)


_PATH: Any = "/console/imports/{import_id}"
ROUTES = [
    Route("/console/imports", imports_page, methods=["GET"]),
    Route("/console/imports", upload_form, methods=["POST"]),
    Route(UPLOAD, upload, methods=["POST"]),
    Route(_PATH, import_page, methods=["GET"]),
    Route(_PATH, change, methods=["POST"]),
    Route(f"{_PATH}/report.csv", report, methods=["GET"]),
    Route(f"{_PATH}/mapping.json", mapping, methods=["GET"]),
]
