"""One device, registered where it is mounted: its label, its profile, the object it measures and its place."""

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.labels import Label, LabelKind
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.joining.claims import Claim, ClaimPlace
from parvis.fleet.model.frame import Waiting
from parvis.fleet.model.uplink import Technology
from parvis.fleet.profiles.profile import DEVICE_TERMS, DeviceProfile
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller
from parvis.web.auth import FORM_FIELD, check_form
from parvis.web.console.device_form import (
    InvalidForm,
    explain_refusal,
    label_from,
    place_from,
    text_from,
    words_from,
)
from parvis.web.console.devices import device_href
from parvis.web.filters import LONGEST_SEARCH
from parvis.web.headline import PROFILES
from parvis.web.objects import load_objects
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import ObjectView, natural
from parvis.web.wording import Wording

PAGE = "/console/devices/new"
SEE_OTHER = 303
SHOWN = 20
_UNSAFE = re.compile("[^a-z0-9]+")
_SUFFIX = "abcdefghjkmnpqrstvwxyz23456789"


@dataclass(frozen=True, slots=True)
class ProfileView:
    """`measures` are the names of what it gives, `fits` whether it is probably the one."""

    id: str
    name: str
    maker: str
    measures: tuple[str, ...]
    fits: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the device so far. `claim` tells what was prepared for a claim code."""

    text: str
    label: Label
    hardware_id: str
    claim: Claim | None
    known: Device | None
    waiting: Waiting | None


async def new_page(request: Request) -> Response:
    """Each step is an address of its own: `label`, or `code` from a QR code of ours, then `profile`."""
    check_writes(caller_of(request))
    query = request.query_params
    text = (query.get("code") or query.get("label") or "").strip()
    try:
        found = await _look(request, text) if text else None
    except ParvisError as refused:
        if not refused.can_be_put_right:
            raise
        t = site_of(request).pages.words(request)
        return _label_step(request, text, explain_refusal(refused, t), refused.status)
    if found is None or found.known is not None:
        return _label_step(request, text, known=found.known if found else None)
    profile = found.claim.entry.profile if found.claim else query.get("profile", "")
    if profile not in _profiles_of(request):
        return _profile_step(request, found)
    return await _object_step(request, found, profile)


async def _look(request: Request, text: str) -> Found:
    """Raises InvalidForm, ResourceNotFound or AlreadyExists for a label or a code that leads nowhere."""
    caller, platform = caller_of(request), site_of(request).platform
    label = label_from(text)
    claim = await platform.claims.get(caller, label.claim_code) if label.kind is LabelKind.CLAIM else None
    hardware_id = label.hardware_id if claim is None else claim.entry.hardware_id
    await platform.fleet.registry.load(caller.tenant)
    known = platform.fleet.registry.find(caller.tenant, hardware_id)
    waiting = [one for one in await platform.fleet.list_waiting(caller) if one.hardware_id == hardware_id]
    return Found(text, label, hardware_id, claim, known, waiting[0] if waiting else None)


def _label_step(
    request: Request, text: str, refusal: tuple[str, str] | None = None, status: int = 200, known: Device | None = None
) -> Response:
    return _render(request, 1, status=status, text=text, refusal=refusal, known=known)


def _profile_step(request: Request, found: Found) -> Response:
    t = site_of(request).pages.words(request)
    search = request.query_params.get("search", "").strip()[:LONGEST_SEARCH]
    profiles = list_profiles(_profiles_of(request), search, found.waiting, t)
    return _render(request, 2, found=found, search=search, profiles=profiles[:SHOWN], more=len(profiles) - SHOWN)


async def _object_step(
    request: Request,
    found: Found,
    profile_id: str,
    refusal: tuple[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    is_place_wrong: bool = False,
) -> Response:
    site, t = site_of(request), site_of(request).pages.words(request)
    given = given or {}
    search = (given.get("object") or request.query_params.get("object", "")).strip()[:LONGEST_SEARCH]
    profile = _profiles_of(request)[profile_id]
    objects = await _find_objects(site, caller_of(request), search) if search else []
    own_type = site.reader.compact(profile.entity_type)
    return _render(
        request,
        3,
        status=400 if refusal else 200,
        found=found,
        profile=_profile_view(profile, t),
        search=search,
        objects=objects[:SHOWN],
        more=len(objects) - SHOWN,
        types=sorted({own_type, *PROFILES}, key=lambda one: t.type_name(one, 1)),
        own_type=own_type,
        technology=_technology(found),
        technologies=[one.value for one in Technology],
        name=_name(found),
        place=_prepared_place(found),
        refusal=refusal,
        given=given,
        is_place_wrong=is_place_wrong,
    )


def _render(request: Request, step: int, *, status: int = 200, **data: Any) -> Response:
    told: dict[str, Any] = {"text": "", "refusal": None, "known": None, "found": None, **data}
    return site_of(request).pages.render(request, "console/pages/device_new.html", status=status, step=step, **told)


def _profiles_of(request: Request) -> dict[str, DeviceProfile]:
    tenant = caller_of(request).tenant
    return site_of(request).platform.fleet.registry.profiles_of(tenant)


def list_profiles(
    profiles: Mapping[str, DeviceProfile], search: str, waiting: Waiting | None, t: Wording
) -> list[ProfileView]:
    """Those whose words hold all of the search's; what the network server calls the device's own comes first."""
    network = waiting.newest.network_profile if waiting is not None and waiting.newest is not None else ""
    wanted = search.casefold().split()
    found = []
    for profile in profiles.values():
        view = _profile_view(profile, t, network)
        text = " ".join((view.id, view.name, view.maker, *view.measures)).casefold()
        if all(word in text for word in wanted):
            found.append(view)
    return sorted(found, key=lambda one: (not one.fits, natural(one.name)))


def _profile_view(profile: DeviceProfile, t: Wording, network: str = "") -> ProfileView:
    header = profile.header
    names = dict.fromkeys(rule.name for rule in profile.rules if rule.name not in DEVICE_TERMS)
    maker = t.maker(header.vendor, header.model)
    fits = bool(network) and network.casefold() in (header.id.casefold(), header.name.casefold())
    return ProfileView(header.id, header.name_in(t.language), maker, tuple(map(t.attribute_name, names)), fits)


def _name(found: Found) -> str:
    if found.claim and found.claim.entry.name:
        return found.claim.entry.name
    return found.waiting.newest.device_name if found.waiting and found.waiting.newest else ""


def _prepared_place(found: Found) -> tuple[str, str]:
    """Latitude and longitude as they are filled in."""
    location = found.claim.entry.location if found.claim else None
    if location is None or location.get("type") != "Point":
        return "", ""
    longitude, latitude = location["coordinates"][:2]
    return f"{latitude:.6f}", f"{longitude:.6f}"


def _technology(found: Found) -> str:
    if found.claim is not None:
        return found.claim.entry.technology
    if found.label.kind is LabelKind.LORAWAN:
        return Technology.LORAWAN.value
    newest = None if found.waiting is None else found.waiting.newest
    return "" if newest is None or newest.technology is Technology.UNKNOWN else newest.technology.value


async def _find_objects(site: Site, caller: Caller, search: str) -> list[ObjectView]:
    found = await load_objects(site, caller, {"search": search})
    return sorted(found.views, key=lambda one: natural(one.name))


async def register(request: Request) -> Response:
    form = await request.form(max_fields=40)
    check_form(request, form)
    caller = caller_of(request)
    check_writes(caller)
    t = site_of(request).pages.words(request)
    text, profile = text_from(form, "label"), text_from(form, "profile")
    try:
        found = await _look(request, text)
    except InvalidForm as refused:
        return _label_step(request, text, explain_refusal(refused, t), refused.status)
    if found.known is not None:
        return _label_step(request, text, status=409, known=found.known)
    profile = profile if found.claim is None else found.claim.entry.profile
    if profile not in _profiles_of(request):
        return _profile_step(request, found)
    try:
        device = await _register(request, found, _profiles_of(request)[profile], form)
    except ParvisError as refused:
        if not refused.can_be_put_right:
            raise
        given = {name: str(value) for name, value in form.items() if name != FORM_FIELD}
        is_place_wrong = isinstance(refused, InvalidForm) and refused.fault == "place"
        return await _object_step(request, found, profile, explain_refusal(refused, t), given, is_place_wrong)
    return RedirectResponse(f"{device_href(device.hardware_id)}?{urlencode({'new': '1'})}", SEE_OTHER)


async def _register(request: Request, found: Found, profile: DeviceProfile, form: FormData) -> Device:
    site, caller = site_of(request), caller_of(request)
    where = await _where(site, caller, profile, form)
    if found.claim is not None:
        return await site.platform.claims.redeem(caller, found.label.claim_code, where)
    record = DeviceRecord(
        found.hardware_id,
        profile.id,
        where.entity_id,
        name=where.name,
        entity_type=where.entity_type,
        location=where.location,
        technology=text_from(form, "technology"),
        groups=words_from(form, "groups"),
        tags=words_from(form, "tags"),
        serial_number=text_from(form, "serial_number") or found.label.serial_number,
    )
    fleet = site.platform.fleet
    (outcome,) = await fleet.register(caller, [record])
    if outcome.error is not None:
        raise outcome.error
    fleet.note(caller, "device-registered", found.hardware_id, object=where.entity_id)
    return await fleet.get_device(caller, found.hardware_id)


async def _where(site: Site, caller: Caller, profile: DeviceProfile, form: FormData) -> ClaimPlace:
    """The object that exists, which keeps its place where none is given, or a new one. Raises InvalidForm."""
    place, name = place_from(form), text_from(form, "name")
    chosen = text_from(form, "entity_id")
    if not chosen:
        if not name:
            raise InvalidForm("object", "Neither an object nor the name of a new one.")
        type_name = text_from(form, "entity_type") or site.reader.compact(profile.entity_type)
        return ClaimPlace(new_entity_id(type_name, name), name, type_name, place)
    entity = await site.platform.broker.get(caller, chosen)
    type_name = site.reader.compact(entity.types[0])
    own = site.reader.view(entity, site.now).name
    return ClaimPlace(chosen, own, type_name, place or _location(site, entity))


def _location(site: Site, entity: Entity) -> dict[str, Any] | None:
    one = entity.find(site.reader.expand("location"))
    return one.value if one is not None and isinstance(one.value, dict) else None


def new_entity_id(type_name: str, name: str) -> str:
    """Readable, and that of no other object: two may have the same name."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    slug = _UNSAFE.sub("-", "".join(_ascii(bare))).strip("-")[:40]
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(6))
    return f"urn:ngsi-ld:{type_name.rpartition('/')[2]}:{f'{slug}-' if slug else ''}{suffix}"


def _ascii(text: str) -> Iterable[str]:
    return (one for one in text if not unicodedata.combining(one))


ROUTES = [Route(PAGE, new_page, methods=["GET"]), Route(PAGE, register, methods=["POST"])]
