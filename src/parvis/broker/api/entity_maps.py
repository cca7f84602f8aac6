"""Entity maps: made for a query, told, prolonged, deleted, asked with (NGSI-LD 1.9.1, 5.5.14, 5.14, 6.32 to 6.35)."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from parvis.broker.api.distribution import DEEPEST, find_distribution
from parvis.broker.api.distribution import query as distributed_query
from parvis.broker.api.media import Media
from parvis.broker.api.offsets import Window
from parvis.broker.api.parameters import Parameters, read_lifetime
from parvis.broker.api.query_body import query_parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Headers, Response, document_response
from parvis.broker.api.selection import Prepared, prepare, prepare_remembered, read_selection
from parvis.broker.api.whole_query import find_everything, with_links_resolved
from parvis.broker.entity_maps import HERE, EntityMap
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.linked import CHUNK
from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery
from parvis.broker.temporal.parse import parse_temporal_query
from parvis.broker.temporal.selection import PastPage, PastQuery
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import format_instant, parse_instant

MAP_HEADER = b"ngsild-entitymap"

Sources = Mapping[str, tuple[str, ...]]


async def create_for_query(request: Request) -> Response:
    """Create entity map for a query of entities (5.14.4)."""
    media, context = request.accepted(), await request.link_context()
    prepared = prepare_remembered(request.parameters, context)
    return await _created(request, request.parameters, prepared, context, media)


async def create_for_body(request: Request) -> Response:
    """Create entity map for a query of entities, by POST (5.14.4)."""
    media = request.accepted()
    document, context = await request.document()
    parameters = query_parameters(document, request.parameters)
    return await _created(request, parameters, prepare(parameters, context), context, media)


async def retrieve_map(request: Request) -> Response:
    """Retrieve entity map (5.14.1)."""
    media, context = request.accepted(), await request.link_context()
    return document_response(_document(await _asked_for(request)), media, context)


async def update_map(request: Request) -> Response:
    """Update entity map (5.14.2); what the broker has found is not changed by it."""
    known = await _asked_for(request)
    document, _ = await request.document()
    if "expiresAt" in document:
        await request.broker.entity_maps.prolong(request.caller, known, _expiry(document["expiresAt"]))
    return NO_CONTENT


async def delete_map(request: Request) -> Response:
    """Delete entity map (5.14.3)."""
    await request.broker.entity_maps.drop(request.caller, await _asked_for(request))
    return NO_CONTENT


def asks_for_map(request: Request, parameters: Parameters) -> bool:
    return MAP_HEADER in request.headers or "entityMap" in parameters


def wants_new_map(request: Request, parameters: Parameters) -> bool:
    """Where the map that it names, if it does, is not there."""
    return MAP_HEADER in request.headers or parameters.flag("entityMap")


class Mapped(msgspec.Struct, frozen=True):
    """A page of a query by an entity map."""

    entities: Sequence[Entity]
    headers: Headers
    is_new: bool


async def answer_by_map(
    request: Request, parameters: Parameters, prepared: Prepared, context: Context, media: Media
) -> Mapped | None:
    """The page by the map that the request names, or by a new one; None where it asks for none (5.7.2.4)."""
    known = await find_named(request)
    is_new = known is None
    if known is None:
        if not wants_new_map(request, parameters):
            return None
        sources = await _sources(request, parameters, prepared, context, media)
        known = await request.broker.entity_maps.make(request.caller, sources, map_lifetime(parameters))
    entities, total = await _page(request, known, prepared.page.query, parameters, prepared, context, media)
    query = prepared.page.query
    headers = Window(query.limit, query.offset, query.count).headers(request, total, media)
    return Mapped(entities, (*headers, location_header(request, known)), is_new)


async def with_map(request: Request, entity_id: str, response: Response) -> Response:
    """The answer of a retrieval, with where its map is to be found (5.7.1.4)."""
    known = await find_named(request)
    if known is None:
        if not wants_new_map(request, request.parameters):
            return response
        lifetime = map_lifetime(request.parameters)
        known = await request.broker.entity_maps.make(request.caller, {entity_id: (HERE,)}, lifetime)
    return response.with_headers(location_header(request, known))


async def find_named(request: Request) -> EntityMap | None:
    """The map that the header names by its address or its id."""
    header = request.headers.get(MAP_HEADER)
    if header is None:
        return None
    return await request.broker.entity_maps.find(request.caller, header.decode("latin-1").rsplit("/", 1)[-1])


def location_header(request: Request, known: EntityMap) -> tuple[bytes, bytes]:
    return MAP_HEADER, f"{request.base}/entityMaps/{known.id}".encode()


def map_lifetime(parameters: Parameters) -> int | None:
    """Of an entity map (6.4.3.2)."""
    return read_lifetime(parameters.text("entityMapLifetime"), "entityMapLifetime")


async def _created(
    request: Request, parameters: Parameters, prepared: Prepared, context: Context, media: Media
) -> Response:
    lifetime = map_lifetime(parameters)
    sources = await _sources(request, parameters, prepared, context, media)
    made = await request.broker.entity_maps.make(request.caller, sources, lifetime)
    return created_map(request, made, context, media)


async def list_past_ids_here(request: Request, parameters: Parameters, context: Context) -> Sequence[str]:
    """Of what a query of the past finds in this broker."""
    past = parse_temporal_query(
        parameters.text("timerel"),
        parameters.text("timeAt"),
        parameters.text("endTimeAt"),
        parameters.text("timeproperty"),
        attrs=tuple(context.expand(name) for name in parameters.words("attrs")),
        limit=1,
    )
    return await request.broker.list_past_ids(request.caller, PastQuery(read_selection(parameters, context), past))


class MappedPast(msgspec.Struct, frozen=True):
    """A page of a query of the past by an entity map."""

    page: PastPage
    headers: Headers
    is_new: bool


async def past_by_map(request: Request, parameters: Parameters, query: PastQuery, media: Media) -> MappedPast | None:
    """As answer_by_map (5.7.4.4)."""
    known = await find_named(request)
    is_new = known is None
    if known is None:
        if not wants_new_map(request, parameters):
            return None
        found = await request.broker.list_past_ids(request.caller, query)
        sources = dict.fromkeys(found, (HERE,))
        known = await request.broker.entity_maps.make(request.caller, sources, map_lifetime(parameters))
    asked = query.entities
    fitting = [one for one in known.sources if not asked.ids or one in asked.ids]
    shown = tuple(fitting[asked.offset : asked.offset + asked.limit])
    page = PastPage()
    if shown:
        of_page = replace(asked, ids=shown, limit=len(shown), offset=0, after=None, count=False)
        page = await request.broker.query_past(request.caller, replace(query, entities=of_page))
    headers = Window(asked.limit, asked.offset, asked.count).headers(request, len(fitting), media)
    return MappedPast(page, (*headers, location_header(request, known)), is_new)


def created_map(request: Request, made: EntityMap, context: Context, media: Media) -> Response:
    told = document_response(_document(made), media, context)
    return Response(201, told.body, (*told.headers, location_header(request, made)))


async def _sources(
    request: Request, parameters: Parameters, prepared: Prepared, context: Context, media: Media
) -> Sources:
    """Where each entity was found; of what is not held here: the sources that were asked for it."""
    whole = await find_everything(request, parameters, prepared, context, media)
    return {one.id: (HERE,) if one.id in whole.here else whole.sources for one in whole.entities}


async def _page(
    request: Request,
    known: EntityMap,
    query: EntityQuery,
    parameters: Parameters,
    prepared: Prepared,
    context: Context,
    media: Media,
) -> tuple[Sequence[Entity], int]:
    """The page, and how many fit in all. What does not fit any longer is forgotten (5.5.9.3)."""
    query = await with_links_resolved(request, query)
    candidates = [one for one in known.sources if not query.ids or one in query.ids]
    fitting = await _fitting(request, candidates, query)
    elsewhere = [one for one in candidates if one not in fitting and HERE not in known.sources[one]]
    if elsewhere:
        fitting |= await _fitting_elsewhere(request, elsewhere, query, parameters, prepared, context, media)
    if len(fitting) < len(candidates):
        gone = set(candidates) - fitting.keys()
        kept = {one: sources for one, sources in known.sources.items() if one not in gone}
        await request.broker.entity_maps.keep_only(request.caller, known, kept)
    ordered = [fitting[one] for one in candidates if one in fitting]
    return ordered[query.offset : query.offset + query.limit], len(ordered)


async def _fitting(request: Request, ids: Sequence[str], query: EntityQuery) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    plain = replace(query, offset=0, after=None, after_key=None, count=False, order=())
    for start in range(0, len(ids), CHUNK):
        some = tuple(ids[start : start + CHUNK])
        page = await request.broker.query(request.caller, replace(plain, ids=some, limit=len(some)))
        found.update((one.id, one) for one in page.entities)
    return found


async def _fitting_elsewhere(
    request: Request,
    ids: Sequence[str],
    query: EntityQuery,
    parameters: Parameters,
    prepared: Prepared,
    context: Context,
    media: Media,
) -> dict[str, Entity]:
    distribution = await find_distribution(request, context)
    if distribution is None:
        return {}
    narrowed = replace(query, ids=tuple(ids), limit=DEEPEST - 1, offset=0, after=None, after_key=None, order=())
    asked = replace(prepared, page=replace(prepared.page, query=narrowed, told=0))
    found = await distributed_query(request, distribution, parameters, asked, context, media, by_body=False)
    return {} if found is None else {one.id: one for one in found.entities}


async def _asked_for(request: Request) -> EntityMap:
    [map_id] = request.args
    return await request.broker.entity_maps.get(request.caller, check_uri(map_id, "The id of an entity map"))


def _expiry(given: object) -> int:
    try:
        return parse_instant(given) if isinstance(given, str) else _refuse(given)
    except ValueError as error:
        raise BadRequestData(f"expiresAt: {error}.") from None


def _refuse(given: object) -> int:
    raise BadRequestData(f"expiresAt is a date-time, not {type(given).__name__}.")


def _document(known: EntityMap) -> dict[str, object]:
    """As 5.2.39 has it."""
    return {
        "id": known.id,
        "type": "EntityMap",
        "expiresAt": format_instant(known.expires_at),
        "entityMap": {entity: list(sources) for entity, sources in known.sources.items()},
    }
