"""One entity (NGSI-LD 1.9.1, 5.6.1, 5.6.6, 5.6.17, 5.6.18, 5.7.1, 6.4 and 6.5)."""

from functools import partial

from msgspec.structs import replace

from parvis.broker.api.distribution import Distribution, find_distribution, retrieve, warning_headers
from parvis.broker.api.earlier_versions import find_wish
from parvis.broker.api.entity_maps import asks_for_map, with_map
from parvis.broker.api.media import GEO_MEDIA, Media
from parvis.broker.api.neighbours import find_linked
from parvis.broker.api.provision import Undertaking, entity_path, everywhere, kept, names_of
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, problem_response
from parvis.broker.api.snapshots import SNAPSHOT_HEADER, open_snapshot
from parvis.broker.api.views import View, check_geometry_property, check_named, one_response, read_view
from parvis.broker.api.writing import apply, change_of, check_types, entity_created, find_typed, merge_reading
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import ParsedEntity, parse_entity, parse_fragment
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Iri, Kind
from parvis.broker.sources.model import Operation
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.time import Instant, parse_instant


async def create_entity(request: Request) -> Response:
    """Create entity (5.6.1)."""
    document, context = await request.document()
    parsed = parse_entity(document, context, ENTITY)
    await request.begin()

    async def here(left: tuple[Iri, ...] | None) -> Response:
        await apply(request, change_of(kept(parsed, left), Mode.CREATE), context)
        return done

    done, names = entity_created(request, parsed.id), names_of(parsed)
    undertaking = Undertaking(
        Operation.CREATE_ENTITY, parsed.id, "POST", "/entities", parsed.types, names, document, done=done
    )
    return await everywhere(request, context, undertaking, here)


async def retrieve_entity(request: Request) -> Response:
    """Retrieve entity (5.7.1)."""
    [entity_id] = request.args
    media, context = request.accepted(GEO_MEDIA), await request.link_context()
    view = read_view(request.parameters, context)
    check_geometry_property(request, media)
    check_named(request, view)
    if SNAPSHOT_HEADER in request.headers:
        return await _retrieve_frozen(request, view, context, media)
    distribution = await find_distribution(request, context)
    if distribution is not None:
        return await _retrieve_everywhere(request, distribution, view, context, media)
    entity = await find_typed(request, check_uri(entity_id, "An entity id"), context)
    return await _shown(request, entity, view, context, media)


async def _retrieve_everywhere(
    request: Request, distribution: Distribution, view: View, context: Context, media: Media
) -> Response:
    [entity_id] = request.args
    found = await retrieve(request, distribution, check_uri(entity_id, "An entity id"), view.representation, context)
    headers = warning_headers(found.warnings)
    try:
        if found.entity is None:
            raise ResourceNotFound(f"There is no entity {entity_id}.")
        check_types(request, found.entity.types, context)
        return (await _shown(request, found.entity, view, context, media, distribution)).with_headers(*headers)
    except ResourceNotFound as failure:
        return problem_response(failure).with_headers(*headers)


async def _retrieve_frozen(request: Request, view: View, context: Context, media: Media) -> Response:
    [entity_id] = request.args
    opened = await open_snapshot(request)
    entity = opened.find(check_uri(entity_id, "An entity id"))
    if entity is None:
        raise ResourceNotFound(f"There is no entity {entity_id} in the snapshot.")
    check_types(request, entity.types, context)
    linked = await find_linked(request, opened.query, (entity,), view)
    return one_response(request, entity, view, context, media, linked.neighbours).with_headers(opened.header)


async def _shown(
    request: Request,
    entity: Entity,
    view: View,
    context: Context,
    media: Media,
    distribution: Distribution | None = None,
) -> Response:
    attrs = view.representation.attrs
    if attrs and attrs.isdisjoint(one.name for one in entity.instances):
        raise ResourceNotFound(f"The entity {entity.id} has none of these attributes.")
    linked = await find_linked(request, partial(request.broker.query, request.caller), (entity,), view, distribution)
    wish = find_wish(request)
    [amended] = [entity] if wish is None else wish.amend([entity], context)
    shown = one_response(request, amended, view, context, media, linked.neighbours).with_headers(*linked.headers)
    if wish is not None:
        shown = wish.noted(shown, is_amended=amended is not entity)
    return await with_map(request, entity.id, shown) if asks_for_map(request, request.parameters) else shown


async def replace_entity(request: Request) -> Response:
    """Replace entity (5.6.18)."""
    [entity_id] = request.args
    document, context = await request.document()
    parsed = parse_fragment(document, entity_id, context, FRAGMENT)

    async def here(left: tuple[Iri, ...] | None) -> Response:
        await apply(request, change_of(kept(parsed, left), Mode.REPLACE), context)
        return NO_CONTENT

    names, path = names_of(parsed), entity_path(entity_id)
    undertaking = Undertaking(Operation.REPLACE_ENTITY, entity_id, "PUT", path, parsed.types, names, document)
    return await everywhere(request, context, undertaking, here)


async def merge_entity(request: Request) -> Response:
    """Merge entity (5.6.17)."""
    [entity_id] = request.args
    document, context = await request.document()
    parsed = parse_fragment(document, entity_id, context, merge_reading(request.parameters))
    given = request.parameters.text("observedAt")
    observed_at = None if given is None else _instant(given)
    lang = request.parameters.text("lang")

    async def here(left: tuple[Iri, ...] | None) -> Response:
        ours = kept(parsed, left)
        if observed_at is not None or lang:
            entity = await request.broker.get(request.caller, entity_id)
            ours = _observed(_in_language(ours, entity, lang), entity, observed_at)
        await apply(request, change_of(ours, Mode.MERGE), context)
        return NO_CONTENT

    names, path = names_of(parsed), entity_path(entity_id)
    undertaking = Undertaking(Operation.MERGE_ENTITY, entity_id, "PATCH", path, parsed.types, names, document)
    return await everywhere(request, context, undertaking, here)


async def delete_entity(request: Request) -> Response:
    """Delete entity (5.6.6)."""
    [entity_id] = request.args
    change = Change(check_uri(entity_id, "An entity id"), Mode.DELETE)
    context = await request.link_context()

    async def here(_: tuple[Iri, ...] | None) -> Response:
        await apply(request, change, context)
        return NO_CONTENT

    undertaking = Undertaking(Operation.DELETE_ENTITY, entity_id, "DELETE", entity_path(entity_id))
    return await everywhere(request, context, undertaking, here)


def _in_language(parsed: ParsedEntity, entity: Entity, lang: str | None) -> ParsedEntity:
    """Words given for a LanguageProperty are those of the language of the URL (6.5.3.4)."""
    if not lang:
        return parsed
    translated = {one.key for one in entity.instances if one.kind is Kind.LANGUAGE_PROPERTY}
    instances = tuple(
        replace(one, kind=Kind.LANGUAGE_PROPERTY, value={lang: one.value})
        if one.kind is Kind.PROPERTY and one.key in translated and isinstance(one.value, str | list)
        else one
        for one in parsed.instances
    )
    return replace(parsed, instances=instances)


def _observed(parsed: ParsedEntity, entity: Entity, at: Instant | None) -> ParsedEntity:
    """The time of the URL stands for the one that the request does not repeat (6.5.3.4)."""
    if at is None:
        return parsed
    timed = {one.key for one in entity.instances if one.observed_at is not None}
    instances = tuple(
        replace(one, observed_at=at) if one.observed_at is None and one.key in timed else one
        for one in parsed.instances
    )
    return replace(parsed, instances=instances)


def _instant(text: str) -> Instant:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise BadRequestData(f"observedAt: {error}.") from None
