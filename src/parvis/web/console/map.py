"""Live map and list of the same objects, under one filter sentence."""

import re
from collections.abc import Iterable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.web.auth import still_is
from parvis.web.changes import ChangeRenderer
from parvis.web.features import feature, tally_sentence
from parvis.web.filters import STATE_CHOICES, ObjectFilter, Tally
from parvis.web.headline import PROFILES, Domain, types_of
from parvis.web.live import Listener
from parvis.web.pages import caller_of
from parvis.web.site import MOST_OBJECTS, Site, site_of
from parvis.web.units import SHARES_OF_ONE, symbol_of
from parvis.web.views import ObjectView, by_urgency
from parvis.web.wording import Wording

ROWS_AT_FIRST = 100
_SEQ = re.compile("[0-9]{1,18}")
Options = list[tuple[str, list[tuple[str, str]]]]


async def map_page(request: Request) -> Response:
    site, t = site_of(request), site_of(request).pages.words(request)
    chosen = ObjectFilter.from_query(request.query_params)
    views, there = await load(site, request, chosen)
    territory = site.platform.settings.territory
    return site.pages.render(
        request,
        "console/pages/map.html",
        filter=chosen,
        options={
            "types": type_options(t, there.types | set(chosen.types if chosen.kind else ())),
            "states": state_options(t),
            "communes": commune_options(t, there.names, chosen.commune),
        },
        unit=threshold_unit(t, chosen),
        tally_sentence=tally_sentence(t, Tally.of(views)),
        rows=views[:ROWS_AT_FIRST],
        more=max(0, len(views) - ROWS_AT_FIRST),
        selected=request.query_params.get("selected", ""),
        centre=list(territory.centre),
        zoom=territory.zoom,
        current=chosen.domain or "map",
    )


async def objects(request: Request) -> Response:
    """The filtered objects as GeoJSON; `seq` is from where to listen for changes."""
    site, t = site_of(request), site_of(request).pages.words(request)
    seq = await site.platform.broker.outbox.newest()
    chosen = ObjectFilter.from_query(request.query_params)
    views, _ = await load(site, request, chosen)
    collection = {
        "type": "FeatureCollection",
        "seq": seq,
        "sentence": tally_sentence(t, Tally.of(views)),
        "unit": threshold_unit(t, chosen),
        "truncated": len(views) >= MOST_OBJECTS,
        "features": [feature(view, t) for view in views],
    }
    body = msgspec.json.encode(collection)
    return Response(body, media_type="application/geo+json", headers={"cache-control": "no-store"})


class Found(msgspec.Struct, frozen=True):
    """What could be chosen: communes and types that are there."""

    names: tuple[str, ...]
    types: frozenset[str]


async def load(site: Site, request: Request, chosen: ObjectFilter) -> tuple[list[ObjectView], Found]:
    """The objects to show, most urgent first."""
    caller = caller_of(request)
    views = await site.list_views(caller, chosen.selection(site.reader.terms))
    counts = await site.platform.broker.count_types(caller)
    communes = sorted({view.commune for view in views if view.commune})
    found = Found(tuple(communes), frozenset(site.reader.compact(iri) for iri in counts))
    return by_urgency(view for view in views if chosen.admits(view)), found


def type_options(t: Wording, there: Iterable[str]) -> Options:
    there = frozenset(there)
    groups: Options = [("", [("", t("filter.all_types"))])]
    for domain in Domain:
        names = [name for name in types_of(domain) if name in there]
        if names:
            every = [(domain.value, t("filter.all_of", domain=t(f"domain.{domain.value}")))]
            groups.append((t(f"domain.{domain.value}"), every + [(name, t.type_name(name)) for name in names]))
    return groups


def state_options(t: Wording) -> Options:
    return [("", [("", t("filter.any_state")), *((one, t(f"filter.state_{one}")) for one in STATE_CHOICES)])]


def commune_options(t: Wording, communes: Sequence[str], chosen: str) -> Options:
    names = communes if not chosen or chosen in communes else [chosen, *communes]
    return [("", [("", t("filter.all_communes")), *((name, t("filter.in", commune=name)) for name in names)])]


def threshold_unit(t: Wording, chosen: ObjectFilter) -> str | None:
    """The unit of "above ...", for the types whose headline is a number with a known one; None: not offered."""
    if chosen.kind not in PROFILES:
        return None
    attribute = PROFILES[chosen.kind].headlines[0].attribute
    if attribute in SHARES_OF_ONE:
        return "%"
    code = HEADLINE_UNITS.get(attribute)
    return t.find(f"unit.{attribute}") if code is None else symbol_of(code)


HEADLINE_UNITS = {"flow": "E32", "height": "MTR", "co2": "59", "pm25": "GQ", "temperature": "CEL", "LAeq": "2N"}


async def live_events(request: Request) -> Response:
    """Changes of the filtered types, or of one entity, as server-sent events."""
    site = site_of(request)
    site.live.check_room()
    caller, headers = caller_of(request), dict(request.scope["headers"])
    listener = Listener(caller, wanted_types(site, request), request.query_params.get("entity"))
    renderer = ChangeRenderer(site, listener, site.pages.words(request), detailed="entity" in request.query_params)
    stream = site.live.stream(
        listener,
        renderer.render,
        _last_event_id(request),
        lambda: still_is(site.platform.access.gate, caller, request.method, headers),
    )
    kept_open = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=kept_open)


def wanted_types(site: Site, request: Request) -> frozenset[str]:
    chosen = ObjectFilter.from_query(request.query_params)
    return frozenset(site.reader.expand(name) for name in chosen.types)


def _last_event_id(request: Request) -> int | None:
    """The browser's own header when it comes back, else where the page's data ended."""
    text = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return int(text) if _SEQ.fullmatch(text) else None


ROUTES = [
    Route("/console/map", map_page),
    Route("/console/map.geojson", objects),
    Route("/live/events", live_events),
]
