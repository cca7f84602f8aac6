"""The first run's third step: the ground under the map, and where the map opens on it."""

import asyncio
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.bootstrap import Platform
from parvis.ground.choosing import OUTLINES
from parvis.ground.pmtiles import InvalidBaseMap
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import InvalidSettings, MapSettings, TerritorySettings
from parvis.web.basemap import origins_of
from parvis.web.console.device_form import InvalidForm, number_from
from parvis.web.console.first_run_files import (
    ENDINGS,
    LARGEST_GROUND_BYTES,
    Opening,
    check_ground,
    keep_ground,
    place_of,
    place_of_communes,
)
from parvis.web.console.first_run_frame import (
    FIRST_RUN,
    SEE_OTHER,
    administrator,
    change_settings,
    form_of,
    go_on,
    render_step,
)
from parvis.web.console.first_run_progress import Step
from parvis.web.console.forms import text_of
from parvis.web.faults import explain_fault
from parvis.web.site import Site, site_of

PAGE = f"{FIRST_RUN}/{Step.GROUND.value}"
LARGEST_BODY_BYTES = LARGEST_GROUND_BYTES + (1 << 20)
LONGEST_ADDRESS = 1000
_SIREN_DIGITS = 9
_NOTHING = {"path": "", "style_url": "", "allow": ""}


async def ground_page(request: Request) -> Response:
    administrator(request)
    return await _render(request)


async def _render(request: Request, *, status: int = 200, fault: str = "", detail: str = "", **given: str) -> Response:
    platform = site_of(request).platform
    await asyncio.to_thread(platform.ground.follow)
    ground, chosen, territory = platform.ground.now, platform.at_hand.map, platform.at_hand.territory
    is_new = bool(request.query_params.get("fit")) or territory.centre == TerritorySettings().centre
    around = await asyncio.to_thread(_around, platform) if is_new else None
    centre, zoom = around or (territory.centre, territory.zoom)
    kind = "style" if chosen.style_url else "none" if ground is None else "tiles" if ground.file else "outlines"
    return await render_step(
        request,
        Step.GROUND,
        status=status,
        kind=kind,
        is_nowhere=kind == "none" and territory.centre == TerritorySettings().centre,
        outlines_of=_outlines_of(territory.code),
        chosen=chosen,
        source=chosen.style_url or chosen.ground or ("" if ground is None or ground.file is None else ground.file.name),
        centre=list(centre),
        zoom=zoom,
        fault=fault,
        detail=detail,
        given=_NOTHING | given,
        endings=", ".join(ENDINGS),
        most_mb=LARGEST_GROUND_BYTES >> 20,
    )


def _outlines_of(code: str) -> str:
    """Where the state gives out the outlines of a commune (INSEE's code) or of a group's communes (SIREN).

    API Découpage administratif, https://geo.api.gouv.fr/decoupage-administratif.
    """
    if not code.isalnum():
        return ""
    what = f"epcis/{code}/communes" if len(code) == _SIREN_DIGITS else f"communes/{code}"
    return f"https://geo.api.gouv.fr/{what}?fields=code,nom&format=geojson&geometry=contour"


def _around(platform: Platform) -> Opening | None:
    """Where the map shows the territory's communes, if the ground knows their outlines; else all of the ground."""
    ground, chosen = platform.ground.now, platform.at_hand.map.ground
    if ground is None:
        return None
    path = platform.settings.data_dir / chosen
    if chosen and ground.file is None and path.suffix.lower() in OUTLINES:
        return place_of_communes(path, platform.at_hand.territory.communes) or place_of(ground)
    return place_of(ground)


async def choose(request: Request) -> Response:
    """A ground, which is looked at on the same page; or the place where the map opens, which ends the step."""
    async with form_of(request) as form:
        return await _choose(request, form)


async def _choose(request: Request, form: FormData) -> Response:
    site, caller, t = site_of(request), administrator(request), site_of(request).pages.words(request)
    what = text_of(form, "do")
    try:
        if what == "open":
            change_settings(site, caller, _place_of(form))
            return await go_on(request, Step.GROUND)
        change_settings(site, caller, await _ground_of(form, what, site))
    except InvalidForm:
        return await _render(request, status=400, fault=t("first_run.no_place"))
    except (ParvisError, OSError) as refused:
        why = explain_fault(refused.detail if isinstance(refused, ParvisError) else str(refused), t)
        told = {"path": text_of(form, "path"), "style_url": text_of(form, "style_url"), "allow": text_of(form, "allow")}
        return await _render(
            request, status=400, fault=why.sentence or t("first_run.refused"), detail=why.detail, **told
        )
    return RedirectResponse(f"{PAGE}?fit=1", SEE_OTHER)


async def _ground_of(form: FormData, what: str, site: Site) -> dict[str, Any]:
    """What to set. Raises InvalidBaseMap or InvalidSettings."""
    if what == "none":
        return {"map.ground": "", "map.style_url": ""}
    if what == "file":
        return await _from_file(form, site)
    if what == "path":
        path = site.platform.settings.data_dir / text_of(form, "path")
        await asyncio.to_thread(_check_path, path)
        return {"map.ground": text_of(form, "path"), "map.style_url": ""}
    if what == "style":
        address = text_of(form, "style_url")[:LONGEST_ADDRESS]
        allow = tuple(text_of(form, "allow").split())
        if not address:
            raise InvalidSettings("map: '' is no address such as https://tiles.town.example/style.json.")
        origins_of(MapSettings(style_url=address, style_origins=allow))
        return {"map.style_url": address, "map.style_origins": allow}
    raise InvalidSettings("Choose a file, a path or an address.")


async def _from_file(form: FormData, site: Site) -> dict[str, Any]:
    file = form.get("ground")
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidBaseMap("Choose a file first.")
    kept = await keep_ground(file, site.platform.settings.data_dir)
    return {"map.ground": kept.name, "map.style_url": ""}


def _check_path(path: Path) -> None:
    if path.suffix.lower() not in ENDINGS:
        raise InvalidBaseMap(f"{path} is neither of {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise InvalidBaseMap(f"map.ground: {path} is not there.")
    check_ground(path)


def _place_of(form: FormData) -> dict[str, Any]:
    """Raises InvalidForm."""
    longitude, latitude, zoom = (number_from(form, name, "place") for name in ("longitude", "latitude", "zoom"))
    if longitude is None or latitude is None or zoom is None:
        raise InvalidForm("place", "A place has a longitude, a latitude and a zoom.")
    if abs(longitude) > 180 or abs(latitude) > 90 or not 0 <= zoom <= 22:
        raise InvalidForm("place", "This is no place on Earth.")
    return {"territory.centre": (round(longitude, 5), round(latitude, 5)), "territory.zoom": round(zoom, 2)}


ROUTES = [Route(PAGE, ground_page, methods=["GET"]), Route(PAGE, choose, methods=["POST"])]
