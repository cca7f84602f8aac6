"""Security incidents: what happened, what must be told to whom until when, and what has been done."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Right
from parvis.kernel.time import HOUR, MINUTE, Instant, from_datetime
from parvis.operations.incidents.clocks import Clock, ClockState, clocks_of
from parvis.operations.incidents.model import Incident, PersonalData, Step
from parvis.operations.incidents.register import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    IncidentRegister,
    check_enters,
    check_reads,
)
from parvis.operations.incidents.sheet import sheet_of
from parvis.web.auth import check_form
from parvis.web.console.forms import text_of
from parvis.web.faults import explain_fault
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import site_of
from parvis.web.wording import Wording

PAGE = "/console/incidents"
SEE_OTHER = 303
_MOST_FIELDS = 12
_STATES = {
    ClockState.RUNNING: State.STALE,
    ClockState.SOON: State.WARN,
    ClockState.OVERDUE: State.BAD,
    ClockState.SENT: State.GOOD,
    ClockState.SENT_LATE: State.WARN,
    ClockState.NOT_NEEDED: State.GOOD,
}
_DAY_HOURS = 48


@dataclass(frozen=True, slots=True)
class ClockView:
    """`said` is its state in words, with the time that is left."""

    clock: Clock
    state: State
    said: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    """`next` is the clock that runs out first."""

    incident: Incident
    clocks: list[ClockView]
    next: ClockView | None


async def incidents_page(request: Request) -> Response:
    return await _list(request)


async def open_incident(request: Request) -> Response:
    caller, register = caller_of(request), _register(request)
    check_enters(caller)
    form = await _form(request)
    try:
        made = await register.open(
            caller,
            text_of(form, "title"),
            _moment(request, form, "known_at"),
            text_of(form, "text"),
            text_of(form, "systems"),
            _personal_data(form),
        )
    except BadRequestData as refused:
        return await _list(request, refused, form)
    return RedirectResponse(f"{PAGE}/{made.id}", SEE_OTHER)


async def incident_page(request: Request) -> Response:
    return await _show(request)


async def change(request: Request) -> Response:
    check_enters(caller_of(request))
    form = await _form(request)
    try:
        await _do(request, form)
    except BadRequestData as refused:
        return await _show(request, refused, form)
    return RedirectResponse(f"{PAGE}/{request.path_params['incident_id']}", SEE_OTHER)


async def export(request: Request) -> Response:
    """A download is in the trail, so that no link may begin one."""
    await _form(request)
    caller, register, site = caller_of(request), _register(request), site_of(request)
    found = await register.get(caller, request.path_params["incident_id"])
    register.note_export(caller, found.id)
    document = msgspec.json.format(msgspec.json.encode(sheet_of(found, site.now, _zone(request))), indent=2)
    headers = {"content-disposition": f'attachment; filename="incident-{found.id}.json"', "cache-control": "no-store"}
    return Response(document, media_type="application/json", headers=headers)


async def _do(request: Request, form: FormData) -> None:
    caller, register, incident_id = caller_of(request), _register(request), request.path_params["incident_id"]
    text = text_of(form, "text")
    match text_of(form, "do"):
        case "note":
            await register.note(caller, incident_id, text)
        case "sent":
            await register.tell(caller, incident_id, _step(form), _moment(request, form, "sent_at"), text)
        case "not-needed":
            await register.drop(caller, incident_id, _step(form), text)
        case "close":
            await register.close(caller, incident_id, text)
        case "reopen":
            await register.reopen(caller, incident_id, text)
        case _:
            raise BadRequestData("An incident is noted, told, closed or opened again.")


async def _list(request: Request, refused: BadRequestData | None = None, form: FormData | None = None) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    found = await _register(request).list_all(caller)
    return site.pages.render(
        request,
        "console/pages/incidents.html",
        status=refused.status if refused else 200,
        views=[_view(request, one, t) for one in found],
        may_enter=caller.may(Right.ADMINISTER),
        refusal=_refusal(refused, t),
        filled=_filled(form),
        known_at=_local(request, site.now),
        choices=[one.value for one in PersonalData],
        longest=(LONGEST_TITLE, LONGEST_TEXT),
    )


async def _show(request: Request, refused: BadRequestData | None = None, form: FormData | None = None) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    found = await _register(request).get(caller, request.path_params["incident_id"])
    return site.pages.render(
        request,
        "console/pages/incident.html",
        status=refused.status if refused else 200,
        view=_view(request, found, t),
        may_enter=caller.may(Right.ADMINISTER),
        refusal=_refusal(refused, t),
        filled=_filled(form),
        sent_at=_local(request, site.now),
        longest=LONGEST_TEXT,
    )


def _refusal(refused: BadRequestData | None, t: Wording) -> str:
    if refused is None:
        return ""
    why = explain_fault(refused.detail, t)
    return why.sentence or why.detail


def _filled(form: FormData | None) -> dict[str, str]:
    return {} if form is None else {name: value for name, value in form.items() if isinstance(value, str)}


def _view(request: Request, incident: Incident, t: Wording) -> IncidentView:
    now = site_of(request).now
    views = [_clock_view(one, now, t) for one in clocks_of(incident, now, _zone(request))]
    waiting = [one for one in views if one.clock.is_open]
    return IncidentView(incident, views, min(waiting, key=lambda one: one.clock.due_at) if waiting else None)


def _clock_view(clock: Clock, now: Instant, t: Wording) -> ClockView:
    word = f"incident_clock.{clock.state.name.lower()}"
    left = _span(abs(clock.due_at - now), t)
    return ClockView(clock, _STATES[clock.state], t(word, left=left) if clock.is_open else t(word))


def _span(span: Instant, t: Wording) -> str:
    """Rounded down: nobody has more time than is left."""
    if span < HOUR:
        return t("incidents.minutes", n=span // MINUTE)
    hours = span // HOUR
    return t("incidents.hours", n=hours) if hours <= _DAY_HOURS else t("incidents.days", n=hours // 24)


def _register(request: Request) -> IncidentRegister:
    platform = site_of(request).platform
    check_reads(caller_of(request))
    return IncidentRegister(platform.shelf, platform.access.store.append_audit, site_of(request).clock)


async def _form(request: Request) -> FormData:
    """Raises Forbidden before anything of the body is read, or after."""
    check_reads(caller_of(request))
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    check_form(request, form)
    return form


def _step(form: FormData) -> Step:
    try:
        return Step(text_of(form, "step"))
    except ValueError:
        raise BadRequestData("Say what was sent.") from None


def _personal_data(form: FormData) -> PersonalData:
    try:
        return PersonalData(text_of(form, "personal_data"))
    except ValueError:
        return PersonalData.UNKNOWN


def _moment(request: Request, form: FormData, name: str) -> Instant:
    """As it is written in a browser, in the territory's own time."""
    try:
        written = datetime.fromisoformat(text_of(form, name))
        return from_datetime(written.replace(tzinfo=_zone(request)))
    except (ValueError, OverflowError):
        raise BadRequestData("Say when it was: a day and a time.") from None


def _zone(request: Request) -> ZoneInfo:
    return ZoneInfo(site_of(request).pages.at_hand.territory.time_zone)


def _local(request: Request, instant: Instant) -> str:
    return f"{site_of(request).pages.words(request).local(instant):%Y-%m-%dT%H:%M}"


ROUTES = [
    Route(PAGE, incidents_page, methods=["GET"]),
    Route(PAGE, open_incident, methods=["POST"]),
    Route(f"{PAGE}/{{incident_id}}", incident_page, methods=["GET"]),
    Route(f"{PAGE}/{{incident_id}}", change, methods=["POST"]),
    Route(f"{PAGE}/{{incident_id}}/export", export, methods=["POST"]),
]
