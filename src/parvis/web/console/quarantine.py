"""Devices that nobody has registered: their frames wait here, until somebody adopts or forgets them."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.frame import Waiting
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.errors import BadRequestData, Forbidden, ParvisError
from parvis.kernel.identity import Caller, Right
from parvis.web.auth import check_form
from parvis.web.console.adopted import FIELD, MOST_TOLD, list_adopted
from parvis.web.console.payloads import PayloadView, payload_view
from parvis.web.console.refusals import REFUSED
from parvis.web.faults import explain_fault
from parvis.web.objects import load_objects
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import natural, short_id
from parvis.web.wording import Wording

ROWS_A_PAGE = 50
MOST_AT_ONCE = 100
OBJECTS_PROPOSED = 500
BYTES_SHOWN = 24
SEE_OTHER = 303
_LOOKS, _BETWEEN_LOOKS_S = 20, 0.1
_COUNT = re.compile("[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,3}([.,][0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class WaitingView:
    waiting: Waiting
    name: str
    way: str
    port: int
    payload: PayloadView | None

    @classmethod
    def of(cls, waiting: Waiting) -> "WaitingView":
        newest = waiting.newest
        if newest is None:
            return cls(waiting, "", "", 0, None)
        shown = payload_view(newest.payload, BYTES_SHOWN)
        return cls(waiting, newest.device_name, newest.way, newest.f_port, shown)

    @property
    def bench_query(self) -> str:
        newest = self.waiting.newest
        return "" if newest is None else urlencode({"f_port": newest.f_port, "payload": newest.payload.hex()})

    def names(self, wanted: str) -> bool:
        return any(wanted in text.casefold() for text in (self.waiting.hardware_id, self.name, self.way))


@dataclass(frozen=True, slots=True)
class Entry:
    """What the form says of one device. Refused with a `fault` in the page's language, or a `detail` in English."""

    view: WaitingView
    name: str
    entity_id: str = ""
    latitude: str = ""
    longitude: str = ""
    fault: str = ""
    detail: str = ""

    @property
    def is_refused(self) -> bool:
        return bool(self.fault or self.detail)

    @property
    def hardware_id(self) -> str:
        return self.view.waiting.hardware_id


async def quarantine_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    everything = await list_waiting(site, caller)
    search = request.query_params.get("search", "").strip()
    found = [one for one in everything if one.names(search.casefold())]
    pages = max(1, -(-len(found) // ROWS_A_PAGE))
    page = min(pages, max(1, _count(request, "page") or 1))
    return site.pages.render(
        request,
        "console/pages/quarantine.html",
        waiting=found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE],
        total=len(everything),
        search=search,
        page=page,
        pages=pages,
        adopted=_count(request, "adopted"),
        onward=await list_adopted(site, caller, request.query_params.getlist(FIELD)),
        stored=_count(request, "stored"),
        left=_count(request, "left"),
        repeated=_count(request, "repeated"),
        refused=_count(request, "refused"),
        reason=_reason(request),
        forgotten=_count(request, "forgotten"),
        chosen=_count(request, "chosen"),
    )


async def choose(request: Request) -> Response:
    """Adopt or forget: one device, or those ticked."""
    site, caller = site_of(request), caller_of(request)
    form = await request.form(max_fields=2 * ROWS_A_PAGE + 10)
    check_form(request, form)
    check_writes(caller)
    what, _, one = str(form.get("do", "")).partition(" ")
    chosen = [one] if one else [str(device) for device in form.getlist("device")]
    if what not in ("adopt", "forget"):
        raise BadRequestData("A device is adopted or forgotten.")
    if not chosen:
        return RedirectResponse("/console/quarantine?chosen=0", SEE_OTHER)
    if what == "adopt":
        query = urlencode([("device", device) for device in chosen])
        return RedirectResponse(f"/console/quarantine/adopt?{query}", SEE_OTHER)
    forgotten = 0
    for device in chosen:
        forgotten += await site.platform.fleet.discard_waiting(caller, device)
    return RedirectResponse(f"/console/quarantine?forgotten={forgotten}", SEE_OTHER)


async def adopt_page(request: Request) -> Response:
    caller = caller_of(request)
    check_writes(caller)
    found = await _find(site_of(request), caller, request.query_params.getlist("device"))
    profile = _proposed(site_of(request).platform.fleet, caller, found)
    entries = [Entry(view, view.name) for view in found]
    return await _form(request, entries, profile, "", 200)


async def adopt(request: Request) -> Response:
    """Register those of the form. What cannot be registered comes back with the reason."""
    site, caller = site_of(request), caller_of(request)
    form = await request.form(max_fields=6 * MOST_AT_ONCE + 10)
    check_form(request, form)
    check_writes(caller)
    found = await _find(site, caller, [str(one) for one in form.getlist("device")])
    profile = _profiles(site.platform.fleet, caller).get(str(form.get("profile", "")))
    groups = str(form.get("groups", ""))
    t = site.pages.words(request)
    if profile is None:
        told = [_entry(form, view) for view in found]
        return await _form(request, told, "", groups, BadRequestData.status, t("adopt.bad_profile"))
    fleet, wanted = site.platform.fleet, {view.waiting.hardware_id for view in found}
    with fleet.held.counting_repeats(caller.tenant, wanted) as repeats:
        entries = [await _adopt(site, caller, _entry(form, view), profile, groups, t) for view in found]
        left = [entry for entry in entries if entry.is_refused]
        if left:
            done = len(entries) - len(left)
            return await _form(request, left, profile.id, groups, BadRequestData.status, adopted=done)
        waiting = await _settled(fleet, caller, wanted)
        repeated = sum(repeats.get((caller.tenant, one), 0) for one in wanted)
    refused = await _refused(fleet, caller, wanted)
    before = sum(entry.view.waiting.frames for entry in entries)
    query = {
        "adopted": len(entries),
        "stored": max(0, before - waiting - repeated - refused.total()),
        "left": waiting,
        "repeated": repeated,
        "refused": refused.total(),
        "reason": refused.most_common(1)[0][0].value if refused else "",
    }
    shown = [(name, value) for name, value in query.items() if value or name in ("stored", "left")]
    shown += [(FIELD, entry.hardware_id) for entry in entries[:MOST_TOLD]]
    return RedirectResponse(f"/console/quarantine?{urlencode(shown)}", SEE_OTHER)


async def _refused(fleet: Fleet, caller: Caller, hardware_ids: set[str]) -> Counter[RefusalReason]:
    """Of devices that were unknown until now: all that is refused of them and does not wait."""
    counted: Counter[RefusalReason] = Counter()
    for one in hardware_ids:
        counted.update(refusal.reason for refusal in await fleet.list_refusals(caller, one, REFUSED))
    return counted


async def _settled(fleet: Fleet, caller: Caller, hardware_ids: set[str]) -> int:
    """How many frames wait still; whoever follows the registry may be adopting them at this moment."""
    for _ in range(_LOOKS):
        waiting = sum(one.frames for one in await fleet.list_waiting(caller) if one.hardware_id in hardware_ids)
        if not waiting:
            return 0
        await asyncio.sleep(_BETWEEN_LOOKS_S)
    return waiting


async def _adopt(site: Site, caller: Caller, entry: Entry, profile: DeviceProfile, groups: str, t: Wording) -> Entry:
    if bool(entry.latitude or entry.longitude) and not _has_place(entry):
        return replace(entry, fault=t("adopt.bad_place"))
    fleet = site.platform.fleet
    record = _record(fleet, entry, profile, groups)
    try:
        (outcome,) = await fleet.register(caller, [record])
    except ParvisError as fault:
        if not fault.can_be_put_right:
            raise
        return _refused_entry(entry, fault, t)
    if outcome.error is not None:
        return _refused_entry(entry, outcome.error, t)
    fleet.note(caller, "device-adopted", record.hardware_id, object=record.entity_id, profile=record.profile)
    return entry


def _refused_entry(entry: Entry, fault: ParvisError, t: Wording) -> Entry:
    why = explain_fault(fault.detail, t)
    return replace(entry, fault=why.sentence, detail=why.detail)


def _record(fleet: Fleet, entry: Entry, profile: DeviceProfile, groups: str) -> DeviceRecord:
    kind = fleet.registry.compact(profile.entity_type)
    return DeviceRecord(
        entry.hardware_id,
        profile.id,
        entry.entity_id or f"urn:ngsi-ld:{kind}:{entry.hardware_id}",
        name=entry.name,
        location=_point(entry) if _has_place(entry) else None,
        groups=tuple(word.strip() for word in groups.split(",") if word.strip()),
    )


def _has_place(entry: Entry) -> bool:
    return all(_NUMBER.fullmatch(text) is not None for text in (entry.latitude, entry.longitude))


def _point(entry: Entry) -> dict[str, Any]:
    latitude, longitude = (float(text.replace(",", ".")) for text in (entry.latitude, entry.longitude))
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _entry(form: FormData, view: WaitingView) -> Entry:
    told = [
        str(form.get(f"{field}-{view.waiting.hardware_id}", "")).strip()
        for field in ("name", "entity_id", "latitude", "longitude")
    ]
    return Entry(view, *told)


async def _list_objects(site: Site, caller: Caller) -> list[tuple[str, str]]:
    """Identifier and name of the objects that a device may be mounted on, as many as one may choose from."""
    found = await load_objects(site, caller, {}, most=OBJECTS_PROPOSED)
    named = ((one.id, " · ".join(filter(None, (one.name, one.commune, one.apart)))) for one in found.views)
    return sorted(named, key=lambda one: natural(one[1]))


async def _form(
    request: Request,
    entries: Sequence[Entry],
    profile: str,
    groups: str,
    status: int,
    fault: str = "",
    adopted: int = 0,
) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    profiles = _profiles(site.platform.fleet, caller).values()
    known = sorted(profiles, key=lambda one: one.header.name_in(t.language).casefold())
    return site.pages.render(
        request,
        "console/pages/adopt.html",
        status=status,
        entries=entries,
        profiles=known,
        objects=await _list_objects(site, caller),
        profile=profile,
        groups=groups,
        fault=fault,
        adopted=adopted,
        most=MOST_AT_ONCE,
    )


def _profiles(fleet: Fleet, caller: Caller) -> Mapping[str, DeviceProfile]:
    return fleet.registry.profiles_of(caller.tenant)


def _proposed(fleet: Fleet, caller: Caller, found: Sequence[WaitingView]) -> str:
    """The profile that the network server names as well, where all are of the same."""
    named = {short_id(one.waiting.newest.network_profile).casefold() for one in found if one.waiting.newest is not None}
    if len(named) != 1:
        return ""
    (wanted,) = named
    profiles = _profiles(fleet, caller).values()
    return next((one.id for one in profiles if wanted in (one.id.casefold(), one.header.name.casefold())), "")


async def list_waiting(site: Site, caller: Caller) -> list[WaitingView]:
    """The one heard last comes first. Raises Forbidden."""
    if Right.READ not in caller.everywhere:
        raise Forbidden("Unknown devices can be seen by people who are signed in.")
    return [WaitingView.of(one) for one in await site.platform.fleet.list_waiting(caller)]


async def _find(site: Site, caller: Caller, hardware_ids: Sequence[str]) -> list[WaitingView]:
    wanted = set(hardware_ids)
    return [one for one in await list_waiting(site, caller) if one.waiting.hardware_id in wanted][:MOST_AT_ONCE]


def _reason(request: Request) -> str:
    told = request.query_params.get("reason", "")
    return next((one.value for one in REFUSED if one.value == told), "")


def _count(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if _COUNT.fullmatch(text) else None


ROUTES = [
    Route("/console/quarantine", quarantine_page, methods=["GET"]),
    Route("/console/quarantine", choose, methods=["POST"]),
    Route("/console/quarantine/adopt", adopt_page, methods=["GET"]),
    Route("/console/quarantine/adopt", adopt, methods=["POST"]),
]
