"""Operations that go to context sources too: what of a request they take along, and how their answers come together
(NGSI-LD 1.9.1, 4.3.6, 6.3.17 and 6.3.18)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from parvis.broker.api.media import Media
from parvis.broker.api.offsets import Window
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers
from parvis.broker.api.selection import Prepared
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import CORE_MEMBERS, Representation
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.query.evaluate import matches
from parvis.broker.query.parse import parse_q, parse_types
from parvis.broker.query.tree import AllTypes, AnyType, EntityQuery, TypeIs, TypeSelection
from parvis.broker.sources.consume import (
    MOST_ENTITIES,
    NO_FILTERS,
    QUERYING,
    QUERYING_BY_BODY,
    RETRIEVING,
    Consumption,
    Gathered,
    Warned,
    loop_warning,
    together,
)
from parvis.broker.sources.discovery import datasets_match
from parvis.broker.sources.forward import Around, read_via
from parvis.broker.sources.model import Registration
from parvis.broker.sources.plan import Part, plan_query, plan_retrieval, reachable, source_query_of
from parvis.broker.subscriptions.notification import context_url
from parvis.kernel.errors import BadRequestData, TooManyResults
from parvis.kernel.time import system_clock

DEEPEST = 10_000
"""So many entities are gathered for a page, those of the pages before it included."""
FILTERS = ("q", "expandValues", "scopeQ", "georel", "geometry", "coordinates", "geoproperty")
WARNING_HEADER = b"ngsild-warning"
MOST_WARNING_BYTES = 4000


class Distribution(msgspec.Struct, frozen=True):
    """`registered` are the sources that this request may go to."""

    around: Around
    registered: Sequence[Registration]
    consumption: Consumption


async def find_distribution(request: Request, context: Context) -> Distribution | None:
    """None where the request stays here: nothing is registered, or it says so, or it comes from here."""
    found = await find_registered(request)
    if not found:
        return None
    around = await around_of(request, context)
    consumption = request.broker.sources.consumption
    if consumption is None:
        return None
    return Distribution(around, reachable(found, around, system_clock()), consumption)


async def find_registered(request: Request) -> Sequence[Registration]:
    """Next to nothing to ask where there are none."""
    sources, tenant = request.broker.sources, request.caller.tenant
    found = sources.index.find(tenant)
    if found is None:
        found = await sources.index.of(tenant)
    return found if found and not request.parameters.flag("local") else ()


async def around_of(request: Request, context: Context) -> Around:
    via = request.headers.get(b"via", b"").decode("latin-1")
    if context_url(context.source) is None:
        context = await request.addressable(context)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    tenant = request.caller.tenant
    return Around(tenant, await request.broker.sources.alias(tenant), context, read_via(via), headers)


class Found(msgspec.Struct, frozen=True):
    """What is known of one entity, here and elsewhere."""

    entity: Entity | None
    warnings: tuple[Warned, ...] = ()


async def retrieve(
    request: Request, distribution: Distribution, entity_id: str, representation: Representation, context: Context
) -> Found:
    """Retrieve entity (5.7.1)."""
    local = await request.broker.find(request.caller, entity_id)
    asked = request.parameters.text("type")
    types = local.types if local is not None else None if asked is None else _iris(parse_types(asked, context))
    attrs = _attributes(representation)
    having = [one for one in distribution.registered if datasets_match(one.datasets, representation.datasets)]
    parts = plan_retrieval(having, entity_id, types, attrs, RETRIEVING)
    gathered = await _gather(distribution, parts)
    found = together([] if local is None else [local], gathered)
    entity = next((one for one in found if one.id == entity_id), None)
    seen = None if entity is None else request.broker.shown(request.caller, entity)
    return Found(seen, gathered.warnings)


class Gathering(msgspec.Struct, frozen=True):
    """A page of entities from here and elsewhere."""

    entities: Sequence[Entity]
    headers: Headers


async def query(
    request: Request,
    distribution: Distribution,
    parameters: Parameters,
    prepared: Prepared,
    context: Context,
    media: Media,
    *,
    by_body: bool,
) -> Gathering | None:
    """Query entities (5.7.2); None where no source has anything of it."""
    asked = prepared.page.query
    csf = parameters.text("csf")
    source = msgspec.structs.replace(source_query_of(asked), datasets=parameters.words("datasetId"))
    if csf is not None:
        source = msgspec.structs.replace(source, csf=parse_q(csf, context))
    parts = plan_query(distribution.registered, asked, source, QUERYING_BY_BODY if by_body else QUERYING)
    if not parts or "after" in parameters:
        return None
    if "orderBy" in parameters:
        raise BadRequestData("What comes from several sources has no order: ask with local=true to have one.")
    return await _gathered(request, distribution, parameters, asked, parts, media)


async def _gathered(
    request: Request,
    distribution: Distribution,
    parameters: Parameters,
    asked: EntityQuery,
    parts: Sequence[Part],
    media: Media,
) -> Gathering:
    wanted = asked.offset + asked.limit + 1
    if wanted > DEEPEST:
        raise TooManyResults(f"The pages of a query that goes to several sources end at {DEEPEST} entities.")
    is_split = parameters.flag("splitEntities")
    here = EntityQuery(asked.ids, asked.id_pattern, asked.types) if is_split else asked
    local = await request.broker.query(
        request.caller,
        msgspec.structs.replace(here, limit=DEEPEST if is_split else wanted, offset=0, count=asked.count),
    )
    filters = {} if is_split else _filters(parameters)
    remote = [_whole(part) for part in parts] if is_split else parts
    gathered = await _gather(
        distribution,
        remote,
        filters,
        lambda entity: matches(entity, asked),
        MOST_ENTITIES if is_split else min(wanted, MOST_ENTITIES),
    )
    joined = together(local.entities, gathered)
    fitting = [one for one in joined if matches(one, asked)] if is_split else joined
    shown = (request.broker.shown(request.caller, one) for one in fitting)
    seen = [one for one in shown if one is not None]
    more = 0 if is_split or local.total is None else max(0, local.total - len(local.entities))
    total = len(seen) + more
    headers = Window(asked.limit, asked.offset, asked.count).headers(request, total, media)
    return Gathering(seen[asked.offset : asked.offset + asked.limit], (*headers, *warning_headers(gathered.warnings)))


async def _gather(
    distribution: Distribution,
    parts: Sequence[Part],
    filters: Mapping[str, str] = NO_FILTERS,
    fits: Callable[[Entity], bool] = lambda _: True,
    limit: int = MOST_ENTITIES,
) -> Gathered:
    """What has come back goes no further: where it would, that is told."""
    around = distribution.around
    if around.is_loop:
        return Gathered((), (loop_warning(around),) if parts else ())
    return await distribution.consumption.gather(parts, around, filters, fits, limit)


def warning_headers(warnings: Iterable[Warned]) -> Headers:
    """All in one, for what lies between may keep no second header of the name."""
    told = b", ".join(dict.fromkeys(warned.header for warned in warnings))
    return ((WARNING_HEADER, told[:MOST_WARNING_BYTES]),) if told else ()


def _whole(part: Part) -> Part:
    """Of all that the source has registered: what the query asks for is seen once everything is together."""
    names = {name for info in part.registration.information for name in info.attributes}
    is_open = any(not info.attributes for info in part.registration.information)
    return msgspec.structs.replace(part, attrs=() if is_open else tuple(sorted(names)))


def _filters(parameters: Parameters) -> dict[str, str]:
    given = ((name, parameters.text(name)) for name in FILTERS)
    return {name: text for name, text in given if text is not None}


def _attributes(representation: Representation) -> tuple[Iri, ...]:
    return tuple(sorted(representation.attrs or representation.pick - CORE_MEMBERS))


def asked_types(request: Request, context: Context) -> list[Iri]:
    """Those that the `type` of the URL names."""
    asked = request.parameters.text("type")
    return [] if asked is None else _iris(parse_types(asked, context))


def _iris(selection: TypeSelection) -> list[Iri]:
    return list(_each_iri(selection))


def _each_iri(selection: TypeSelection) -> Iterator[Iri]:
    match selection:
        case TypeIs(iri):
            yield iri
        case AllTypes(terms) | AnyType(terms):
            for term in terms:
                yield from _each_iri(term)
