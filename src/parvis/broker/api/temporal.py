"""Temporal evolutions (NGSI-LD 1.9.1, 5.6.11, 5.6.12, 5.7.3, 5.7.4 and 6.18 to 6.24)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from parvis.broker.api.media import Media
from parvis.broker.api.paging import page_headers, read_page
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.query_body import query_parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Headers, Response
from parvis.broker.api.selection import read_selection
from parvis.broker.api.views import list_response, object_response
from parvis.broker.api.writing import apply, check_types, entity_created
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import parse_entity
from parvis.broker.jsonld.render_temporal import (
    TemporalForm,
    TemporalRepresentation,
    render_aggregates,
    render_history,
)
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Iri
from parvis.broker.ports.store import EntityAggregates, EntityHistory
from parvis.broker.query.tree import Aggregation, TemporalQuery
from parvis.broker.temporal.aggregates import count_together
from parvis.broker.temporal.parse import parse_aggregation, parse_temporal_query, slices
from parvis.broker.temporal.span import content_range
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import system_clock

MAX_INSTANCES = 1000
"""Of one attribute in one answer; the rest is told by 206 and Content-Range (6.3.10)."""

_FORMS = {
    "normalized": TemporalForm.NORMALIZED,
    "concise": TemporalForm.CONCISE,
    "temporalValues": TemporalForm.TEMPORAL_VALUES,
    "simplified": TemporalForm.TEMPORAL_VALUES,
}
_AGGREGATED = "aggregatedValues"
_OPTIONS = frozenset(_FORMS) | {_AGGREGATED, "sysAttrs"}


class _Reading(msgspec.Struct, frozen=True):
    """What is asked of each entity. `aggregation` is None where the instances themselves are."""

    query: TemporalQuery
    representation: TemporalRepresentation
    aggregation: Aggregation | None


class _Evolution(msgspec.Struct, frozen=True):
    body: bytes
    types: tuple[Iri, ...]
    is_empty: bool
    history: EntityHistory | None = None


async def retrieve_entity(request: Request) -> Response:
    """Retrieve temporal evolution of an entity (5.7.3)."""
    [entity_id] = request.args
    media, context = request.accepted(), await request.link_context()
    reading = _reading(request.parameters, context)
    evolution = await _evolution(request, check_uri(entity_id, "An entity id"), reading, context)
    check_types(request, evolution.types, context)
    status, headers = _extent([evolution], reading)
    return object_response(evolution.body, context, media, status, headers)


async def query_entities(request: Request) -> Response:
    """Query temporal evolution of entities (5.7.4)."""
    media, context = request.accepted(), await request.link_context()
    return await _page(request, request.parameters, context, media)


async def query_by_body(request: Request) -> Response:
    """Query temporal evolution of entities, by POST (6.24)."""
    media = request.accepted()
    document, context = await request.document()
    return await _page(request, query_parameters(document, request.parameters, is_temporal=True), context, media)


async def upsert_entity(request: Request) -> Response:
    """Create or update temporal evolution of an entity (5.6.11)."""
    document, context = await request.document()
    change = _change(document, context, ENTITY, Mode.UPSERT_UPDATE)
    outcome = await apply(request, change, context)
    if outcome.status is Status.CREATED:
        return entity_created(request, change.entity_id, "temporal/entities")
    return NO_CONTENT


async def append_instances(request: Request) -> Response:
    """Add attributes to the temporal evolution of an entity (5.6.12)."""
    [entity_id] = request.args
    document, context = await request.document()
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData(f"The body is of another entity than {entity_id}: leave the id out.")
    change = _change({"id": entity_id, **document}, context, FRAGMENT, Mode.APPEND)
    await apply(request, change, context)
    return NO_CONTENT


def _change(document: dict[str, Any], context: Context, reading: Reading, mode: Mode) -> Change:
    """What comes late becomes history only; the present is what was observed last."""
    parts = [parse_entity(part, context, reading) for part in slices(document)]
    instances = sorted((one for part in parts for one in part.instances), key=_time)
    return Change(parts[0].id, mode, tuple(instances), parts[0].types, parts[0].scopes, keep_newest=True)


def _time(instance: Instance) -> tuple[bool, int]:
    return instance.observed_at is None, instance.observed_at or 0


def _reading(parameters: Parameters, context: Context) -> _Reading:
    options = parameters.options(_OPTIONS)
    query = parse_temporal_query(
        parameters.text("timerel"),
        parameters.text("timeAt"),
        parameters.text("endTimeAt"),
        parameters.text("timeproperty"),
        parameters.integer("lastN", 0, 1) or None,
        tuple(context.expand(name) for name in parameters.words("attrs")),
        tuple("" if dataset == "@none" else dataset for dataset in parameters.words("datasetId")),
        MAX_INSTANCES,
    )
    representation = TemporalRepresentation(
        _form(options), "sysAttrs" in options, languages(parameters.text("lang")), query.time_property
    )
    return _Reading(query, representation, _aggregation(parameters, options))


def _form(options: frozenset[str]) -> TemporalForm:
    asked = {_FORMS[option] for option in options if option in _FORMS}
    if len(asked) + (_AGGREGATED in options) > 1:
        raise BadRequestData("Ask for one form only: normalized, concise, temporalValues or aggregatedValues.")
    return asked.pop() if asked else TemporalForm.NORMALIZED


def _aggregation(parameters: Parameters, options: frozenset[str]) -> Aggregation | None:
    if _AGGREGATED not in options:
        return None
    return parse_aggregation(parameters.words("aggrMethods"), parameters.text("aggrPeriodDuration"))


async def _page(request: Request, parameters: Parameters, context: Context, media: Media) -> Response:
    reading = _reading(parameters, context)
    if reading.query.relation is None:
        raise BadRequestData("A temporal query says which time, with timerel and timeAt.")
    asked = read_page(read_selection(parameters, context), parameters)
    page = await request.broker.query(request.caller, asked.query)
    evolutions = await _evolutions(request, [one.id for one in page.entities], reading, context)
    present = [one for one in evolutions if not one.is_empty]
    status, headers = _extent(present, reading)
    headers += page_headers(request, page, asked, media)
    return list_response([one.body for one in present], context, media, headers, status)


async def _evolutions(
    request: Request, entity_ids: Sequence[str], reading: _Reading, context: Context
) -> list[_Evolution]:
    if reading.aggregation is None:
        return [await _evolution(request, one, reading, context) for one in entity_ids]
    evolutions = []
    together = count_together(reading.query, reading.aggregation, system_clock())
    for start in range(0, len(entity_ids), together):
        some = entity_ids[start : start + together]
        for one in await request.broker.list_aggregates(request.caller, some, reading.query, reading.aggregation):
            await asyncio.sleep(0)
            evolutions.append(_aggregated(one, context))
    return evolutions


async def _evolution(request: Request, entity_id: str, reading: _Reading, context: Context) -> _Evolution:
    await asyncio.sleep(0)
    if reading.aggregation is not None:
        aggregates = await request.broker.aggregate(request.caller, entity_id, reading.query, reading.aggregation)
        return _aggregated(aggregates, context)
    history = await request.broker.history(request.caller, entity_id, reading.query)
    body = render_history(history, context, reading.representation)
    return _Evolution(body, history.types, not history.instances, history)


def _aggregated(aggregates: EntityAggregates, context: Context) -> _Evolution:
    return _Evolution(render_aggregates(aggregates, context), aggregates.types, not aggregates.buckets)


def _extent(evolutions: Sequence[_Evolution], reading: _Reading) -> tuple[int, Headers]:
    """200, or 206 with the range that the answer covers where a limit cut it short."""
    covered = content_range([one.history for one in evolutions if one.history is not None], reading.query)
    if covered is None:
        return 200, ()
    return 206, ((b"content-range", covered.encode()),)
