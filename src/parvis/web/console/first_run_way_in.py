"""The first run's fourth step: the first way in, what to type at its other end, and its first frame."""

from contextlib import suppress

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.access.model import DEVICE_ROLE
from parvis.kernel.errors import BadRequestData, ParvisError, ResourceNotFound
from parvis.kernel.hosts import is_loopback
from parvis.kernel.identity import Caller
from parvis.kernel.settings import InvalidSettings, MapSettings
from parvis.web.basemap import origins_of
from parvis.web.console.first_run_frame import (
    FIRST_RUN,
    SEE_OTHER,
    administrator,
    change_settings,
    form_of,
    go_on,
    keep,
    progress_of,
    render_step,
)
from parvis.web.console.first_run_hearing import hear
from parvis.web.console.first_run_progress import Step
from parvis.web.console.first_run_ways import KEY_PLACE, NEEDS_MQTT, WAYS, Reach, blocks_of
from parvis.web.console.forms import text_of
from parvis.web.faults import explain_fault
from parvis.web.site import Site, site_of

PAGE = f"{FIRST_RUN}/{Step.WAY_IN.value}"
EVERYWHERE = "0.0.0.0"  # noqa: S104
REFRESH_S = 2


async def way_in_page(request: Request) -> Response:
    """`way` is the one that is set up; without it one chooses."""
    administrator(request)
    return await _render(request, _way_of(request))


def _way_of(request: Request) -> str:
    way = request.query_params.get("way", "")
    return way if way in WAYS else ""


async def _render(request: Request, way: str, *, status: int = 200, key: str = "", fault: str = "") -> Response:
    site, caller = site_of(request), administrator(request)
    progress = await progress_of(request)
    reach = reach_of(request)
    is_asked = progress.way == way and bool(progress.key_id)
    heard = await hear(site, caller, progress) if is_asked else None
    if heard is not None and heard.frame_at and not progress.heard_at:
        progress = msgspec.structs.replace(progress.with_done(Step.WAY_IN), heard_at=heard.frame_at)
        await keep(request, progress)
    response = await render_step(
        request,
        Step.WAY_IN,
        status=status,
        ways=list(WAYS),
        needs_mqtt=NEEDS_MQTT,
        way=way,
        chosen_before=progress.way,
        reach=reach,
        blocks=blocks_of(way, reach, key or KEY_PLACE),
        key=key,
        key_place=KEY_PLACE,
        is_asked=is_asked,
        heard=heard,
        refresh_s=REFRESH_S if is_asked and not progress.heard_at else 10 * REFRESH_S,
        waits_for_start=_waits_for_start(site),
        may_open_mqtt=site.platform.settings.access.auth and reach.is_mqtt_local and not reach.is_local,
        fault=fault,
    )
    if key:
        response.headers["cache-control"] = "no-store"
    return response


def reach_of(request: Request) -> Reach:
    """The address that is set, else the one by which this page was reached."""
    platform = site_of(request).platform
    running, changed = platform.settings, platform.at_hand.find_changed
    public_url = changed("server.public_url")
    given = running.server.public_url if public_url is None else public_url
    address = given or f"{request.url.scheme}://{request.url.netloc}"
    mqtt, mqtt_host = platform.mqtt, changed("mqtt.host") or running.mqtt.host
    port, tls_port = (None, None) if mqtt is None else (mqtt.port, mqtt.tls_port)
    return Reach(address.rstrip("/"), port, tls_port, is_loopback(mqtt_host))


def _waits_for_start(site: Site) -> bool:
    """Whether something was set here that holds from the next start only."""
    changed = site.platform.at_hand.find_changed
    return any(changed(key) is not None for key in ("server.public_url", "mqtt.host"))


async def act(request: Request) -> Response:
    async with form_of(request) as form:
        what, address = text_of(form, "do"), text_of(form, "address")
    site, caller, way = site_of(request), administrator(request), _way_of(request)
    match what:
        case "key" if way:
            return await _render(request, way, key=await _make_key(request, caller, way))
        case "address":
            return await _set_address(request, caller, way, address)
        case "open_mqtt":
            return await _open_mqtt(request, site, caller, way)
        case "go_on":
            return await go_on(request, Step.WAY_IN)
        case _:
            raise BadRequestData("The form does not say what is to be done.")


async def _make_key(request: Request, caller: Caller, way: str) -> str:
    """In place of one made here for the same before."""
    site, progress = site_of(request), await progress_of(request)
    t, keys = site.pages.words(request), site.platform.access.keys
    key, token = keys.create(caller, t("first_run.key_label", way=t(f"way.{way}")), DEVICE_ROLE, caller.tenant)
    if progress.way == way and progress.key_id:
        with suppress(ResourceNotFound):
            keys.revoke(caller, progress.key_id)
    await keep(request, msgspec.structs.replace(progress, way=way, key_id=key.id, asked_at=site.now, heard_at=0))
    return token


async def _set_address(request: Request, caller: Caller, way: str, address: str) -> Response:
    t = site_of(request).pages.words(request)
    try:
        (origin,) = origins_of(MapSettings(style_url=address or "?"))
        change_settings(site_of(request), caller, {"server.public_url": origin})
    except InvalidSettings:
        return await _render(request, way, status=400, fault=t("first_run.bad_address"))
    except (ParvisError, OSError) as refused:
        return await _render(request, way, status=400, fault=_told(refused, request))
    return RedirectResponse(f"{PAGE}?way={way}", SEE_OTHER)


async def _open_mqtt(request: Request, site: Site, caller: Caller, way: str) -> Response:
    if not site.platform.settings.access.auth:
        raise BadRequestData("Without authentication nothing listens beyond this machine.")
    try:
        change_settings(site, caller, {"mqtt.host": EVERYWHERE})
    except (ParvisError, OSError) as refused:
        return await _render(request, way, status=400, fault=_told(refused, request))
    return RedirectResponse(f"{PAGE}?way={way}", SEE_OTHER)


def _told(refused: Exception, request: Request) -> str:
    text = refused.detail if isinstance(refused, ParvisError) else str(refused)
    why = explain_fault(text, site_of(request).pages.words(request))
    return f"{why.sentence} {why.detail}".strip()


ROUTES = [Route(PAGE, way_in_page, methods=["GET"]), Route(PAGE, act, methods=["POST"])]
