"""One device: what is wrong with it, how it is heard, its last frames, its commands, and what may be changed."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.fleet.commands.command import Command, CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.records import DeviceUpdate, Replacement, text_of
from parvis.fleet.devices.rights import check_reads, check_writes, reader_of_devices
from parvis.fleet.fleet import Fleet
from parvis.fleet.health.quality import read_qualities
from parvis.fleet.health.watch import interval_of
from parvis.fleet.model.frame import LoggedFrame
from parvis.fleet.model.uplink import NO_COUNTER, Technology
from parvis.fleet.model.vitals import Statistics
from parvis.fleet.profiles.mapping import MappingFailure
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.errors import BadRequestData, Forbidden, ParvisError
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import HOUR, Instant
from parvis.web.auth import FORM_FIELD, check_form
from parvis.web.causes import Explained
from parvis.web.console.details import explain_detail
from parvis.web.console.device_form import (
    InvalidForm,
    bytes_from,
    data_from,
    explain_refusal,
    hardware_id_from,
    number_from,
    place_from,
    text_from,
    words_from,
)
from parvis.web.console.device_restore import removed_text
from parvis.web.console.devices import device_href, device_view
from parvis.web.console.entity_values import instant_of, value_text
from parvis.web.console.findings import spell_span, view_of_finding
from parvis.web.console.payloads import PayloadView, payload_view
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import position_of, short_id
from parvis.web.wording import Wording

SEE_OTHER = 303
BYTES_SHOWN = 64
COMMANDS_SHOWN = 10
FRAMES_SHOWN = 8
PROFILES_PROPOSED = 200
"""The identifier of any other may be written."""
REFRESH_WAITING_S = 3
REFRESH_S = 10
NOTHING_GIVEN: Mapping[str, str] = {}
LAST_DAY = "batteryLastDay"
_RADIOS = frozenset({Technology.LORAWAN.value, Technology.SIGFOX.value})
_SHAPES = {
    CommandState.QUEUED: State.STALE,
    CommandState.SENT: State.STALE,
    CommandState.ACKNOWLEDGED: State.GOOD,
    CommandState.FAILED: State.BAD,
    CommandState.EXPIRED: State.WARN,
}


@dataclass(frozen=True, slots=True)
class FrameView:
    """`decoded` are names and values as the codec gives them; `reason` is empty for what was stored."""

    frame: LoggedFrame
    payload: PayloadView
    decoded: tuple[tuple[str, str], ...]
    radio: str
    reason: str
    why: Explained

    @property
    def at(self) -> Instant:
        return self.frame.uplink.received_at


class MeasuredView(NamedTuple):
    name: str
    number: str
    unit: str


@dataclass(frozen=True, slots=True)
class CommandView:
    command: Command
    shape: State
    content: str
    why: Explained


async def device_page(request: Request) -> Response:
    return await _page(request, await _device(request))


async def _page(
    request: Request, device: Device, refusal: tuple[str, str] | None = None, given: Mapping[str, str] = NOTHING_GIVEN
) -> Response:
    """With why a change was refused and what had been filled in, where one was."""
    site, caller = site_of(request), caller_of(request)
    t, fleet = site.pages.words(request), site.platform.fleet
    entity = await site.platform.broker.get(reader_of_devices(caller), device.entity_id)
    view = device_view(site, entity, device)
    statistics = await fleet.health.get_statistics(device)
    commands = await site.platform.commands.list_commands(caller, device.hardware_id, COMMANDS_SHOWN)
    asset = await site.platform.broker.find(caller, device.asset_id)
    expand = site.reader.expand
    quality = entity.find(expand("dataQuality"))
    is_new = "new" in request.query_params
    frames = [frame_view(one, t) for one in await fleet.list_frames(caller, device.hardware_id)]
    waits = (is_new and not frames) or any(one.is_open for one in commands)
    return site.pages.render(
        request,
        "console/pages/device.html",
        status=400 if refusal else 200,
        view=view,
        device=device,
        href=device_href(device.hardware_id),
        asset_name=short_id(device.asset_id) if asset is None else site.reader.view(asset, site.now).name,
        findings=[view_of_finding(one, t, site.now) for one in view.findings],
        is_judged=view.state in (State.GOOD, State.STALE),
        last_day=_last_day(site, entity),
        statistics=statistics,
        has_gateways=has_gateways(statistics, frames),
        is_numbered=bool(statistics.lost) or any(one.frame.uplink.f_cnt != NO_COUNTER for one in frames),
        interval=_interval(device, statistics, t),
        can_reach=site.platform.commands.can_reach(device),
        clock=_clock(statistics, t),
        qualities=sorted(read_qualities(None if quality is None else quality.value).items()),
        frames=frames,
        first=_measured(site, device, frames[0].frame, t) if is_new and frames else (),
        shown_frames=frames if request.query_params.get("frames") == "all" else frames[:FRAMES_SHOWN],
        commands=[_command_view(one, t) for one in commands],
        may_command=caller.may(Right.COMMAND) and await site.platform.commands.reaches(caller, device),
        is_new=is_new,
        refresh_s=REFRESH_WAITING_S if waits else REFRESH_S,
        replaces=short_id(str(one.value)) if (one := entity.find(expand("replaces"))) is not None else "",
        replaced_by=short_id(str(one.value)) if (one := entity.find(expand("replacedBy"))) is not None else "",
        serial_number=text_of(entity, expand("serialNumber")),
        manufacturer=text_of(entity, expand("manufacturerName")),
        model=text_of(entity, expand("modelName")),
        position=position_of(entity.find(expand("location"))),
        profiles=_list_profiles(fleet, caller)[:PROFILES_PROPOSED],
        technologies=[one.value for one in Technology],
        done=request.query_params.get("done", ""),
        refusal=refusal,
        given=given,
        command_key=given.get("key") or secrets.token_hex(8),
    )


def _list_profiles(fleet: Fleet, caller: Caller) -> list[DeviceProfile]:
    known = list(fleet.registry.profiles_of(caller.tenant).values())
    return sorted(known, key=lambda one: one.id)


def has_gateways(statistics: Statistics, frames: Sequence[FrameView]) -> bool:
    """Whether gateways hear it, as far as anybody told: what came by HTTP or MQTT counts as heard by one."""
    is_radio = statistics.technology in _RADIOS or statistics.rssi_dbm is not None
    return is_radio or any(one.frame.uplink.gateway for one in frames)


def frame_view(frame: LoggedFrame, t: Wording) -> FrameView:
    uplink, refused = frame.uplink, frame.refused
    said = [
        None if uplink.rssi_dbm is None else t.quantity(round(uplink.rssi_dbm), "DBM"),
        None if uplink.snr_db is None else t.quantity(round(uplink.snr_db, 1), "2N"),
        f"SF{uplink.spreading_factor}" if uplink.spreading_factor else None,
        uplink.gateway and t("device.by_gateway", gateway=uplink.gateway, n=uplink.gateways),
    ]
    return FrameView(
        frame=frame,
        payload=payload_view(uplink.payload, BYTES_SHOWN),
        decoded=tuple((name, _shown(value, t)) for name, value in (frame.data or {}).items()),
        radio=", ".join(one for one in said if one),
        reason="" if refused is None else refused.reason.value,
        why=Explained("", "") if refused is None else explain_detail(refused.reason, refused.detail, t),
    )


def _measured(site: Site, device: Device, frame: LoggedFrame, t: Wording) -> Sequence[MeasuredView]:
    """What a frame says of the territory and of the device, as pages call it."""
    try:
        mapped = device.profile.fields.map(frame.data or {}, frame.uplink.received_at)
    except MappingFailure:
        return ()
    told = [(site.reader.compact(one.name), one) for one in (*mapped.asset, *mapped.device)]
    return [MeasuredView(t.attribute_name(term), *value_text(one, term, t)) for term, one in told]


def _shown(value: Any, t: Wording) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return t.number(value)
    return msgspec.json.encode(value).decode()


def _command_view(command: Command, t: Wording) -> CommandView:
    return CommandView(command, _SHAPES[command.state], _content(command), explain_detail(None, command.detail, t))


def _content(command: Command) -> str:
    return command.payload.hex(" ") if command.data is None else msgspec.json.encode(command.data).decode()


def _last_day(site: Site, entity: Entity) -> Instant | None:
    told = entity.find(site.reader.expand(LAST_DAY))
    return instant_of(told.value) if told is not None and isinstance(told.value, dict) else None


def _interval(device: Device, statistics: Statistics, t: Wording) -> tuple[str, str]:
    """How often it is expected, and by whose word."""
    interval_s = interval_of(device, statistics)
    if interval_s < 1:
        return "", ""
    expected = device.profile.expect.interval_s
    by = "own" if device.expected_interval_s else "profile" if expected else "learnt"
    return spell_span(interval_s, t), by


def _clock(statistics: Statistics, t: Wording) -> str:
    if statistics.is_clock_unset:
        return t("finding_reason.clock_unset")
    offset_s = statistics.clock_offset_s
    if not offset_s or abs(offset_s) < 1:
        return ""
    return t(f"finding_reason.clock_{'behind' if offset_s > 0 else 'ahead'}", by=spell_span(abs(offset_s), t))


async def change(request: Request) -> Response:
    """Whatever the form's `do` says. What cannot be done comes back with the reason and what was filled in."""
    form = await request.form(max_fields=40)
    check_form(request, form)
    caller, what = caller_of(request), str(form.get("do", ""))
    if what == "command":
        _check_commands(caller)
    else:
        check_writes(caller)
    device = await _device(request)
    try:
        return await _CHANGES.get(what, _unknown)(site_of(request), caller, device, form)
    except ParvisError as refused:
        if not refused.can_be_put_right:
            raise
        given = {name: str(value) for name, value in form.items() if name != FORM_FIELD}
        return await _page(request, device, explain_refusal(refused, site_of(request).pages.words(request)), given)


async def _update(site: Site, caller: Caller, device: Device, form: FormData) -> Response:
    """The place stays what it is, a point or not, where its fields were left alone."""
    interval_min = number_from(form, "interval_min", "interval")
    same_place = text_from(form, "place") == f"{text_from(form, 'latitude')},{text_from(form, 'longitude')}"
    profile = text_from(form, "profile")
    if profile and profile not in {one.id for one in _list_profiles(site.platform.fleet, caller)}:
        raise InvalidForm("profile", f"There is no device profile {profile[:80]!r}.")
    update = DeviceUpdate(
        profile=UNSET if profile in ("", device.profile.id) else profile,
        name=text_from(form, "name"),
        technology=text_from(form, "technology"),
        groups=words_from(form, "groups"),
        tags=words_from(form, "tags"),
        expected_interval_s=(interval_min or 0.0) * 60,
        serial_number=text_from(form, "serial_number"),
        manufacturer=text_from(form, "manufacturer"),
        model=text_from(form, "model"),
        location=UNSET if same_place else place_from(form),
    )
    await site.platform.fleet.update(caller, device.hardware_id, update)
    return _to(device.hardware_id, "changed")


async def _suspend(site: Site, caller: Caller, device: Device, _form: FormData) -> Response:
    await site.platform.fleet.update(caller, device.hardware_id, DeviceUpdate(suspended=True))
    return _to(device.hardware_id, "suspended")


async def _resume(site: Site, caller: Caller, device: Device, _form: FormData) -> Response:
    await site.platform.fleet.update(caller, device.hardware_id, DeviceUpdate(suspended=False))
    return _to(device.hardware_id, "resumed")


async def _replace(site: Site, caller: Caller, device: Device, form: FormData) -> Response:
    """Its keys end, as over the API."""
    label = hardware_id_from(text_from(form, "hardware_id"))
    new = Replacement(label.hardware_id, serial_number=text_from(form, "serial_number") or label.serial_number)
    replacing = await site.platform.fleet.replace(caller, device.hardware_id, new)
    site.platform.access.keys.end_device(caller, device.hardware_id)
    return _to(replacing.hardware_id, "replaced")


async def _remove(site: Site, caller: Caller, device: Device, _form: FormData) -> Response:
    fleet = site.platform.fleet
    undo = removed_text(fleet, device, await site.platform.broker.get(caller, device.entity_id))
    removed = await fleet.remove(caller, device.hardware_id)
    site.platform.access.keys.end_device(caller, removed.hardware_id)
    told = {"removed": device.name or device.hardware_id, **({"undo": undo} if undo else {})}
    return RedirectResponse(f"/console/devices?{urlencode(told)}", SEE_OTHER)


async def _command(site: Site, caller: Caller, device: Device, form: FormData) -> Response:
    """By the key of the form: sent twice, it is given once."""
    hours, port = number_from(form, "hours", "hours"), number_from(form, "port", "port")
    wish = CommandWish(
        f_port=int(port or 0),
        payload=bytes_from(form, "payload"),
        is_confirmed="confirmed" in form,
        expires_in=round((hours or 24) * HOUR),
        key=text_from(form, "key"),
        data=data_from(form, "data"),
    )
    await site.platform.commands.give(caller, device.hardware_id, wish)
    return _to(device.hardware_id, "commanded", "#commands")


async def _unknown(_site: Site, _caller: Caller, _device: Device, _form: FormData) -> Response:
    raise BadRequestData("The form does not say what is to be done.")


_CHANGES: Mapping[str, Callable[[Site, Caller, Device, FormData], Awaitable[Response]]] = {
    "update": _update,
    "suspend": _suspend,
    "resume": _resume,
    "replace": _replace,
    "remove": _remove,
    "command": _command,
}


def _check_commands(caller: Caller) -> None:
    if not caller.may(Right.COMMAND):
        raise Forbidden("Commands need the right to command.")


async def _device(request: Request) -> Device:
    """Raises Forbidden or ResourceNotFound."""
    caller = caller_of(request)
    check_reads(caller)
    return await site_of(request).platform.fleet.get_device(caller, request.path_params["hardware_id"])


def _to(hardware_id: str, done: str, anchor: str = "") -> Response:
    return RedirectResponse(f"{device_href(hardware_id)}?done={done}{anchor}", SEE_OTHER)


_PATH = "/console/devices/{hardware_id}"
ROUTES = [
    Route(_PATH, device_page, methods=["GET"]),
    Route(_PATH, change, methods=["POST"]),
]
