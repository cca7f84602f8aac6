"""Live map and list of the same objects, under one filter sentence."""

import asyncio
import gzip
import re
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.connectors.files.telling import list_entity_ids
from parvis.kernel.errors import BadRequestData
from parvis.kernel.happenings import Happening
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.auth import still_is
from parvis.web.basemap import has_ground
from parvis.web.changes import ChangeRenderer
from parvis.web.console.first_run import find_beginning
from parvis.web.console.first_run_frame import may_set_up
from parvis.web.console.imports import files_of
from parvis.web.console.map_filter import (
    bound_sentence,
    commune_options,
    layer_told,
    list_layers,
    refused_sentence,
    state_options,
    threshold_unit,
    told_sentence,
    type_options,
    without_sentence,
    zone_options,
)
from parvis.web.features import feature
from parvis.web.filters import ObjectFilter
from parvis.web.headline import profile_of
from parvis.web.live import Listener, who_is
from parvis.web.objects import Objects, count_types, load_objects
from parvis.web.pages import caller_of
from parvis.web.site import MOST_OBJECTS, Site, site_of
from parvis.web.tenants import in_tenant
from parvis.web.wording import Wording

ROWS_AT_FIRST = 100
MOST_SINGLE = 100
GEOJSON = "application/geo+json"
QUICKLY = 1
"""gzip's level: packs 20 000 objects in a fifth of the time that the usual one takes, into a fifth more bytes."""
_SEQ = re.compile("[0-9]{1,18}")


async def map_page(request: Request) -> Response:
    site, t = site_of(request), site_of(request).pages.words(request)
    found = await load(site, request)
    chosen = found.chosen
    views = found.views
    territory = site.platform.at_hand.territory
    return site.pages.render(
        request,
        "console/pages/map.html",
        filter=chosen,
        options={
            "types": type_options(t, {*found.counts, *(chosen.types if chosen.kind else ())}),
            "states": state_options(t),
            "communes": commune_options(t, found.communes, chosen.commune),
            "zones": zone_options(t, found),
        },
        layers=list_layers(found),
        without=without_sentence(t, chosen),
        seen_at=chosen.moment or site.now,
        age_words="age." if chosen.moment is None else "before.",
        moment_local="" if chosen.moment is None else f"{t.local(chosen.moment):%Y-%m-%dT%H:%M}",
        of_import=_name_of_import(site, request, chosen),
        of_happening=_title_of_happening(site, request, chosen),
        note=bound_sentence(t, found),
        refused=refused_sentence(t, found),
        unit=threshold_unit(t, chosen),
        tally_sentence=told_sentence(t, found),
        rows=views[:ROWS_AT_FIRST],
        more=max(0, len(views) - ROWS_AT_FIRST),
        selected=request.query_params.get("selected", ""),
        centre=list(territory.centre),
        zoom=territory.zoom,
        current=chosen.domain or "map",
        has_ground=has_ground(site.platform),
        may_begin=may_set_up(caller_of(request)),
        beginning=await find_beginning(site, caller_of(request)) if "first" in request.query_params else None,
    )


async def objects(request: Request) -> Response:
    """The filtered objects as GeoJSON; `seq` is from where to listen for changes, `who` sees them."""
    site, t = site_of(request), site_of(request).pages.words(request)
    seq = await site.platform.broker.outbox.newest()
    found = await load(site, request)
    body = await asyncio.to_thread(encode_collection, found, t, seq, caller_of(request), site.now)
    headers = {"cache-control": "no-store", "vary": "Accept-Encoding, Cookie, Accept-Language"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=GEOJSON, headers=headers)
    packed = await asyncio.to_thread(gzip.compress, body, QUICKLY)
    return Response(packed, media_type=GEOJSON, headers={**headers, "content-encoding": "gzip"})


def encode_collection(found: Objects, t: Wording, seq: int, caller: Caller, now: Instant) -> bytes:
    """Many megabytes of them take a while: away from the event loop."""
    collection = {
        "type": "FeatureCollection",
        "seq": seq,
        "who": who_is(caller),
        "now": now // 1000,
        "sentence": told_sentence(t, found),
        "moment": None if found.chosen.moment is None else found.chosen.moment // 1000,
        "layers": [layer_told(layer) for layer in list_layers(found)],
        "without": without_sentence(t, found.chosen),
        "zone": None if found.chosen.within is None else found.chosen.within.geometry,
        "note": f"{refused_sentence(t, found)} {bound_sentence(t, found)}".strip(),
        "unit": threshold_unit(t, found.chosen),
        "truncated": found.beyond > 0,
        "features": [feature(view, t) for view in found.views],
    }
    return msgspec.json.encode(collection)


async def load(site: Site, request: Request) -> Objects:
    """Of an import alone where the address names one, of single objects where it names them."""
    caller = caller_of(request)
    ids = await _ids_of_import(site, caller, request.query_params.get("import", ""))
    if (touched := _touched_by(site, request)) is not None:
        ids = _among(ids, touched)
    if single := request.query_params.getlist("id"):
        if len(single) > MOST_SINGLE:
            raise BadRequestData(f"At most {MOST_SINGLE} objects can be asked for by id.")
        ids = _among(ids, list(dict.fromkeys(single)))
    return await load_objects(site, caller, request.query_params, ids)


def _among(ids: Sequence[str] | None, wanted: Sequence[str]) -> Sequence[str]:
    known = None if ids is None else frozenset(ids)
    return [one for one in wanted if known is None or one in known]


async def _ids_of_import(site: Site, caller: Caller, wanted: str) -> Sequence[str] | None:
    """Who may not write sees no imports."""
    if not wanted or not caller.may(Right.WRITE):
        return None
    imports = files_of(site.platform).imports
    one = imports.folders.get(caller.tenant, wanted)
    return await asyncio.to_thread(list_entity_ids, imports.folders.folder(one), MOST_OBJECTS)


def _touched_by(site: Site, request: Request) -> Sequence[str] | None:
    """By an event of the story, for those who may see it; None where it touches everything."""
    happening = _find_happening(site, request)
    return None if happening is None else happening.touched or None


def _find_happening(site: Site, request: Request) -> Happening | None:
    wanted, story = request.query_params.get("happening", ""), site.platform.happenings
    if not wanted or story is None or not caller_of(request).may(Right.READ):
        return None
    return next((one for one in story.list_happenings(site.reader.language) if one.id == wanted), None)


def _title_of_happening(site: Site, request: Request, chosen: ObjectFilter) -> str:
    happening = _find_happening(site, request) if chosen.of_happening else None
    return "" if happening is None else happening.title


def _name_of_import(site: Site, request: Request, chosen: ObjectFilter) -> str:
    caller = caller_of(request)
    if not chosen.of_import or not caller.may(Right.WRITE):
        return ""
    return files_of(site.platform).imports.folders.get(caller.tenant, chosen.of_import).name


async def live_events(request: Request) -> Response:
    """Changes of the filtered types, or of one entity, as server-sent events."""
    site = site_of(request)
    caller = caller_of(request)
    headers = in_tenant(dict(request.scope["headers"]), caller)
    site.live.check_room(caller)
    listener = Listener(caller, await wanted_types(site, request), request.query_params.get("entity"))
    renderer = ChangeRenderer(site, listener, site.pages.words(request), detailed="entity" in request.query_params)
    stream = site.live.stream(
        listener,
        renderer.render,
        _last_event_id(request),
        lambda: still_is(
            site.platform.access.gate, caller, request.method, headers, is_https=request.url.scheme == "https"
        ),
    )
    kept_open = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=kept_open)


async def wanted_types(site: Site, request: Request) -> frozenset[str]:
    chosen = ObjectFilter.from_query(request.query_params, await count_types(site, caller_of(request)))
    shown = (name for name in chosen.types if chosen.shows(profile_of((name,))[1].domain))
    return frozenset(site.reader.expand(name) for name in shown)


def _last_event_id(request: Request) -> int | None:
    """The browser's own header when it comes back, else where the page's data ended."""
    text = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return int(text) if _SEQ.fullmatch(text) else None


ROUTES = [
    Route("/console/map", map_page),
    Route("/console/map.geojson", objects),
    Route("/live/events", live_events),
]
