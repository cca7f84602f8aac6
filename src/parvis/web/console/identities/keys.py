"""API keys: what opens for programs and devices, when each was last used, and when it stops."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.certificates.model import DeviceCertificate
from parvis.access.model import DEVICE_ROLE, ROLES, ApiKey
from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, Instant
from parvis.web.console.audit_words import label_text
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import SEE_OTHER, administrator_of_tenant, role_titles
from parvis.web.site import site_of

KEYS = "/console/keys"
WARNED_BEFORE = 30 * DAY
UNUSED_FOR = 180 * DAY
DAYS = ("30", "90", "365", "")
"""How long a key may hold; empty: until it is revoked."""


class KeyState(StrEnum):
    EXPIRED = "expired"
    EXPIRES_SOON = "expires_soon"
    UNUSED = "unused"
    IN_FORCE = "in_force"


@dataclass(frozen=True, slots=True)
class ShownKey:
    key: ApiKey
    state: KeyState
    days_left: int | None


def state_of(key: ApiKey, now: Instant) -> KeyState:
    """What asks for something to be done comes first: a program that stops, then a key that nobody seems to need."""
    if key.expires_at is not None and key.expires_at <= now:
        return KeyState.EXPIRED
    if key.expires_at is not None and key.expires_at - now < WARNED_BEFORE:
        return KeyState.EXPIRES_SOON
    if now - (key.last_used_at or key.created_at) >= UNUSED_FOR:
        return KeyState.UNUSED
    return KeyState.IN_FORCE


def shown(keys: list[ApiKey], now: Instant) -> list[ShownKey]:
    """Without the revoked ones, what stops first first."""
    order = list(KeyState)
    rows = [
        ShownKey(one, state_of(one, now), None if one.expires_at is None else max(0, (one.expires_at - now) // DAY))
        for one in keys
        if one.revoked_at is None
    ]
    return sorted(rows, key=lambda row: (order.index(row.state), row.days_left or 0, row.key.label.casefold()))


async def keys_page(request: Request) -> Response:
    return _render(request, administrator_of_tenant(request))


async def act(request: Request) -> Response:
    caller = administrator_of_tenant(request)
    async with form_of(request) as form:
        deed, key_id, label, role, days = (text_of(form, name) for name in ("do", "key", "label", "role", "days"))
        device, fingerprint = text_of(form, "device"), text_of(form, "certificate")
    keys = site_of(request).platform.access.keys
    match deed:
        case "revoke-certificate":
            site_of(request).platform.access.certificates.revoke(caller, fingerprint)
            return _done("certificate_revoked", device)
        case "revoke":
            keys.revoke(caller, key_id)
            return _done("revoked", device)
        case "create":
            try:
                return _created(request, caller, label, role, days, device)
            except BadRequestData as refused:
                return _render(request, caller, problem=refused.detail, status=refused.status)
        case _:
            raise BadRequestData("The form does not say what is to be done.")


def _done(what: str, device: str) -> Response:
    kept = {"device": device} if device else {}
    return RedirectResponse(f"{KEYS}?{urlencode({**kept, 'done': what})}", SEE_OTHER)


def _created(request: Request, caller: Caller, label: str, role: str, days: str, device: str) -> Response:
    """The key is shown this once."""
    if days not in DAYS:
        raise BadRequestData("The form does not say what is to be done.")
    site = site_of(request)
    expires_at = site.now + int(days) * DAY if days else None
    hardware_id = plain_hardware_id(device) if device else ""
    made, token = site.platform.access.keys.create(
        caller, label, DEVICE_ROLE if device else role, caller.tenant, expires_at, hardware_id
    )
    return _render(request, caller, made=made, token=token)


def _render(
    request: Request,
    caller: Caller,
    *,
    made: ApiKey | None = None,
    token: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    site = site_of(request)
    device = plain_hardware_id(request.query_params.get("device", ""))
    keys = [one for one in site.platform.access.keys.list_keys(caller) if not device or one.device == device.lower()]
    response = site.pages.render(
        request,
        "console/pages/keys.html",
        status=status,
        keys=shown(keys, site.now),
        label_text=label_text,
        roles=list(ROLES),
        role_titles=role_titles(site, caller.tenant, site.pages.language(request)),
        days=DAYS,
        device=device,
        made=made,
        token=token,
        problem=problem,
        certificates=_list_certificates(request, caller, device),
        done=request.query_params.get("done", ""),
    )
    if token:
        response.headers["cache-control"] = "no-store"
    return response


def _list_certificates(request: Request, caller: Caller, device: str) -> list[DeviceCertificate]:
    """Those in force: revoked ones open nothing, and stay known for that alone."""
    found = site_of(request).platform.access.certificates.list_all(caller, device)
    return [one for one in found if one.revoked_at is None]


ROUTES = [Route(KEYS, keys_page, methods=["GET"]), Route(KEYS, act, methods=["POST"])]
