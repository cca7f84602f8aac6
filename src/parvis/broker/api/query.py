"""Query entities (NGSI-LD 1.9.1, 5.7.2, 6.4.3.2 and 6.23)."""

from functools import partial

from msgspec.structs import replace

from parvis.broker.api.distribution import Distribution, find_distribution
from parvis.broker.api.distribution import query as distributed_query
from parvis.broker.api.earlier_versions import find_wish
from parvis.broker.api.entity_maps import Mapped, answer_by_map, asks_for_map
from parvis.broker.api.media import GEO_MEDIA, Media
from parvis.broker.api.neighbours import find_linked
from parvis.broker.api.paging import page_headers
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.query_body import query_parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response
from parvis.broker.api.selection import Prepared, prepare, prepare_remembered
from parvis.broker.api.snapshots import SNAPSHOT_HEADER, open_snapshot
from parvis.broker.api.views import View, check_geometry_property, check_named, page_response
from parvis.broker.jsonld.context import Context
from parvis.broker.linked import Ask, resolved, speaks_of_links


async def query_entities(request: Request) -> Response:
    """Query entities (5.7.2)."""
    media, context = request.accepted(GEO_MEDIA), await request.link_context()
    prepared = prepare_remembered(request.parameters, context)
    return await _answer(request, request.parameters, prepared, context, media)


async def query_by_body(request: Request) -> Response:
    """Query entities, by POST (6.23)."""
    media = request.accepted(GEO_MEDIA)
    document, context = await request.document()
    if media is not Media.JSON_LD:
        context = await request.addressable(context)
    parameters = query_parameters(document, request.parameters)
    return await _answer(request, parameters, prepare(parameters, context), context, media, by_body=True)


async def _answer(
    request: Request,
    parameters: Parameters,
    prepared: Prepared,
    context: Context,
    media: Media,
    *,
    by_body: bool = False,
) -> Response:
    check_geometry_property(request, media)
    check_named(request, prepared.view)
    if SNAPSHOT_HEADER in request.headers:
        opened = await open_snapshot(request)
        page = await _here(request, opened.query, prepared, context, media)
        return page.with_headers(opened.header)
    if asks_for_map(request, parameters):
        mapped = await answer_by_map(request, parameters, prepared, context, media)
        if mapped is not None:
            return await _by_map(request, mapped, prepared.view, context, media)
    ask = partial(request.broker.query, request.caller)
    distribution = await find_distribution(request, context)
    if distribution is not None:
        asked = await _resolved(ask, prepared)
        found = await distributed_query(request, distribution, parameters, asked, context, media, by_body=by_body)
        if found is not None:
            linked = await find_linked(request, ask, found.entities, prepared.view, distribution)
            headers = (*found.headers, *linked.headers)
            return page_response(request, found.entities, prepared.view, context, media, headers, linked.neighbours)
    return await _here(request, ask, prepared, context, media, distribution)


async def _here(
    request: Request,
    ask: Ask,
    prepared: Prepared,
    context: Context,
    media: Media,
    distribution: Distribution | None = None,
) -> Response:
    page = await ask((await _resolved(ask, prepared)).page.query)
    linked = await find_linked(request, ask, page.entities, prepared.view, distribution)
    headers = (*page_headers(request, page, prepared.page, media), *linked.headers)
    wish = find_wish(request)
    if wish is None:
        return page_response(request, page.entities, prepared.view, context, media, headers, linked.neighbours)
    amended = wish.amend(page.entities, context)
    response = page_response(request, amended, prepared.view, context, media, headers, linked.neighbours)
    return wish.noted(response, is_amended=amended is not page.entities)


async def _by_map(request: Request, mapped: Mapped, view: View, context: Context, media: Media) -> Response:
    """201 where the map was made for it (6.4.3.2)."""
    linked = await find_linked(request, partial(request.broker.query, request.caller), mapped.entities, view)
    page = page_response(request, mapped.entities, view, context, media, mapped.headers, linked.neighbours)
    return replace(page, status=201) if mapped.is_new else page


async def _resolved(ask: Ask, prepared: Prepared) -> Prepared:
    """With the entities in it that q asks about over links."""
    query = prepared.page.query
    if query.q is None or not speaks_of_links(query.q):
        return prepared
    q = await resolved(query.q, ask)
    return replace(prepared, page=replace(prepared.page, query=replace(query, q=q)))
