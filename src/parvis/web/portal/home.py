"""The residents' first page: my place, today. It works without scripts; the map comes on demand."""

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.members.model import POOL, Member
from parvis.broker.query.tree import AnyType, EntityQuery, TypeIs
from parvis.kernel.identity import READERS, Caller
from parvis.web.assets import FOR_EVER
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.public import list_boards
from parvis.web.features import feature
from parvis.web.markers import ICONS, sprite
from parvis.web.official import plain
from parvis.web.pages import YEAR_S, caller_of
from parvis.web.portal.nearby import Nearby, find_nearby, position_of
from parvis.web.portal.today import TYPES, Gatherer, Seen
from parvis.web.portal.water import Levels
from parvis.web.site import MOST_OBJECTS, Site, site_of

COMMUNE_COOKIE = "parvis_commune"
HELD_S = 10.0
OPEN_DATA = (
    ("WasteContainer", "containers"),
    ("ParkingSpot", "parking"),
    ("AirQualityObserved", "air"),
    ("WaterObserved", "water"),
)
DATA_LIMIT = 1000
"""The most that one answer of the API gives; its Link header leads on."""


class Snapshot:
    """What residents may see, read at most every ten seconds however many of them look at once, and then forgotten."""

    def __init__(self) -> None:
        self.levels = Levels()
        self._cached = Cached(HELD_S)

    async def read(self, site: Site, caller: Caller) -> list[Seen]:
        if not caller.rights & READERS:
            return []

        async def read() -> list[Seen]:
            return await _read(site, caller)

        return await self._cached.ask(caller, site.reader.language, read)


async def _read(site: Site, caller: Caller) -> list[Seen]:
    types = AnyType(tuple(TypeIs(site.reader.expand(name)) for name in TYPES))
    page = await site.platform.broker.query(caller, EntityQuery(types=types, limit=MOST_OBJECTS))
    now = site.now
    return [Seen(entity, site.reader.view(entity, now)) for entity in page.entities]


async def home(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    snapshot: Snapshot = request.app.state.snapshot
    seen = await snapshot.read(site, caller)
    communes = sorted({one.view.commune for one in seen if one.view.commune})
    chosen = _chosen(request, communes)
    shown = {one.view.type for one in seen}
    nearby = await find_nearby(site, caller, request.query_params, chosen)
    t = site.pages.words(request)
    response = site.pages.render(
        request,
        "portal/pages/home.html",
        commune=chosen,
        communes=communes,
        today=Gatherer(site.reader).gather(seen, chosen, nearby.place),
        levels=await snapshot.levels.list_of(site, caller, _here(seen, chosen)),
        nearby=nearby,
        points_href=_points_href(chosen, nearby),
        date=t.local(site.now).date(),
        is_empty=not seen,
        boards=await list_boards(site, caller),
        members=_list_members(site, caller),
        open_data=[(_data_href(name), label) for name, label in OPEN_DATA if name in shown],
        centre=list(site.platform.at_hand.territory.centre),
        zoom=site.platform.at_hand.territory.zoom,
    )
    if request.query_params.get("commune", "") in communes:
        response.set_cookie(COMMUNE_COOKIE, chosen.encode().hex(), max_age=YEAR_S, httponly=True, samesite="lax")
    return response


def _list_members(site: Site, caller: Caller) -> list[Member]:
    """On the pool's page: those that have something public, by name."""
    if caller.tenant != POOL:
        return []
    shown = [one for one in site.platform.access.gate.pool.list_in_pool() if one.public_types]
    return sorted(shown, key=lambda one: plain(one.title))


def _data_href(name: str) -> str:
    return "/data/v1/entities?" + urlencode({"type": name, "format": "simplified", "limit": DATA_LIMIT})


def _here(seen: Sequence[Seen], commune: str) -> list[Seen]:
    return [one for one in seen if not commune or one.view.commune == commune]


def _points_href(commune: str, nearby: Nearby) -> str:
    """The points of the list, for the map."""
    place = nearby.place
    told = {"commune": commune} if place is None else {"at": f"{place[1]:.6f},{place[0]:.6f}"}
    return "/portal/recycling.geojson?" + urlencode(told)


def _chosen(request: Request, communes: list[str]) -> str:
    """The commune of the address, else the one remembered; "" for the whole territory."""
    if "commune" in request.query_params:
        wanted = request.query_params["commune"]
    else:
        wanted = _remembered(request.cookies.get(COMMUNE_COOKIE, ""))
    return wanted if wanted in communes else ""


def _remembered(cookie: str) -> str:
    try:
        return bytes.fromhex(cookie).decode()
    except ValueError:
        return ""


async def recycling_points(request: Request) -> Response:
    """What the list says of the recycling points, as GeoJSON; by commune, or by where somebody is."""
    site, t = site_of(request), site_of(request).pages.words(request)
    snapshot: Snapshot = request.app.state.snapshot
    seen = await snapshot.read(site, caller_of(request))
    query = request.query_params
    found = Gatherer(site.reader).recycling(seen, query.get("commune", ""), position_of(query.get("at", "")))
    features = [feature(one.view, t) for group in found for one in group]
    collection = {"type": "FeatureCollection", "features": features}
    body = msgspec.json.encode(collection)
    return Response(body, media_type="application/geo+json", headers={"cache-control": "no-store"})


async def markers(request: Request) -> Response:
    """The markers' drawings, for the map on demand."""
    site = site_of(request)
    symbols = sprite({domain: site.assets.icon_source(icon) for domain, icon in ICONS.items()})
    return Response(str(symbols), media_type="image/svg+xml", headers={"cache-control": FOR_EVER})


ROUTES = [
    Route("/", home),
    Route("/portal/recycling.geojson", recycling_points),
    Route("/portal/{digest}/markers.svg", markers),
]
