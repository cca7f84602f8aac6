"""Zones that are kept: an area of the map under a name, as an entity that everyone may filter by."""

from secrets import token_hex

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.errors import BadRequestData
from parvis.web.auth import check_form
from parvis.web.filters import ObjectFilter
from parvis.web.pages import caller_of
from parvis.web.site import site_of
from parvis.web.zones import ZONE, drawn_zone, parse_corners

SEE_OTHER = 303
LONGEST_NAME = 80
ID_LEAD = "urn:ngsi-ld:Zone:"


async def keep_zone(request: Request) -> Response:
    """Under its name, and shown at once in place of the drawn one."""
    site, caller = site_of(request), caller_of(request)
    form = await _checked(request)
    site.platform.broker.check_writer(caller)
    name = str(form.get("name", "")).strip()[:LONGEST_NAME]
    corners = parse_corners(str(form.get("area", "")))
    if not name or not corners:
        raise BadRequestData("A zone has a name and at least three corners.")
    zone_id, expand = f"{ID_LEAD}{token_hex(6)}", site.reader.expand
    instances = (
        Instance(expand("name"), Kind.PROPERTY, name),
        Instance(expand("location"), Kind.GEO_PROPERTY, drawn_zone(corners).geometry),
    )
    await site.platform.broker.write(caller, [Change(zone_id, Mode.CREATE, instances, (expand(ZONE),))])
    return _to_map(form, zone_id)


async def forget_zone(request: Request) -> Response:
    """Entities of other types that have an area are no zones of the map's and stay."""
    site, caller = site_of(request), caller_of(request)
    form = await _checked(request)
    site.platform.broker.check_writer(caller)
    zone_id = str(form.get("zone", ""))
    if not zone_id.startswith(ID_LEAD):
        raise BadRequestData("That is no zone of the map.")
    await site.platform.broker.write(caller, [Change(zone_id, Mode.DELETE)])
    return _to_map(form, "")


async def _checked(request: Request) -> FormData:
    form = await request.form()
    check_form(request, form)
    return form


def _to_map(form: FormData, zone_id: str) -> Response:
    """The same view as before but for the zone."""
    asked = {name: str(value) for name, value in form.items() if name not in ("zone", "area")}
    query = ObjectFilter.from_query({**asked, "zone": zone_id}, (asked.get("type", ""),)).to_query()
    return RedirectResponse(f"/console/map?{query}" if query else "/console/map", SEE_OTHER)


async def zones_page(request: Request) -> Response:
    """They are kept, chosen and forgotten on the map."""
    return RedirectResponse("/console/map", SEE_OTHER)


ROUTES = [
    Route("/console/zones", zones_page, methods=["GET"]),
    Route("/console/zones", keep_zone, methods=["POST"]),
    Route("/console/zones/forget", forget_zone, methods=["POST"]),
]
