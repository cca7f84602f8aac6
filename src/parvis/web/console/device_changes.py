"""Changing several devices at once: tags, groups, in or out of use."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.devices.records import DeviceUpdate
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.fleet import Fleet
from parvis.kernel.errors import BadRequestData, ParvisError
from parvis.kernel.identity import Caller
from parvis.web.auth import check_form
from parvis.web.console.devices import MOST_AT_ONCE, Choice, list_devices
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

SEE_OTHER = 303
WORD_CHANGES = ("add_tag", "remove_tag", "add_group", "remove_group")
CHANGES = (*WORD_CHANGES, "suspend", "resume")
_WRITTEN_AT_ONCE = 50


async def change_many(request: Request) -> Response:
    """A tag, a group or the standing of those ticked, or of all that the filter finds."""
    site, caller = site_of(request), caller_of(request)
    form = await request.form(max_fields=MOST_AT_ONCE + 50)
    check_form(request, form)
    check_writes(caller)
    what, word = str(form.get("do", "")), str(form.get("word", "")).strip()
    if what not in CHANGES:
        raise BadRequestData("The form does not say what is to be changed.")
    choice = Choice.of({name: str(value) for name, value in form.items()})
    devices = await _chosen(site, caller, form, choice)
    if fault := _find_fault(what, word, len(devices)):
        return _to({**choice.to_query(), "fault": fault})
    updates = [(device, update) for device in devices if (update := change_of(device, what, word)) is not None]
    faults = await _apply(site.platform.fleet, caller, updates)
    return _to({**choice.to_query(), "changed": len(updates) - faults, "of": len(devices), "faults": faults})


async def _chosen(site: Site, caller: Caller, form: FormData, choice: Choice) -> list[Device]:
    ticked = {str(one) for one in form.getlist("device")}
    if "all" in form:
        shown = [one for one in await list_devices(site, caller) if choice.admits(one)]
        return [one.known for one in shown if one.known is not None]
    return [one for one in await site.platform.fleet.list_devices(caller) if one.hardware_id in ticked]


def _find_fault(what: str, word: str, devices: int) -> str:
    """One of `devices.FAULTS`; empty where nothing is wrong."""
    if not devices:
        return "nothing"
    if devices > MOST_AT_ONCE:
        return "many"
    return "word" if what in WORD_CHANGES and not word else ""


def _to(query: Mapping[str, object]) -> Response:
    return RedirectResponse(f"/console/devices?{urlencode(query)}", SEE_OTHER)


def change_of(device: Device, what: str, word: str) -> DeviceUpdate | None:
    """None where it is so already, or cannot be: a device that was replaced stays so."""
    if what in ("suspend", "resume"):
        wanted = Standing.SUSPENDED if what == "suspend" else Standing.ACTIVE
        is_other = device.standing is not Standing.REPLACED and device.standing is not wanted
        return DeviceUpdate(suspended=what == "suspend") if is_other else None
    had = device.tags if what.endswith("tag") else device.groups
    has = tuple(one for one in had if one != word) if what.startswith("remove") else (*had, word)
    if (word in had) != what.startswith("remove"):
        return None
    return DeviceUpdate(tags=has) if what.endswith("tag") else DeviceUpdate(groups=has)


async def _apply(fleet: Fleet, caller: Caller, updates: Sequence[tuple[Device, DeviceUpdate]]) -> int:
    """How many could not be changed. Raises what would stop all of them."""
    faults = 0
    for start in range(0, len(updates), _WRITTEN_AT_ONCE):
        part = updates[start : start + _WRITTEN_AT_ONCE]
        changing = (fleet.update(caller, device.hardware_id, update) for device, update in part)
        for outcome in await asyncio.gather(*changing, return_exceptions=True):
            if isinstance(outcome, ParvisError) and outcome.status < 500:
                faults += 1
            elif isinstance(outcome, BaseException):
                raise outcome
    return faults


ROUTES = [Route("/console/devices/change", change_many, methods=["POST"])]
