"""All that a query finds, here and at context sources, whatever page it asks for."""

from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from parvis.broker.api.distribution import DEEPEST, find_distribution
from parvis.broker.api.distribution import query as distributed_query
from parvis.broker.api.media import Media
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.selection import Prepared
from parvis.broker.jsonld.context import Context
from parvis.broker.linked import CHUNK, resolved
from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.errors import TooManyResults

MOST_FOUND = 10_000


class Whole(msgspec.Struct, frozen=True):
    """`here` are the ids of what is held here; `sources` the registrations that were asked for the rest."""

    entities: Sequence[Entity]
    here: frozenset[str]
    sources: tuple[str, ...] = ()


async def find_everything(
    request: Request, parameters: Parameters, prepared: Prepared, context: Context, media: Media
) -> Whole:
    """Raises TooManyResults."""
    query = await with_links_resolved(request, prepared.page.query)
    local = await find_everything_here(request, query)
    here = frozenset(one.id for one in local)
    distribution = await find_distribution(request, context)
    if distribution is None:
        return Whole(local, here)
    unpaged = replace(query, limit=DEEPEST - 1, offset=0, after=None, after_key=None)
    asked = replace(prepared, page=replace(prepared.page, query=unpaged, told=0))
    found = await distributed_query(request, distribution, parameters, asked, context, media, by_body=False)
    if found is None:
        return Whole(local, here)
    return Whole(found.entities, here, tuple(one.id for one in distribution.registered))


async def find_everything_here(request: Request, query: EntityQuery) -> list[Entity]:
    """Raises TooManyResults."""
    found: list[Entity] = []
    query = replace(query, limit=CHUNK, offset=0, after=None, after_key=None, count=False)
    while True:
        page = await request.broker.query(request.caller, query)
        found += page.entities
        if len(found) > MOST_FOUND:
            raise TooManyResults(f"The query finds more than {MOST_FOUND} entities: ask for fewer.")
        if page.resume is None:
            return found
        query = replace(query, after=page.resume, after_key=page.resume_key)


async def with_links_resolved(request: Request, query: EntityQuery) -> EntityQuery:
    if query.q is None:
        return query
    return replace(query, q=await resolved(query.q, partial(request.broker.query, request.caller)))
