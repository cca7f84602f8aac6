"""What this broker answers, joined with what sources answer to the same question (NGSI-LD 1.9.1, 5.7.3 to 5.7.10).

A handler answers for this broker as ever; only where a source has a part is its answer taken apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from parvis.broker.api import temporal
from parvis.broker.api.distribution import WARNING_HEADER, Distribution, find_distribution, warning_headers
from parvis.broker.api.entity_maps import MAP_HEADER, asks_for_map, created_map
from parvis.broker.api.offsets import read_window
from parvis.broker.api.paging import COUNT_HEADER
from parvis.broker.api.parameters import MAX_LIMIT, Parameters
from parvis.broker.api.past_maps import past_page_by_map
from parvis.broker.api.query_body import query_parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response, json_response, problem_response
from parvis.broker.api.routing import Handler
from parvis.broker.jsonld.context import Context
from parvis.broker.query.parse import parse_types
from parvis.broker.query.tree import TypeIs
from parvis.broker.sources.aggregates import join_aggregates, told_methods
from parvis.broker.sources.consume import Documents
from parvis.broker.sources.discovery import EntityAsked, SourceQuery, matches, may_have_then
from parvis.broker.sources.documents import join_evolutions, join_kinds, registered_evolutions
from parvis.broker.sources.forward import Ask
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.plan import covers, find_operation
from parvis.broker.temporal.parse import parse_temporal_query
from parvis.kernel.errors import ParvisError, ResourceNotFound, TooManyResults

_NOT_FORWARDED = frozenset({"local", "after", "offset", "count", "entityMap", "entityMapLifetime"})
_PAGING = frozenset({"limit", "offset", "count"})
_OF_PAGES = frozenset({b"link", COUNT_HEADER})
_ANY_TYPE = "*"
_AGGREGATED = "aggregatedValues"

Ours = Callable[[Request, Parameters, Context], Awaitable[Response]]


class Asked(msgspec.Struct, frozen=True):
    """One question: the variable segments of its path, its parameters, and the @context of its names. `methods` are
    those of the aggregates that are wanted."""

    args: tuple[str, ...]
    parameters: Parameters
    context: Context
    methods: tuple[str, ...] = ()

    def with_methods(self) -> "Asked":
        """With what aggregates of several brokers are put together from. Raises OperationNotSupported."""
        words = (*self.parameters.words("options"), *self.parameters.words("format"))
        methods = self.parameters.words("aggrMethods")
        if _AGGREGATED not in words or not methods:
            return self
        told = {"aggrMethods": ",".join(told_methods(methods))}
        return replace(self, parameters=self.parameters.joined(told), methods=methods)


Concerns = Callable[[Asked, Registration], bool]
Join = Callable[[Asked, Sequence[Any]], Any]


class Question(msgspec.Struct, frozen=True):
    """`path` holds {} for each variable segment. `is_paged`: the answer is a page of a list.

    `is_of_entities`: of what a source answers, what it has registered is taken.
    """

    path: str
    operation: Operation
    detailed: Operation
    concerns: Concerns
    join: Join
    is_paged: bool = False
    is_of_entities: bool = False


def gathered(handler: Handler, question: Question) -> Handler:
    @wraps(handler)
    async def handle(request: Request) -> Response:
        context = await request.link_context()

        async def ours(asking: Request, parameters: Parameters, __: Context) -> Response:
            return await handler(asking if parameters is asking.parameters else asking.asking(parameters))

        return await together(request, Asked(request.args, request.parameters, context), question, ours)

    return handle


async def together(request: Request, asked: Asked, question: Question, ours: Ours) -> Response:
    """What `ours` answers, with what sources answer to the same."""
    distribution = await find_distribution(request, asked.context)
    if distribution is None or distribution.around.is_loop or "after" in asked.parameters:
        return await ours(request, asked.parameters, asked.context)
    sources = _sources(asked, distribution, question)
    if not sources:
        return await ours(request, asked.parameters, asked.context)
    asked = asked.with_methods()
    if not question.is_paged:
        return await _answer(request, distribution, sources, asked, question, ours)
    if asks_for_map(request, asked.parameters):
        mapped = await _page_by_map(request, distribution, sources, asked, question, ours)
        if mapped is not None:
            return mapped
    return await _page(request, distribution, sources, asked, question, ours)


async def _page_by_map(
    request: Request,
    distribution: Distribution,
    sources: Sequence[Registration],
    asked: Asked,
    question: Question,
    ours: Ours,
) -> Response | None:
    async def answer(plain: Request, parameters: Parameters) -> Response:
        return await _answer(plain, distribution, sources, replace(asked, parameters=parameters), question, ours)

    named = [one.id for one in sources]
    return await past_page_by_map(request, asked.parameters, asked.context, named, answer)


def _sources(asked: Asked, distribution: Distribution, question: Question) -> list[Registration]:
    operation = question.detailed if asked.parameters.text("details") == "true" else question.operation
    return [
        one
        for one in distribution.registered
        if find_operation(one, [operation]) is not None and question.concerns(asked, one)
    ]


async def _page(
    request: Request,
    distribution: Distribution,
    sources: Sequence[Registration],
    asked: Asked,
    question: Question,
    ours: Ours,
) -> Response:
    """Everybody is asked for all that comes before the page too: nobody knows what the others have. What is counted
    is as much as one answer holds."""
    window = read_window(asked.parameters)
    limit, offset, counting = window
    wanted = offset + limit + 1
    if wanted > MAX_LIMIT:
        raise TooManyResults(f"The pages of a query that goes to several sources end at {MAX_LIMIT} entities.")
    whole = Parameters(dict(asked.parameters.pairs_without(_PAGING))).joined(
        {"limit": str(MAX_LIMIT if counting else wanted)}
    )
    response = await _answer(request, distribution, sources, replace(asked, parameters=whole), question, ours)
    documents = msgspec.json.decode(response.body)
    if not isinstance(documents, list):
        return response
    headers = tuple(one for one in response.headers if one[0] not in _OF_PAGES)
    links = window.headers(request, len(documents), request.accepted())
    shown = msgspec.json.encode(documents[offset : offset + limit])
    return replace(response, body=shown, headers=(*headers, *links))


async def _answer(
    request: Request,
    distribution: Distribution,
    sources: Sequence[Registration],
    asked: Asked,
    question: Question,
    ours: Ours,
) -> Response:
    path = question.path.format(*(quote(one, safe=":") for one in asked.args))
    ask = Ask("GET", path, asked.context, asked.parameters.pairs_without(_NOT_FORWARDED))
    answer, theirs = await asyncio.gather(
        _unless_missing(ours(request, asked.parameters, asked.context)),
        distribution.consumption.read_documents(sources, ask, distribution.around),
    )
    headers = warning_headers(theirs.warnings)
    documents = _believed(theirs, question, asked.context)
    if isinstance(answer, ResourceNotFound):
        if not documents:
            return problem_response(answer).with_headers(*headers)
        return json_response(question.join(asked, documents)).with_headers(*headers)
    if not documents and not asked.methods:
        return answer.with_headers(*headers)
    joined = question.join(asked, [msgspec.json.decode(answer.body), *documents])
    return replace(answer, body=msgspec.json.encode(joined)).with_headers(*headers)


def _believed(theirs: Documents, question: Question, context: Context) -> list[Any]:
    if not question.is_of_entities:
        return [document for _, document in theirs.told]
    found = [registered_evolutions(document, registration, context) for registration, document in theirs.told]
    return [one for one in found if one is not None]


async def _unless_missing(response: Awaitable[Response]) -> Response | ResourceNotFound:
    try:
        return await response
    except ResourceNotFound as missing:
        return missing


async def create_past_map(request: Request) -> Response:
    """Create entity map for a query of the temporal evolution (5.14.5)."""
    return await _created_map(request, request.parameters, await request.link_context())


async def create_past_map_by_body(request: Request) -> Response:
    """Create entity map for a query of the temporal evolution, by POST (5.14.5)."""
    document, context = await request.document()
    return await _created_map(request, query_parameters(document, request.parameters, is_temporal=True), context)


async def _created_map(request: Request, parameters: Parameters, context: Context) -> Response:
    """By asking for its first page."""
    media, plain = request.accepted(), request.without(MAP_HEADER)
    asked = Asked((), parameters.joined({"entityMap": "true", "limit": "1", "offset": "0"}), context)
    response = await together(plain, asked, EVOLUTIONS, temporal.query_past)
    address = dict(response.headers).get(MAP_HEADER)
    if address is None:
        return response
    made = await request.broker.entity_maps.get(request.caller, address.decode().rsplit("/", 1)[-1])
    warnings = [one for one in response.headers if one[0] == WARNING_HEADER]
    return created_map(request, made, context, media).with_headers(*warnings)


async def query_past_by_body(request: Request) -> Response:
    """Query temporal evolution of entities, by POST (6.24): sources are asked by GET, for they all can answer that."""
    document, context = await request.document()
    parameters = query_parameters(document, request.parameters, is_temporal=True)
    return await together(request, Asked((), parameters, context), EVOLUTIONS, temporal.query_past)


def _kinds(_asked: Asked, documents: Sequence[Any]) -> Any:
    return join_kinds(documents)


def _evolutions(asked: Asked, documents: Sequence[Any]) -> Any:
    if asked.methods:
        return join_aggregates(documents, asked.methods)
    last_n = asked.parameters.integer("lastN", 0, 0)
    return join_evolutions(documents, last_n or None)


def _is_of_that_time(asked: Asked, registration: Registration) -> bool:
    timerel, time_at, end, timeproperty = map(asked.parameters.text, ("timerel", "timeAt", "endTimeAt", "timeproperty"))
    if timerel is None:
        return True
    try:
        return may_have_then(registration, parse_temporal_query(timerel, time_at, end, timeproperty))
    except ParvisError:
        return False


def _any(_asked: Asked, _registration: Registration) -> bool:
    return True


def _of_type(asked: Asked, registration: Registration) -> bool:
    entity = EntityAsked(TypeIs(asked.context.expand(asked.args[0])))
    return matches(registration, SourceQuery((entity,)))


def _of_attribute(asked: Asked, registration: Registration) -> bool:
    return matches(registration, SourceQuery(attrs=(asked.context.expand(asked.args[0]),)))


def _of_entity(asked: Asked, registration: Registration) -> bool:
    attrs = tuple(asked.context.expand(one) for one in asked.parameters.words("attrs"))
    is_meant = any(covers(one, asked.args[0], None, attrs) for one in registration.information)
    return is_meant and _is_of_that_time(asked, registration)


def _of_query(asked: Asked, registration: Registration) -> bool:
    types = asked.parameters.text("type")
    entity = EntityAsked(
        None if types is None or types == _ANY_TYPE else parse_types(types, asked.context),
        asked.parameters.words("id"),
        asked.parameters.text("idPattern"),
    )
    attrs = tuple(asked.context.expand(one) for one in asked.parameters.words("attrs"))
    source = SourceQuery(() if entity == EntityAsked() else (entity,), attrs)
    return matches(registration, source) and _is_of_that_time(asked, registration)


TYPES = Question("/types", Operation.RETRIEVE_ENTITY_TYPES, Operation.RETRIEVE_ENTITY_TYPE_DETAILS, _any, _kinds)
TYPE = Question("/types/{}", Operation.RETRIEVE_ENTITY_TYPE_INFO, Operation.RETRIEVE_ENTITY_TYPE_INFO, _of_type, _kinds)
ATTRIBUTES = Question("/attributes", Operation.RETRIEVE_ATTR_TYPES, Operation.RETRIEVE_ATTR_TYPE_DETAILS, _any, _kinds)
ATTRIBUTE = Question(
    "/attributes/{}", Operation.RETRIEVE_ATTR_TYPE_INFO, Operation.RETRIEVE_ATTR_TYPE_INFO, _of_attribute, _kinds
)
EVOLUTION = Question(
    "/temporal/entities/{}",
    Operation.RETRIEVE_TEMPORAL,
    Operation.RETRIEVE_TEMPORAL,
    _of_entity,
    _evolutions,
    is_of_entities=True,
)
EVOLUTIONS = Question(
    "/temporal/entities",
    Operation.QUERY_TEMPORAL,
    Operation.QUERY_TEMPORAL,
    _of_query,
    _evolutions,
    is_paged=True,
    is_of_entities=True,
)
