"""Taking back that a device was removed: what it was registered with travels in the address, and back in a form."""

import base64
import binascii

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.devices.records import DeviceRecord, DeviceUpdate
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.fleet import Fleet
from parvis.kernel.errors import AlreadyExists, BadRequestData
from parvis.kernel.identity import Caller
from parvis.web.auth import check_form
from parvis.web.console.devices import device_href
from parvis.web.pages import caller_of
from parvis.web.site import site_of

SEE_OTHER = 303
LONGEST = 4_000
"""Of an address that every proxy lets through; a device with more to say, such as a long line, is not taken back."""


class Removed(msgspec.Struct, frozen=True):
    record: DeviceRecord
    is_suspended: bool = False


def removed_text(fleet: Fleet, device: Device, entity: Entity) -> str:
    """Empty where it is too long, or where the device was replaced and another speaks for its object."""
    if device.standing is Standing.REPLACED:
        return ""
    record = fleet.registry.changes.record_of(device, entity)
    told = msgspec.json.encode(Removed(record, device.standing is Standing.SUSPENDED))
    text = base64.urlsafe_b64encode(told).decode()
    return text if len(text) <= LONGEST else ""


def removed_from(text: str) -> Removed:
    """Raises BadRequestData."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Removed)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as fault:
        raise BadRequestData("The address does not say which device was removed.") from fault


async def restore(request: Request) -> Response:
    """Its keys have ended and the log of its frames is gone; what it sent since waits, and is stored now."""
    site, caller = site_of(request), caller_of(request)
    form = await request.form(max_fields=5)
    check_form(request, form)
    check_writes(caller)
    removed = removed_from(str(form.get("removed", "")))
    await put_back(site.platform.fleet, caller, removed)
    return RedirectResponse(f"{device_href(removed.record.hardware_id)}?done=restored", SEE_OTHER)


async def put_back(fleet: Fleet, caller: Caller, removed: Removed) -> None:
    """Its object may have another name and place by now, which it keeps. Raises AlreadyExists."""
    record = removed.record
    await fleet.registry.load(caller.tenant)
    if fleet.registry.find(caller.tenant, record.hardware_id) is not None:
        raise AlreadyExists("The device is registered already.")
    (outcome,) = await fleet.register(caller, [structs.replace(record, name="", location=None, attributes={})])
    if outcome.error is not None:
        raise outcome.error
    await fleet.update(
        caller,
        record.hardware_id,
        DeviceUpdate(name=record.name, location=record.location, suspended=removed.is_suspended),
    )
    fleet.note(caller, "device-restored", record.hardware_id, object=record.entity_id)


ROUTES = [Route("/console/devices/restore", restore, methods=["POST"])]
