"""What this broker answers, joined with what sources answer to the same question (NGSI-LD 1.9.1, 5.7.3 to 5.7.10).

A handler answers for this broker as ever; only where a source has a part is its answer taken apart.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import quote

import msgspec

from parvis.broker.api.distribution import Distribution, find_distribution, warning_headers
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response, json_response, problem_response
from parvis.broker.api.routing import Handler
from parvis.broker.jsonld.context import Context
from parvis.broker.query.parse import parse_types
from parvis.broker.query.tree import TypeIs
from parvis.broker.sources.discovery import EntityAsked, SourceQuery, matches, may_have_then
from parvis.broker.sources.documents import join_evolutions, join_kinds
from parvis.broker.sources.forward import Ask
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.plan import covers, find_operation
from parvis.broker.temporal.parse import parse_temporal_query
from parvis.kernel.errors import ParvisError, ResourceNotFound

_NOT_FORWARDED = frozenset({"local", "after", "offset", "count"})
_ANY_TYPE = "*"

Concerns = Callable[[Request, Context, Registration], bool]
Join = Callable[[Request, Sequence[Any]], Any]


class Question(msgspec.Struct, frozen=True):
    """`path` holds {} for each variable segment."""

    path: str
    operation: Operation
    detailed: Operation
    concerns: Concerns
    join: Join


def gathered(handler: Handler, question: Question) -> Handler:
    @wraps(handler)
    async def handle(request: Request) -> Response:
        context = await request.link_context()
        distribution = await find_distribution(request, context)
        if (
            distribution is None
            or distribution.around.is_loop
            or (asked := _asked(request, context, distribution, question)) == []
        ):
            return await handler(request)
        return await _answer(request, handler, distribution, asked, question, context)

    return handle


def _asked(request: Request, context: Context, distribution: Distribution, question: Question) -> list[Registration]:
    operation = question.detailed if request.parameters.text("details") == "true" else question.operation
    return [
        one
        for one in distribution.registered
        if find_operation(one, [operation]) is not None and question.concerns(request, context, one)
    ]


async def _answer(
    request: Request,
    handler: Handler,
    distribution: Distribution,
    asked: Sequence[Registration],
    question: Question,
    context: Context,
) -> Response:
    path = question.path.format(*(quote(one, safe=":") for one in request.args))
    ask = Ask("GET", path, context, request.parameters.pairs_without(_NOT_FORWARDED))
    ours, theirs = await asyncio.gather(
        _ours(request, handler),
        distribution.consumption.read_documents(asked, ask, distribution.around),
    )
    headers = warning_headers(theirs.warnings)
    if isinstance(ours, ResourceNotFound):
        if not theirs.documents:
            return problem_response(ours).with_headers(*headers)
        return json_response(question.join(request, theirs.documents)).with_headers(*headers)
    if not theirs.documents:
        return ours.with_headers(*headers)
    joined = question.join(request, [msgspec.json.decode(ours.body), *theirs.documents])
    return msgspec.structs.replace(ours, body=msgspec.json.encode(joined)).with_headers(*headers)


async def _ours(request: Request, handler: Handler) -> Response | ResourceNotFound:
    try:
        return await handler(request)
    except ResourceNotFound as missing:
        return missing


def _kinds(_request: Request, documents: Sequence[Any]) -> Any:
    return join_kinds(documents)


def _evolutions(request: Request, documents: Sequence[Any]) -> Any:
    last_n = request.parameters.integer("lastN", 0, 0)
    return join_evolutions(documents, last_n or None)


def _is_of_that_time(request: Request, registration: Registration) -> bool:
    timerel, time_at, end, timeproperty = map(
        request.parameters.text, ("timerel", "timeAt", "endTimeAt", "timeproperty")
    )
    if timerel is None:
        return True
    try:
        return may_have_then(registration, parse_temporal_query(timerel, time_at, end, timeproperty))
    except ParvisError:
        return False


def _any(_request: Request, _context: Context, _registration: Registration) -> bool:
    return True


def _of_type(request: Request, context: Context, registration: Registration) -> bool:
    asked = EntityAsked(TypeIs(context.expand(request.args[0])))
    return matches(registration, SourceQuery((asked,)))


def _of_attribute(request: Request, context: Context, registration: Registration) -> bool:
    return matches(registration, SourceQuery(attrs=(context.expand(request.args[0]),)))


def _of_entity(request: Request, context: Context, registration: Registration) -> bool:
    attrs = tuple(context.expand(one) for one in request.parameters.words("attrs"))
    is_meant = any(covers(one, request.args[0], None, attrs) for one in registration.information)
    return is_meant and _is_of_that_time(request, registration)


def _of_query(request: Request, context: Context, registration: Registration) -> bool:
    types = request.parameters.text("type")
    asked = EntityAsked(
        None if types is None or types == _ANY_TYPE else parse_types(types, context),
        request.parameters.words("id"),
        request.parameters.text("idPattern"),
    )
    attrs = tuple(context.expand(one) for one in request.parameters.words("attrs"))
    source = SourceQuery(() if asked == EntityAsked() else (asked,), attrs)
    return matches(registration, source) and _is_of_that_time(request, registration)


TYPES = Question("/types", Operation.RETRIEVE_ENTITY_TYPES, Operation.RETRIEVE_ENTITY_TYPE_DETAILS, _any, _kinds)
TYPE = Question("/types/{}", Operation.RETRIEVE_ENTITY_TYPE_INFO, Operation.RETRIEVE_ENTITY_TYPE_INFO, _of_type, _kinds)
ATTRIBUTES = Question("/attributes", Operation.RETRIEVE_ATTR_TYPES, Operation.RETRIEVE_ATTR_TYPE_DETAILS, _any, _kinds)
ATTRIBUTE = Question(
    "/attributes/{}", Operation.RETRIEVE_ATTR_TYPE_INFO, Operation.RETRIEVE_ATTR_TYPE_INFO, _of_attribute, _kinds
)
EVOLUTION = Question(
    "/temporal/entities/{}", Operation.RETRIEVE_TEMPORAL, Operation.RETRIEVE_TEMPORAL, _of_entity, _evolutions
)
EVOLUTIONS = Question("/temporal/entities", Operation.QUERY_TEMPORAL, Operation.QUERY_TEMPORAL, _of_query, _evolutions)
