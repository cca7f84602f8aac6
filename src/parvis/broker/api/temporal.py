"""Temporal evolutions (NGSI-LD 1.9.1, 5.6.11, 5.6.12, 5.7.3, 5.7.4 and 6.18 to 6.24)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from parvis.broker.api.entity_maps import asks_for_map, past_by_map, with_map
from parvis.broker.api.media import Media
from parvis.broker.api.paging import past_headers, read_page
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.provision import PAST_PATH, Undertaking, everywhere, past_path
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Headers, Response
from parvis.broker.api.selection import read_selection
from parvis.broker.api.temporal_reading import TemporalReading, read_temporal
from parvis.broker.api.views import list_response, object_response
from parvis.broker.api.writing import apply, check_types, entity_created
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.evolution import parse_evolution
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.render_temporal import render_aggregates, render_history
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Iri
from parvis.broker.ports.store import EntityAggregates, EntityHistory
from parvis.broker.query.tree import Order, TemporalQuery
from parvis.broker.sources.model import Operation
from parvis.broker.temporal.selection import NO_ATTRIBUTE, PastPage, PastQuery
from parvis.broker.temporal.span import content_range
from parvis.kernel.errors import BadRequestData, ResourceNotFound

NOTHING_SHOWN = b"{}"


class _Evolution(msgspec.Struct, frozen=True):
    body: bytes
    types: tuple[Iri, ...]
    is_empty: bool
    history: EntityHistory | None = None


async def retrieve_entity(request: Request) -> Response:
    """Retrieve temporal evolution of an entity (5.7.3)."""
    [entity_id] = request.args
    media, context = request.accepted(), await request.link_context()
    reading = read_temporal(request.parameters, context, request.broker.most_instances)
    evolution = await _evolution(request, check_uri(entity_id, "An entity id"), reading, context)
    check_types(request, evolution.types, context)
    if evolution.body == NOTHING_SHOWN or (evolution.is_empty and await _has_none(request, entity_id, reading)):
        raise ResourceNotFound(f"The history of {entity_id} has none of what is asked for.")
    status, headers = _extent([evolution], reading)
    response = object_response(evolution.body, context, media, status, headers)
    return await with_map(request, entity_id, response) if asks_for_map(request, request.parameters) else response


async def _has_none(request: Request, entity_id: str, reading: TemporalReading) -> bool:
    """Whether the attributes asked for never were (5.7.3.4)."""
    attrs = reading.query.attrs
    if not attrs:
        return False
    ever = await request.broker.history(request.caller, entity_id, TemporalQuery(attrs=attrs, limit=1))
    return not ever.instances


async def query_entities(request: Request) -> Response:
    """Query temporal evolution of entities (5.7.4)."""
    media, context = request.accepted(), await request.link_context()
    return await _page(request, request.parameters, context, media)


async def query_past(request: Request, parameters: Parameters, context: Context) -> Response:
    """The same, wherever its parameters come from."""
    return await _page(request, parameters, context, request.accepted())


async def upsert_entity(request: Request) -> Response:
    """Create or update temporal evolution of an entity (5.6.11)."""
    document, context = await request.document()
    change = _change(document, context, ENTITY, Mode.UPSERT_UPDATE)
    await request.begin()

    async def here(left: tuple[Iri, ...] | None) -> Response:
        known = await request.broker.find_history(request.caller, change.entity_id, NO_ATTRIBUTE)
        await apply(request, _kept(change, left), context)
        if known is None:
            return entity_created(request, change.entity_id, "temporal/entities")
        return NO_CONTENT

    undertaking = Undertaking(
        Operation.UPSERT_TEMPORAL, change.entity_id, "POST", PAST_PATH, change.types, _names(change), document
    )
    return await everywhere(request, context, undertaking, here)


async def append_instances(request: Request) -> Response:
    """Add attributes to the temporal evolution of an entity (5.6.12)."""
    [entity_id] = request.args
    document, context = await request.document()
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData(f"The body is of another entity than {entity_id}: leave the id out.")
    change = _change({"id": entity_id, **document}, context, FRAGMENT, Mode.APPEND)

    async def here(left: tuple[Iri, ...] | None) -> Response:
        await apply(request, _kept(change, left), context)
        return NO_CONTENT

    path = f"{past_path(entity_id)}/attrs"
    undertaking = Undertaking(
        Operation.APPEND_ATTRS_TEMPORAL, entity_id, "POST", path, change.types, _names(change), document
    )
    return await everywhere(request, context, undertaking, here)


def _change(document: dict[str, Any], context: Context, reading: Reading, mode: Mode) -> Change:
    """What comes late becomes history only; the present is what was observed last."""
    parsed = parse_evolution(document, context, reading)
    return Change(parsed.id, mode, parsed.instances, parsed.types, parsed.scopes, keep_newest=True, past=parsed.past)


def _names(change: Change) -> tuple[Iri, ...]:
    return tuple(dict.fromkeys(one.name for one in (*change.instances, *change.past)))


def _kept(change: Change, left: tuple[Iri, ...] | None) -> Change:
    """What is said of these attributes."""
    if left is None:
        return change
    return replace(
        change,
        instances=tuple(one for one in change.instances if one.name in left),
        past=tuple(one for one in change.past if one.name in left),
    )


async def _page(request: Request, parameters: Parameters, context: Context, media: Media) -> Response:
    reading = read_temporal(parameters, context, request.broker.most_instances)
    if reading.query.relation is None:
        raise BadRequestData("A temporal query says which time, with timerel and timeAt.")
    asked = read_page(read_selection(parameters, context), parameters)
    if reading.order is not Order.FIRST_KNOWN and asked.query.after is not None:
        raise BadRequestData("after leads through pages without orderBy: give offset.")
    query = PastQuery(asked.query, reading.query, reading.order, reading.aggregation)
    if asks_for_map(request, parameters):
        mapped = await past_by_map(request, parameters, query, media)
        if mapped is not None:
            response = _page_response(mapped.page, mapped.headers, reading, context, media)
            return replace(response, status=201) if mapped.is_new else response
    page = await request.broker.query_past(request.caller, query)
    headers = past_headers(request, page, asked, media, by_offset=reading.order is not Order.FIRST_KNOWN)
    return _page_response(page, headers, reading, context, media)


def _page_response(
    page: PastPage, headers: Headers, reading: TemporalReading, context: Context, media: Media
) -> Response:
    evolutions = [_rendered(one, reading, context) for one in page.histories]
    evolutions += [_aggregated(one, reading, context) for one in page.aggregates]
    shown = [one for one in evolutions if one.body != NOTHING_SHOWN]
    status, extent = _extent(shown, reading)
    return list_response([one.body for one in shown], context, media, (*extent, *headers), status)


async def _evolution(request: Request, entity_id: str, reading: TemporalReading, context: Context) -> _Evolution:
    if reading.aggregation is not None:
        aggregates = await request.broker.aggregate(request.caller, entity_id, reading.query, reading.aggregation)
        return _aggregated(aggregates, reading, context)
    return _rendered(await request.broker.history(request.caller, entity_id, reading.query), reading, context)


def _rendered(history: EntityHistory, reading: TemporalReading, context: Context) -> _Evolution:
    body = render_history(history, context, reading.representation)
    return _Evolution(body, history.types, not history.instances, history)


def _aggregated(aggregates: EntityAggregates, reading: TemporalReading, context: Context) -> _Evolution:
    body = render_aggregates(aggregates, context, reading.representation)
    return _Evolution(body, aggregates.types, not aggregates.buckets)


def _extent(evolutions: Sequence[_Evolution], reading: TemporalReading) -> tuple[int, Headers]:
    """200, or 206 with the range that the answer covers where a limit cut it short."""
    covered = content_range([one.history for one in evolutions if one.history is not None], reading.query)
    if covered is None:
        return 200, ()
    return 206, ((b"content-range", covered.encode()),)
