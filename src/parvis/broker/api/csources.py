"""Registrations of context sources (NGSI-LD 1.9.1, 5.9, 5.10, 6.8 and 6.9)."""

from functools import partial
from typing import Any
from urllib.parse import quote

from parvis.broker.api.offsets import read_window
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, document_response
from parvis.broker.api.selection import read_geo
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.query.parse import parse_q, parse_scope_q, parse_types
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.sources.discovery import EntityAsked, SourceQuery, attributes_of
from parvis.broker.sources.model import Registration
from parvis.broker.sources.render import render_registration
from parvis.broker.subscriptions.subscriptions import may_see_secrets
from parvis.broker.temporal.parse import parse_temporal_query
from parvis.kernel.errors import BadRequestData

OPTIONS = frozenset({"sysAttrs"})


async def register_source(request: Request) -> Response:
    """Register context source (5.9.2)."""
    document, context = await request.document()
    sources = request.broker.sources
    registration = await request.creating(partial(sources.register, request.caller, document, context))
    return created(f"{request.base}/csourceRegistrations/{quote(registration.id, safe=':')}")


async def update_registration(request: Request) -> Response:
    """Update registration (5.9.3)."""
    registration_id = _registration_id(request)
    document, context = await request.document()
    await request.broker.sources.update(request.caller, registration_id, document, context)
    return NO_CONTENT


async def delete_registration(request: Request) -> Response:
    """Delete registration (5.9.4)."""
    await request.broker.sources.delete(request.caller, _registration_id(request))
    return NO_CONTENT


async def retrieve_registration(request: Request) -> Response:
    """Retrieve registration (5.10.1)."""
    media, context = request.accepted(), await request.link_context()
    found = await request.broker.sources.get(request.caller, _registration_id(request))
    return document_response(_shown(request, found, context), media, context)


async def query_registrations(request: Request) -> Response:
    """Query registrations (5.10.2)."""
    media, context = request.accepted(), await request.link_context()
    window = read_window(request.parameters)
    query = read_source_query(request.parameters.without_empty(), context)
    found = await request.broker.sources.query(request.caller, query)
    headers = window.headers(request, len(found))
    shown = [_shown(request, one, context) for one in found[window.offset : window.offset + window.limit]]
    return document_response(shown, media, context).with_headers(*headers)


def read_source_query(parameters: Parameters, context: Context) -> SourceQuery:
    """Raises BadRequestData where the question is too wide (5.10.2.4)."""
    q, csf, scope_q = (parameters.text(name) for name in ("q", "csf", "scopeQ"))
    attrs = tuple(context.expand(name) for name in parameters.words("attrs"))
    speaks_of = () if q is None else tuple(attributes_of(parse_q(q, context)))
    asked = _entity_asked(parameters, context)
    query = SourceQuery(
        () if asked == EntityAsked() else (asked,),
        attrs or speaks_of,
        None if csf is None else parse_q(csf, context),
        read_geo(parameters, context),
        None if scope_q is None else parse_scope_q(scope_q),
        _temporal(parameters),
    )
    if not (query.entities or query.attrs or query.csf or query.geo or query.scope):
        raise BadRequestData("The query is too wide: give type, attrs, id, q, csf, scopeQ or georel.")
    return query


def _entity_asked(parameters: Parameters, context: Context) -> EntityAsked:
    types, pattern = parameters.text("type"), parameters.text("idPattern")
    if pattern is not None:
        pattern_finder(pattern)
    ids = tuple(check_uri(one, "An id") for one in parameters.words("id"))
    return EntityAsked(None if types is None else parse_types(types, context), ids, pattern)


def _temporal(parameters: Parameters) -> TemporalQuery | None:
    if "timerel" not in parameters and "timeAt" not in parameters:
        return None
    timerel, time_at, end, timeproperty = map(parameters.text, ("timerel", "timeAt", "endTimeAt", "timeproperty"))
    query = parse_temporal_query(timerel, time_at, end, timeproperty)
    if query.relation is None:
        raise BadRequestData("A temporal query needs timerel.")
    return query


def _registration_id(request: Request) -> str:
    return check_uri(request.args[0], "The id of a registration")


def _shown(request: Request, registration: Registration, context: Context) -> dict[str, Any]:
    return render_registration(
        registration,
        context,
        sys_attrs="sysAttrs" in request.parameters.options(OPTIONS),
        secrets=may_see_secrets(request.caller),
        health=request.broker.sources.find_health(registration),
    )
