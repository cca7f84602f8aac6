"""Live map and list of the same objects, under one filter sentence."""

import asyncio
import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.connectors.files.telling import list_entity_ids
from parvis.kernel.identity import Right
from parvis.web.auth import still_is
from parvis.web.changes import ChangeRenderer
from parvis.web.console.first_run import find_beginning
from parvis.web.console.imports import files_of
from parvis.web.features import feature, tally_sentence
from parvis.web.filters import STATE_CHOICES, ObjectFilter, Tally
from parvis.web.headline import PROFILES, Domain, State, is_other, profile_of, types_of
from parvis.web.live import Listener
from parvis.web.objects import Objects, count_types, load_objects
from parvis.web.pages import caller_of
from parvis.web.site import MOST_OBJECTS, Site, site_of
from parvis.web.units import SHARES_OF_ONE, symbol_of
from parvis.web.wording import Wording
from parvis.web.zones import DRAWN

ROWS_AT_FIRST = 100
GEOJSON = "application/geo+json"
QUICKLY = 1
"""gzip's level: packs 20 000 objects in a fifth of the time that the usual one takes, into a fifth more bytes."""
_SEQ = re.compile("[0-9]{1,18}")
Options = list[tuple[str, list[tuple[str, str]]]]


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
        note=bound_sentence(t, found),
        unit=threshold_unit(t, chosen),
        tally_sentence=told_sentence(t, found),
        rows=views[:ROWS_AT_FIRST],
        more=max(0, len(views) - ROWS_AT_FIRST),
        selected=request.query_params.get("selected", ""),
        centre=list(territory.centre),
        zoom=territory.zoom,
        current=chosen.domain or "map",
        beginning=await find_beginning(site, caller_of(request)) if "first" in request.query_params else None,
    )


async def objects(request: Request) -> Response:
    """The filtered objects as GeoJSON; `seq` is from where to listen for changes."""
    site, t = site_of(request), site_of(request).pages.words(request)
    seq = await site.platform.broker.outbox.newest()
    found = await load(site, request)
    body = await asyncio.to_thread(encode_collection, found, t, seq)
    headers = {"cache-control": "no-store", "vary": "Accept-Encoding, Cookie, Accept-Language"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=GEOJSON, headers=headers)
    packed = await asyncio.to_thread(gzip.compress, body, QUICKLY)
    return Response(packed, media_type=GEOJSON, headers={**headers, "content-encoding": "gzip"})


def encode_collection(found: Objects, t: Wording, seq: int) -> bytes:
    """Many megabytes of them take a while: away from the event loop."""
    collection = {
        "type": "FeatureCollection",
        "seq": seq,
        "sentence": told_sentence(t, found),
        "moment": None if found.chosen.moment is None else found.chosen.moment // 1000,
        "layers": [layer_told(layer) for layer in list_layers(found)],
        "without": without_sentence(t, found.chosen),
        "zone": None if found.chosen.within is None else found.chosen.within.geometry,
        "note": bound_sentence(t, found),
        "unit": threshold_unit(t, found.chosen),
        "truncated": found.beyond > 0,
        "features": [feature(view, t) for view in found.views],
    }
    return msgspec.json.encode(collection)


async def load(site: Site, request: Request) -> Objects:
    """Of an import alone where the address names one; who may not write sees no imports."""
    caller, wanted = caller_of(request), request.query_params.get("import", "")
    ids = None
    if wanted and caller.may(Right.WRITE):
        imports = files_of(site.platform).imports
        one = imports.folders.get(caller.tenant, wanted)
        ids = await asyncio.to_thread(list_entity_ids, imports.folders.folder(one), MOST_OBJECTS)
    return await load_objects(site, caller, request.query_params, ids)


def _name_of_import(site: Site, request: Request, chosen: ObjectFilter) -> str:
    caller = caller_of(request)
    if not chosen.of_import or not caller.may(Right.WRITE):
        return ""
    return files_of(site.platform).imports.folders.get(caller.tenant, chosen.of_import).name


def bound_sentence(t: Wording, found: Objects) -> str:
    """What a page of bounded size does not show; empty where it shows all."""
    if found.beyond:
        return t("map.beyond", n=found.beyond, most=t.number(MOST_OBJECTS))
    return t("map.aside", n=found.aside) if found.aside else ""


def told_sentence(t: Wording, found: Objects) -> str:
    """Of a past moment it says so first."""
    sentence = tally_sentence(t, Tally.of(found.views))
    moment = found.chosen.moment
    return sentence if moment is None else t("map.as_it_was", moment=t.moment(moment), sentence=sentence)


@dataclass(frozen=True, slots=True)
class Layer:
    """A domain with what the rest of the filter admits of it."""

    domain: Domain
    is_shown: bool
    total: int
    worst: State


def list_layers(found: Objects) -> list[Layer]:
    """Every domain, so that one knows what there could be."""
    return [
        Layer(domain, found.chosen.shows(domain), *_weight(found.layers.get(domain)))
        for domain in Domain
        if domain in found.layers or domain is not Domain.OTHER
    ]


def _weight(tally: Tally | None) -> tuple[int, State]:
    if tally is None:
        return 0, State.GOOD
    return tally.total, max((state for state, count in tally.by_state.items() if count), default=State.GOOD)


def layer_told(layer: Layer) -> dict[str, Any]:
    return {"domain": layer.domain.value, "shown": layer.is_shown, "n": layer.total, "worst": layer.worst.word}


def without_sentence(t: Wording, chosen: ObjectFilter) -> str:
    """Which layers are switched off, as a part of the filter's sentence."""
    hidden = [t(f"domain.{domain.value}") for domain in Domain if not chosen.shows(domain)]
    return t("filter.without", domains=", ".join(hidden)) if hidden else ""


def zone_options(t: Wording, found: Objects) -> Options:
    """Empty where there is nothing to choose."""
    chosen = found.chosen
    names = {one.id: one.name for one in found.zones}
    if chosen.within is not None and not chosen.corners:
        names.setdefault(chosen.zone, chosen.within.name)
    drawn = [(DRAWN, t("filter.in_drawn"))] if chosen.corners else []
    kept = [(zone_id, t("filter.in_zone", zone=name)) for zone_id, name in names.items()]
    return [("", [("", t("filter.anywhere")), *drawn, *kept])]


def type_options(t: Wording, there: Iterable[str]) -> Options:
    there = frozenset(there)
    groups: Options = [("", [("", t("filter.all_types"))])]
    for domain in Domain:
        known = types_of(domain) if domain is not Domain.OTHER else sorted(filter(is_other, there), key=t.type_name)
        names = [name for name in known if name in there]
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
    listener = Listener(caller, await wanted_types(site, request), request.query_params.get("entity"))
    renderer = ChangeRenderer(site, listener, site.pages.words(request), detailed="entity" in request.query_params)
    stream = site.live.stream(
        listener,
        renderer.render,
        _last_event_id(request),
        lambda: still_is(site.platform.access.gate, caller, request.method, headers),
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
